"""Saved models: the way there and back, Hugging Face's layout, and files that are damaged."""

import copy
import json
import re
import shutil
import sys
import threading
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny import random_ids

import gptlib
from gptlib.ablations import PARTS
from gptlib.formats.hf import to_hf_tensors
from gptlib.storage import checkpoint
from gptlib.storage.checkpoint import History

TEXT = "The cat is sleeping. The dog is on the sofa. " * 20


@pytest.fixture(scope="module")
def tokenizer():
    return gptlib.Tokenizer.train(TEXT, 265)


@pytest.fixture
def small(tokenizer):
    shape = {"block_size": 16, "n_layer": 2, "n_head": 2, "n_embd": 4}
    return gptlib.GPT(gptlib.GPTConfig(tokenizer.vocab_size, **shape), seed=0).eval()


@pytest.fixture
def folder(small, tokenizer, tmp_path):
    gptlib.save(tmp_path / "model", small, tokenizer)
    return tmp_path / "model"


@pytest.fixture
def padded(small, tokenizer, tmp_path):
    """The folder of a model with seven ids more than tokens, which by itself says nothing else."""
    config = replace(small.config, vocab_size=tokenizer.vocab_size + 7)
    model = gptlib.GPT(config, seed=0)
    with torch.no_grad():
        model.ln_f.weight.zero_()
        model.ln_f.bias.fill_(1.0)
        model.wte.weight[tokenizer.vocab_size :] = 5.0
    gptlib.save(tmp_path / "padded", model, tokenizer)
    return tmp_path / "padded"


def edit_config(folder, **changes):
    path = folder / "config.json"
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in values.items() if v != "removed"}))


def edit_weights(folder, **changes):
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in changes.items():
        name = "transformer." + name.replace("__", ".")
        tensors.pop(name, None)
        if tensor is not None:
            tensors[name] = tensor
    save_file(tensors, folder / "model.safetensors")


def refusal(folder, file):
    """The one line with which `load` refuses the folder; it names the file."""
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        gptlib.load(folder)
    line = str(caught.value)
    assert "\n" not in line and file in line
    return line


# ---- There and back ----


def test_a_saved_model_comes_back_with_the_same_logits_and_tokenizer(folder, small, tokenizer):
    model, again = gptlib.load(folder)
    ids = random_ids(small)
    assert torch.equal(model(ids), small(ids))
    assert again.encode(TEXT) == tokenizer.encode(TEXT)
    assert model.config == small.config and not model.training
    assert sorted(p.name for p in folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_a_loaded_model_is_tied_and_trains_and_is_not_the_file_itself(folder):
    model, _ = gptlib.load(folder)
    assert model.lm_head.weight is model.wte.weight
    before = (folder / "model.safetensors").read_bytes()
    with torch.no_grad():
        for p in model.parameters():
            assert p.requires_grad and p.is_contiguous()
            p.zero_()
    assert (folder / "model.safetensors").read_bytes() == before
    if sys.platform == "linux":  # where it can be seen; on Windows a mapped file stays locked
        with open("/proc/self/maps") as maps:
            assert str(folder) not in maps.read()


def test_a_folder_may_be_named_by_str_path_or_tilde(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))
    for name in (folder, str(folder), "~/model"):
        assert gptlib.load(name)[0].config.n_embd == 4
    gptlib.GPT.from_pretrained("~/model").save_pretrained("~/second")
    assert (folder.parent / "second" / "model.safetensors").exists()


def test_save_pretrained_leaves_the_folders_tokenizer_in_place(folder, small):
    text = (folder / "tokenizer.json").read_text()
    small.save_pretrained(folder)
    assert (folder / "tokenizer.json").read_text() == text
    assert gptlib.load(folder)[0].config == small.config


def test_a_save_that_was_cut_off_after_its_commit_is_completed_by_loading(folder, model):
    gptlib.save(folder.parent / "new", model)
    (folder.parent / "new").rename(folder / ".saved")  # with no list, as an earlier version left it
    assert gptlib.GPT.from_pretrained(folder).config == model.config
    assert not (folder / ".saved").exists()


