"""What lesson 02 and its "Deeper" claim in words: prose, questions, replies, folded answers."""

import json
import re
from functools import cache
from itertools import permutations
from pathlib import Path

import pytest
import torch

import gptlib
from gptlib import plots, widgets
from gptlib.teaching.embeddings import HINTS, QUESTIONS

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSON, DEEPER = NOTEBOOKS / "02_embeddings.ipynb", NOTEBOOKS / "deeper" / "02_embeddings.ipynb"
ALIKE = [("red", "blue"), ("red", "yellow"), ("cat", "dog"), ("cat", "bird"), ("sofa", "bed")]
UNLIKE = [("red", "sofa"), ("cat", "red")]
FOLLOW = [("barks", "barked"), ("purrs", "purred"), ("helps", "helped"), ("likes", "liked")]
FOLLOW += [("rains", "rained"), ("hides", "hid"), ("sings", "sang")]
DECIDE = [("chases", "chased"), ("are", "were"), ("is", "was")]


@cache
def cells(path, kind):
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == kind]


def prose(path=LESSON):
    return "\n".join(cells(path, "markdown"))


@pytest.fixture(scope="module")
def start():
    """The pets model before its first step."""
    return gptlib.load("pets", step=0)[0]


@pytest.fixture(scope="module")
def stories():
    return gptlib.corpora.load("pets").train.split("<|endoftext|>")[:-1]


@pytest.fixture(scope="module")
def explorer(pets):
    """The lesson's own."""
    steps = gptlib.load_history("pets").steps
    models = {step: gptlib.load("pets", step=step)[0] for step in steps}
    words = [word for pair in [*FOLLOW[:5], DECIDE[0]] for word in pair]
    ids = [pets[1].encode(" " + word)[0] for word in words]
    return widgets.embedding_explorer(models, pets[1], "purrs", ids=ids)


def vectors(model, tokenizer, words):
    """(N, C), of words that are one token each."""
    ids = [tokenizer.encode(" " + word) for word in words]
    assert all(len(id) == 1 for id in ids)
    return model.wte.weight.detach()[[id[0] for id in ids]]


def cosine(model, tokenizer, *pair):
    return plots.cosines(vectors(model, tokenizer, pair))[0, 1]


def steps_into_the_past(pets, pairs):
    """Cosines of past minus present, (N, N)."""
    past, present = (vectors(*pets, [pair[k] for pair in pairs]) for k in (1, 0))
    return torch.from_numpy(plots.cosines(past - present))


def off_diagonal(table):
    return table[~torch.eye(len(table), dtype=torch.bool)]


# ---- The lesson ----


def test_the_ids_are_those_that_lesson_01_leaves(pets):
    model, tokenizer = pets
    assert tokenizer.encode("The cat is") == [260, 283, 268]
    assert f"{tokenizer.encode(' cat')[0]} is ␣cat" in prose()
    assert tuple(model.wte.weight.shape) == (397, 64) and tokenizer.vocab_size == 397
    assert gptlib.GPTConfig().n_embd == 768 and gptlib.GPTConfig().block_size == 1024


def test_words_that_can_often_be_swapped_come_together_in_training(pets, start):
    model, tokenizer = pets
    for pair in ALIKE:
        assert abs(cosine(start, tokenizer, *pair)) < 0.15
        assert cosine(model, tokenizer, *pair) > 0.325  # "0.33 and more"
    for pair in UNLIKE:
        assert abs(cosine(start, tokenizer, *pair)) < 0.15
        assert abs(cosine(model, tokenizer, *pair)) < 0.1
    shown = " ".join(cells(LESSON, "code"))
    assert all(f'"{a} {b}"' in shown for a, b in ALIKE + UNLIKE)


def test_sofa_and_hungry_are_as_similar_as_red_and_blue_though_they_cannot_be_swapped(pets):
    """The exception that the lesson names: high cosines occur elsewhere, too."""
    model, tokenizer = pets
    found = cosine(model, tokenizer, "sofa", "hungry")
    assert f"`sofa` and `hungry` have a cosine of {found:.2f}, although" in prose()
    assert found == pytest.approx(cosine(model, tokenizer, "red", "blue"), abs=0.01)


def test_the_nearest_words_to_cat_are_those_folded_away(pets, stories):
    model, tokenizer = pets
    (cat,) = tokenizer.encode(" cat")
    similarity = torch.cosine_similarity(model.wte.weight, model.wte.weight[cat][None])
    values, ids = similarity.topk(5)
    assert ids[0] == cat
    (first, *others) = zip(ids[1:].tolist(), values[1:].tolist(), strict=True)
    said = f"`{tokenizer.token_str(first[0])}` (its cosine is {first[1]:.2f})"
    said = [said, *(f"`{tokenizer.token_str(id)}` ({value:.2f})" for id, value in others)]
    assert ", ".join(said) in prose()
    for begins in ("The cat is", "The sky is"):
        assert begins in prose() and any(story.startswith(begins) for story in stories)


