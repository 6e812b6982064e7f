"""Saved models: the way there and back, Hugging Face's layout, and files that are damaged."""

import json
import re
import sys

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
    new = {path.name: path.stat().st_size for path in (folder.parent / "new").iterdir()}
    (folder.parent / "new").rename(folder / ".saved")
    (folder / ".saved" / "save.json").write_text(json.dumps({"files": new}))
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
        ({"resid_pdrop": 10**400}, "resid_pdrop must be a number in float's range"),
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
        ({"odd": torch.zeros(2)}, "odd is no tensor of this model"),
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
    with pytest.raises(ValueError, match="training.safetensors: belongs to other weights"):
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
