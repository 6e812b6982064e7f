"""gptlib.checks.gpt2: every mistake it claims to know is named, right answers are accepted however
they are written, and a layer read as the exercise asks computes what the model's own does.
"""

import numpy as np
import pytest
import torch

import gptlib
from checks.mutants import Case
from checks.rules import CheckRules
from gptlib.checks import gpt2
from gptlib.checks.gpt2 import right_count, right_read

# ---- Right answers, as different people write them ----


def count_by_shapes(vocab_size, block_size, n_layer, n_embd):
    C = n_embd
    shapes = {
        "tokens": [(vocab_size, C)],
        "positions": [(block_size, C)],
        "attention": n_layer * [(3 * C, C), (3 * C,), (C, C), (C,)],
        "feedforward": n_layer * [(4 * C, C), (4 * C,), (C, 4 * C), (C,)],
        "norms": (2 * n_layer + 1) * [(C,), (C,)],
    }
    return {part: sum(torch.Size(shape).numel() for shape in shapes[part]) for part in shapes}


def count_by_numpy(vocab_size, block_size, n_layer, n_embd):
    V, P, L, C = (np.int64(n) for n in (vocab_size, block_size, n_layer, n_embd))
    return {
        "tokens": V * C,
        "positions": P * C,
        "attention": L * (C * 3 * C + 3 * C + C * C + C),
        "feedforward": L * ((C * 4 * C + 4 * C) + (4 * C * C + C)),
        "norms": L * 2 * 2 * C + 2 * C,
    }


def cost_by_loop(n_params, n_layer, n_embd, n_tokens, bandwidth):
    cache = 0
    for _ in range(n_tokens):
        for _ in range(n_layer):
            cache += 2 * n_embd * 4
    return [cache, n_params * 4 / bandwidth + cache / bandwidth, n_params * 2 + cache / 2]


def cost_to_array(n_params, n_layer, n_embd, n_tokens, bandwidth):
    cache = n_tokens * n_layer * n_embd * 2 * 4
    attention = n_layer * (2 * n_embd + 2 * n_embd) * n_tokens  # scores, and the sum of values
    return np.array([cache, (n_params * 4 + cache) / bandwidth, 2 * n_params + attention])


def read_by_splitting(state, i):
    layer = {}
    for name, tensor in state.items():
        words = name.replace("transformer.", "").split(".")
        if words[0] != "h" or int(words[1]) != i or words[3] in ("bias", "masked_bias"):
            if not (words[0] == "h" and int(words[1]) == i and words[2].startswith("ln")):
                continue
        layer[".".join(words[2:])] = tensor.t() if tensor.dim() == 2 else tensor
    return layer


def read_by_names(state, i):
    prefix = "transformer." if "transformer.wte.weight" in state else ""
    wanted = [f"{part}.{kind}" for part in ("ln_1", "ln_2") for kind in ("weight", "bias")]
    for part in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"):
        wanted += [f"{part}.weight", f"{part}.bias"]
    layer = {name: state[f"{prefix}h.{i}.{name}"].numpy() for name in wanted}
    return {name: np.transpose(a) for name, a in layer.items()}  # a vector stays as it is


def count_of_the_exercise(vocab_size, block_size, n_layer, n_embd):
    C = n_embd
    found = {"tokens": vocab_size * C, "positions": block_size * C}
    found["attention"] = n_layer * (C * 3 * C + 3 * C + C * C + C)
    found["feedforward"] = n_layer * (C * 4 * C + 4 * C + 4 * C * C + C)
    found["norms"] = (2 * n_layer + 1) * 2 * C
    return found


def read_in_double(state, i):
    return {name: tensor.double() for name, tensor in read_by_splitting(state, i).items()}


# ---- Mistakes, as beginners write them: {name in the check: the code} ----


def counts(feedforward, change=lambda part, n, V, C: n):
    """The exercise with this line for its blank."""

    def count(V, P, L, C):
        found = {
            "tokens": V * C,
            "positions": P * C,
            "attention": L * (C * 3 * C + 3 * C + C * C + C),
            "feedforward": feedforward(L, C),
            "norms": (2 * L + 1) * 2 * C,
        }
        return {part: change(part, n, V, C) for part, n in found.items()}

    return count


