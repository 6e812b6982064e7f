"""`gptlib sample`: text that goes on from a prompt, or from the stop token."""

import pytest
from command import refused, run

import gptlib
from gptlib.corpora import pets as grammar


def test_sample_goes_on_from_the_prompt_and_a_seed_gives_the_same_text_again(pets, capsys):
    status, out, _ = run(capsys, "sample", "--prompt", "The cat is", "--temperature", "0")
    assert status == 0 and out.startswith("The cat is sleeping") and grammar.STOP not in out
    seeded = ["sample", "--prompt", "The", "--seed", "3", "--max-new-tokens", "20"]
    assert run(capsys, *seeded) == run(capsys, *seeded)
    assert len({run(capsys, *seeded, "--seed", str(s))[1] for s in range(6)}) > 1
    few = run(capsys, "sample", "--prompt", "The cat is", "--max-new-tokens", "1", "--top-k", "1")
    assert few[1] == "The cat is sleeping\n"
    small = run(capsys, "sample", "--prompt", "The cat is", "--temperature", "0", "--int8")
    assert small[0] == 0 and small[1].startswith("The cat is sleeping")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--prompt", ""], "--prompt is empty"),
        (["--prompt", "a", "--temperature", "nan"], "temperature must be"),
        (["--prompt", "a", "--temperature=-1"], "temperature must be"),
        (["--prompt", "a", "--top-k", "0"], "top_k must be"),
        (["--prompt", "a", "--top-p", "1.5"], "top_p must be"),
        (["--prompt", "a", "--max-new-tokens", "-1"], "max_new_tokens must be"),
        (["--prompt", "a", "--seed", str(2**70)], "--seed"),
        (["--prompt", "a", "--device", "gpu"], "no device is called"),
        (["--prompt", "a", "--model", "absent"], "and not the name of a model (pets, gpt2"),
        ([], "one of the arguments --prompt --from-start is required"),
        (["--prompt", "a", "--from-start"], "not allowed with"),
    ],
)
def test_sample_refuses_in_one_line_what_it_cannot_do(pets, capsys, options, text):
    refused(run(capsys, "sample", *options), text)


def test_sample_from_the_start_writes_a_whole_document_of_its_own(pets, capsys):
    status, out, _ = run(capsys, "sample", "--from-start", "--temperature", "0")
    model, tokenizer = pets
    ids = gptlib.generate(model, [tokenizer.eos_id], 100, temperature=0, eos_id=tokenizer.eos_id)
    assert status == 0 and out == tokenizer.decode(ids[1:-1].tolist()) + "\n"
    assert out.startswith("The ") and grammar.STOP not in out
    status, out, _ = run(capsys, "sample", "--from-start", "--max-new-tokens", "0")
    assert (status, out) == (0, "\n")


def test_sample_from_the_start_needs_a_stop_token(pets, capsys, tmp_path):
    tokenizer = gptlib.Tokenizer(pets[1].merges, special_tokens=())
    gptlib.save(tmp_path, gptlib.GPT(gptlib.GPTConfig(tokenizer.vocab_size, 8, 1, 1, 4)), tokenizer)
    result = run(capsys, "sample", "--model", str(tmp_path), "--from-start")
    refused(result, "has no stop token")


def test_sample_shows_text_of_a_model_with_a_padded_vocabulary(pets, capsys, tmp_path):
    tokenizer = pets[1]
    shape = {"block_size": 16, "n_layer": 1, "n_head": 1, "n_embd": 4}
    model = gptlib.GPT(gptlib.GPTConfig(tokenizer.vocab_size + 50_000, **shape), seed=0)
    gptlib.save(tmp_path, model, tokenizer)
    status, out, err = run(capsys, "sample", "--model", str(tmp_path), "--prompt", "The cat")
    assert status == 0 and out.startswith("The cat") and err == ""
