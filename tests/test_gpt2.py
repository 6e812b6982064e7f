"""GPT-2's vocabulary in every explorer and picture: 50,257 words where the pets have hundreds."""

import matplotlib.pyplot as plt
import pytest
import torch

import gptlib
from gptlib import plots, widgets
from gptlib.corpora import pets as grammar
from gptlib.storage.checkpoint import History
from gptlib.widgets import shared
from gptlib.widgets.runs import Recording

TEXT = "The cat is"
LONG = "The cat is on the bed 🐈 and the dog was on the sofa. L'été n'est pas fini."


@pytest.fixture(scope="module")
def tokenizer(gpt2_tokenizer):
    return gpt2_tokenizer


@pytest.fixture(scope="module")
def model():
    """GPT-2's vocabulary and a narrow body, far from its even start."""
    model = gptlib.GPT(gptlib.GPTConfig(50257, 64, 3, 4, 32), seed=0).eval()
    for parameter in model.parameters():
        parameter.data.mul_(10.0)
    return model


EXPLORERS = {
    "studio": lambda m, t, text: widgets.sampling_studio(m, t, text),
    "studio beside a truth": lambda m, t, text: widgets.sampling_studio(
        m, t, text, truth=grammar.next_words
    ),
    "lens": widgets.logit_lens,
    "attention": widgets.attention_explorer,
    "block": widgets.block_explorer,
    "embeddings": lambda m, t, text: widgets.embedding_explorer(m, t),
    "tokens": lambda m, t, text: widgets.tokenizer_explorer(t, text),
    "training": lambda m, t, text: widgets.training_explorer(
        Recording(t, History([0, 1], [(1, 10.0)], [(1, 10.0)], None), lambda step: m), TEXT
    ),
}


@pytest.mark.parametrize("text", [TEXT, LONG])
@pytest.mark.parametrize("name", EXPLORERS)
def test_every_explorer_takes_gpt2_as_it_takes_the_pets_model(name, text, model, tokenizer):
    explorer = EXPLORERS[name](model, tokenizer, text)
    picture = explorer.draw()
    assert explorer.describe()
    assert 500 < len(picture) < 200_000  # and no bar for each of 50,257 words


def test_the_studio_leaves_gpt2_in_the_kernel_and_answers_for_it(model, tokenizer, monkeypatch):
    monkeypatch.setattr(shared, "LARGEST", model.n_params() - 1)
    studio = widgets.sampling_studio(model, tokenizer, TEXT)
    assert studio.shared_model is None and studio.shared_tokenizer is not None
    ids = tokenizer.encode(TEXT)
    logits = torch.frombuffer(bytearray(studio.answer_logits(ids)["logits"]), dtype=torch.float32)
    with torch.no_grad():
        expected = model(torch.tensor([ids]))[0, -1]
    torch.testing.assert_close(logits, expected)
    assert "others" in studio.describe()


def test_away_from_the_grammar_the_studio_says_that_there_is_no_truth(model, tokenizer):
    studio = widgets.sampling_studio(model, tokenizer, truth=grammar.next_words)
    ids = tokenizer.encode("Paris is the capital of")
    assert studio.answer_truth(ids)["note"].startswith("No truth here: ")


def test_among_50257_words_one_is_found_with_its_neighbours(model, tokenizer):
    explorer = widgets.embedding_explorer(model, tokenizer, word="dog")
    explorer.word = " Paris"
    assert "Paris" in explorer.describe() and len(explorer.near()) == 8
    assert len(explorer.settings["words"]) == 100 and not explorer.near_places
    assert explorer.draw().count("<circle") <= 100 + 9
    found = explorer.answer_find(" Paris")
    assert len(found["places"]) == len(found["names"]) == len(found["points"][0]) == 9
    with pytest.raises(ValueError, match="is not one of the 50001 tokens"):
        explorer.answer_find("no such token")


def test_the_block_explorer_copies_no_weights(model, tokenizer, monkeypatch):
    explorer = widgets.block_explorer(model, tokenizer, TEXT)
    monkeypatch.setattr(torch.nn.Parameter, "__deepcopy__", _never)
    explorer.off = ["attention"]
    assert "Without attention" in explorer.describe()


def _never(*given):
    raise AssertionError("a weight was copied")


def test_every_picture_takes_a_trace_of_gpt2(model, tokenizer):
    ids = tokenizer.encode(TEXT)
    seen, names = gptlib.trace(model, ids), [tokenizer.token_str(id) for id in ids]
    probs = {tokenizer.token_str(id): p for id, p in enumerate(seen.probs[-1].tolist())}
    drawn = [
        plots.logit_lens(seen, names, tokenizer.token_str),
        plots.attention_head(seen, names),
        plots.attention_heads(seen, names),
        plots.contributions(plots.logit_parts(model, seen, 50256, versus=11), "the stop token"),
        plots.position_similarity(model.wpe.weight),
        plots.embedding_map(model.wte.weight[ids], names),
        plots.cosine_heatmap(model.wte.weight[ids], names),
        plots.compare({"model": probs}),
        plots.model_beside_truth(probs, grammar.next_words(TEXT)),
    ]
    assert all(len(plots.describe(picture)) < 2000 for picture in drawn)
    plt.close("all")