def whole(L, C):
    return L * (C * 4 * C + 4 * C + 4 * C * C + C)


def twice_the_table(part, n, V, C):
    return n + V * C if part == "tokens" else n


def costs(cache="2 * L * C * 4 * T", seconds="(4 * N + cache) / rate", flops="2 * N + cache / 2"):
    """The exercise with these lines for its blanks."""

    def token_cost(N, L, C, T, rate):
        held = {"N": N, "L": L, "C": C, "T": T, "rate": rate}
        held["cache"] = eval(cache, held)
        return held["cache"], eval(seconds, held), eval(flops, held)

    return token_cost


def reads(state, i, keep=lambda name: True, turn=lambda name, t: t.ndim == 2, cut=True):
    """A loop as a beginner writes it, with one thing wrong."""
    out = {}
    for full, tensor in state.items():
        name = full.removeprefix("transformer.")
        if not name.startswith(f"h.{i}."):
            continue
        short = name[len(f"h.{i}.") :]
        if short in ("attn.bias", "attn.masked_bias") or not keep(short):
            continue
        out[short if cut else full] = tensor.T if turn(short, tensor) else tensor
    return out


def keeps_the_mask(state, i, drop=("no such name",)):
    out = {}
    for name, tensor in state.items():
        name = name.removeprefix("transformer.")
        if name.startswith(f"h.{i}.") and not name.endswith(drop):
            out[name.removeprefix(f"h.{i}.")] = tensor.T if tensor.ndim == 2 else tensor
    return out


def forgets_the_prefix(state, i):
    out = {}
    for name, tensor in state.items():
        if name.startswith(f"h.{i}."):
            short = name.split(".", 2)[2]
            if short not in ("attn.bias", "attn.masked_bias"):
                out[short] = tensor.T if tensor.ndim == 2 else tensor
    return out


def needs_the_prefix(state, i):
    start, out = f"transformer.h.{i}.", {}
    for name in state:
        if name.startswith(start):
            short = name[len(start) :]
            if short not in ("attn.bias", "attn.masked_bias"):
                out[short] = state[name].T if state[name].ndim == 2 else state[name]
    return out


def forgets_the_dot(state, i):
    out = {}
    for name, tensor in state.items():
        name = name.removeprefix("transformer.")
        if name.startswith(f"h.{i}"):
            short = ".".join(name.split(".")[2:])
            if short not in ("attn.bias", "attn.masked_bias"):
                out[short] = tensor.T if tensor.ndim == 2 else tensor
    return out


def random_shape(dice):
    return tuple(dice.randint(1, 40) for _ in range(4))


def random_cost(dice):
    return (*(dice.randint(1, 900) for _ in range(4)), float(dice.randint(1, 1000)))


def random_layer(dice):
    prefix, buffers = dice.choice(("", "transformer.")), dice.choice((True, False))
    return gpt2.stored_model(prefix, buffers, dice.randint(1, 2)), dice.randrange(12)


