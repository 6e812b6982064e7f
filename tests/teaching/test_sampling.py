"""What the words of lesson 07 claim: in its questions, in its notebook, and in its Deeper."""

import json
import re
from pathlib import Path

import pytest
import torch

import gptlib
from gptlib.corpora import pets as grammar
from gptlib.sampling import draw
from gptlib.teaching.sampling import HINTS, QUESTIONS
from gptlib.widgets import sampling_studio

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSON, DEEPER = "07_sampling.ipynb", "deeper/07_sampling.ipynb"
PROMPT = "The cat is"
TRUTH = grammar.next_words(PROMPT)


def cells(name):
    return json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))["cells"]


def prose(name=LESSON):
    found = "\n".join("".join(c["source"]) for c in cells(name) if c["cell_type"] == "markdown")
    return found.replace("\n", " ")


def printed(name, begins=""):
    """What the code cells printed whose source has these words."""
    found = [c for c in cells(name) if c["cell_type"] == "code" and begins in "".join(c["source"])]
    streams = [o for cell in found for o in cell["outputs"] if o["output_type"] == "stream"]
    return "".join("".join(output["text"]) for output in streams)


@pytest.fixture
def logits(pets):
    model, tokenizer = pets
    return gptlib.trace(model, tokenizer.encode(PROMPT)).logits[-1]


@pytest.fixture
def four(pets):
    return [pets[1].encode(f" {word}")[0] for word in TRUTH]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


# ---- The lesson ----


def test_the_draws_by_hand():
    sums = torch.tensor(list(TRUTH.values())).cumsum(0)
    drawn = [list(TRUTH)[int((sums <= u).sum())] for u in (0.42, 0.93)]
    assert drawn == ["sleeping", "happy"]
    assert "0.90 for *on*, 0.95 for *happy*" in prose()


def test_the_numbers_by_hand_are_those_of_gptlib():
    exact = torch.tensor(list(TRUTH.values())).log()
    for how, expected in (
        ({"temperature": 0.5}, [144 / 182, 36 / 182, 1 / 182, 1 / 182]),
        ({"temperature": 2}, [0.438, 0.310, 0.126, 0.126]),
        ({"top_k": 2}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_p": 0.85}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_p": 0.5}, [1, 0, 0, 0]),
    ):
        found = gptlib.next_token_probs(exact, **how).tolist()
        assert found == pytest.approx(expected, abs=0.001)
    assert "they become 0.667 and 0.333" in prose()


def test_a_high_temperature_keeps_the_order_and_gives_most_to_the_other_tokens(logits, four):
    for temperature in (0.5, 1, 2, 5):
        p = gptlib.next_token_probs(logits, temperature)
        assert p.argsort(descending=True, stable=True)[:2].tolist() == four[:2]
        assert set(p.topk(4).indices.tolist()) == set(four)  # so top-k 4 keeps our words
    shares = {t: 1 - gptlib.next_token_probs(logits, t)[four].sum().item() for t in (1, 5)}
    assert shares[1] == pytest.approx(0.001, abs=5e-4)
    assert shares[5] == pytest.approx(0.76, abs=0.005)
    assert QUESTIONS["others"].right == "about 0.75"
    assert shares[5] / shares[1] > 200  # "hundreds of times"
    assert "expect one of them in 76 of 100 draws" in prose()


def test_top_p_keeps_two_tokens_at_temperature_1_and_over_100_at_5(logits, four):
    stay = [(gptlib.next_token_probs(logits, t, top_p=0.85) > 0).sum() for t in (1, 2, 5)]
    assert stay == [2, 4, 203]
    assert "199 of the 203 tokens" in prose()
    hot = gptlib.next_token_probs(logits, 5)
    assert hot[four].sum().item() == pytest.approx(0.24, abs=0.005)
    assert hot[four[:2]].sum().item() == pytest.approx(0.15, abs=0.005)
    for number in ("only 0.24", "only 0.15"):
        assert any(number in reply for reply in QUESTIONS["how_many_stay"].replies.values())


def test_temperature_is_no_chance(logits):
    first, second = (gptlib.next_token_probs(logits, 2) for _ in range(2))
    assert torch.equal(first, second)


def test_the_lessons_loop_gave_what_gptlib_generates():
    assert "the same as gptlib.generate: True" in printed(LESSON, "gptlib.generate")
    lines = printed(LESSON, "gptlib.generate").splitlines()
    assert lines[1] == lines[2] != lines[0].replace("seed 2", "seed 3")  # "may lead to"
    assert lines[3].partition(":")[2] == lines[4].partition(":")[2]


def test_the_studios_answers_are_those_folded_away(pets):
    studio = sampling_studio(*pets, truth=grammar.next_words)
    has, on = (f"{row.now:.2f}" for row in studio.rows()[:2])
    studio.top_k = 2
    said = f"1. {studio.rows()[0].now:.2f}: the model gives the two words {has} and {on}, not"
    assert said in prose()
    about = round(1000 * float(on), -1)  # of 1,000 draws
    assert f"2. You expect about {about:.0f}, since the model gives it {on}." in prose()
    studio.top_k, studio.temperature, others = 0, 3.0, []
    for studio.top_p in (1.0, 0.85):
        assert studio.rows()[-1].name == "393 others"
        others.append(f"{studio.rows()[-1].now:.2f}")
    assert f"3. {others[0]}, and {others[1]} with top-p 0.85." in prose()


def test_the_example_of_a_stable_sort_and_of_picking():
    probs = torch.tensor([0.1, 0.4, 0.1, 0.4])
    assert probs.sort(descending=True, stable=True).indices.tolist() == [1, 3, 0, 2]
    assert "stable=True).indices` is 1, 3, 0, 2" in prose()


