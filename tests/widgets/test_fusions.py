"""js/tokenizer_explorer.js: the states of a text, held to gptlib, in a page without a kernel."""

import pytest

import gptlib

END = "<|endoftext|>"
TEXT = "The cat is sleeping."
TRAINED = gptlib.Tokenizer.train("The cat is sleeping. The cat sat, naïve cats 🐱🐱🐱.  " * 3, 285)


def first_merges(tokenizer, count):
    """The tokenizer that knows the first so many merges only."""
    return gptlib.Tokenizer(tokenizer.merges[:count], (), tokenizer.byte_ids)


FUSIONS = """async ([data, text, special]) => {
  const { Tokenizer } = await import("/bpe.js");
  const { fusions } = await import("/tokenizer_explorer.js");
  const merges = Int32Array.from(data.merges);
  return fusions(new Tokenizer({ ...data, merges }), text, special);
}"""


def fusions(page, tokenizer, text, special=False):
    merges = [id for pair in tokenizer.merges for id in pair]
    data = {"merges": merges, "special": tokenizer.special_tokens}
    data["byteIds"] = list(tokenizer.byte_ids)
    return page.evaluate(FUSIONS, [data, text, special])


@pytest.mark.parametrize("text", [TEXT, "  naïve 🐱🐱 cats\n", "sat,sat The", "日本"])
def test_a_state_is_what_a_tokenizer_of_so_many_merges_gives(page, text):
    states = fusions(page, TRAINED, text)
    for count in range(len(TRAINED.merges) + 1):
        last = [state for state in states if state["merge"] < count][-1]
        assert sum(last["pieces"], []) == first_merges(TRAINED, count).encode(text)


def test_each_state_has_one_merge_more_and_fewer_tokens_than_the_one_before(page):
    states = fusions(page, TRAINED, TEXT)
    merges = [state["merge"] for state in states]
    assert merges[0] == -1 and merges == sorted(set(merges)) and len(merges) > 5
    counts = [sum(map(len, state["pieces"])) for state in states]
    assert counts == sorted(set(counts), reverse=True)


@pytest.mark.parametrize("special, allowed", [(False, ()), (True, "all")])
def test_the_last_state_has_the_tokens_of_the_text_special_ones_too(page, special, allowed):
    text = f"The cat{END} sat"
    last = fusions(page, TRAINED, text, special)[-1]
    assert sum(last["pieces"], []) == TRAINED.encode(text, allowed_special=allowed)


def test_bytes_whose_ids_are_in_another_order_are_found(page):
    tokenizer = gptlib.Tokenizer([], (), [(byte + 7) % 256 for byte in range(256)])
    assert fusions(page, tokenizer, "ab")[0]["pieces"] == [[104, 105]]


def test_gpt2s_merges_give_gpt2s_tokens(page, gpt2_tokenizer):
    text = "The naïve cat 🐱 isn't sleeping in 2026."
    last = fusions(page, gpt2_tokenizer, text)[-1]
    assert sum(last["pieces"], []) == gpt2_tokenizer.encode(text)


def test_a_character_of_which_a_token_has_a_part_is_found_whole(page):
    code = """async ([text, start, end]) =>
      (await import("/tokenizer_explorer.js")).charactersIn(text, start, end)"""
    found = page.evaluate(code, ["a🐱b", 2, 4])
    assert found == [{"character": "🐱", "start": 1, "bytes": list("🐱".encode())}]
    assert [each["character"] for each in page.evaluate(code, ["aïb", 0, 4])] == ["a", "ï", "b"]
