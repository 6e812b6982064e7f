"""gptlib.fast.tracing: PyTorch's transforms and tracers give what the model itself gives."""

from dataclasses import replace

import pytest
import torch
from torch.func import functional_call, grad, jacrev, jvp, vmap

import gptlib
from gptlib.fast.cards import fused_nll
from gptlib.fast.tracing import is_traced, is_transformed
from gptlib.optimizers import orthogonalize

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


# ---- torch.compile: one graph, by the backends that need no C compiler ----


@pytest.fixture(params=["eager", "aot_eager"])
def as_one_graph(request):
    """Compiles a function, and fails where it would fall into two."""
    torch.compiler.reset()
    return lambda function: torch.compile(function, backend=request.param, fullgraph=True)


def test_the_model_compiles_as_one_graph(traced, as_one_graph):
    model, ids = traced
    found = as_one_graph(model)(ids)
    torch.testing.assert_close(found, model(ids), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_a_compiled_model_keeps_the_fused_attention(training, cached, dropout):
    """A compiler must not be taken for a transform: the plain way holds all (T, S) weights."""
    model = gptlib.GPT(replace(SHAPES[0], dropout=dropout), seed=0).train(training)
    cache, called = model.new_cache(2) if cached else None, []

    def backend(graph, inputs):
        called.extend(getattr(node.target, "__name__", "") for node in graph.graph.nodes)
        return graph

    torch.compiler.reset()
    with torch.no_grad():
        torch.compile(model, backend=backend, fullgraph=True)(torch.ones(2, 5).long(), cache)
    assert called.count("scaled_dot_product_attention") == model.config.n_layer
    assert "softmax" not in called


@pytest.mark.skipif(torch.__version__ < "2.7", reason="its compiler cannot ask what is at work")
def test_a_transform_inside_a_compiled_function_is_seen():
    def which(x):
        return x + 1 if is_transformed() else x - 1

    torch.compiler.reset()
    for function, wanted in (
        (which, -1),
        (vmap(which), 1),
        (lambda x: jvp(which, (x,), (x,))[0], 1),
    ):
        inside = torch.compile(function, backend="eager", fullgraph=True)
        assert function(torch.zeros(1)) == inside(torch.zeros(1)) == wanted


@pytest.mark.parametrize("loss_of", [gptlib.nll, fused_nll], ids=["nll", "fused"])
def test_a_step_of_training_compiles_as_one_graph_with_its_gradients(loss_of, as_one_graph):
    model, ids = gptlib.GPT(SHAPES[0], seed=0), torch.randint(20, (2, 9))
    x, y = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    loss = as_one_graph(lambda x, y: loss_of(model(x), y))(x, y)
    plain = gptlib.nll(model(x), y)
    torch.testing.assert_close(loss, plain)
    names, weights = zip(*model.named_parameters(), strict=True)
    wanted, got = (torch.autograd.grad(scalar, weights) for scalar in (plain, loss))
    for name, one, other in zip(names, got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5, msg=name)


def test_dropout_compiles_and_drops_in_training_alone(as_one_graph):
    model = gptlib.GPT(replace(SHAPES[0], dropout=0.5), seed=0)
    function, ids = as_one_graph(model), torch.randint(20, (2, 8))
    assert not torch.equal(function(ids), function(ids))
    model.eval()
    torch.testing.assert_close(function(ids), model(ids), rtol=1e-3, atol=1e-4)


def test_a_model_with_a_cache_compiles_as_one_graph(as_one_graph):
    model, ids = gptlib.GPT(SHAPES[0], seed=0).eval(), torch.randint(20, (2, 8))
    function, cache = as_one_graph(model), model.new_cache(2)
    with torch.no_grad():
        parts = [function(part, cache) for part in ids.split([5, 1, 1, 1], dim=1)]
        torch.testing.assert_close(torch.cat(parts, 1), model(ids), rtol=1e-3, atol=1e-4)
    assert cache[0].length == 8


@pytest.mark.parametrize("shape", [(2, 4, 6), (2, 6, 4)])
def test_muons_products_compile_as_one_graph(shape, as_one_graph):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = as_one_graph(orthogonalize)(matrices)
    torch.testing.assert_close(found, orthogonalize(matrices), rtol=1e-2, atol=1e-2)


def test_outside_of_all_of_them_nothing_is_traced():
    assert not is_traced() and not is_transformed()
    inside = []
    vmap(lambda x: (inside.append(is_transformed()), x)[1])(torch.ones(2))
    assert inside == [True]