COUNT = Case(
    gpt2.count,
    right=[count_by_shapes, count_by_numpy, count_of_the_exercise],
    slips={
        "no biases": counts(lambda L, C: L * (C * 4 * C + 4 * C * C)),
        "one layer": counts(lambda L, C: C * 4 * C + 4 * C + 4 * C * C + C),
        "one matrix": counts(lambda L, C: L * (C * 4 * C + 4 * C)),
        "only back": counts(lambda L, C: L * (4 * C * C + C)),
        "not wider": counts(lambda L, C: L * 2 * (C * C + C)),
        "biases of the middle twice": counts(lambda L, C: L * 2 * (4 * C * C + 4 * C)),
        "one bias": counts(lambda L, C: L * (8 * C * C + 4 * C)),
        "the other bias": counts(lambda L, C: L * (8 * C * C + C)),
        "biases of C": counts(lambda L, C: L * (C * 4 * C + C + 4 * C * C + C)),
        "four by four": counts(lambda L, C: L * ((4 * C) ** 2 + 8 * C)),
        "head counted again": counts(whole, twice_the_table),
        "bytes": counts(whole, lambda part, n, V, C: 4 * n),
        "norms of one layer": lambda *given: right_count(*given) | {"norms": 6 * given[3]},
        "no positions": lambda *given: {**right_count(*given), "positions": 0},
    },
    fuzz=random_shape,
    mutated=[count_by_numpy, count_of_the_exercise],
)
COST = Case(
    gpt2.token_cost,
    right=[cost_by_loop, cost_to_array],
    slips={
        "one of two": costs(cache="L * C * 4 * T"),
        "one layer's cache": costs(cache="2 * C * 4 * T"),
        "numbers for bytes": costs(cache="2 * L * C * T"),
        "numbers for bytes in both": costs("2 * L * C * T", "(N + cache) / rate"),
        "a token's cache": costs(cache="2 * L * C * 4"),
        "squared": costs(cache="2 * L * C * 4 * T ** 2"),
        "cache not read": costs(seconds="N * 4 / rate"),
        "weights not read": costs(seconds="cache / rate"),
        "weights in numbers": costs(seconds="(N + cache) / rate"),
        "no cache used": costs(seconds="(4 * N * T + cache) / rate"),
        "upside down": costs(seconds="rate / (4 * N + cache)"),
        "multiplied": costs(seconds="(4 * N + cache) * rate"),
        "one FLOP": costs(flops="N + 2 * L * C * T"),
        "FLOPs of the whole text": costs(flops="2 * N * T"),
        "FLOPs from bytes": costs(flops="2 * (4 * N + cache)"),
        "arithmetic of the cache left out": costs(flops="2 * N"),
        "FLOPs of the keys alone": costs(flops="2 * N + 2 * L * C * T"),
        "FLOPs of the bytes of the cache": costs(flops="2 * N + cache"),
        "one token more": costs(cache="2 * L * C * 4 * (T + 1)"),
        "half precision": costs(cache="2 * L * C * 2 * T"),
    },
    fuzz=random_cost,
)
READ = Case(
    gpt2.read_layer,
    right=[read_by_splitting, read_by_names, read_in_double],
    slips={
        "not transposed": lambda state, i: reads(state, i, turn=lambda name, t: False),
        "square not transposed": lambda state, i: reads(
            state, i, turn=lambda name, t: t.ndim == 2 and len(t) != len(t.T)
        ),
        "attention only transposed": lambda state, i: reads(
            state, i, turn=lambda name, t: t.ndim == 2 and "attn" in name
        ),
        "feedforward only transposed": lambda state, i: reads(
            state, i, turn=lambda name, t: t.ndim == 2 and "mlp" in name
        ),
        "mask kept": keeps_the_mask,
        "half of the mask kept": lambda state, i: keeps_the_mask(state, i, drop=(".attn.bias",)),
        "all biases dropped": lambda state, i: reads(state, i, keep=lambda n: "bias" not in n),
        "c_attn's bias dropped": lambda state, i: reads(
            state, i, keep=lambda name: not name.endswith("attn.bias")
        ),
        "names not cut": lambda state, i: reads(state, i, cut=False),
        "names half cut": lambda state, i: {f"h.{i}.{n}": t for n, t in reads(state, i).items()},
        "prefix not cut": forgets_the_prefix,
        "prefix needed": needs_the_prefix,
        "layers 10 and 11 too": forgets_the_dot,
        "first layer always": lambda state, i: reads(state, 0),
        "one layer on": lambda state, i: reads(state, i + 1),
        "only vectors": lambda state, i: reads(state, i, keep=lambda n: "weight" not in n),
        "transposed twice": lambda state, i: {n: t.T.T.T for n, t in reads(state, i).items()},
        "zeros": lambda state, i: {n: 0 * t for n, t in reads(state, i).items()},
    },
    fuzz=random_layer,
)