def test_half_precision_weights_load_as_float32(folder, small):
    tensors = load_file(folder / "model.safetensors")
    save_file({k: t.half() for k, t in tensors.items()}, folder / "model.safetensors")
    model, _ = gptlib.load(folder)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    torch.testing.assert_close(
        model(random_ids(small)), small(random_ids(small)), atol=1e-3, rtol=0
    )


# ---- Hugging Face's layout ----


def test_names_and_transposes_are_those_of_hugging_face(folder, small):
    tensors = load_file(folder / "model.safetensors")
    layer = "ln_1 attn.c_attn attn.c_proj ln_2 mlp.c_fc mlp.c_proj".split()
    parts = [f"h.{i}.{part}" for i in range(2) for part in layer] + ["ln_f"]
    expected = {f"transformer.{part}.{kind}" for part in parts for kind in ("weight", "bias")}
    assert set(tensors) == expected | {"transformer.wte.weight", "transformer.wpe.weight"}
    stored = tensors["transformer.h.1.mlp.c_fc.weight"]
    assert stored.shape == (4, 16) and torch.equal(stored, small.h[1].mlp.c_fc.weight.T)
    assert torch.equal(tensors["transformer.wte.weight"], small.wte.weight)


def test_transformers_opens_the_folder_and_agrees(folder, small):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    assert type(theirs).__name__ == "GPT2LMHeadModel"
    ids = random_ids(small, length=16)
    torch.testing.assert_close(theirs(ids).logits, small(ids), atol=1e-5, rtol=0)


