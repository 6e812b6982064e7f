"""js/softmax_explorer.js and js/logit_lens.js compute what logits.py and lens.py do."""

import math

import pytest

import gptlib
from gptlib.widgets import logit_lens
from gptlib.widgets.logits import _short, softmax_columns

CASES = [
    ([2.0, 1.3, -0.5, -0.5], 0.0, 1.0),
    ([90.0, -90.0], 10.0, 0.1),
    ([0.0], -10.0, 5.0),
    ([-750.0, -749.0, 50.0], 3.5, 1.3),
]


@pytest.mark.parametrize("logits, c, temperature", CASES)
def test_the_page_computes_the_columns_of_python(page, logits, c, temperature):
    script = "async given => (await import('/softmax_explorer.js')).softmaxColumns(...given)"
    found = page.evaluate(script, [logits, c, temperature])
    named = {str(place): logit for place, logit in enumerate(logits)}
    scaled, powers, shares = zip(*softmax_columns(named, c, temperature).values(), strict=True)
    assert found["scaled"] == pytest.approx(scaled) and found["powers"] == pytest.approx(powers)
    assert found["shares"] == pytest.approx(shares, abs=1e-12)


POWERS = [0, 1, 7.389056, 20.0855, 0.0123456, 0.00999, 999.4, 999.6, 1096.6, 9999.4, 12345, 1e-300]


def test_a_power_of_e_is_written_alike_on_both_sides(page):
    script = "async all => all.map((await import('/softmax_explorer.js')).short)"
    assert page.evaluate(script, POWERS) == [_short(power) for power in POWERS]
    assert page.evaluate(script, [math.inf]) == [_short(math.inf)] == ["∞"]
    assert _short(12345) == "1.2·10⁴" and _short(1096.6) == "1097"


# ---- The logit lens ----


def test_page_and_python_choose_the_same_words(page, pets):
    model, tokenizer = pets
    text = "The cat is sleeping on the"
    ids = tokenizer.encode(text)
    probs = gptlib.softmax(gptlib.trace(model, ids).logits_by_layer)  # (L + 1, T, V)
    names = [tokenizer.token_str(id) for id in range(model.config.vocab_size)]
    script = """async ({probs, ids, names}) =>
      (await import('/logit_lens.js')).lens(probs, ids, 5, id => names[id])"""
    found = page.evaluate(script, {"probs": probs.tolist(), "ids": ids, "names": names})
    said = logit_lens(*pets).answer_lens(text)
    assert found["tokens"] == said["tokens"]
    for mine, other in zip(
        (w for depth in found["cells"] for words in depth for w in words),
        (w for depth in said["cells"] for words in depth for w in words),
        strict=True,
    ):
        assert (mine["name"], mine["comes"]) == (other["name"], other["comes"])
        assert mine["p"] == pytest.approx(other["p"], abs=1e-5)
    for mine, other in zip(found["rises"], said["rises"], strict=True):
        assert [(w["name"], w["comes"]) for w in mine] == [(w["name"], w["comes"]) for w in other]
        assert [w["ps"] for w in mine] == [pytest.approx(w["ps"], abs=1e-5) for w in other]


@pytest.mark.parametrize("values", [[1, 3, 2, 3, 3], [0, 0], [5], []])
def test_the_largest_come_first_and_of_equal_ones_the_smaller_id(page, values):
    script = "async values => (await import('/logit_lens.js')).largest(values, 3)"
    assert page.evaluate(script, values) == sorted(range(len(values)), key=lambda k: -values[k])[:3]
