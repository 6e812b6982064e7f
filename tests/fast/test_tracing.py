"""gptlib.fast.tracing: PyTorch's transforms and tracers give what the model itself gives."""

import pytest
import torch
from torch.func import functional_call, grad, jacrev, jvp, vmap

import gptlib
from gptlib.fast.tracing import is_traced, is_transformed

# The second is wide enough for the faster products of `fast.linear`.
SHAPES = [gptlib.GPTConfig(20, 8, 1, 2, 16), gptlib.GPTConfig(64, 64, 2, 2, 64)]


@pytest.fixture(params=SHAPES, ids=["small", "wide"])
def traced(request):
    model = gptlib.GPT(request.param, seed=0).eval()
    rows = 2 if request.param.block_size == 8 else 16
    ids = torch.randint(request.param.vocab_size, (rows, request.param.block_size))
    return model, ids


def loss_of(model, ids):
    return lambda weights: functional_call(model, weights, (ids,)).logsumexp(-1).mean()


def weights_of(model):
    return {name: p.detach() for name, p in model.named_parameters()}


def test_grad_gives_the_gradients_of_a_backward_pass(traced):
    model, ids = traced
    found = grad(loss_of(model, ids))(weights_of(model))
    loss_of(model, ids)(dict(model.named_parameters())).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-3, atol=1e-5)


def test_vmap_over_rows_gives_the_logits_of_each_row(traced):
    model, ids = traced
    found = vmap(lambda row: model(row[None])[0])(ids)
    torch.testing.assert_close(found, model(ids), rtol=1e-3, atol=1e-4)


def test_gradients_of_each_row_are_those_of_the_row_alone(traced):
    model, ids = traced
    weights = weights_of(model)

    def loss(weights, row):
        return functional_call(model, weights, (row[None],)).logsumexp(-1).mean()

    each = vmap(grad(loss), in_dims=(None, 0))(weights, ids[:2])
    alone = grad(loss)(weights, ids[1])
    torch.testing.assert_close(each["wpe.weight"][1], alone["wpe.weight"], rtol=1e-3, atol=1e-5)


def test_forward_and_reverse_derivatives_agree(traced):
    model, ids = traced
    loss, weights = loss_of(model, ids), weights_of(model)
    gain = weights["ln_f.weight"]

    def of_gain(g):
        return loss(weights | {"ln_f.weight": g})

    direction = torch.linspace(-1, 1, len(gain))
    _, forward = jvp(of_gain, (gain,), (direction,))
    torch.testing.assert_close(forward, jacrev(of_gain)(gain) @ direction, rtol=1e-3, atol=1e-5)


def test_the_loss_goes_through_vmap():
    logits, targets = torch.randn(3, 4, 20), torch.randint(20, (3, 4))
    found = vmap(gptlib.nll)(logits, targets)
    expected = torch.stack([gptlib.nll(*pair) for pair in zip(logits, targets, strict=True)])
    torch.testing.assert_close(found, expected)


@pytest.mark.filterwarnings("ignore")  # of the tracer's own, about sizes that it keeps
def test_a_trace_gives_the_models_logits(traced):
    model, ids = traced
    found = torch.jit.trace(model, (ids,), check_trace=False)(ids)
    torch.testing.assert_close(found, model(ids), rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_an_export_takes_other_sizes_than_it_was_made_with(traced):
    model, ids = traced
    sizes = {0: torch.export.Dim("B", max=64), 1: torch.export.Dim("T", max=ids.shape[1])}
    example = ids[:, :-1].contiguous()
    exported = torch.export.export(model, (example,), dynamic_shapes={"ids": sizes}).module()
    torch.testing.assert_close(exported(ids[:1, :3]), model(ids[:1, :3]), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_the_model_compiles_as_one_graph(traced, backend):
    model, ids = traced
    found = torch.compile(model, backend=backend, fullgraph=True)(ids)
    torch.testing.assert_close(found, model(ids), rtol=1e-3, atol=1e-4)


def test_outside_of_all_of_them_nothing_is_traced():
    assert not is_traced() and not is_transformed()
    inside = []
    vmap(lambda x: (inside.append(is_transformed()), x)[1])(torch.ones(2))
    assert inside == [True]