def test_a_folder_that_transformers_wrote_opens_here(tmp_path, model):
    transformers = pytest.importorskip("transformers")
    c = model.config
    shape = {"n_positions": c.block_size, "n_layer": c.n_layer, "n_head": c.n_head}
    config = transformers.GPT2Config(vocab_size=c.vocab_size, n_embd=c.n_embd, **shape)
    torch.manual_seed(0)
    theirs = transformers.GPT2LMHeadModel(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = gptlib.GPT.from_pretrained(tmp_path)
    ids = random_ids(ours)
    torch.testing.assert_close(ours(ids), theirs(ids).logits, atol=1e-5, rtol=0)


def test_the_first_gpt2_files_open_too_with_their_buffers_and_without_the_prefix(folder, small):
    tensors = load_file(folder / "model.safetensors")
    tensors = {name.removeprefix("transformer."): t for name, t in tensors.items()}
    tensors["h.0.attn.bias"] = torch.ones(1, 1, 16, 16)
    save_file(tensors, folder / "model.safetensors")
    edit_config(folder, n_inner=16, n_ctx=16, task_specific_params={"a": {}})
    assert torch.equal(gptlib.load(folder)[0](random_ids(small)), small(random_ids(small)))


# ---- Damage ----


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_file_cut_short_anywhere_is_refused_in_one_line(folder, file):
    whole = (folder / file).read_bytes()
    for percent in range(0, 100, 5):
        (folder / file).write_bytes(whole[: len(whole) * percent // 100])
        refusal(folder, file)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_flipped_byte_is_refused_in_one_line_or_does_no_harm(folder, file):
    whole = (folder / file).read_bytes()
    head = len(whole) if file == "config.json" else 8 + int.from_bytes(whole[:8], "little")
    places = [*range(0, head, max(1, head // 50)), *range(head, len(whole), len(whole) // 10)]
    refused = 0
    for place in places:
        for bits in (0x01, 0x20, 0x80):
            damaged = bytearray(whole)
            damaged[place] ^= bits
            (folder / file).write_bytes(damaged)
            try:
                gptlib.load(folder)
            except ValueError as error:
                refused += 1
                assert "\n" not in str(error) and str(folder) in str(error)
    assert len(places) >= 50 and refused > len(places)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"model_type": "llama"}, "model_type is 'llama'"),
        ({"model_type": "removed"}, "model_type is None"),
        ({"n_layer": "removed"}, "n_layer is missing"),
        ({"n_layer": "2"}, "n_layer must be"),
        ({"n_layer": 3}, "2 layers; config.json asks for n_layer 3"),
        ({"n_layer": 10**9}, "n_layer 1000000000.* needs 32,\\d{3}.* GB of memory, and this"),
        ({"n_layer": 10**6 - 1}, "n_layer 999999"),
        ({"n_embd": None}, "n_embd must be"),
        ({"n_embd": 5}, "n_embd .5. must be divisible by n_head"),
        ({"n_embd": 2 * 10**18}, r"n_embd 2000000000000000000.* needs \de\+\d+ GB of memory"),
        ({"n_embd": 8}, "wte.weight has shape"),
        ({"n_head": 0}, "n_head must be"),
        ({"n_positions": -1}, "n_positions must be"),
        ({"n_positions": 32}, "wpe.weight has shape .16, 4.; config.json asks for .32, 4."),
        ({"vocab_size": 10**15}, "vocab_size 1000000000000000.* GB of memory"),
        ({"vocab_size": 266}, "wte.weight has shape"),
        ({"n_layer": 10**400}, "n_layer must be a whole number.*not 1000"),
        ({"n_layer": [2]}, r"n_layer must be a whole number.*not \[2\]"),
        ({"resid_pdrop": float("inf")}, "not JSON .Infinity is not a number"),
        ({"resid_pdrop": 10**400}, "resid_pdrop must be a number that a float can hold"),
        ({"model_type": "x\ny" * 10**6}, "model_type is 'x.{1,100}y', not"),
        ({"layer_norm_epsilon": "\n" * 10**6}, "layer_norm_epsilon is '.{1,100}', not"),
        ({"resid_pdrop": 2}, "resid_pdrop must be"),
        ({"activation_function": "relu"}, "activation_function is 'relu'"),
        ({"layer_norm_epsilon": 1e-6}, "layer_norm_epsilon is 1e-06"),
        ({"n_inner": 8}, "n_inner is 8"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings is False"),
        ({"scale_attn_by_inverse_layer_idx": True}, "inverse_layer_idx is True"),
    ],
)
def test_a_config_that_is_not_of_these_weights_is_refused_by_field(folder, changes, text):
    edit_config(folder, **changes)
    assert re.search(text, refusal(folder, "model"))


def test_a_config_that_is_json_but_no_object_is_refused(folder):
    for text in ("[]", "null", "1", "[" * 100_000):
        (folder / "config.json").write_text(text)
        refusal(folder, "config.json")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"ln_f__bias": None}, "the tensor ln_f.bias is missing"),
        ({"odd": torch.zeros(2)}, "odd is not a tensor of this model"),
        ({"h__2__ln_1__bias": torch.zeros(4)}, "3 layers"),
        ({"ln_f__bias": torch.zeros(5)}, "ln_f.bias has shape .5,.; config.json asks for .4,."),
        ({"h__0__attn__c_attn__weight": torch.zeros(12, 4)}, "shape .12, 4.; .* for .4, 12."),
        ({"ln_f__bias": torch.zeros(4, dtype=torch.int64)}, "ln_f.bias holds I64"),
        ({"wte__weight": torch.zeros(265, 4, dtype=torch.bool)}, "wte.weight holds BOOL"),
    ],
)
def test_weights_that_are_not_of_this_config_are_refused_by_name(folder, changes, text):
    edit_weights(folder, **changes)
    assert re.search(text, refusal(folder, "model.safetensors"))


def test_a_missing_file_a_missing_folder_and_a_pickle_are_refused(folder):
    with pytest.raises(FileNotFoundError, match="no such folder.*pets"):
        gptlib.load(folder / "absent")
    for file in ("tokenizer.json", "model.safetensors", "config.json"):
        (folder / file).rename(folder.parent / file)
        assert refusal(folder, str(folder)) == f"{folder}: there is no {file} in it"
    (folder.parent / "config.json").rename(folder / "config.json")
    torch.save({"a": torch.zeros(1)}, folder / "model.safetensors")  # a pickle by a false name
    refusal(folder, "model.safetensors")


