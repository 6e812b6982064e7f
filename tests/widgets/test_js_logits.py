"""js/softmax_explorer.js computes and writes what gptlib/widgets/logits.py does."""

import math

import pytest

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
