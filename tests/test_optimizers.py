"""gptlib.optimizers: singular values, one update of Muon by hand, and who trains what."""

import pytest
import torch

import gptlib
from gptlib import TrainConfig, Trainer, optimizers
from gptlib.optimizers import BESIDE_MUON, Muon, decay_groups, make_optimizers, orthogonalize


def a_matrix(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def either_dtype(request, monkeypatch):
    """Both ways to multiply, whatever this processor would choose."""
    monkeypatch.setattr(optimizers, "_fast_dtype", lambda device: request.param)


def quarter_turn(rate):
    """A matrix whose gradient is a quarter turn three times as long, after one step of Muon."""
    weight = torch.nn.Parameter(torch.zeros(2, 2))
    weight.grad = torch.tensor([[0.0, -3.0], [3.0, 0.0]])
    Muon([weight], lr=rate).step()
    return weight.detach()


# ---- Orthogonal ----


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 12, 40), (1, 40, 12), (3, 12, 40)])
def test_singular_values_come_near_to_one_and_singular_vectors_stay(either_dtype, shape):
    u, s, vh = torch.linalg.svd(a_matrix(*shape), full_matrices=False)
    matrix = u * torch.logspace(0, -2, s.shape[-1]) @ vh  # from 1 to a hundredth
    middle = u.mT @ orthogonalize(matrix) @ vh.mT  # diagonal, if the vectors are the same
    values = middle.diagonal(dim1=-2, dim2=-1)
    assert values.min() > 0.8 and values.max() < 1.2
    assert (middle - torch.diag_embed(values)).abs().max() < 0.05