def test_a_folder_with_gpt2s_first_tokenizer_files_opens_too(folder, tokenizer):
    tokenizer.save_vocab(folder)
    (folder / "tokenizer.json").unlink()
    assert gptlib.load(folder)[1].encode(TEXT) == tokenizer.encode(TEXT)


def test_a_tokenizer_of_another_model_is_refused(folder):
    gptlib.Tokenizer.train(TEXT, 270).save(folder / "tokenizer.json")
    assert "270 tokens, but config.json has vocab_size 265" in refusal(folder, "tokenizer.json")


def test_a_full_disk_is_an_oserror_and_costs_nothing(folder, small, tokenizer):
    resource = pytest.importorskip("resource", reason="Windows sets no limit on a file's size")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(OSError, match="model.safetensors"):
            gptlib.save(folder, small, tokenizer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


# ---- A run's state and its history ----


@pytest.fixture
def run(small, tokenizer):
    config = gptlib.TrainConfig(steps=4, batch_size=2, device="cpu")
    run = gptlib.Trainer(small, torch.tensor(tokenizer.encode(TEXT)), config)
    run.update()
    return run


def test_a_run_goes_on_from_its_folder_to_the_same_weights(run, tokenizer, tmp_path):
    gptlib.save(tmp_path, run.model, tokenizer, training=run)
    model, _ = gptlib.load(tmp_path)
    second = gptlib.Trainer(model, run.tokens, run.config)
    second.load_state(*checkpoint.load_training(tmp_path))
    list(run), list(second)
    for p, q in zip(run.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(p, q)


def test_a_state_beside_other_weights_or_damaged_is_refused(run, tokenizer, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no training.safetensors"):
        gptlib.save(tmp_path, run.model, tokenizer)
        checkpoint.load_training(tmp_path)
    gptlib.save(tmp_path, run.model, tokenizer, training=run)
    run.update()
    gptlib.save(tmp_path, run.model, tokenizer)  # without a state: the old one is left behind
    with pytest.raises(ValueError, match="training.safetensors: belongs to different weights"):
        checkpoint.load_training(tmp_path)
    for metadata in ({}, {"gptlib": "{"}, {"gptlib": "[]"}, {"gptlib": '{"step": 1}'}):
        tensors = {"a": torch.zeros(1)}
        save_file(tensors, tmp_path / "training.safetensors", metadata=metadata)
        with pytest.raises(ValueError, match="training.safetensors.*no training state"):
            checkpoint.load_training(tmp_path)


def test_each_step_comes_back_as_it_was_and_a_long_run_needs_no_larger_header(run, tmp_path):
    # safetensors refuses a header of more than 100 MB; a row that is text has a hundred bytes.
    def header():
        gptlib.save(tmp_path, run.model, training=run)
        found = [gptlib.Step(*row) for row in checkpoint.load_training(tmp_path)[1]["history"]]
        assert found == run.history
        assert all(type(a) is type(b) for a, b in zip(sum(found, ()), sum(run.history, ())))
        with open(tmp_path / "training.safetensors", "rb") as file:
            return int.from_bytes(file.read(8), "little")

    short = header()
    run.history += [run.history[0]._replace(step=k, val_loss=0.1 * k) for k in range(2, 500)]
    run.step = 499
    assert header() < short + 1000  # for as text they would take 50,000


def test_a_state_whose_history_is_none_is_refused(run, tmp_path):
    for table in (torch.zeros(1), torch.zeros(2, 3), torch.full((1, 7), torch.inf)):
        gptlib.save(tmp_path, run.model, training=run)
        with safe_open(tmp_path / "training.safetensors", "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            numbers = {"gptlib": file.metadata()["gptlib"]}
        changed = tensors | {"history": table}
        save_file(changed, tmp_path / "training.safetensors", metadata=numbers)
        with pytest.raises(ValueError, match="training.safetensors: holds no history of its steps"):
            checkpoint.load_training(tmp_path)


def test_snapshots_load_by_step_and_an_unknown_step_lists_those_there_are(folder, small):
    other = gptlib.GPT(small.config, seed=1)
    snapshots = {20: to_hf_tensors(small), 2: to_hf_tensors(other)}
    losses = {"loss": [[1, 5.5]], "val_loss": [[2, 5.25]], "floor": None}
    checkpoint.save_history(folder, snapshots, losses)
    assert gptlib.load_history(folder) == History([2, 20], [(1, 5.5)], [(2, 5.25)], None)
    for step, model in ((2, other), (20, small)):
        assert torch.equal(
            gptlib.load(folder, step=step)[0](random_ids(small)), model(random_ids(small))
        )
    with pytest.raises(ValueError, match="no snapshot of step 3: it has 2, 20"):
        gptlib.load(folder, step=3)


def test_a_folder_without_a_history_says_so_and_a_damaged_one_is_refused(folder):
    assert checkpoint.history_steps(folder) == []
    with pytest.raises(ValueError, match="no snapshot of step 0: it has none"):
        gptlib.load(folder, step=0)
    with pytest.raises(FileNotFoundError, match="history.json"):
        gptlib.load_history(folder)
    (folder / "history.json").write_text('{"loss": 1}')
    with pytest.raises(ValueError, match="history.json: not a history"):
        gptlib.load_history(folder)
    save_file({"odd": torch.zeros(1)}, folder / "history.safetensors")
    with pytest.raises(ValueError, match="history.safetensors: 'odd'"):
        gptlib.load(folder, step=0)


def test_a_tokenizer_with_more_ids_than_the_model_is_refused_and_the_old_folder_kept(
    model, tmp_path
):
    tokenizer = gptlib.Tokenizer()  # 257 ids, and the model has 11
    with pytest.raises(ValueError, match="tokenizer has 257 ids, the model's vocab_size is 11"):
        gptlib.save(tmp_path, model, tokenizer)
    assert not list(tmp_path.iterdir())
    large = gptlib.GPT(gptlib.GPTConfig(257, 8, 1, 1, 4))
    gptlib.save(tmp_path, large, tokenizer)
    with pytest.raises(ValueError, match="they do not belong together"):
        model.save_pretrained(tmp_path)  # the tokenizer that would stay does not fit it
    assert gptlib.load(tmp_path)[0].config == large.config


def test_a_save_without_a_tokenizer_keeps_the_stop_token_of_the_one_in_place(tmp_path):
    model, tokenizer = gptlib.GPT(gptlib.GPTConfig(257, 8, 1, 1, 4)), gptlib.Tokenizer()
    gptlib.save(tmp_path, model, tokenizer)
    model.save_pretrained(tmp_path)
    values = json.loads((tmp_path / "config.json").read_text())
    assert values["eos_token_id"] == tokenizer.eos_id == 256


@pytest.mark.parametrize("part", PARTS)
def test_a_model_with_a_part_taken_out_is_not_saved_as_if_it_were_whole(model, tmp_path, part):
    with pytest.raises(ValueError, match="it would load whole"):
        gptlib.save(tmp_path / "broken", gptlib.ablate(model, part))
    assert not (tmp_path / "broken").exists()


# ---- A model that the files cannot hold ----


def test_a_compiled_model_is_saved_as_the_plain_one(folder, small, tokenizer):
    right = {path.name: path.read_bytes() for path in folder.iterdir()}
    parts = gptlib.GPT(small.config)
    parts.load_state_dict(small.state_dict())
    parts.h[1] = torch.compile(parts.h[1])
    in_place = gptlib.GPT(small.config)
    in_place.load_state_dict(small.state_dict())
    in_place.compile()
    for compiled in (torch.compile(small), parts, in_place):
        gptlib.save(folder, compiled, tokenizer)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == right
    torch.compile(small).save_pretrained(folder)
    assert (folder / "model.safetensors").read_bytes() == right["model.safetensors"]
    snapshot = to_hf_tensors(torch.compile(small))
    assert snapshot.keys() == to_hf_tensors(small).keys()


class More(gptlib.GPT):
    def __init__(self, config):
        super().__init__(config)
        self.more = torch.nn.Parameter(torch.zeros(2))


def untied(model):
    model.lm_head.weight = torch.nn.Parameter(model.wte.weight + 1)
    return model


def with_buffer(model):
    model.register_buffer("mask", torch.zeros(2))
    return model


def without_a_bias(model):
    model.ln_f.bias = None
    return model


def of_another_vocabulary(model):
    model.wte.weight = model.lm_head.weight = torch.nn.Parameter(torch.zeros(300, 4))
    return model


def normed(model):
    torch.nn.utils.parametrizations.weight_norm(model.h[0].mlp.c_fc)
    return model


def of_whole_numbers(model):
    model.wpe.weight = torch.nn.Parameter(torch.zeros(16, 4, dtype=torch.int8), requires_grad=False)
    return model


def of_another_epsilon(model):
    model.h[1].ln_2.eps = 1e-6
    return model


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda model: More(model.config), "more: GPT-2's files have no place for it"),
        (untied, "lm_head.weight is not wte.weight"),
        (with_buffer, "mask: GPT-2's files have no place for it"),
        (without_a_bias, r"ln_f.bias is missing; .* shape \(4,\)"),
        (of_another_vocabulary, r"wte.weight is \(300, 4\), .* shape \(265, 4\)"),
        (normed, "h.0.mlp.c_fc.parametrizations.*: GPT-2's files have no place"),
        (of_whole_numbers, "wpe.weight is .*int8"),
        (of_another_epsilon, "h.1.ln_2.eps is 1e-06"),
        (lambda model: model.to("meta"), "wte.weight: has a shape but no numbers"),
        (lambda model: torch.nn.Linear(2, 2), "a Linear is not a GPT"),
    ],
)
def test_a_model_that_would_come_back_as_another_is_refused_before_anything_is_written(
    folder, small, change, text
):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    changed = change(gptlib.GPT(small.config, seed=0))
    for place in (folder, folder.parent / "new"):
        with pytest.raises(ValueError, match=text):
            gptlib.save(place, changed)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not (folder.parent / "new").exists()


def test_a_head_that_is_a_copy_of_the_embedding_is_saved_as_the_one_matrix(folder, small):
    copied = gptlib.GPT(small.config)
    copied.load_state_dict(small.state_dict())
    copied.lm_head.weight = torch.nn.Parameter(copied.wte.weight.detach().clone())
    gptlib.save(folder, copied)
    assert torch.equal(gptlib.load(folder)[0](random_ids(small)), small(random_ids(small)))


# ---- Files of two saves in one folder ----

SAVED = ("config.json", "model.safetensors", "tokenizer.json")


@pytest.fixture
def second(small, tmp_path):
    """Another save of the same shape: other weights, and a tokenizer with other merges."""
    tokenizer = gptlib.Tokenizer.train("A dog barks at the moon, loudly and long. " * 20, 265)
    gptlib.save(tmp_path / "second", gptlib.GPT(small.config, seed=1), tokenizer)
    return tmp_path / "second"


@pytest.mark.parametrize("taken", [{name} for name in SAVED])
def test_a_mixture_of_two_saves_is_noticed(folder, second, taken, monkeypatch):
    monkeypatch.setattr(checkpoint, "PAUSE", 0)
    for name in taken:
        shutil.copy(second / name, folder / name)
    same = taken == {"config.json"}
    expected = "model.safetensors: is from a different save than the config.json"
    if taken == {"tokenizer.json"}:
        expected = "tokenizer.json: is not the tokenizer that model.safetensors was saved with"
    assert expected in refusal(folder, "") or same
    for name in SAVED:
        shutil.copy(second / name, folder / name)
    gptlib.load(folder)


def test_snapshots_of_other_losses_are_noticed(folder, small):
    weights, losses = to_hf_tensors(small), {"loss": [], "val_loss": [], "floor": 1.5}
    checkpoint.save_history(folder, {1: weights}, losses)
    kept = (folder / "history.json").read_bytes()
    assert gptlib.load_history(folder).floor == 1.5
    checkpoint.save_history(folder, {2: weights}, losses | {"floor": 2.5})
    (folder / "history.json").write_bytes(kept)
    with pytest.raises(ValueError, match="history.safetensors: is from a different save"):
        gptlib.load_history(folder)


def test_the_same_save_is_the_same_files_and_a_folder_without_stamps_opens(
    folder, small, tokenizer
):
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    gptlib.save(folder, small, tokenizer)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    edit_config(folder, gptlib_save="removed")  # as an earlier version wrote it
    gptlib.load(folder)
    save_file(load_file(folder / "model.safetensors"), folder / "model.safetensors")
    gptlib.Tokenizer.train("Any other text of this length. " * 20, 265).save(
        folder / "tokenizer.json"
    )
    gptlib.load(folder)


def test_a_tokenizer_that_another_tool_wrote_again_is_still_the_same(folder, tokenizer):
    tokenizers = pytest.importorskip("tokenizers")
    path = str(folder / "tokenizer.json")
    before = (folder / "tokenizer.json").read_bytes()
    tokenizers.Tokenizer.from_file(path).save(path)
    assert (folder / "tokenizer.json").read_bytes() != before
    assert gptlib.load(folder)[1].encode(TEXT) == tokenizer.encode(TEXT)


def test_a_save_without_a_tokenizer_belongs_to_the_one_that_stays(folder, small, second):
    small.save_pretrained(folder)
    gptlib.load(folder)
    shutil.copy(second / "tokenizer.json", folder / "tokenizer.json")
    assert "is not the tokenizer" in refusal(folder, "tokenizer.json")


def test_opening_a_folder_during_a_save_gives_one_save_or_the_other(
    folder, small, second, tokenizer
):
    stop, found = threading.Event(), []

    def save_again_and_again():
        models = [gptlib.load(folder)[0], gptlib.load(second)[0]]
        while not stop.is_set():
            for model in models:
                gptlib.save(folder, model, tokenizer)

    expected = [gptlib.load(place)[0](random_ids(small)).tolist() for place in (folder, second)]
    thread = threading.Thread(target=save_again_and_again)
    thread.start()
    try:
        for _ in range(30):
            found.append(gptlib.load(folder)[0](random_ids(small)).tolist())
    finally:
        stop.set()
        thread.join()
    assert all(logits in expected for logits in found)


# ---- Numbers that are none ----


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"loss": [[1, Infinity]], "val_loss": [], "floor": 1}', "not JSON .Infinity is not a"),
        ('{"loss": [[1, 1e400]], "val_loss": [], "floor": 1}', "a number of loss must be in"),
        (
            f'{{"loss": [[1, 1{"0" * 400}]], "val_loss": [], "floor": 1}}',
            "that a float can hold, not 1000",
        ),
        ('{"loss": [[1, [2]]], "val_loss": [], "floor": 1}', r"must be a number, not \[2\]"),
        (
            '{"loss": [[1.5, 2]], "val_loss": [], "floor": 1}',
            "a step of loss must be a whole number",
        ),
        ('{"loss": [[1, "2"]], "val_loss": [], "floor": 1}', "must be a number, not '2'"),
        ('{"loss": [], "val_loss": [], "floor": [1]}', r"floor must be a number, not \[1\]"),
        ('{"loss": [1], "val_loss": [], "floor": 1}', "not a history"),
        ('{"loss": [], "val_loss": [], "floor": 1, "floor": 2}', "'floor' appears twice"),
        ('{"loss": [], "loss": [], "val_loss": [], "floor": 1}', "'loss' appears twice"),
    ],
)
def test_a_history_of_what_is_no_loss_is_refused_in_one_short_line(folder, text, says):
    (folder / "history.json").write_text(text)
    with pytest.raises(ValueError, match=f"history.json: .*{says}") as caught:
        gptlib.load_history(folder)
    assert len(str(caught.value)) < 400 + len(str(folder))


