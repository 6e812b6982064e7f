"""gptlib.formats.pretrained: a model's class saves and opens itself."""

import json

import pytest
import torch

import gptlib
from gptlib.formats.pretrained import resolve


def test_a_model_comes_back_as_the_class_that_opened_it(lively, tmp_path):
    class Named(gptlib.GPT):
        """A class of the reader's own."""

    lively.save_pretrained(tmp_path)
    found = Named.from_pretrained(tmp_path)
    assert type(found) is Named and not found.training
    for one, other in zip(found.parameters(), lively.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_save_without_a_tokenizer_keeps_the_stop_token_of_the_one_that_is_there(tmp_path, pets):
    model, tokenizer = pets
    gptlib.save(tmp_path, model, tokenizer)
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config["eos_token_id"] == tokenizer.eos_id


def test_a_model_too_small_for_the_tokenizer_in_the_folder_is_not_saved(tmp_path, pets, model):
    gptlib.save(tmp_path, *pets)
    before = (tmp_path / "model.safetensors").read_bytes()
    with pytest.raises(ValueError, match="do not belong together"):
        model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_a_name_that_is_none_lists_those_there_are():
    with pytest.raises(FileNotFoundError, match="and not the name of a model .pets, gpt2"):
        resolve("cats")
