"""Lesson 06: batches, the learning rate, one update, a whole run, and going on after a stop."""

import copy
import math
import signal
import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import TOKENS, same_weights, trainer
from torch.utils._python_dispatch import TorchDispatchMode

import gptlib
from gptlib import Step, TrainConfig
from gptlib.fast.cards import needs_padding
from gptlib.scale.compiling import has_compiler
from gptlib.scale.rows import NO_TARGET, document_starts
from gptlib.scale.unread import Unread
from gptlib.training import (
    evaluate,
    evaluation_rows,
    get_batch,
    learning_rate_at,
)

PARTS = {"batch_size": 2, "accumulate": 3}


# ---- The learning rate ----


def test_learning_rate_climbs_in_a_line_and_falls_along_half_a_cosine():
    c = TrainConfig(10, warmup_steps=2, optimizer="adamw", learning_rate=1, final_learning_rate=0)
    by_hand = {0: 0.5, 1: 1.0, 3: (1 + math.sqrt(0.5)) / 2, 5: 0.5, 7: 0.146447, 9: 0.0}
    for step, rate in by_hand.items():
        assert learning_rate_at(step, c) == pytest.approx(rate, abs=1e-6)


def test_with_muon_it_falls_in_a_line_to_nothing_unless_it_is_told_otherwise():
    c = TrainConfig(10, warmup_steps=2, learning_rate=1.0)
    assert [learning_rate_at(k, c) for k in (1, 5, 9)] == pytest.approx([1.0, 0.5, 0.0])
    told = TrainConfig(10, warmup_steps=2, final_learning_rate=0.01, schedule="cosine")
    assert [learning_rate_at(k, told) for k in (1, 5, 9)] == pytest.approx([0.03, 0.02, 0.01])


def test_without_a_warm_up_the_first_update_has_the_peak():
    for warmup_steps in (0, 1):
        c = TrainConfig(3, warmup_steps=warmup_steps, learning_rate=1.0, optimizer="adamw")
        assert [learning_rate_at(k, c) for k in range(3)] == pytest.approx([1.0, 0.55, 0.1])


def test_the_final_rate_is_a_tenth_of_the_peak_unless_it_is_given():
    assert learning_rate_at(
        299, TrainConfig(learning_rate=1e-4, optimizer="adamw")
    ) == pytest.approx(1e-5)
    assert learning_rate_at(299, TrainConfig(final_learning_rate=1e-6)) == pytest.approx(1e-6)


@given(steps=st.integers(1, 30), warmup=st.integers(0, 40))
def test_the_rate_never_leaves_the_range_from_zero_to_the_peak(steps, warmup):
    c = TrainConfig(steps=steps, warmup_steps=warmup, learning_rate=1.0, final_learning_rate=0.1)
    rates = [learning_rate_at(k, c) for k in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[:warmup] == sorted(rates[:warmup])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)


# ---- Batches ----


def test_a_batch_is_a_pure_function_of_seed_and_step():
    def batch(seed, step):
        torch.rand(1)  # the global generator has no part in it
        return get_batch(TOKENS, 8, 4, seed=seed, step=step)[0].tolist()

    assert batch(3, 5) == batch(3, 5)
    assert len({str(batch(*key)) for key in ((3, 5), (3, 6), (4, 5), (5, 3))}) == 4


def test_the_parts_of_a_batch_together_are_the_batch_of_all_rows():
    tokens, starts = torch.arange(50), torch.arange(0, 40, 3)
    for places in (None, starts):
        where = {"seed": 1, "step": 2, "starts": places}
        whole = get_batch(tokens, 4, 6, **where)[0]
        parts = [get_batch(tokens, 4, 2, **where, part=i, parts=3)[0] for i in range(3)]
        assert torch.equal(torch.cat(parts), whole)


def test_gradients_added_up_over_parts_are_those_of_one_large_batch():
    large, small = (list(trainer(**how)) for how in ({"batch_size": 6}, PARTS))
    for one, other in zip(large, small, strict=True):
        assert other[:5] == pytest.approx(one[:5], abs=1e-5)  # all but the seconds


