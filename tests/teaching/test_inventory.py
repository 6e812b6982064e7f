"""gptlib.teaching.inventory: two parallel forms, true answers, options in balance."""

import json
import math
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest
import torch

import gptlib
from gptlib.corpora import pets as grammar
from gptlib.storage import answers
from gptlib.teaching import Lesson, inventory
from gptlib.teaching.concepts import MISCONCEPTIONS
from gptlib.teaching.inventory import FORMS, NOT_VALIDATED, as_json, hand_in, write
from gptlib.teaching.lesson import PARTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "teach" / "inventory.md").read_text(encoding="utf-8")
each_form = pytest.mark.parametrize("form", FORMS)


def items(form="A", seed=0):
    return inventory.inventory(form, seed)


def by_name(form):
    return {item.name: item for item in items(form)}


# ---- The two forms ----


@each_form
def test_there_are_24_questions_with_four_different_answers_one_of_them_right(form):
    assert len(items(form)) == 24
    for item in items(form):
        assert len(set(item.options)) == 4 and item.right in item.options
        assert set(item.misconceptions) == set(item.options) - {item.right}


@each_form
def test_each_of_28_misconceptions_can_be_chosen(form):
    assert len(MISCONCEPTIONS) == 28
    met = {name for item in items(form) for name in item.misconceptions.values()} - {""}
    assert met == set(MISCONCEPTIONS)
    assert all(any(item.misconceptions.values()) for item in items(form))


def test_every_lesson_has_a_misconception_and_every_misconception_a_lesson():
    lessons = {lesson for lesson, _ in MISCONCEPTIONS.values()}
    assert lessons == {f"{number:02d}" for number in range(9)}


def test_the_forms_ask_for_the_same_with_other_words_and_numbers():
    for name, a in by_name("A").items():
        b = by_name("B")[name]
        assert a.asks != b.asks
        assert Counter(a.misconceptions.values()) == Counter(b.misconceptions.values())


def test_a_form_that_is_not_there_is_said():
    with pytest.raises(ValueError, match="form must be A or B, not 'C'"):
        inventory.inventory("C")


# ---- Nothing is given away ----


@each_form
def test_the_right_answer_is_as_often_in_each_place(form):
    orders = [items(form, seed) for seed in range(20)]
    for order in orders:
        places = Counter(item.options.index(item.right) for item in order)
        assert places == {0: 6, 1: 6, 2: 6, 3: 6}
    assert len({tuple(item.options for item in order) for order in orders}) == 20
    assert items(form, 7) == items(form, 7)


@each_form
def test_the_right_answer_is_not_told_by_its_length(form):
    """Taking the longest answer each time, or the shortest, is hardly better than guessing."""
    longest = sum(len(i.right) > max(map(len, i.misconceptions)) for i in items(form))
    shortest = sum(len(i.right) < min(map(len, i.misconceptions)) for i in items(form))
    assert longest <= 8 and shortest <= 8
    for item in items(form):
        assert len(item.right) <= 1.5 * max(map(len, item.misconceptions)) + 2, item.name


@each_form
def test_no_answer_is_shown_twice_as_long_as_a_line(form):
    assert max(len(option) for item in items(form) for option in item.options) < 60


# ---- The answers are true ----


@pytest.mark.parametrize(
    ("form", "noun", "other", "verb", "word"),
    [("A", "dog", "cat", "is", "sleeping"), ("B", "bird", "dog", "was", "hungry")],
)
def test_last_token_has_the_grammars_probabilities(form, noun, other, verb, word):
    """The pooled one is counted in stories here, and calculated there."""
    item = by_name(form)["last_token"]
    assert item.right == f"about {grammar.next_words(f'The {noun} {verb}')[word]:g}"
    stories = grammar.sample(40_000, seed=0)
    begun = re.findall(rf"(?:^|<\|endoftext\|>)The \w+ {verb} (\w+)", stories)
    share = begun.count(word) / len(begun)
    found = [float(option.split()[1]) for option in item.misconceptions if "about" in option]
    assert any(abs(share - p) < 0.02 for p in found)


@each_form
def test_new_word_has_as_many_tokens_as_the_tokenizer_makes(form, pets):
    item = by_name(form)["new_word"]
    (text,) = re.findall(r"tokens does `([^`]+)` have", item.asks)
    assert item.right == str(len(pets[1].encode(text)))


@each_form
def test_order_has_two_texts_of_the_same_tokens(form, pets):
    first, second = re.findall(r"`([^`]+)`", by_name(form)["order"].asks)
    one, two = (pets[1].encode(text) for text in (first, second))
    assert one != two and sorted(one) == sorted(two) and one[-1] == two[-1]
    config = gptlib.GPTConfig(397, 32, n_layer=1, n_head=2, n_embd=16)
    model = gptlib.GPT(config, seed=0).eval()
    torch.nn.init.zeros_(model.wpe.weight)
    with torch.no_grad():
        mine, its = (model(torch.tensor([ids]))[0, -1] for ids in (one, two))
    assert torch.allclose(mine, its, atol=1e-5)


@each_form
def test_numbers_of_parameters_are_those_of_a_block(form):
    item = by_name(form)["most_numbers"]
    width = int(re.search(r"width (\d+)", item.asks)[1])
    block = gptlib.GPT(gptlib.GPTConfig(8, 8, n_layer=1, n_head=2, n_embd=width), seed=0).h[0]
    matrices = {
        part: sum(p.numel() for p in module.parameters() if p.ndim == 2)
        for part, module in (("attn", block.attn), ("mlp", block.mlp))
    }
    assert item.right == f"{matrices['mlp']:,}" and f"{matrices['attn']:,}" in item.asks


