"""What is promised of the shipped files: data/README.md tells the truth, and the model is good."""

import hashlib
import math
import re

import pytest
import torch

import gptlib
from gptlib.ablations import PARTS
from gptlib.corpora import pets as grammar
from gptlib.formats.files import data_dir
from gptlib.training import evaluate, evaluation_rows

FOLDER = data_dir()
NAME, SHA256 = r"`((?:pets|gpt2|transformers)/[\w.]+)`", r"`([0-9a-f]{64})`"
ROW = re.compile(rf"^\| {NAME} \|.*\| ([\d,]+) \|.*?(?:{SHA256})? \|$", re.M)


def next_word_probs(model, tokenizer, prefix):
    """{word: p} of the model for the words that the grammar allows, and P of all others."""
    with torch.no_grad():
        probs = model(torch.tensor([tokenizer.encode(prefix)]))[0, -1].softmax(-1)
    said = {w: probs[tokenizer.encode(f" {w}")].item() for w in grammar.next_words(prefix)}
    return said, 1 - sum(said.values())


def test_the_readme_lists_every_file_with_its_size_and_hash():
    rows = {m[1]: m for m in ROW.finditer((FOLDER / "README.md").read_text(encoding="utf-8"))}
    folders = ("pets", "gpt2", "transformers")
    files = [file for name in folders for file in (FOLDER / name).iterdir()]
    there = {f"{f.parent.name}/{f.name}" for f in files if not f.name.startswith(".")}
    assert set(rows) == there
    for name, row in rows.items():
        data = (FOLDER / name).read_bytes()
        assert len(data) == int(row[2].replace(",", "")), name
        if row[3]:
            assert hashlib.sha256(data).hexdigest() == row[3], name


def test_the_folder_is_under_20_mb():
    assert sum(f.stat().st_size for f in FOLDER.rglob("*") if f.is_file()) < 20e6


def test_the_texts_are_what_the_grammar_writes_from_the_stated_seeds():
    corpus = gptlib.corpora.load("pets")
    assert corpus.train == grammar.sample(50_000, 1)
    assert corpus.heldout == grammar.sample(1_000, 2)


def test_the_model_is_within_0_005_nats_of_the_truth_after_the_cat_is(pets):
    said, other = next_word_probs(*pets, "The cat is")
    truth = grammar.next_words("The cat is")
    assert sum(p * math.log(p / said[w]) for w, p in truth.items()) < 0.005
    assert other < 0.005


def test_the_held_out_loss_is_within_2_percent_of_the_floor_and_not_below_it(pets):
    model, tokenizer = pets
    _, heldout = gptlib.corpora.load("pets").encode(tokenizer)
    floor = grammar.floor(gptlib.corpora.load("pets").heldout, len(heldout))
    rows = evaluation_rows(heldout, model.config.block_size, tokenizer.eos_id)
    loss = evaluate(model, *rows)
    assert floor < loss < 1.02 * floor
    history = gptlib.load_history("pets")
    assert abs(history.floor - floor) < 1e-9
    assert abs(history.val_loss[-1][1] - loss) < 1e-3


def test_documents_that_are_not_in_the_training_text_are_predicted_nearly_as_well(pets):
    """The language is small: most held-out documents occur in train.txt too, these do not."""
    model, tokenizer = pets
    corpus = gptlib.corpora.load("pets")
    known = set(corpus.train.split(grammar.STOP))
    documents = [d for d in corpus.heldout.split(grammar.STOP) if d and d not in known]
    assert len(documents) == 161
    text = "".join(document + grammar.STOP for document in documents)
    ids = torch.tensor(tokenizer.encode(text, allowed_special="all"))
    loss = evaluate(model, *evaluation_rows(ids, model.config.block_size, tokenizer.eos_id))
    assert grammar.floor(text, len(ids)) < loss < 1.05 * grammar.floor(text, len(ids))


def test_no_snapshot_and_no_broken_model_goes_below_the_floor(pets):
    model, tokenizer = pets
    _, heldout = gptlib.corpora.load("pets").encode(tokenizer)
    history = gptlib.load_history("pets")
    assert all(loss > history.floor for _, loss in history.val_loss)
    rows = evaluation_rows(heldout, model.config.block_size, tokenizer.eos_id)
    # Without its mask a model reads the answers, and no floor holds: that is lesson 03.
    for part in set(PARTS) - {"mask"}:
        assert evaluate(gptlib.ablate(model, part), *rows) > 1.02 * history.floor, part


def test_every_word_of_the_language_is_one_token(pets):
    _, tokenizer = pets
    for word in grammar.words():
        spelled = word if word in (".", grammar.STOP) else f" {word}"
        assert len(tokenizer.encode(spelled, allowed_special="all")) == 1, word


def test_the_history_starts_at_ln_v_and_ends_with_the_shipped_model(pets):
    model, tokenizer = pets
    history = gptlib.load_history("pets")
    assert history.steps[0] == 0 and 200 in history.steps and len(history.steps) >= 10
    assert abs(history.val_loss[0][1] - math.log(tokenizer.vocab_size)) < 0.1
    last, _ = gptlib.load("pets", step=history.steps[-1])
    assert torch.equal(last.wte.weight, model.wte.weight)


def test_greedy_says_the_cat_is_sleeping(pets):
    model, tokenizer = pets
    ids = tokenizer.encode("The cat is")
    out = gptlib.generate(model, ids, 20, temperature=0, eos_id=tokenizer.eos_id)
    assert tokenizer.decode(out).startswith("The cat is sleeping.")


def test_whose_ball_is_red_is_answered_from_two_steps_away(pets):
    owners = "Mia has a red ball. Tom has a big blue ball. Eve has a green ball."
    for name, colour in (("Mia", "red"), ("Tom", "blue"), ("Eve", "green")):
        said, _ = next_word_probs(*pets, f"{owners} The ball of {name} is")
        assert said[colour] > 0.98, name


def test_transformers_opens_the_shipped_folder_and_says_the_same(pets):
    peers = pytest.importorskip("transformers", reason="the peer `transformers` is not installed")
    model, tokenizer = pets
    theirs = peers.AutoModelForCausalLM.from_pretrained(FOLDER / "pets").eval()
    names = peers.AutoTokenizer.from_pretrained(FOLDER / "pets")
    text = gptlib.corpora.load("pets").heldout[:2000]
    ids = tokenizer.encode(text, allowed_special="all")
    assert names(text)["input_ids"] == ids and names.decode(ids) == text
    window = torch.tensor([ids[: model.config.block_size]])
    with torch.no_grad():
        torch.testing.assert_close(theirs(window).logits, model(window), atol=1e-4, rtol=0)
    prompt = names("The cat is", return_tensors="pt")
    settings = dict(do_sample=False, max_new_tokens=60, eos_token_id=None, pad_token_id=0)
    said = theirs.generate(**prompt, **settings)
    assert torch.equal(said, gptlib.generate(model, prompt["input_ids"], 60, temperature=0))
    assert names.decode(said[0]).startswith("The cat is sleeping.")
