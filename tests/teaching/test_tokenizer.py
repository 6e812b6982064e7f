"""What lesson 01, its Deeper, and their questions claim."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch

import gptlib
from gptlib.teaching.tokenizer import QUESTIONS
from gptlib.tokenizer import apply_merges, merge, pair_counts, split
from gptlib.training import evaluate, evaluation_rows

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
STOP = "<|endoftext|>"


def prose(name: str) -> str:
    whole = json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))
    return "\n".join("".join(c["source"]) for c in whole["cells"] if c["cell_type"] == "markdown")


LESSON, DEEPER = prose("01_tokenization.ipynb"), prose("deeper/01_tokenization.ipynb")


@pytest.fixture(scope="module")
def tokenizer(pets):
    return pets[1]


@pytest.fixture(scope="module")
def corpus():
    return gptlib.corpora.load("pets")


@pytest.fixture(scope="module")
def fresh(corpus):
    """The held-out stories that are not in the training text."""
    seen = set(corpus.train.split(STOP))
    return [story for story in corpus.heldout.split(STOP)[:-1] if story not in seen]


def names(tokenizer, text):
    return [tokenizer.token_str(id) for id in tokenizer.encode(text)]


# ---- By hand ----


def test_the_merges_by_hand_and_their_ties_are_as_the_lesson_says():
    small = gptlib.Tokenizer.train("The cat is. The cat sat.", 256 + 5, special_tokens=())
    assert small.merges == [(97, 116), (32, 99), (84, 104), (257, 256), (258, 101)]
    pieces = [list(piece.encode()) for piece in split("The cat is. The cat sat.")]
    twice = []
    for k, pair in enumerate(small.merges[:3]):
        counts = sum(map(pair_counts, pieces), start=Counter())
        assert max(counts.values()) == counts[pair] == (3 if k == 0 else 2)
        twice.append(sorted(pair for pair, n in counts.items() if n == 2))
        pieces = [merge(ids, pair, 256 + k) for ids in pieces]
    assert len(pieces) == 8 and "eight pieces: `The|␣cat|␣is|.|␣The|␣cat|␣sat|.`" in LESSON
    assert "".join(split("The cat is. The cat sat.")) == "The cat is. The cat sat."
    assert "|".join(split("The cat is. The cat sat.")).replace(" ", "␣") in LESSON
    assert len(twice[1]) == 4 and "four pairs occur twice" in LESSON and twice[1][0] == (32, 99)
    assert twice[1] == [(32, 99), (84, 104), (99, 256), (104, 101)]
    assert [ord(c) for c in " Tach"] == [32, 84, 97, 99, 104]


def test_what_is_encoded_and_decoded_on_paper_is_as_the_answers_say():
    small = gptlib.Tokenizer.train("The cat is. The cat sat.", 256 + 5, special_tokens=())
    assert small.encode(" sat") == [32, 115, 256] and "`[32, 115, 256]`: only merge 1" in LESSON
    assert small.decode([260, 32, 98, 256]) == "The bat" and "The text is `The bat`" in LESSON


def test_of_three_pairs_in_hat_hut_hat_the_one_with_the_space_is_merged_first():
    counts = sum(map(pair_counts, map(str.encode, split("hat hut hat"))), start=Counter())
    twice = sorted(pair for pair, n in counts.items() if n == 2)
    assert max(counts.values()) == 2 and twice == [(32, 104), (97, 116), (104, 97)]
    assert (116, 32) not in counts  # the t and the space are in different pieces
    merges = gptlib.Tokenizer.train("hat hut hat", 257, special_tokens=()).merges
    assert merges == [(32, 104)] and QUESTIONS["exit"].right == "`␣` + `h`"
    assert [ord(c) for c in " ahtu"] == [32, 97, 104, 116, 117]


def test_the_model_gives_397_probabilities_and_four_of_them_are_above_one_percent(pets):
    model, tokenizer = pets
    probs = gptlib.trace(model, tokenizer.encode("The cat is")).probs[-1]
    assert len(probs) == 397 and (probs > 0.01).sum() == 4 and (probs > 0).all()


# ---- Predictions, and the tokenizer of the pets ----


def test_a_new_word_is_cut_as_the_question_says(tokenizer, corpus):
    assert "snooz" not in corpus.train and corpus.train.count(STOP) == 50_000
    tokens = names(tokenizer, "The cat is snoozing.")
    assert len(tokens) == 10 and len("The cat is snoozing.") == 20
    assert tokens[3:9] == ["␣s", "n", "o", "o", "z", "ing"]
    assert 3 + len(" snoozing") + 1 == 13
    assert names(tokenizer, "The cat is sleeping.") == ["The", "␣cat", "␣is", "␣sleeping", "."]


def test_the_without_a_space_is_two_tokens_because_it_is_no_piece_of_any_story(tokenizer, corpus):
    assert names(tokenizer, "the") == ["t", "he"] and tokenizer.encode("the")[1] == 257
    assert names(tokenizer, "The") == ["The"] and names(tokenizer, " the") == ["␣the"]
    stories = corpus.train.split(STOP)[:-1]
    assert all(story[0].isupper() for story in stories)
    assert sum(story.startswith("The") for story in stories) > 25_000
    pieces = Counter(split(corpus.train.replace(STOP, "\n")))
    assert pieces["the"] == 0 and pieces[" the"] > 10_000


def test_the_vocabulary_of_the_pets_is_as_the_lesson_says(tokenizer):
    assert len(tokenizer.merges) == 140
    assert tokenizer.eos_id == 396 == 256 + 140 == tokenizer.vocab_size - 1
    assert "Its id is 396: the bytes have the ids 0 to 255, and the merges 256 to 395." in LESSON


def test_sleeping_was_joined_from_slee_and_ping_because_no_pair_was_more_frequent(
    tokenizer, corpus
):
    left, right = tokenizer.merges[96]
    assert (tokenizer.token_str(left), tokenizer.token_str(right)) == ("␣slee", "ping")
    before = gptlib.Tokenizer(tokenizer.merges[:96])
    counts = Counter()
    for piece, times in Counter(split(corpus.train.replace(STOP, "\n"))).items():
        for pair, n in pair_counts(before.encode(piece)).items():
            counts[pair] += n * times
    assert counts[left, right] == max(counts.values())


def test_the_explorers_answers_are_true(tokenizer):
    few = [gptlib.Tokenizer(tokenizer.merges[:n]) for n in range(141)]
    merges = next(n for n in range(141) if names(few[n], " dog") == ["␣dog"])
    sizes = [len(few[0].encode("The dog is barking.")), merges]
    sizes += [len(tokenizer.encode(STOP))]
    assert "{} tokens; {} merges. If there was time: {} tokens, then 1.".format(*sizes) in LESSON
    assert len(tokenizer.encode(STOP, allowed_special="all")) == 1


# ---- GPT-2's own tokens ----


def test_gpt2s_tokens_are_as_the_lesson_says(gpt2_tokenizer):
    gpt2 = gpt2_tokenizer
    assert len(gpt2.merges) == 50_000
    assert names(gpt2, "9.11") == ["9", ".", "11"] and names(gpt2, "9.9") == ["9", ".", "9"]
    assert names(gpt2, "strawberry") == ["st", "raw", "berry"]
    assert names(gpt2, " strawberry") == ["␣strawberry"]
    assert names(gpt2, "        return x") == ["␣"] * 7 + ["␣return", "␣x"]
    assert names(gpt2, "The cat is ")[-1] == "␣"
    same = ["The cat is sleeping.", "猫は寝ています。"]
    assert [len(gpt2.encode(text)) for text in same] == [5, 11]
    assert "5 tokens in English and 11 in Japanese" in LESSON
    assert [gpt2.encode(character) for character in "!A"] == [[0], [32]]
    assert names(gpt2, same[1])[0] == "<E7>" and 0xE7 == 231 and "<E5><AF>" in names(gpt2, same[1])


def test_letters_with_spaces_between_are_a_token_each(gpt2_tokenizer):
    tokens = names(gpt2_tokenizer, " ".join("strawberry"))
    assert tokens == ["s", "␣t", "␣r", "␣a", "␣w", "␣b", "␣e", "␣r", "␣r", "␣y"]


def test_a_character_of_japanese_is_complete_after_its_third_token(gpt2_tokenizer):
    ids = gpt2_tokenizer.encode("猫は寝ています。")
    texts = [gpt2_tokenizer.decode(ids[:n]) for n in range(1, 8)]
    assert texts == ["�", "�", "猫", "猫は", "猫は�", "猫は寝", "猫は寝て"]
    assert [len(gpt2_tokenizer.token_bytes(id)) for id in ids[:3]] == [1, 1, 1]


# ---- Deeper ----


def last_first(ids, new_ids):
    while known := [pair for pair in zip(ids, ids[1:], strict=False) if pair in new_ids]:
        pair = max(known, key=new_ids.get)
        ids = merge(ids, pair, new_ids[pair])
    return ids


def test_161_stories_are_fresh(fresh):
    assert len(fresh) == 161


def test_the_wrong_order_of_merges_is_noticed_by_the_loss_alone(pets, fresh):
    model, tokenizer = pets
    found = []
    for order in (apply_merges, last_first):
        rows = [
            [id for piece in split(story) for id in order(list(piece.encode()), tokenizer.new_ids)]
            for story in fresh
        ]
        assert [tokenizer.decode(ids) for ids in rows] == fresh
        nats = 0.0
        for ids in rows:
            x = torch.tensor([[tokenizer.eos_id, *ids]])
            with torch.no_grad():
                nats += gptlib.nll(model(x[:, :-1]), x[:, 1:]).item() * len(ids)
        found.append((sum(map(len, rows)) / len(fresh), nats / len(fresh)))
    assert found[0][0] < found[1][0] and 30 * found[0][1] < found[1][1]


def test_has_is_cut_differently_because_merge_78_uses_up_its_h(tokenizer, fresh):
    spelled = [tuple(map(tokenizer.token_str, pair)) for pair in tokenizer.merges]
    assert spelled[2] == ("␣", "h") and spelled[77] == ("h", "as")
    assert spelled[78] == ("␣c", "has")  # on the way to ␣chases
    words = {piece for story in fresh for piece in split(story)}
    by_last = {word: last_first(list(word.encode()), tokenizer.new_ids) for word in words}
    different = [word for word in words if by_last[word] != tokenizer.encode(word)]
    assert len(different) < len(words) / 2 and {" has", " red"} <= set(different)
    assert [tokenizer.token_str(id) for id in by_last[" has"]] == ["␣", "has"]


def test_purred_ends_in_the_letters_of_red(tokenizer):
    last = {}
    for word in (" barked", " sleeping", " purred", " hungry", " yellow"):
        pair = tokenizer.merges[tokenizer.encode(word)[0] - 256]
        last[word] = " + ".join(map(tokenizer.token_str, pair))
    assert last[" barked"] == "␣bark + ed" and last[" purred"] == "␣pur + red"
    assert tokenizer.encode(" red") == [256 + 38]  # long before ␣purred, which merge 116 makes
    assert tokenizer.encode(" purred") == [256 + 115]


def test_the_rows_of_the_split_rule_are_as_the_text_says():
    assert len(split("ISN'T")) == 3
    assert split("def f(x):\n        return x")[-3:] == ["\n" + 7 * " ", " return", " x"]
    assert split("The cat is ")[-1] == " "


def test_without_split_46_of_140_tokens_go_on_after_a_space(corpus):
    ids = list(corpus.train[:20_000].replace(STOP, "\n").encode())
    tokens = {k: bytes([k]) for k in range(256)}
    for new_id in range(256, 256 + 140):
        pair = pair_counts(ids).most_common(1)[0][0]
        ids = merge(ids, pair, new_id)
        tokens[new_id] = tokens[pair[0]] + tokens[pair[1]]
    learned = [tokens[id].decode() for id in range(256, 256 + 140)]
    assert sum(len(token.split()) > 1 for token in learned) == 46
    assert "has a big red " in learned and sum("cat" in token for token in learned) > 1
    replies = QUESTIONS["no_split"].replies.values()
    assert sum("46 of 140" in reply for reply in replies) == 2


def test_after_a_trailing_space_the_pets_are_almost_certain_of_a_full_stop(pets, corpus):
    model, tokenizer = pets
    assert 32 not in tokenizer.encode(corpus.train)
    probs = gptlib.trace(model, tokenizer.encode("The cat is ")).probs[-1]
    assert tokenizer.token_str(int(probs.argmax())) == "." and probs.max() > 0.99
    right = gptlib.trace(model, tokenizer.encode("The cat is")).probs[-1]
    assert tokenizer.token_str(int(right.argmax())) == "␣sleeping"
    assert gptlib.corpora.pets.next_words("The cat is")["sleeping"] == pytest.approx(0.6)


def test_words_subwords_and_bytes_compare_as_the_text_says(
    tokenizer, gpt2_tokenizer, corpus, fresh
):
    bytes_, own, gpt2 = (
        sum(len(t.encode(story)) for story in fresh)
        for t in (gptlib.Tokenizer(), tokenizer, gpt2_tokenizer)
    )
    assert bytes_ > 3 * own and own < gpt2 < 1.1 * own
    assert len(set(split(corpus.train.replace(STOP, "\n")))) == 64
    assert "64 different pieces" in DEEPER


def test_swapped_ids_train_as_well_and_a_model_of_other_ids_is_far_worse(tokenizer, corpus, fresh):
    train_ids, fresh_ids = (
        torch.tensor(tokenizer.encode(text, allowed_special="all"))
        for text in (corpus.train[:300_000], STOP.join(fresh))
    )

    def trained(new_ids):
        small = gptlib.GPT(gptlib.GPTConfig(397, 32, n_layer=1, n_head=2, n_embd=32), seed=0)
        how = gptlib.TrainConfig(steps=200, batch_size=16, learning_rate=1e-2, device="cpu")
        for _ in gptlib.Trainer(small, new_ids[train_ids], how):
            pass
        return small

    swapped = torch.randperm(397, generator=torch.Generator().manual_seed(0))
    own = trained(torch.arange(397))
    rows, moved = (evaluation_rows(ids, 32, None) for ids in (fresh_ids, swapped[fresh_ids]))
    assert abs(evaluate(own, *rows) - evaluate(trained(swapped), *moved)) < 0.05
    assert evaluate(own, *moved) > 2 * torch.tensor(397.0).log()