def test_targets_are_the_tokens_after_the_inputs():
    x, y = get_batch(torch.arange(50), 8, 4, seed=0, step=0)
    assert x.shape == y.shape == (4, 8)
    assert torch.equal(y, x + 1)


def test_rows_begin_at_every_place_that_has_room_and_nowhere_else():
    firsts = {
        int(f) for k in range(9) for f in get_batch(torch.arange(11), 8, 9, seed=0, step=k)[0][:, 0]
    }
    assert firsts == {0, 1, 2}


def test_with_a_stop_token_every_row_begins_where_a_document_does():
    run = trainer(eos_id=3)
    allowed = {tuple(TOKENS[s : s + 8].tolist()) for s in document_starts(TOKENS, 3)}
    rows = {tuple(row) for k in range(6) for row in run.batch(k)[0].tolist()}
    assert len(rows) > 4 and rows <= allowed


# ---- The held-out loss ----


@pytest.mark.parametrize("eos_id", [None, 3])
def test_evaluate_equals_a_slow_loop_over_single_tokens(model, eos_id):
    x, y = evaluation_rows(TOKENS[:45], 8, eos_id)
    losses = []
    for inputs, targets in zip(x, y, strict=True):
        for t in range(8):
            if targets[t] != NO_TARGET:
                probs = model(inputs[None, : t + 1])[0, -1].softmax(-1)
                losses.append(-probs[targets[t]].log().item())
    assert len(losses) == (44 if eos_id is None else 45)
    for batch_size in (1, 2, 64):
        assert evaluate(model, x, y, batch_size) == pytest.approx(
            sum(losses) / len(losses), abs=1e-5
        )


def test_the_logits_of_many_rows_are_never_in_memory_at_once(model, monkeypatch):
    x, y = evaluation_rows(TOKENS, 8)
    expected, seen = evaluate(model, x, y), []
    monkeypatch.setattr("gptlib.fast.cards.LOGITS", 3 * 8 * 11)
    handle = model.register_forward_hook(lambda _, given, logits: seen.append(logits.numel()))
    assert evaluate(model, x, y) == pytest.approx(expected, abs=1e-6)
    assert evaluate(model, x, y, batch_size=2) == pytest.approx(expected, abs=1e-6)
    handle.remove()
    assert max(seen[:9]) == 3 * 8 * 11 and seen[-2] == 2 * 8 * 11


def test_evaluate_turns_dropout_off_and_leaves_the_mode_as_it_was():
    run = trainer(heldout=TOKENS[:50], dropout=0.5)
    run.model.train()
    assert run.evaluate() == run.evaluate()
    assert run.model.training


def test_losses_on_held_out_text_come_at_their_turn_and_after_the_last_step():
    steps = list(trainer(heldout=TOKENS[:50], steps=5, eval_every=2))
    assert [s.step for s in steps if s.val_loss is not None] == [2, 4, 5]
    run = trainer(heldout=TOKENS[:50], eval_rows=2)
    assert [len(part) for part in run.heldout_rows] == [2, 2]


def test_without_held_out_text_there_is_no_held_out_loss():
    run = trainer(eval_every=1)
    assert {step.val_loss for step in run} == {None} and run.val_loss is None
    with pytest.raises(ValueError, match="no held-out tokens"):
        run.evaluate()


# ---- One update ----


def test_the_gradient_is_clipped_to_its_norm_and_the_step_tells_the_norm_before():
    run = trainer(grad_clip=0.01)
    step = run.update()
    norm = torch.cat([p.grad.flatten() for p in run.model.parameters()]).norm().item()
    assert norm == pytest.approx(0.01, rel=1e-3) and step.grad_norm > 0.1
    gentle = trainer(grad_clip=1e6)
    assert gentle.update().grad_norm == pytest.approx(step.grad_norm, rel=1e-5)


