"""gptlib.decoding.graphs: the step that a card records writes what lesson 07 writes.

The step itself is tried on the CPU, where it is not recorded.
"""

from contextlib import nullcontext

import pytest
import torch
from tiny import random_ids
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import gptlib
from gptlib.decoding import graphs
from gptlib.decoding.decoders import is_plain
from gptlib.decoding.graphs import TextWriter, can_record

SETTINGS = [
    {},
    {"temperature": 0},
    {"temperature": 0.7, "top_k": 3},
    {"top_p": 0.8},
    {"top_k": 4, "top_p": 0.9, "eos_id": 0},
    {"temperature": 0, "eos_id": 4},
]


@pytest.fixture
def lively():
    """A model with room for some more tokens than the tiny one has."""
    model = gptlib.GPT(gptlib.GPTConfig(11, block_size=40, n_layer=2, n_head=2, n_embd=12), seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.4)
    return model.eval()


def seeded(seed=3):
    return torch.Generator().manual_seed(seed)


def writer(model, n_rows, size=40, temperature=1.0, top_k=None, top_p=None, eos_id=None):
    return TextWriter(model, n_rows, size, (temperature, top_k, top_p), eos_id)


@pytest.mark.parametrize("how", SETTINGS, ids=str)
@pytest.mark.parametrize("n_rows", [1, 3])
def test_the_text_is_that_of_the_plain_way_from_the_same_generator(lively, n_rows, how):
    ids, ours, theirs = random_ids(lively, n_rows, length=5), seeded(), seeded()
    expected = gptlib.generate(lively, ids, 36, **how, generator=theirs)
    written = writer(lively, n_rows, **how).write(lively, ids, 36, ours)
    assert torch.equal(written, expected)
    assert torch.equal(ours.get_state(), theirs.get_state())  # drawn from as often


def test_a_text_that_stops_is_as_long_and_the_global_generator_as_far(lively):
    how, ids = {"eos_id": 1}, random_ids(lively, 2, length=3)
    torch.manual_seed(1)
    expected, after = gptlib.generate(lively, ids, 36, **how), torch.rand(3)
    assert expected.shape[1] < 39 and (expected == 1).any(1).all()
    torch.manual_seed(1)
    assert torch.equal(writer(lively, 2, **how).write(lively, ids, 36), expected)
    assert torch.equal(torch.rand(3), after)


def test_one_writer_writes_text_after_text_and_sees_training_between_them(lively):
    shared = writer(lively, 1)
    for length in (9, 2, 5):
        ids = random_ids(lively, 1, length=length, seed=length)
        expected = gptlib.generate(lively, ids, 20, generator=seeded(length))
        assert torch.equal(shared.write(lively, ids, 20, seeded(length)), expected)
        with torch.no_grad():
            for parameter in lively.parameters():
                parameter.mul_(1.1)


def test_a_prompt_as_long_as_the_context_has_one_more_token(lively):
    ids = random_ids(lively, 1, length=40)
    expected = gptlib.generate(lively, ids, 1, generator=seeded())
    assert torch.equal(writer(lively, 1).write(lively, ids, 1, seeded()), expected)


def test_what_it_writes_can_be_trained_on(lively):
    ids = writer(lively, 1).write(lively, torch.tensor([[1, 2]]), 5, seeded())
    lively(ids).sum().backward()
    assert lively.wte.weight.grad is not None


def test_bfloat16_weights_write_too(lively):
    lively.to(torch.bfloat16)
    ids = random_ids(lively, 2)
    assert writer(lively, 2).write(lively, ids, 9, seeded()).shape == (2, 15)


def test_ids_without_a_token_are_not_written(lively):
    lively.first_unused_id = 2
    written = writer(lively, 2).write(lively, torch.tensor([[0], [1]]), 30, seeded())
    assert written.max() == 1


def test_logits_without_numbers_end_in_one_line_and_the_next_text_is_whole(lively):
    shared, ids = writer(lively, 1), torch.tensor([[1, 2]])
    expected = shared.write(lively, ids, 9, seeded())
    before = lively.ln_f.bias.clone()
    with torch.no_grad():
        lively.h[0].attn.c_attn.bias.add_(torch.nan)
        with pytest.raises(ValueError, match="logits must hold numbers"):
            shared.write(lively, ids, 9, seeded())
        lively.h[0].attn.c_attn.bias.nan_to_num_(0.0)
    assert torch.equal(lively.ln_f.bias, before)
    lively_again = shared.write(lively, ids, 9, seeded())
    assert lively_again.shape == expected.shape and shared.room.isfinite().all()


