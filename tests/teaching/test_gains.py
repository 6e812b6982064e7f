"""gptlib.teaching.gains: the figures of a class before and after, whatever its files hold."""

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gptlib.teaching.gains import (
    Gains,
    Sitting,
    discrimination,
    gain,
    interval,
    point_biserial,
)
from gptlib.teaching.inventory import NOT_VALIDATED, inventory

NAMES = [item.name for item in inventory()]


def sheet(right, form="a", names=NAMES):
    """The lines of a student who has these questions right and all others wrong."""
    key = {item.name: item for item in inventory(form.upper())}
    lines = []
    for name in names:
        item = key[name]
        option = item.right if name in right else next(iter(item.misconceptions))
        fields = {"lesson": f"inventory{form}", "question": name, "kind": "inventory"}
        lines.append(json.dumps(fields | {"chosen": option, "right": name in right}))
    return "\n".join(lines) + "\n"


def class_of(folder, sheets):
    folder.mkdir()
    for name, text in sheets.items():
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8", errors="surrogateescape")
    return folder


@pytest.fixture
def before(tmp_path):
    """Ten students, who know 0, 2, ..., 18 of the questions."""
    return class_of(tmp_path / "pre", {f"s{k}": sheet(NAMES[: 2 * k]) for k in range(10)})


@pytest.fixture
def after(tmp_path):
    """The same, six more questions each, in the other form."""
    return class_of(tmp_path / "post", {f"s{k}": sheet(NAMES[: 2 * k + 6], "b") for k in range(10)})


# ---- The figures ----


def test_difficulty_and_gain_of_a_class(before, after):
    found = Gains(before, after)
    assert found.before.marks().mean() == pytest.approx(9 / 24)
    middle, low, high = found.gain()
    assert middle == pytest.approx((15 - 9) / (24 - 9))
    assert low < middle < high and found.gain() == (middle, low, high)
    said = repr(found).splitlines()
    assert said[0] == f"Concept inventory, {NOT_VALIDATED}."
    assert said[1:3] == ["before: 10 students, 38% right", "after: 10 students, 62% right"]
    interval = f"95 % interval {low:.2f} to {high:.2f} (10 students in both)"
    assert said[3] == f"normalised gain: 0.40, {interval}"
    row = next(line.split() for line in said if line.startswith(NAMES[3]))
    assert row[:4] == [NAMES[3], "0.80", "1.00", "1.00"]


def test_each_question_has_intervals_for_difficulty_gain_and_discrimination(before, after):
    found = Gains(before, after)
    table = repr(found).split("95 % intervals")[1].splitlines()
    assert table[0].split() == ["before", "after", "gain", "upper-lower"]
    rows = {row.split()[0]: row.split()[1:] for row in table[1:25]}
    assert list(rows) == NAMES
    low, high = interval(lambda marks: marks.mean(0), found.before.marks())
    for k, name in enumerate(NAMES):
        assert rows[name][:3] == [f"{low[k]:.2f}", "to", f"{high[k]:.2f}"]
    assert rows[NAMES[3]][:3] == ["0.50", "to", "1.00"]  # 8 of 10, by the binomial distribution
    assert rows[NAMES[-1]][:3] == ["0.00", "to", "0.00"]  # nobody knew it


def test_those_who_took_it_once_do_not_count_for_the_gain(before, after):
    (before / "s9.jsonl").unlink()
    (after / "s0.jsonl").unlink()
    found = Gains(before, after)
    assert len(found.matched) == 8
    assert found.gain()[0] == pytest.approx((15 - 9) / (24 - 9))


def test_without_a_name_in_both_the_two_classes_are_compared(before, after):
    for path in after.iterdir():
        path.rename(path.with_name(f"x{path.name}"))
    found = Gains(before, after)
    assert found.matched == [] and found.gain()[0] == pytest.approx(0.4)
    assert "(all students, unmatched)" in repr(found)
    paired = Gains(before, before)
    assert paired.gain() == (0, 0, 0)  # drawn in pairs, nothing varies


def test_before_the_course_there_is_a_table_without_a_gain(before):
    said = repr(Gains(before))
    assert "normalised gain" not in said and "after:" not in said
    assert NOT_VALIDATED in said and "commonest misconceptions before: " in said


