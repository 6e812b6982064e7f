"""What the words of lesson 01's questions claim."""


def test_the_numbers_in_lesson_01s_questions_are_true(pets):
    _, tokenizer = pets
    ids = tokenizer.encode("The cat is snoozing.")
    assert len(ids) == 10 and len("The cat is snoozing.") == 20
    assert len(tokenizer.encode(" snoozing")) == 6
    assert tokenizer.vocab_size == 397 and tokenizer.encode("The cat is") == [260, 283, 268]
    three = [set(tokenizer.encode(text)) for text in ("The", " the", "the")]
    assert not three[0] & three[1] and not three[1] & three[2] and not three[0] & three[2]
    left, right = tokenizer.merges[tokenizer.encode(" sleeping")[0] - 256]
    assert (tokenizer.token_str(left), tokenizer.token_str(right)) == ("␣slee", "ping")