@pytest.mark.parametrize("how", SETTINGS, ids=str)
def test_a_step_looks_at_no_number(how):
    # Of such a tensor only the shape is known: to ask it for a number is an error.
    with FakeTensorMode():
        model = gptlib.GPT(gptlib.GPTConfig(11, 40, n_layer=1, n_head=2, n_embd=12))
        there = writer(model, 2, **how)
        with torch.inference_mode():
            there.step()
        assert there.token.shape == (2,) and there.out.shape == (2, 41)
        with pytest.raises(DataDependentOutputException):
            there.place.item()


class Devices(TorchDispatchMode):
    """Notes which operations have a tensor on the CPU, given or found."""

    def __init__(self):
        super().__init__()
        self.count, self.on_cpu = 0, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        seen = [t for t in tree_leaves((args, kwargs, found)) if isinstance(t, torch.Tensor)]
        self.count += 1
        if any(tensor.device.type == "cpu" for tensor in seen):
            self.on_cpu.append(str(func))
        return found


@pytest.mark.parametrize("how", SETTINGS, ids=str)
def test_a_step_has_nothing_on_the_cpu(how):
    # A card would be sent it, and waited for, which no recording can do. "meta" is a device, too.
    with torch.device("meta"):
        model = gptlib.GPT(gptlib.GPTConfig(11, 40, n_layer=1, n_head=2, n_embd=12))
    model.first_unused_id = 9
    there = writer(model, 2, **how)
    with torch.no_grad(), Devices() as devices:
        there.step()
    assert devices.count > 50 and not devices.on_cpu


@pytest.fixture
def without_a_card(monkeypatch):
    """As much of `torch.cuda` as `record` asks for; notes in which mode the steps are made."""
    modes = []

    class Nothing:
        def wait_stream(self, other):
            pass

    def here(*given, **how):
        modes.append(torch.is_inference_mode_enabled() or torch.is_grad_enabled())
        return nullcontext()

    for name in ("CUDAGraph", "Stream", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, Nothing)
    for name in ("device", "stream", "graph"):
        monkeypatch.setattr(torch.cuda, name, here)
    return modes


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.enable_grad])
def test_a_step_is_recorded_outside_of_inference_mode(lively, monkeypatch, without_a_card, mode):
    # Or the next recording of the process, by torch.compile say, might find tensors of that mode.
    monkeypatch.setattr(graphs, "_recorded", {})
    with mode():
        made = graphs._writer(lively, 1, 40, (1.0, None, None), None, few=False)
    assert without_a_card == [False] * 3
    assert not any(t.is_inference() for t in vars(made).values() if isinstance(t, torch.Tensor))
    assert made.graph is not None and int(made.place) == 3


# ---- Who is written for ----


class OnCard:
    """A model as if it were on a card, as far as the choice looks at it."""

    def __init__(self, model):
        self.model, self.device = model, torch.device("cuda")
        self.first_unused_id, self.config, self.wpe = None, model.config, model.wpe

    def modules(self):
        return self.model.modules()

    def parameters(self):
        return [OnCardWeight(p) for p in self.model.parameters()]


class OnCardWeight:
    def __init__(self, parameter):
        self.device, self.dtype = torch.device("cuda"), parameter.dtype
        self.data_ptr = parameter.data_ptr


def test_a_plain_model_on_a_card_and_no_other(lively):
    assert not can_record(lively)  # on the CPU
    assert can_record(OnCard(lively))
    assert not can_record(OnCard(gptlib.ablate(lively, "attention")))
    handle = lively.h[0].register_forward_hook(lambda *_: None)
    assert not can_record(OnCard(lively)) and not is_plain(lively)
    handle.remove()
    lively.h[0].mlp.forward = lambda x: x
    assert not can_record(OnCard(lively))
    del lively.h[0].mlp.forward
    assert can_record(OnCard(lively))
    lively.h[0].to(torch.bfloat16)
    assert not can_record(OnCard(lively))


@pytest.fixture
def asked(monkeypatch):
    """What is recorded, without a card."""
    made = []

    class Made:
        def __init__(self, model, n_rows, size, settings, eos_id):
            self.size, self.key = size, ()
            made.append((n_rows, size))

        def record(self):
            pass

        def write(self, model, ids, n, generator):
            return ids

    monkeypatch.setattr(graphs, "TextWriter", Made)
    monkeypatch.setattr(graphs, "_recorded", {})
    return made


def written(model, length, n, n_rows=1, **how):
    how = {"temperature": 1.0, "top_k": None, "top_p": None, "eos_id": None} | how
    how = {"generator": None, "use_cache": True} | how
    return graphs.write(model, torch.zeros(n_rows, length, dtype=torch.int64), n, **how)