# ---- Deeper ----


def test_greedy_misses_the_best_sentence():
    sentences = dict(grammar.continuations("The dog is"))
    assert max(sentences, key=sentences.get) == "The dog is running."
    assert sentences["The dog is running."] == pytest.approx(0.35)
    assert sentences["The dog is on the bed."] == pytest.approx(0.24)
    assert len(sentences) == 7 and len(grammar.next_words("The dog is on the")) == 2
    assert r"0.40\cdot1\cdot0.60=0.24" in prose(DEEPER)


def test_beam_search_finds_the_models_best_sentence_where_greedy_does_not():
    lines = printed(DEEPER, "beam_search(text, width)").splitlines()
    found = [line.partition(": ")[2] for line in lines]
    assert len(lines) == 6 and found[0] != found[1] == found[2]
    assert found[3] != found[4] == found[5]
    best = printed(DEEPER, "pets.continuations(start)").splitlines()
    for line, beam in zip(best, (found[1], found[4]), strict=True):
        assert "together 1.00" in line  # so no sentence that the grammar lacks can be better
        assert line.partition("best: ")[2].split() == beam.split()


def test_greedy_text_repeats_itself_and_sampled_text_does_not():
    lines = printed(DEEPER, "different(written)").splitlines()
    counts = {line[:10].strip(): int(line[10:].split()[0]) for line in lines}
    assert list(counts) == ["the manual", "greedy", "T = 1", "top-p 0.9"]
    assert counts.pop("greedy") < 200 < 300 < min(counts.values())
    assert QUESTIONS["repeats"].right == "fewer than 200"


def test_what_a_cache_saves_and_what_it_needs():
    assert QUESTIONS["work"].right == f"{sum(range(1, 65)):,} and 64"
    assert all(line.endswith("True") for line in printed(DEEPER, "new_part[:, :3]").splitlines())
    assert "as the whole pass: True" in printed(DEEPER, "one_by_one = [")
    assert "as yours: True" in printed(DEEPER, "model.new_cache(1)")
    sizes = printed(DEEPER, "bytes_of_one").splitlines()
    assert sizes[0].startswith("pets: 1,024 bytes")
    assert sizes[1].startswith("GPT-2 small: 73,728 bytes") and "75,497,472" in sizes[1]


def test_a_cache_of_the_pets_model_has_as_many_bytes_as_is_said(pets):
    room = pets[0].cache_room(1)
    assert room.numel() * room.element_size() == 64 * 1024


def test_chi_square_by_hand_and_its_critical_value():
    truth = 1000 * torch.tensor(list(TRUTH.values()))
    found = ((torch.tensor([620, 290, 40, 50]) - truth) ** 2 / truth).sum().item()
    assert found == pytest.approx(3.0, abs=1e-3)
    beyond = torch.special.gammaincc(torch.tensor(1.5), torch.tensor(16.27 / 2))
    assert beyond.item() == pytest.approx(0.001, abs=1e-5)
    above = 0
    for seed in range(200):
        ids = draw((truth / 1000).expand(1000, -1), seeded(seed))
        counts = torch.bincount(ids, minlength=4)
        above += ((counts - truth) ** 2 / truth).sum() > 16.27
    assert above <= 3


def test_a_small_error_is_found_with_more_draws_only():
    lines = printed(DEEPER, "n:6,} draws").splitlines()
    above = [int(line.rpartition(":")[2]) for line in lines]
    right, rounded, model, more_right, more_rounded, more_model = above
    assert rounded == more_rounded == 200
    assert max(right, more_right, model) <= 10 and more_model > 100


def test_what_finds_each_broken_sampler():
    pattern = r"(.{12}) sum (\S+)  ends +(\d+)  possible +(\d+)  different +(\d+)"
    rows = {
        name.strip(): (float(total), *map(int, counts))
        for name, total, *counts in re.findall(pattern, printed(DEEPER, "sum {total"))
    }
    none, hot, cut, never, same = rows.values()
    assert none[:3] == (1.0, 100, 100) and same[:3] == (1.0, 100, 100)
    assert hot[0] == never[0] == 1.0 and hot[2] == never[2] == 0
    assert hot[1] > 0 and never[1] == 0
    assert cut[0] == 0.90 and cut[1] == 100 and cut[2] < 100
    assert same[3] < cut[3] < none[3] <= min(hot[3], never[3])
    assert QUESTIONS["broken"].right == "same seed"


def test_the_last_token_of_the_vocabulary_ends_a_story(pets):
    assert pets[1].eos_id == pets[1].vocab_size - 1


# ---- Questions and hints ----


def test_no_hint_hands_the_solution_over():
    solved = cells("solutions/07_sampling.ipynb")
    code = "\n".join("".join(c["source"]) for c in solved if c["cell_type"] == "code")
    lines = [line.partition("#")[0].strip().removeprefix("return ") for line in code.splitlines()]
    hints = " ".join(hint for steps in HINTS.values() for hint in steps)
    assert not [line for line in lines if len(line) > 20 and line in hints]


def test_each_question_and_hint_has_its_cell():
    code = "\n".join("".join(c["source"]) for name in (LESSON, DEEPER) for c in cells(name))
    asked = re.findall(r'lesson\.(?:ask|predict)\("(\w+)"\)', code)
    hinted = re.findall(r'lesson\.hint\("(\w+)"\)', code)
    assert sorted(asked) == sorted(QUESTIONS)
    assert sorted(hinted) == sorted(HINTS)