@each_form
def test_ratio_and_perfect_loss_are_those_of_softmax_and_entropy(form):
    item = by_name(form)["ratio"]
    high, low = map(float, re.search(r"logits (\d+) and (\d+)", item.asks).groups())
    p, q = gptlib.next_token_probs(torch.tensor([high, low]))
    assert item.right == f"{(p / q).item():.1f} times"
    item = by_name(form)["perfect_loss"]
    text = re.search(r"`(The \w+ \w+)`", item.asks)[1]
    truth = grammar.next_words(text).values()
    assert float(item.right) == pytest.approx(-sum(p * math.log(p) for p in truth), abs=0.005)


@each_form
def test_after_softmax_is_what_softmax_leaves(form):
    item = by_name(form)["after_softmax"]
    tokens, allowed = map(int, re.search(r"row of (\d+) .* first (\d+)", item.asks).groups())
    weights = torch.softmax(torch.zeros(tokens), 0)
    assert float(item.right) == pytest.approx(weights[:allowed].sum().item())


@each_form
def test_greedy_really_misses_the_most_probable_text(form):
    item = by_name(form)["greedy"]
    first, second = (
        {token: float(p) for token, p in re.findall(r"`(\w+)` (0\.\d+)", part)}
        for part in item.asks.split(" After `")
    )
    opened = max(first, key=first.get)
    best = max(second, key=second.get)
    assert sum(first.values()) == pytest.approx(1) == sum(second.values())
    assert item.right == f"`{opened} {best}`, and it is not"
    ends = {token: p for token, p in first.items() if token != opened}
    assert max(ends.values()) > first[opened] * second[best]


# ---- To hand out, and back ----


def test_a_page_to_print_has_all_questions_and_its_key_on_a_page_of_its_own(tmp_path):
    page = write(tmp_path / "a.html", "A", seed=3).read_text(encoding="utf-8")
    assert page.count('class="item"') == 24 and "Key" not in page and NOT_VALIDATED not in page
    assert all(f"<li>{option}</li>" in page for option in items("A", 3)[8].options)
    with_key = write(tmp_path / "key.html", "A", seed=3, key=True).read_text(encoding="utf-8")
    first = items("A", 3)[0]
    assert NOT_VALIDATED in with_key
    assert f"<li>{'abcd'[first.options.index(first.right)]}: " in with_key.partition("Key")[2]


def test_json_for_a_class_has_no_answers():
    of_class = json.loads(as_json(items(), "A", 0, key=False))
    of_teacher = json.loads(as_json(items(), "A", 0, key=True))
    assert of_class["status"] == NOT_VALIDATED and len(of_class["items"]) == 24
    assert set(of_class["items"][0]) == {"number", "name", "asks", "options"}
    assert of_teacher["items"][3]["right"] in of_class["items"][3]["options"]


def test_other_endings_and_a_key_in_a_students_notebook_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must end in .html, .ipynb, .json"):
        write(tmp_path / "a.pdf")
    with pytest.raises(ValueError, match="a notebook is for students"):
        write(tmp_path / "a.ipynb", key=True)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The file that answers are kept in."""
    path = tmp_path / "answers.jsonl"
    monkeypatch.setenv("GPTLIB_ANSWERS", str(path))
    return path


def test_a_notebook_that_is_filled_in_and_run_keeps_the_answers(tmp_path, kept, monkeypatch):
    notebook = nbformat.read(write(tmp_path / "b.ipynb", "B", seed=5), as_version=4)
    nbformat.validate(notebook)
    code = notebook.cells[-1].source
    right = "abcd"[items("B", 5)[0].options.index(items("B", 5)[0].right)]
    code = code.replace('1: "",', f'1: "{right}",', 1).replace('24: "",', '24: "A",', 1)
    space = {}
    exec(code.replace("hand_in(answers", "said = hand_in(answers"), space)
    assert space["said"].startswith("Thank you: 2 of 24 answers are kept.")
    lines = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 24 and {line["lesson"] for line in lines} == {"inventoryb"}
    assert lines[0]["right"] and lines[0]["chosen"] == items("B", 5)[0].right
    assert lines[23]["chosen"] == items("B", 5)[23].options[0]
    assert lines[1]["chosen"] == "" and not lines[1]["right"]


@pytest.mark.parametrize("chosen", [{1: "e"}, {25: "a"}, {"x": "a"}, {1: "ab"}])
def test_a_letter_or_a_number_that_is_not_there_keeps_nothing(kept, chosen):
    with pytest.raises(ValueError, match="is none of a, b, c, d"):
        hand_in(chosen, "A")
    assert not kept.exists()


def marks_of(words):
    """What a question is about: its texts in backquotes, and its numbers."""
    return frozenset(re.findall(r"`([^`]+)`|(\d[\d.,]*\d)", words))


def test_no_question_of_a_lesson_has_been_put_into_the_test():
    """Who has done the lessons must not know the answers by heart."""
    asked = [question.asks for part in PARTS for question in Lesson(part)._words.QUESTIONS.values()]
    known = {marks for marks in map(marks_of, asked) if len(marks) > 2}
    for form in FORMS:
        for item in items(form):
            assert item.asks not in asked and marks_of(item.asks) not in known, item.name


def test_the_teachers_page_lists_every_misconception_with_its_questions():
    assert inventory.misconceptions_table() in PAGE
    assert NOT_VALIDATED.partition(":")[0] in PAGE


def test_an_answer_of_the_inventory_is_one_that_a_class_tally_reads(kept):
    from gptlib import teaching

    hand_in({1: "a"}, "A")
    found = teaching.tally(kept)
    assert (found.files, found.damaged, len(found.counts)) == (1, 0, 24)
    assert answers.answers_file() == kept