def test_random_vectors_of_64_numbers_are_nearly_at_right_angles(start):
    each_two = off_diagonal(torch.tensor(plots.cosines(start.wte.weight)))
    assert abs(each_two.mean()) < 0.01 and (abs(each_two) > 0.3).double().mean() < 0.02


def test_the_word_sum_is_nearest_to_purred_of_all_tokens(pets):
    barked, barks, purrs = vectors(*pets, ["barked", "barks", "purrs"])
    similarity = torch.cosine_similarity(pets[0].wte.weight.detach(), barked - barks + purrs)
    assert pets[1].decode([similarity.argmax()]) == " purred"
    assert QUESTIONS["word_sum"].right == "`␣purred`"
    assert f"{similarity.max():.2f}" == "0.90"
    alone = cosine(*pets, "purrs", "purred")
    assert f"`purrs` alone has a cosine of {alone:.2f} with it." in prose()
    assert "this rises to 0.90." in prose()
    itself = torch.cosine_similarity(barked - barks + purrs, purrs, dim=0)
    assert f"{itself:.2f} and {similarity.max():.2f}." in QUESTIONS["word_sum"].replies["`␣purrs`"]
    sleeping = pets[1].encode(" sleeping")[0]
    assert abs(similarity[sleeping]) < 0.1


def test_five_verbs_share_a_direction_and_chases_does_not(pets):
    table = steps_into_the_past(pets, [*FOLLOW[:5], DECIDE[0]])
    five = off_diagonal(table[:5, :5])
    span = f"{five.min():.2f} to {five.max():.2f}."
    assert f"after it, most pairs have cosines of {span}" in prose()
    assert f"Any two of the first five have a cosine of {span}" in prose()
    most = table[5, :5].max()
    assert f"its cosine with each of the others is at most {most:.2f}." in prose()


def test_before_training_no_two_verbs_share_a_direction(start, pets):
    table = steps_into_the_past((start, pets[1]), [*FOLLOW[:5], DECIDE[0]])
    cosines = off_diagonal(table)
    assert abs(cosines).max() < 0.2
    assert f"no two differences have a cosine above {cosines.max():.2f};" in prose()


def test_the_same_vector_enters_in_every_text_and_the_sum_is_what_attention_gets(pets):
    model, tokenizer = pets
    ids = torch.tensor([tokenizer.encode(f"The {animal} is") for animal in ("cat", "dog")])
    vectors = model.wte(ids)
    assert (vectors[0] == vectors[1]).all(-1).tolist() == [True, False, True]
    x = model.wte(ids) + model.wpe(3)
    assert torch.equal(x[0], gptlib.trace(model, ids[0]).residual[0])


def test_the_same_token_at_another_position_enters_as_another_vector(pets):
    """What the question at the end asks."""
    model, tokenizer = pets
    texts = [tokenizer.encode(text) for text in ("The cat is", "The big cat is")]
    (cat,) = tokenizer.encode(" cat")
    places = [ids.index(cat) for ids in texts]
    assert places == [1, 2]  # rows of wpe that the reply names
    one, other = (gptlib.trace(model, ids).residual[0] for ids in texts)
    difference = other[places[1]] - one[places[0]]
    assert torch.allclose(difference, model.wpe.weight[2] - model.wpe.weight[1], atol=1e-5)
    assert difference.norm() > 0.1


def test_the_context_has_64_positions(pets):
    with pytest.raises(ValueError, match="65 tokens do not fit into the context of 64"):
        pets[0](torch.zeros(1, 65, dtype=torch.long))


def test_the_explorers_answers_are_those_folded_away(explorer):
    folded = re.search(r"<summary>Answers</summary>.*?</details>", prose(), re.DOTALL)[0]
    points = explorer.projection(explorer.tables[explorer.steps[-1]])
    lengths = {pair: abs(points[pair[1]] - points[pair[0]]).max() for pair in explorer.pairs}
    start, end = shortest = min(lengths, key=lengths.get)
    assert all(lengths[shortest] < length / 10 for p, length in lengths.items() if p != shortest)
    said = f"from `{explorer.words[start]}` to `{explorer.words[end]}` is by far the shortest."
    assert said in folded

    assert [explorer.words[k] for k in explorer.pairs[0]] == ["␣barks", "␣barked"]
    assert explorer.words[explorer.pairs[1][0]] == "␣purrs"
    sums = [arrows["sums"][0][1:] for arrows in explorer.settings["arrows"]]
    sums = dict(zip(explorer.steps, sums, strict=True))
    word, similarity = sums[100]
    assert f"1: `{word}` ({similarity:.2f})." in folded
    assert len(explorer.words) == 12  # nine of them are not in the sum
    first = next(step for step, (word, _) in sums.items() if word == "␣purred")
    assert f"2: step {first}." in folded
    assert all(sums[step][0] == "␣purred" for step in explorer.steps if step >= first)


