"""Many texts in one file: the same documents however the file divides them."""

import json

import pytest

from gptlib.scale.documents import STOP, divided, from_jsonl, is_jsonl


def test_newlines_beside_a_stop_token_and_empty_documents_are_left_out():
    text = f"\nOne.\r\n\nStill one.\n{STOP}\nTwo.{STOP}\n{STOP}\r\n{STOP} Three.\n"
    assert divided(text) == f"\nOne.\r\n\nStill one.{STOP}Two.{STOP} Three.\n"
    assert divided("no stop\n") == "no stop\n" and divided(f"\n{STOP}rest") == f"{STOP}rest"


def test_a_long_run_of_newlines_takes_no_longer_than_other_text():
    text = "a" + "\n" * 1_000_000 + "b" + STOP
    assert divided(text) == text


def test_the_text_of_each_line_of_json_is_ended_by_the_stop_token(tmp_path):
    lines = [{"text": "One.\nStill one.\n"}, {"id": 2, "text": "caf\u00e9 \u2028"}, {"text": "\n"}]
    text = "\n\n".join(map(json.dumps, lines)) + "\r\n"
    assert from_jsonl(text, tmp_path) == f"One.\nStill one.{STOP}caf\u00e9 \u2028{STOP}"
    assert from_jsonl(json.dumps({"text": f"a\n{STOP}b"}), tmp_path) == f"a{STOP}b{STOP}"
    assert is_jsonl(tmp_path / "a.JSONL") and not is_jsonl(tmp_path / "a.txt")


@pytest.mark.parametrize(
    "bad",
    ["{", "[1]", '"text"', "7", "null", '{"texts": "a"}', '{"text": 7}', '{"text": null}']
    + ['{"text": ["a"]}', '{"text": "\\ud800"}', "[" * 100_000, "1" * 5000],
)
def test_a_line_that_has_no_text_is_named(tmp_path, bad):
    good = '{"text": "caf\u00e9"}\n'
    with pytest.raises(ValueError, match=r'a.jsonl: line 3 is not JSON with a "text"') as caught:
        from_jsonl(good * 2 + bad + "\n" + good, tmp_path / "a.jsonl")
    assert len(str(caught.value)) < 200 + len(str(tmp_path))
    at = 1000 + len(good.encode()) * 2
    with pytest.raises(ValueError, match=f"the line at byte {at} is"):
        from_jsonl(good * 2 + bad, tmp_path / "a.jsonl", start=1000)