def test_a_key_twice_in_a_config_is_refused_by_name(folder):
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"n_head": 2', '"n_head": 2, "n_head": 4'))
    assert "config.json: not JSON ('n_head' appears twice in one object)" in refusal(folder, "")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"step": [1]}, r"step must be a whole number of 0 or more, not \[1\]"),
        ({"step": 10**400}, "step must be a whole number"),
        ({"seconds": float("inf")}, "Infinity is not a number in JSON"),
        ({"seconds": 10**400}, "seconds must be a number that a float can hold"),
        ({"seconds": [1.0]}, "seconds must be a number"),
        ({"rows": "2"}, "rows must be a whole number"),
        ({"config": [1]}, "config must be an object"),
        ({"weights": 1}, "weights a text"),
    ],
)
def test_a_training_state_of_what_is_no_number_is_refused(run, tmp_path, changes, says):
    gptlib.save(tmp_path, run.model, training=run)
    with safe_open(tmp_path / "training.safetensors", "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        numbers = json.loads(file.metadata()["gptlib"]) | changes
    metadata = {"gptlib": json.dumps(numbers)}
    save_file(tensors, tmp_path / "training.safetensors", metadata=metadata)
    with pytest.raises(ValueError, match=f"training.safetensors: .*no training state .*{says}"):
        checkpoint.load_training(tmp_path)


def test_what_stands_beside_the_tensors_of_a_training_state_has_a_checksum(run, tmp_path):
    gptlib.save(tmp_path, run.model, training=run)
    path = tmp_path / "training.safetensors"
    data = path.read_bytes()
    at = data.index(b"seconds") + len(b'seconds\\": ')
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(ValueError, match="damaged: the checksum of 'gptlib' is wrong"):
        checkpoint.load_training(tmp_path)


def test_a_name_of_five_megabytes_or_of_two_lines_is_refused_in_one_short_line():
    for name in ("x" * 5 * 2**20, "a\nb", "\x1b[31m"):
        with pytest.raises(FileNotFoundError) as caught:
            gptlib.load(name)
        line = str(caught.value)
        assert line.isprintable() and len(line) < 300 and "no such folder" in line


# --- a padded vocabulary -----------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"temperature": 0}, {"top_k": 270}, {"top_p": 0.5}])
@pytest.mark.parametrize("use_cache", [True, False])
def test_ids_without_a_token_are_never_drawn(padded, how, use_cache):
    model, tokenizer = gptlib.load(padded)
    assert model(torch.tensor([[1]])).argmax() >= tokenizer.vocab_size  # the model wants them
    generator = torch.Generator().manual_seed(0)
    ids = gptlib.generate(model, [[1], [2]], 24, use_cache=use_cache, generator=generator, **how)
    assert ids.max() < tokenizer.vocab_size and tokenizer.decode(ids[0])
    for step in gptlib.stream(model, [1], 2, use_cache=use_cache, **how):
        assert step.probs.shape == (1, tokenizer.vocab_size + 7)
        assert step.probs[0, tokenizer.vocab_size :].sum() == 0


@pytest.mark.parametrize(
    "made", [gptlib.quantize, copy.deepcopy, lambda m: gptlib.ablate(m, "mask")]
)
def test_a_model_made_from_one_with_a_padded_vocabulary_does_not_draw_them_either(padded, made):
    model, tokenizer = gptlib.load(padded)
    ids = gptlib.generate(made(model), [1], 9, use_cache=False)
    assert ids.max() < tokenizer.vocab_size


def test_how_far_tokens_go_is_in_no_file_and_in_no_shape(padded, tmp_path):
    model, tokenizer = gptlib.load(padded)
    gptlib.save(tmp_path / "again", model, tokenizer)
    for file in ("config.json", "model.safetensors", "tokenizer.json"):
        assert (tmp_path / "again" / file).read_bytes() == (padded / file).read_bytes()
    assert len(model.state_dict()) == len(gptlib.GPT(model.config).state_dict())


def test_every_id_of_a_vocabulary_that_is_not_padded_may_be_drawn(folder):
    model, tokenizer = gptlib.load(folder)
    (step,) = gptlib.stream(model, [1], 1)
    assert model.first_unused_id is None and (step.probs > 0).all()