def test_two_updates_are_adamw_worked_by_hand():
    settings = {"learning_rate": 0.04, "beta1": 0.9, "beta2": 0.95, "weight_decay": 0.5}
    run = trainer(warmup_steps=4, grad_clip=1e6, **settings)
    by_hand = {name: p.detach().clone() for name, p in run.model.named_parameters()}
    mean, square = dict.fromkeys(by_hand, 0.0), dict.fromkeys(by_hand, 0.0)
    for k, rate in ((1, 0.01), (2, 0.02)):
        assert run.update().learning_rate == rate
        for name, p in run.model.named_parameters():
            mean[name] = 0.9 * mean[name] + 0.1 * p.grad
            square[name] = 0.95 * square[name] + 0.05 * p.grad**2
            change = (mean[name] / (1 - 0.9**k)) / ((square[name] / (1 - 0.95**k)).sqrt() + 1e-8)
            decay = 0.5 * by_hand[name] if p.ndim == 2 else 0.0
            by_hand[name] = by_hand[name] - rate * (decay + change)
            torch.testing.assert_close(p.detach(), by_hand[name], rtol=0, atol=1e-5)


def test_dropout_falls_elsewhere_at_each_step():
    run = trainer(tokens=torch.arange(9), dropout=0.5, learning_rate=0.0)  # nothing else changes
    assert len({step.loss for step in run}) == 6


def test_the_loss_starts_near_ln_of_the_vocabulary_and_a_step_says_what_it_did():
    first = trainer().update()
    assert isinstance(first, Step)
    assert first.loss == pytest.approx(math.log(11), abs=0.1)
    assert (first.step, first.tokens, first.learning_rate) == (1, 4 * 8, 1.5e-3)


def test_one_batch_is_learned_by_heart():
    ids = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8])  # one row and no other
    steps = list(trainer(tokens=ids, steps=150, learning_rate=1e-2, weight_decay=0.0))
    assert steps[-1].loss < 0.01