def test_its_size_and_its_neighbours_do_not_matter(monkeypatch):
    monkeypatch.setattr(optimizers, "_fast_dtype", lambda device: torch.float32)
    one, other = a_matrix(8, 8), a_matrix(8, 8, seed=1)
    both = orthogonalize(torch.stack([one, 1000 * other]))
    torch.testing.assert_close(both[0], orthogonalize(one[None])[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(both[1], orthogonalize(other[None])[0], rtol=1e-3, atol=1e-3)


def test_a_gradient_of_nothing_stays_nothing():
    assert not orthogonalize(torch.zeros(1, 4, 6)).any()


# ---- Muon ----


def test_a_turn_stays_a_turn_and_its_length_does_not_count():
    # Both singular values of the gradient are 3, and become about 1. Momentum only changes length.
    moved = quarter_turn(rate=0.5)
    assert moved[0, 1] == -moved[1, 0] and moved[0, 0].item() == pytest.approx(0, abs=1e-3)
    assert moved[0, 1].item() == pytest.approx(0.5, abs=0.1)


def test_two_steps_of_momentum_by_hand(monkeypatch):
    # Without making it orthogonal: momentum m <- 0.9 m + 0.1 g, and the step looks one ahead,
    # 0.9 m + 0.1 g. For g = 1 twice: m 0.1, ahead 0.19; m 0.19, ahead 0.271. A matrix (8, 2) is
    # four times as high as wide: twice the rate. Decay first, 1 - 0.1 * 0.5 of what was there.
    monkeypatch.setattr(optimizers, "orthogonalize", lambda matrices: matrices)
    weight = torch.nn.Parameter(torch.ones(8, 2))
    muon = Muon([weight], lr=0.1, weight_decay=0.5)
    for by_hand in (0.95 - 0.2 * 0.19, (0.95 - 0.2 * 0.19) * 0.95 - 0.2 * 0.271):
        weight.grad = torch.ones(8, 2)
        muon.step()
        assert weight.detach().unique().tolist() == pytest.approx([by_hand])


def test_queries_keys_and_values_are_made_orthogonal_apart(monkeypatch):
    seen = []
    monkeypatch.setattr(optimizers, "orthogonalize", lambda m: seen.append(m.shape) or m)
    model = gptlib.GPT(gptlib.GPTConfig(11, 8, n_layer=2, n_head=2, n_embd=12), seed=0)
    matrices = [p for p in model.h.parameters() if p.ndim == 2]
    for p in matrices:
        p.grad = torch.ones_like(p)
    Muon(matrices).step()
    # Of each layer q, k, v and c_proj, all 12 by 12, at once; then the two of the feedforward.
    assert sorted(seen) == [(2, 12, 48), (2, 48, 12), (8, 12, 12)]


def test_it_is_pytorchs_muon_but_for_the_polynomials(monkeypatch):
    theirs = pytest.importorskip("torch.optim", reason="").__dict__.get("Muon")
    if theirs is None:
        pytest.skip("this PyTorch has no Muon")

    def exact(matrices):
        u, _, vh = torch.linalg.svd(matrices.float(), full_matrices=False)
        return u @ vh

    monkeypatch.setattr(optimizers, "orthogonalize", exact)
    monkeypatch.setattr("torch.optim._muon._zeropower_via_newtonschulz", lambda g, *a: exact(g))
    settings = {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1}
    ours, peers = (torch.nn.Parameter(a_matrix(10, 4)) for _ in range(2))
    one, other = Muon([ours], **settings), theirs([peers], nesterov=True, **settings)
    for seed in (1, 2, 3):
        ours.grad, peers.grad = a_matrix(10, 4, seed=seed), a_matrix(10, 4, seed=seed)
        one.step(), other.step()
        torch.testing.assert_close(ours.detach(), peers.detach(), rtol=1e-4, atol=1e-5)


def test_what_is_no_matrix_is_refused():
    with pytest.raises(ValueError, match=r"not a parameter of shape \(3,\)"):
        Muon([torch.nn.Parameter(torch.zeros(3))])


def test_a_matrix_without_a_gradient_stays_as_it_is():
    weight = torch.nn.Parameter(a_matrix(3, 3))
    before = weight.detach().clone()
    Muon([weight]).step()
    assert torch.equal(weight, before)


# ---- Who trains what ----


def test_only_matrices_decay_and_the_tied_head_is_there_once(model):
    matrices, vectors = decay_groups(model, 0.1)
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.1, 0.0)
    names = {id(p): name for name, p in model.named_parameters()}
    for p in matrices["params"]:
        assert names[id(p)].endswith(".weight") and "ln_" not in names[id(p)]
    counted = [p for group in (matrices, vectors) for p in group["params"]]
    assert len({id(p) for p in counted}) == len(counted)
    assert sum(p.numel() for p in counted) == model.n_params()


def test_muon_trains_the_matrices_of_the_blocks_and_adamw_the_rest(model):
    config = TrainConfig(optimizer="muon", weight_decay=0.2, momentum=0.8)
    muon, adamw = make_optimizers(model, config)
    names = {id(p): name for name, p in model.named_parameters()}
    of_muon = {names[id(p)] for g in muon.param_groups for p in g["params"]}
    of_adamw = {names[id(p)] for g in adamw.param_groups for p in g["params"]}
    assert of_muon == {n for n, p in model.named_parameters() if n.startswith("h.") and p.ndim == 2}
    assert of_adamw == set(names.values()) - of_muon
    assert {(g["weight_decay"], g["momentum"]) for g in muon.param_groups} == {(0.2, 0.8)}
    alone = make_optimizers(model, TrainConfig(optimizer="adamw"))
    assert len(alone) == 1 and sum(len(g["params"]) for g in alone[0].param_groups) == len(names)


def test_each_has_its_share_of_the_schedules_rate(model):
    run = Trainer(model, torch.arange(11), TrainConfig(steps=4, warmup_steps=2, device="cpu"))
    step = run.update()
    assert step.learning_rate == pytest.approx(0.03 / 2)
    rates = [g["lr"] for optimizer in run.optimizers for g in optimizer.param_groups]
    assert rates == pytest.approx([0.015, 0.015 * BESIDE_MUON, 0.015 * BESIDE_MUON])


def test_it_learns_the_pets_sooner_than_adamw():
    corpus, tokenizer = gptlib.corpora.load("pets"), gptlib.load("pets")[1]
    tokens = corpus.encode(tokenizer)[0]
    losses = {}
    for name in ("adamw", "muon"):
        model = gptlib.GPT(gptlib.GPTConfig(tokenizer.vocab_size, 32, 2, 2, 32), seed=0)
        config = TrainConfig(60, 16, warmup_steps=5, optimizer=name, device="cpu")
        losses[name] = list(Trainer(model, tokens, config))[-1].loss
    assert losses["muon"] < losses["adamw"] - 0.3