class TestChecks(CheckRules):
    cases = {gpt2.count: COUNT, gpt2.token_cost: COST, gpt2.read_layer: READ}


# ---- Whatever a student writes ----


@pytest.mark.parametrize(
    "check,answer,said",
    [
        (gpt2.count, lambda *sizes: 96, "a dict of the five parts was expected"),
        (gpt2.count, lambda *sizes: {"norms": 0.5}, "'norms' must be a whole number"),
        (gpt2.token_cost, lambda *given: 1.0, "three numbers were expected"),
        (gpt2.token_cost, lambda *given: ("1", 2, 3), "was expected"),
        (gpt2.token_cost, lambda *given: (1, 2, ...), "a `...`: blank 3 is empty"),
        (gpt2.read_layer, lambda state, i: list(state), "a dict of names and tensors was expected"),
        (gpt2.read_layer, lambda state, i: {"ln_1.weight": None}, "must be a tensor"),
    ],
)
def test_a_result_of_the_wrong_kind_is_said_to_be_so(check, answer, said, capsys):
    assert not check(answer)
    assert said in capsys.readouterr().out


def test_a_part_that_is_missing_is_shown_by_what_is_given_and_wanted(capsys):
    right = count_by_numpy
    assert not gpt2.count(lambda *given: {"norms": right(*given)["norms"]})
    assert "{'norms': 12}" in capsys.readouterr().out


def test_a_state_that_is_changed_is_noticed(capsys):
    def pops(state, i):
        state.pop("lm_head.weight")
        return right_read(state, i)

    assert gpt2.read_layer(pops).mistake == "changed its input"


def test_a_state_and_a_layer_stand_on_a_line_each(capsys):
    assert not gpt2.read_layer(lambda state, i: {})
    lines = capsys.readouterr().out.splitlines()
    call, gives, should_be = (line for line in lines if "tensors" in line)
    assert call.startswith("  <lambda>(<149 tensors: transformer.wte.weight, ")
    assert gives.split(maxsplit=1) == ["gives", "<0 tensors>"]
    assert "<12 tensors: ln_1.weight, " in should_be


# ---- What the right answers rest on ----


@pytest.mark.parametrize("shape", [shape for shape in gpt2.SHAPES if shape[0] < 1000])
def test_a_model_has_as_many_numbers_as_are_counted(shape):
    vocab_size, block_size, n_layer, n_embd = shape
    model = gptlib.GPT(gptlib.GPTConfig(vocab_size, block_size, n_layer, 1, n_embd))
    found = dict.fromkeys(right_count(*shape), 0)
    kinds = {"wte": "tokens", "wpe": "positions", "attn": "attention", "mlp": "feedforward"}
    for name, parameter in model.named_parameters():
        found[next((kinds[k] for k in kinds if k in name), "norms")] += parameter.numel()
    assert found == right_count(*shape)


def test_gpt2_has_124439808():
    assert sum(right_count(50257, 1024, 12, 768).values()) == 124_439_808


@pytest.mark.parametrize("i", [0, 1, 11])
def test_a_layer_read_as_the_exercise_asks_computes_what_the_models_own_does(i):
    state = gpt2.stored_model("transformer.", True)
    config = gptlib.GPTConfig(7, gpt2.LIMIT, gpt2.N_LAYER, n_head=2, n_embd=gpt2.C)
    block = gptlib.model.Block(config)
    block.load_state_dict(right_read(state, i))
    model = gptlib.GPT(config)
    names = {f"h.{k}.{n}": t for k in range(12) for n, t in right_read(state, k).items()}
    model.load_state_dict(names, strict=False)
    x = torch.randn(1, 3, gpt2.C, generator=torch.Generator().manual_seed(1))
    assert torch.equal(block(x), model.h[i](x))


def test_the_cache_holds_as_many_bytes_as_are_counted(model, config):
    cache = model.new_cache(1)
    held = sum(layer.k.nbytes + layer.v.nbytes for layer in cache)
    assert held == gpt2.right_cost(0, config.n_layer, config.n_embd, config.block_size, 1)[0]