# ---- Deeper ----


def test_in_the_stories_seven_verbs_follow_a_tense_that_the_first_sentence_decides(stories):
    first = {word for story in stories for word in story.partition(".")[0].split()}
    later = " ".join(story.partition(".")[2] for story in stories)
    later = set(later.replace(".", " ").split())
    for verb in sum(FOLLOW, ()):
        assert verb not in first and verb in later
    for verb in sum(DECIDE, ()):
        assert verb in first
    assert not {"chases", "chased", "are", "were"} & later


def test_the_ten_verbs_share_two_directions(pets):
    table = steps_into_the_past(pets, FOLLOW + DECIDE)
    follow, decide = off_diagonal(table[:7, :7]), off_diagonal(table[7:, 7:])
    assert f"(cosines of {follow.min():.2f} to {follow.max():.2f})" in prose(DEEPER)
    assert f"({decide.min():.2f} to {decide.max():.2f})" in prose(DEEPER)
    assert f"no cosine is above {table[:7, 7:].max():.2f}." in prose(DEEPER)
    names = [past for _, past in FOLLOW + DECIDE]
    best = max(names[:-1], key=lambda past: table[-1, names.index(past)])
    assert best in QUESTIONS["tense"].right


def test_all_42_word_sums_of_the_seven_verbs_are_right_and_similarity_alone_finds_four(pets):
    model, tokenizer = pets
    table = model.wte.weight.detach()
    alone = set()
    for verb, past in FOLLOW:
        similarity = torch.cosine_similarity(table, vectors(model, tokenizer, (verb,)))
        if tokenizer.decode([similarity.topk(2).indices[1]]) == f" {past}":
            alone.add(verb)
    assert len(alone) == 4 and "purrs" not in alone
    for (a, a_past), (b, b_past) in permutations(FOLLOW, 2):
        plus, minus, other = vectors(model, tokenizer, (a_past, a, b))
        similarity = torch.cosine_similarity(table, plus - minus + other)
        for word in (a_past, a, b):
            similarity[tokenizer.encode(" " + word)[0]] = -2
        assert tokenizer.decode([similarity.argmax()]) == f" {b_past}"


def used_tokens(stories, tokenizer):
    """The ids that occur in the stories, (N,)."""
    text = "<|endoftext|>".join(stories[:5000])
    return torch.tensor(tokenizer.encode(text, allowed_special="all")).unique()


def test_64_tokens_occur_in_the_stories_and_5000_stories_have_them_all(pets, stories):
    _, tokenizer = pets
    used = used_tokens(stories, tokenizer)
    rest = tokenizer.encode("<|endoftext|>".join(stories[5000:]), allowed_special="all")
    assert len(used) == 64 and set(rest) == set(used.tolist())


def test_tokens_that_never_occur_get_nearly_the_same_direction_in_training(pets, start, stories):
    used = set(used_tokens(stories, pets[1]).tolist())
    never = [id for id in range(397) if id not in used]
    assert len(never) == 333 and "the other 333 rows" in prose(DEEPER)
    before, after = (
        off_diagonal(torch.tensor(plots.cosines(model.wte.weight[never])))
        for model in (start, pets[0])
    )
    assert abs(before.mean()) < 0.005 and after.min() > 0.999


def sums_at_positions(model, tokenizer, stories):
    """((N * 32, C + 1), which token, which position): the stories' tokens at 32 positions."""
    used = used_tokens(stories, tokenizer)
    x = (model.wte.weight[used, None] + model.wpe(32)).flatten(0, 1).double().detach()
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    return x, torch.arange(len(used)).repeat_interleave(32), torch.arange(32).repeat(len(used))