# ---- A whole run ----


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_same_seed_gives_the_same_run_and_another_seed_another(dropout):
    torch.manual_seed(1)
    one, other = trainer(dropout=dropout), trainer(dropout=dropout)
    losses = [step.loss for step in one]
    other.model.eval()  # an update turns dropout on again
    torch.manual_seed(2)  # of no account to the run, and left as it is
    before = torch.get_rng_state()
    assert [step.loss for step in other] == losses and same_weights(one, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert [step.loss for step in trainer(dropout=dropout, seed=1)] != losses


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_loop_that_was_left_goes_on_as_if_it_never_had_been(dropout):
    whole, broken = trainer(dropout=dropout), trainer(dropout=dropout)
    list(whole)
    for step in broken:
        if step.step == 2:
            break
    for step in broken.progress():
        if step.step == 4:
            break
    assert [step.step for step in broken] == [5, 6]
    assert same_weights(whole, broken)
    assert [s.loss for s in broken.history] == [s.loss for s in whole.history]
    assert list(broken) == []


def test_a_ctrl_c_in_the_middle_of_an_update_waits_until_it_is_whole():
    whole, hit = trainer(TOKENS[:50]), trainer(TOKENS[:50])
    list(whole)
    update = hit.optimizers[-1].step

    def interrupted_update():
        signal.raise_signal(signal.SIGINT)
        update()

    hit.optimizers[-1].step = interrupted_update
    with pytest.raises(KeyboardInterrupt):
        list(hit)
    assert hit.step == len(hit.history) == 1
    hit.optimizers[-1].step = update
    list(hit)
    assert same_weights(whole, hit)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_training_works_outside_the_main_thread():
    run = trainer()
    thread = threading.Thread(target=list, args=(run,))
    thread.start()
    thread.join()
    assert run.step == 6


def test_divergence_stops_with_a_line_of_advice():
    with pytest.raises(FloatingPointError, match="is nan after .* below 1e[+]30") as caught:
        list(trainer(learning_rate=1e30, warmup_steps=0))
    assert "\n" not in str(caught.value)
    with pytest.raises(FloatingPointError, match="held-out loss is"):
        list(trainer(TOKENS[:50], learning_rate=1e30, steps=1, warmup_steps=0))


def test_bf16_trains_on_the_cpu_with_weights_that_stay_float32():
    exact, rough = list(trainer()), trainer(bf16=True)
    assert [s.loss for s in rough] == pytest.approx([s.loss for s in exact], abs=0.02)
    assert [s.loss for s in rough.history] != [s.loss for s in exact]
    assert {p.dtype for p in rough.model.parameters()} == {torch.float32}


def test_progress_gives_the_same_steps_and_shows_the_losses_on_stderr(capsys):
    steps = list(trainer(heldout=TOKENS[:50]).progress())
    shown = capsys.readouterr()
    assert [s.step for s in steps] == [1, 2, 3, 4, 5, 6] and len(trainer()) == 6
    assert shown.out == "" and "loss=2." in shown.err and "held-out=2." in shown.err


# ---- A step that is compiled, and one that does not wait for a card ----


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_compiled_run_is_the_plain_one_and_saves_the_same_files(
    monkeypatch, tmp_path, backend, optimizer
):
    monkeypatch.setattr("gptlib.scale.compiling.BACKEND", backend)
    torch.compiler.reset()
    plain, run = (trainer(optimizer=optimizer, compile=choice) for choice in (None, True))
    assert run.compiling and not plain.compiling
    losses = [step.loss for step in plain]
    assert [step.loss for step in run] == pytest.approx(losses, abs=1e-4) and not run.compiling
    gptlib.save(tmp_path, run.model)
    opened = gptlib.GPT.from_pretrained(tmp_path)
    assert all(map(torch.equal, opened.parameters(), run.model.parameters()))


@pytest.mark.parametrize("how", [{"bf16": True}, {"dropout": 0.5}, PARTS], ids=str)
def test_autocast_dropout_and_parts_are_compiled_too(monkeypatch, how):
    monkeypatch.setattr("gptlib.scale.compiling.BACKEND", "aot_eager")
    torch.compiler.reset()
    losses = [step.loss for step in trainer(**how)]
    compiled = [step.loss for step in trainer(**how, compile=True)]
    assert compiled == pytest.approx(losses, abs=0.3 if "dropout" in how else 0.02)
    assert [step.loss for step in trainer(**how, compile=True)] == compiled  # from the same seed


def test_the_bar_says_that_the_first_step_is_compiled_before_it_begins(monkeypatch, capsys):
    monkeypatch.setattr("gptlib.scale.compiling.BACKEND", "eager")
    run, said = trainer(compile=True, steps=2), []
    first = run.update
    run.update = lambda: said.append(capsys.readouterr().err) or first()
    list(run.progress())
    assert "compiling first" in said[0]
    assert "compiling" not in capsys.readouterr().err.rpartition("2/2")[2]
    list(trainer(steps=2).progress())
    assert "compiling" not in capsys.readouterr().err


def ahead(*arguments, **settings):
    """A Trainer that reads a loss when the next update is on its way, as on a card."""
    run = trainer(*arguments, **settings)
    run.runs_ahead = True
    return run


def without_seconds(history):
    return [step._replace(seconds=0) for step in history]


@pytest.mark.parametrize("how", [{}, {"dropout": 0.5}, PARTS, {"heldout": TOKENS[:50]}], ids=str)
def test_a_run_that_waits_for_nothing_has_the_same_steps_and_weights(how):
    plain, run = trainer(**how), ahead(**how)
    told = list(run)
    assert without_seconds(told) == without_seconds(run.history) == without_seconds(plain)
    assert same_weights(plain, run) and all(type(step) is Step for step in run.history)


def test_the_loss_of_an_update_is_read_when_the_next_one_is_made():
    run, seen = ahead(steps=4), []
    for step in run:
        assert step is run.history[-1] and step.step == run.step  # said without a wait
        seen.append([type(row) for row in run.history])
    whole = [[Step] * k + [Unread] for k in range(3)]
    assert seen == [*whole, [Step] * 4]  # the last one is waited for


class Asked(TorchDispatchMode):
    """How often a tensor was asked for its number, which stops a card."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), kwargs=None):
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*arguments, **(kwargs or {}))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_an_update_asks_for_no_number_where_nobody_waits_for_it(monkeypatch, optimizer):
    for module in ("embeddings", "logits"):  # on a card the driver looks at ids
        monkeypatch.setattr(f"gptlib.{module}.check_ids", lambda ids, size: None)
    monkeypatch.setattr("gptlib.optimizers.kernels.for_muon", lambda *a, **how: None)
    counts = []
    for how in ({"runs_ahead": True}, {"runs_ahead": False}):
        run = trainer(optimizer=optimizer, steps=9)
        vars(run).update(how)
        run.update()  # fused AdamW looks at its first step, to see whether it has a kernel
        with Asked() as asked:
            run.update(), run.update()
        counts.append(asked.count)
    assert counts[0] == 0 < counts[1]


def test_a_run_that_waits_for_nothing_can_be_left_and_taken_up_from_its_state():
    whole, first = trainer(dropout=0.5), ahead(dropout=0.5)
    list(whole)
    for step in first:
        if step.step == 3:
            break
    state = copy.deepcopy(first.state())
    second = ahead(dropout=0.5)
    second.model.load_state_dict(first.model.state_dict())
    second.load_state(*state)
    list(first), list(second)
    for run in (first, second):
        assert same_weights(whole, run)
        assert without_seconds(run.history) == without_seconds(whole.history)


def test_divergence_is_noticed_an_update_later_and_nothing_of_it_is_kept():
    run = ahead(learning_rate=1e30, warmup_steps=0)
    with pytest.raises(FloatingPointError, match="after [12] steps: try .* below 1e[+]30"):
        list(run)
    assert run.step == len(run.history) < 6
    with pytest.raises(FloatingPointError):
        run.state()


def test_the_bar_shows_the_losses_that_are_known(capsys):
    steps = list(ahead().progress())
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]
    assert "loss=2." in capsys.readouterr().err


# ---- Bad input ----


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"tokens": TOKENS[:8]}, "has 8 tokens; block_size 8 needs 9"),
        ({"tokens": []}, "has 0 tokens"),
        ({"tokens": TOKENS + 1}, "token id 11 is outside 0..10"),
        ({"tokens": TOKENS[None]}, r"ids of shape \(N,\)"),
        ({"tokens": TOKENS / 2}, "not torch.float32"),
        ({"heldout": [99, 1]}, "token id 99"),
        ({"heldout": [1]}, "nothing to predict"),
        ({"block_size": 9}, "block_size 9 is more than the model's 8"),
        ({"eos_id": 10, "tokens": TOKENS[TOKENS != 10]}, "eos_id 10 does not occur in the corpus"),
    ],
)
def test_tokens_that_cannot_be_trained_on_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        trainer(**arguments)


# ---- Devices ----


def test_a_device_that_is_not_here_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for device in ("cuda", "cuda:0", "mps"):
        with pytest.raises(ValueError, match=f"{device}.*not here.*use auto"):
            trainer(device=device)


@pytest.mark.cuda
def test_cuda_trains_to_nearly_the_losses_of_the_cpu():
    exact = [step.loss for step in trainer(TOKENS[:50])]
    on_cuda = trainer(TOKENS[:50], device="auto", bf16=False, compile=False)
    assert [step.loss for step in on_cuda] == pytest.approx(exact, abs=1e-3)
    assert on_cuda.model.device.type == "cuda"
    in_bf16 = trainer(TOKENS[:50], dropout=0.1, device="cuda", compile=False)
    assert all(math.isfinite(step.loss) for step in in_bf16)


@pytest.mark.cuda
@pytest.mark.skipif(not has_compiler(), reason="no Triton or no C compiler here")
def test_on_cuda_a_compiled_run_is_nearly_the_plain_one():
    how = {"device": "cuda", "bf16": False, "optimizer": "muon"}
    plain = [step.loss for step in trainer(**how, compile=False)]
    compiled = trainer(**how, compile=True)
    assert [step.loss for step in compiled] == pytest.approx(plain, abs=5e-3)
    assert all(type(step) is Step for step in compiled.history)


@pytest.mark.cuda
@pytest.mark.parametrize("in_graphs", [False, True])
def test_on_cuda_a_large_vocabulary_is_padded_inside_the_product_alone(in_graphs):
    if in_graphs and not has_compiler():
        pytest.skip("no Triton or no C compiler here")
    losses = {}
    for device in ("cpu", "cuda"):
        shape = gptlib.GPTConfig(4099, block_size=64, n_layer=1, n_head=4, n_embd=256)
        how = {"device": device, "compile": in_graphs and device == "cuda", "bf16": False}
        config = TrainConfig(3, 4, optimizer="adamw", **how)
        tokens = torch.randint(4099, (500,), generator=torch.Generator().manual_seed(0))
        run = gptlib.Trainer(gptlib.GPT(shape, seed=0), tokens, config)
        assert needs_padding(torch.empty(4, 64, 256, device=device), run.model.wte.weight) == (
            device == "cuda"
        )
        losses[device] = [step.loss for step in run]
        assert run.model.wte.weight.grad.shape == (4099, 256)
    assert losses["cuda"] == pytest.approx(losses["cpu"], abs=2e-2)


@pytest.mark.cuda
def test_on_cuda_a_run_that_nobody_looks_at_is_the_one_that_is_watched():
    how = {"tokens": TOKENS[:50], "device": "cuda", "compile": False}
    watched, alone = trainer(**how), trainer(**how)
    losses = [step.loss for step in watched]
    for _ in range(3):
        alone.update()
    assert type(alone.history[-1]) is Unread and type(alone.history[-2]) is Step
    list(alone)
    assert [type(step) for step in alone.history] == [Step] * 6
    assert [step.loss for step in alone.history] == pytest.approx(losses, abs=1e-4)


@pytest.mark.cuda
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_on_cuda_an_update_waits_for_nothing(optimizer):
    run = trainer(dropout=0.1, device="cuda", compile=False, optimizer=optimizer)
    run.update()
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            run.update()
        with pytest.raises(RuntimeError, match="synchroniz"):
            run.model.wpe.weight.sum().item()  # which is what would be noticed
    finally:
        torch.cuda.set_sync_debug_mode(before)


@pytest.mark.cuda
def test_a_run_on_cuda_is_taken_up_from_its_state():
    whole, first, second = (trainer(TOKENS[:50], device="cuda", compile=False) for _ in range(3))
    list(whole)
    for step in first:
        if step.step == 3:
            break
    state = copy.deepcopy(first.state())
    second.model.load_state_dict(first.model.state_dict())
    second.load_state(*state)
    assert [s.loss for s in second] == pytest.approx([s.loss for s in whole.history[3:]], abs=1e-4)


# ---- Models in an unusual state ----


def test_a_partly_frozen_model_goes_on_from_its_own_state():
    for optimizer in ("adamw", "muon"):
        one = trainer(optimizer=optimizer)
        one.model.wte.weight.requires_grad_(False)
        one.model.h[0].attn.c_attn.weight.requires_grad_(False)
        one.update(), one.update()
        other = trainer(optimizer=optimizer)
        other.model.load_state_dict(one.model.state_dict())
        other.model.wte.weight.requires_grad_(False)
        other.model.h[0].attn.c_attn.weight.requires_grad_(False)
        other.load_state(*copy.deepcopy(one.state()))
        list(one), list(other)
        assert other.step == 6 and same_weights(one, other)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_training_learns_where_the_caller_has_switched_gradients_off(context):
    outside = [step.loss for step in trainer()]
    inside = trainer()
    with context():
        assert [step.loss for step in inside] == outside


def test_a_model_made_for_inference_alone_is_refused_in_one_line():
    with pytest.raises(ValueError, match="made under torch.inference_mode: make it outside"):
        with torch.inference_mode():
            trainer()
    with torch.inference_mode():
        loaded = gptlib.load("pets")[0]
    with pytest.raises(ValueError, match="made under torch.inference_mode: make it outside"):
        gptlib.Trainer(loaded, TOKENS, TrainConfig(steps=2, device="cpu"))