def test_a_small_class_is_told_that_single_questions_say_little(tmp_path):
    pre = class_of(tmp_path / "pre", {"a": sheet(NAMES[:5])})
    assert "Fewer than 10 students" in repr(Gains(pre))
    post = class_of(tmp_path / "post", {"a": sheet(NAMES)})
    assert "normalised gain: 1.00" in repr(Gains(pre, post))


def test_discrimination_tells_a_question_that_the_better_half_knows():
    marks = np.zeros((11, 4))
    marks[6:, 0] = 1  # known to the better ones
    marks[6:, 1] = 1
    marks[:, 2] = 1  # known to all
    marks[::2, 3] = 1
    assert discrimination(marks)[:3].tolist() == [1, 1, 0]
    r = point_biserial(marks)
    assert r[0] == pytest.approx(np.corrcoef(marks[:, 0], marks[:, 1:].sum(1))[0, 1])
    assert np.isnan(r[2]) and r[0] > 0.5 > abs(r[3])


def test_the_gain_is_hakes():
    assert gain([0.2, 0.5, 1.0], [0.6, 0.5, 1.0])[:2].tolist() == pytest.approx([0.5, 0])
    assert np.isnan(gain([1.0], [1.0])).all() and gain(0.5, 0.25) == -0.5


def test_the_interval_holds_the_true_gain_about_as_often_as_it_says(tmp_path):
    rng = np.random.default_rng(0)

    class Drawn(Gains):
        def __init__(self, pre, post):
            self.__dict__["both"], self.__dict__["matched"] = (pre, post), ["all"]

    held = 0
    for seed in range(60):
        ability = rng.uniform(-0.2, 0.2, size=(40, 1))
        pre, post = (rng.random((40, 24)) < base + ability for base in (0.4, 0.7))
        _, low, high = Drawn(pre.astype(float), post.astype(float)).gain(seed)
        held += low <= 0.5 <= high
    assert held >= 50


# ---- Hostile files ----


def test_right_is_what_the_key_says_and_not_what_a_file_says(tmp_path):
    lies = sheet([]).replace('"right": false', '"right": true')
    assert Sitting(class_of(tmp_path / "pre", {"liar": lies})).marks().sum() == 0


def test_of_a_question_answered_twice_the_last_answer_counts(tmp_path):
    both = sheet(NAMES[:3], "a") + sheet(NAMES[:9], "b")
    assert Sitting(class_of(tmp_path / "post", {"mia": both})).marks().sum() == 9


def test_what_is_no_sheet_is_left_out_and_named(before):
    lesson = {"lesson": "01", "question": "exit", "kind": "question", "chosen": "x", "right": True}
    (before / "lesson.jsonl").write_text(json.dumps(lesson) + "\n")
    (before / "empty.jsonl").write_text("")
    (before / "noise.jsonl").write_bytes(bytes(range(256)) * 9)
    found = Gains(before)
    assert len(found.before.right) == 10
    assert sorted(found.before.left_out.values()) == [
        "no answers in it", "no answers in it", "no answers to the inventory in it"
    ]  # fmt: skip
    assert f"left out: {before / 'lesson.jsonl'} (no answers to the inventory in it)" in repr(found)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_and_a_link_to_nowhere_are_left_out(before):
    os.mkfifo(before / "pipe.jsonl")
    (before / "gone.jsonl").symlink_to(before / "nowhere")
    assert len(Gains(before).before.right) == 10


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "lesson": st.sampled_from(["inventorya", "inventoryb", "inventoryc"]) | VALUES,
                "question": st.sampled_from([*NAMES, "x"]) | VALUES,
                "chosen": st.sampled_from(["", "about 0.05", "\x1b[2J"]) | VALUES,
                "kind": st.just("inventory") | VALUES,
                "right": st.booleans() | VALUES,
            }
        ),
        max_size=6,
    )
)
def test_no_file_spoils_a_class(tmp_path_factory, answers):
    text = "\n".join(map(json.dumps, answers))
    folder = class_of(tmp_path_factory.mktemp("class") / "pre", {"a": sheet(NAMES), "odd": text})
    found = Gains(folder)
    assert found.before.marks(["a.jsonl"]).sum() == 24
    assert "\x1b" not in repr(found)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_classes_of_nobody_and_of_one_have_a_table_too(tmp_path, n):
    pre = class_of(tmp_path / "pre", {f"s{k}": sheet(NAMES[:k]) for k in range(n)})
    for both in ((pre,), (pre, pre)):
        assert NAMES[-1] in repr(Gains(*both))


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        Gains(tmp_path / "absent")