def test_a_step_is_recorded_for_a_long_text_and_used_for_those_that_fit(lively, asked):
    model = OnCard(lively)
    assert written(model, 5, 10) is None and not asked  # a few tokens are not worth it
    assert written(model, 5, 36) is not None and asked == [(1, 40)]
    assert written(model, 5, 10) is not None and len(asked) == 1
    assert written(model, 5, 36, top_k=3) is not None and len(asked) == 2
    assert written(model, 5, 36, n_rows=2, top_k=3) is not None and asked[2] == (2, 40)
    lively.wte.weight.data = lively.wte.weight.data.clone()  # lies elsewhere now
    assert written(model, 5, 36, n_rows=2, top_k=3) is not None and len(asked) == 4


def test_what_it_cannot_do_is_left_to_the_plain_way(lively, asked):
    model = OnCard(lively)
    assert written(model, 5, 37) is None  # beyond the context the window slides
    assert written(model, 5, 0) is None and written(model, 5, 36, use_cache=False) is None
    assert written(lively, 5, 36) is None
    with graphs._one_at_a_time:
        assert written(model, 5, 36) is None
    assert not asked and written(model, 5, 36) is not None


# ---- On a card ----


@pytest.mark.cuda
@pytest.mark.parametrize("how", SETTINGS, ids=str)
@pytest.mark.parametrize("n_rows", [1, 3])
def test_a_recorded_step_writes_the_text_of_the_cpu(lively, n_rows, how):
    ids = random_ids(lively, n_rows, length=5)
    expected = gptlib.generate(lively, ids, 35, **how, generator=seeded())
    lively.cuda()
    for _ in range(2):  # recorded, then replayed
        there = gptlib.generate(lively, ids, 35, **how, generator=seeded())
        assert lively in graphs._recorded and torch.equal(there.cpu(), expected)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_steps_logits_are_the_models_where_a_card_has_its_fastest_attention(device, dtype):
    # Heads of 64 channels: of the tiny model's no fused kernel can read the rows.
    generator = torch.Generator().manual_seed(0)
    model = gptlib.GPT(gptlib.GPTConfig(96, 256, n_layer=2, n_head=2, n_embd=128), seed=0).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    model.to(device, dtype)
    ids = random_ids(model, 3, length=100).to(device)
    there = writer(model, 3, size=256)
    with torch.inference_mode():
        there._start(model, ids[:, :-1])
        there.token.copy_(ids[:, -1])
        there.place.fill_(99)
        found, wanted = there._logits().float(), model(ids)[:, -1].float()
    share = 0.1 if dtype == torch.bfloat16 else 1e-4
    assert (found - wanted).abs().max() < share * wanted.std()
    # What lies ahead or behind is told apart: one place less gives other logits.
    there.place.fill_(98)
    with torch.inference_mode():
        assert (there._logits().float() - wanted).abs().max() > share * wanted.std()


@pytest.mark.cuda
@pytest.mark.parametrize("seeded_by", ["a generator", "the global one"])
def test_a_cards_own_generator_is_drawn_from_as_by_the_plain_way(lively, seeded_by):
    lively.cuda()
    texts = []
    for use_cache in (True, False):
        generator = torch.Generator("cuda").manual_seed(4) if seeded_by == "a generator" else None
        torch.manual_seed(4)
        how = {"eos_id": 5, "generator": generator, "use_cache": use_cache}
        text = gptlib.generate(lively, [1, 2], 36, **how)
        state = torch.cuda.get_rng_state() if generator is None else generator.get_state()
        texts.append((text, state))
    assert lively in graphs._recorded
    assert all(torch.equal(one, other) for one, other in zip(*texts, strict=True))


@pytest.mark.cuda
def test_a_recorded_step_in_bfloat16_writes_what_the_step_itself_writes(lively):
    lively.cuda().to(torch.bfloat16)
    ids = random_ids(lively, 3, length=5).cuda()
    plain, recorded = writer(lively, 3, top_k=4), writer(lively, 3, top_k=4)
    recorded.record()
    text = recorded.write(lively, ids, 35, seeded())
    assert text.shape == (3, 40) and torch.equal(text, plain.write(lively, ids, 35, seeded()))


@pytest.mark.cuda
@pytest.mark.parametrize("mode", [nullcontext, torch.inference_mode])
def test_after_a_recording_others_can_be_made(lively, mode):
    lively.cuda()
    with mode():
        gptlib.generate(lively, [1, 2], 36)
    x = torch.ones(3, device="cuda")
    x + x
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        twice = x + x
    graph.replay()
    assert lively in graphs._recorded and twice.tolist() == [2, 2, 2]