def read_by_a_probe(x, answers):
    """Which share of the sums that it was not fitted on."""
    mixed = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    fit, ask = mixed.split([len(x) * 4 // 5, len(x) - len(x) * 4 // 5])
    wanted = torch.nn.functional.one_hot(answers).double()
    probe = torch.linalg.lstsq(x[fit], wanted[fit]).solution
    return ((x[ask] @ probe).argmax(1) == answers[ask]).double().mean()


def test_a_probe_reads_token_and_position_after_training_and_before(pets, start, stories):
    model, tokenizer = pets
    for one in (model, start):
        x, *answers = sums_at_positions(one, tokenizer, stories)
        assert len(x) == 2048
        for each in answers:
            assert read_by_a_probe(x, each) > 0.96


def test_a_probe_finds_nothing_where_the_answers_are_mixed_up(pets, stories):
    x, *answers = sums_at_positions(*pets, stories)
    for each in answers:
        mixed = each[torch.randperm(len(x), generator=torch.Generator().manual_seed(1))]
        assert read_by_a_probe(x, mixed) < 0.06


def test_token_and_position_vectors_are_as_far_from_a_right_angle_as_random_ones(pets, stories):
    model, tokenizer = pets
    used = used_tokens(stories, tokenizer)
    both = torch.cat([model.wte.weight[used], model.wpe.weight[:32]])
    random = torch.randn(500, 64, generator=torch.Generator().manual_seed(0))
    found = abs(plots.cosines(both)[: len(used), len(used) :]).mean()
    by_chance = abs(off_diagonal(torch.tensor(plots.cosines(random)))).mean()
    assert found == pytest.approx(0.1, abs=0.01) and by_chance == pytest.approx(0.1, abs=0.01)


def test_a_rotation_changes_no_cosine(pets):
    model, _ = pets
    table = model.wte.weight.detach()
    turn, _ = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(0)))
    assert abs(plots.cosines(table @ turn) - plots.cosines(table)).max() < 1e-4
    assert (table @ turn != table).double().mean() > 0.999  # "all their numbers change"


def test_of_gpt2s_parameters_a_third_are_embeddings_and_in_larger_ones_fewer():
    shares = []
    for sizes in ((12, 12, 768), (24, 16, 1024), (36, 20, 1280), (48, 25, 1600)):
        layers, heads, channels = sizes
        with torch.device("meta"):
            gpt2 = gptlib.GPT(gptlib.GPTConfig(n_layer=layers, n_head=heads, n_embd=channels))
        embeddings = gpt2.wte.weight.numel() + gpt2.wpe.weight.numel()
        shares.append(embeddings / gpt2.n_params())
        if layers == 12:
            assert round(50257 * 768 / 1e6) == 39 and round(gpt2.n_params() / 1e6) == 124
            assert round((gpt2.n_params() - embeddings) / 1e6) == 85
    assert 0.3 < shares[0] < 0.35 and shares == sorted(shares, reverse=True)


def test_learned_positions_that_are_neighbours_are_alike_after_training_only(pets, start):
    table, random = (plots.cosines(model.wpe.weight) for model in (pets[0], start))
    assert f"(on average {table.diagonal(1).mean():.2f})" in prose(DEEPER)
    assert f"({table[0, -1]:.2f})".replace("-", "−") in prose(DEEPER)
    assert abs(random.diagonal(1).mean()) < 0.1


def test_reversed_positions_have_the_same_neighbours(pets):
    learned = pets[0].wpe.weight.detach()
    one, other = (plots.cosines(rows).diagonal(1).mean() for rows in (learned, learned.flip(0)))
    assert one == pytest.approx(other)


def test_the_similarity_of_sinusoidal_positions_depends_on_their_distance_only():
    code = next(source for source in cells(DEEPER, "code") if "def sinusoidal" in source)
    exec(code, given := {"torch": torch})
    table = plots.cosines(given["sinusoidal"](64, 64))
    assert all(table.diagonal(distance).std() < 1e-5 for distance in range(64))
    assert given["sinusoidal"](5001, 64)[5000].isfinite().all()


# ---- The words ----


@pytest.mark.parametrize("path", [LESSON, DEEPER], ids=["lesson", "deeper"])
def test_each_question_and_hint_has_its_cell(path):
    asked = re.findall(r"lesson\.(?:ask|predict|hint)\(\"(\w+)\"\)", " ".join(cells(path, "code")))
    assert set(asked) <= {*QUESTIONS, *HINTS} and len(asked) == len(set(asked))


def test_no_question_and_no_hint_is_left_over():
    code = " ".join(cells(LESSON, "code") + cells(DEEPER, "code"))
    assert all(f'("{name}")' in code for name in [*QUESTIONS, *HINTS])


def test_no_cell_is_longer_than_a_student_can_take_in():
    for path in (LESSON, DEEPER):
        for source in cells(path, "code"):
            assert sum(1 for line in source.splitlines() if line.strip()) <= 8, source


def test_hints_give_away_no_line_of_the_solution():
    solutions = cells(NOTEBOOKS / "solutions" / "02_embeddings.ipynb", "code")
    lines = {line.partition("#")[0].strip() for source in solutions for line in source.splitlines()}
    told = [hint for hints in HINTS.values() for hint in hints]
    for line, hint in ((line, hint) for line in lines if len(line) > 8 for hint in told):
        assert line.removeprefix("return ") not in hint
