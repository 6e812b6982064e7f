"""Lesson 08's exercises: the right answers, and the wrong ones that beginners write."""

from functools import partial

from .base import Mistake

# ---- 1. Parameters by part ----


def _count(
    vocab_size, block_size, n_layer, n_embd, *, layers=None, weights=8, biases=5, times=1, tied=1
):
    """The count with a part of it changeable, to make each mistake once."""
    c = n_embd
    return {
        "tokens": vocab_size * c * tied * times,
        "places": block_size * c * times,
        "attention": n_layer * (4 * c * c + 4 * c) * times,
        "feedforward": (n_layer if layers is None else layers)
        * (weights * c * c + biases * c)
        * times,
        "norms": (2 * n_layer + 1) * 2 * c * times,
    }


def right_count(vocab_size, block_size, n_layer, n_embd):
    return _count(vocab_size, block_size, n_layer, n_embd)


COUNT_MISTAKES = (
    Mistake(
        "no biases",
        "the feedforward part has biases too: 4C behind the first matrix, C behind the second.",
        partial(_count, biases=0),
    ),
    Mistake(
        "one layer",
        "that is the feedforward part of one layer. There are n_layer of them.",
        partial(_count, layers=1),
    ),
    Mistake(
        "one matrix",
        "there are two matrices: C to 4C, and back from 4C to C. You counted the first.",
        partial(_count, weights=4, biases=4),
    ),
    Mistake(
        "only back",
        "there are two matrices: C to 4C, and back from 4C to C. You counted the second.",
        partial(_count, weights=4, biases=1),
    ),
    Mistake(
        "not wider",
        "the middle of the feedforward part is four times as wide: C to 4C, and back.",
        partial(_count, weights=2, biases=2),
    ),
    Mistake(
        "biases of the middle twice",
        "the second bias is added to the output, which has C numbers, not 4C.",
        partial(_count, biases=8),
    ),
    Mistake(
        "one bias",
        "one bias is missing: the first matrix has one of 4C, the second one of C.",
        partial(_count, biases=4),
    ),
    Mistake(
        "the other bias",
        "one bias is missing: the second matrix has one of C, the first one of 4C.",
        partial(_count, biases=1),
    ),
    Mistake(
        "biases of C",
        "the first bias is added in the middle, which has 4C numbers.",
        partial(_count, biases=2),
    ),
    Mistake(
        "four by four",
        "both matrices have one side of C: C times 4C. None is 4C times 4C.",
        partial(_count, weights=16, biases=8),
    ),
    Mistake(
        "head counted again",
        "the head is the token table itself, so it is not counted again.",
        partial(_count, tied=2),
    ),
    Mistake(
        "bytes",
        "that is how many bytes they take, four each. How many numbers are they?",
        partial(_count, times=4),
    ),
)


# ---- 2. What the next token costs ----


def right_cost(n_params, n_layer, n_embd, n_tokens, bandwidth):
    cache = 2 * n_layer * n_embd * 4 * n_tokens
    return cache, (4 * n_params + cache) / bandwidth, 2 * n_params


def _cost(cache=None, seconds=None, flop=None):
    """A wrong answer from one wrong line; the lines after it use what it gave."""

    def student(n_params, n_layer, n_embd, n_tokens, bandwidth):
        held = 2 * n_layer * n_embd * 4 * n_tokens
        held = cache(held, n_layer, n_embd, n_tokens) if cache else held
        weights = 4 * n_params
        taken = seconds(weights, held, n_tokens, bandwidth) if seconds else None
        taken = (weights + held) / bandwidth if taken is None else taken
        return held, taken, flop(n_params, n_tokens) if flop else 2 * n_params

    return student


COST_MISTAKES = (
    Mistake(
        "one of two",
        "the cache is half as large as it should be: it keeps keys and values.",
        _cost(cache=lambda held, L, C, T: held // 2),
    ),
    Mistake(
        "one layer's cache",
        "each layer keeps keys and values of its own. Yours is the cache of one layer.",
        _cost(cache=lambda held, L, C, T: held // L),
    ),
    Mistake(
        "numbers for bytes",
        "the cache is counted in numbers. Each takes 4 bytes in float32.",
        _cost(cache=lambda held, L, C, T: held // 4),
    ),
    Mistake(
        "numbers for bytes in both",
        "both the cache and the weights are counted in numbers; each takes 4 bytes.",
        _cost(
            cache=lambda held, L, C, T: held // 4,
            seconds=lambda weights, held, T, rate: (weights // 4 + held) / rate,
        ),
    ),
    Mistake(
        "a token's cache",
        "that is the cache of one token. It holds n_tokens of them.",
        _cost(cache=lambda held, L, C, T: 8 * L * C),
    ),
    Mistake(
        "squared",
        "the cache grows with the square of n_tokens in yours. It holds one key and one value for "
        "each token; the T times T scores are not kept.",
        _cost(cache=lambda held, L, C, T: held * T),
    ),
    Mistake(
        "cache not read",
        "the new token looks at every key and value, so the cache must be read too: add its bytes "
        "to those of the weights.",
        _cost(seconds=lambda weights, held, T, rate: weights / rate),
    ),
    Mistake(
        "weights not read",
        "only the cache is read in yours. Every weight is needed for every new token.",
        _cost(seconds=lambda weights, held, T, rate: held / rate),
    ),
    Mistake(
        "weights in numbers",
        "bandwidth is in bytes a second, so the weights must be in bytes too: 4 each.",
        _cost(seconds=lambda weights, held, T, rate: (weights // 4 + held) / rate),
    ),
    Mistake(
        "no cache used",
        "the weights are read once for the new token, and not once for each token before it. That "
        "is what the cache saves.",
        _cost(seconds=lambda weights, held, T, rate: (weights * T + held) / rate),
    ),
    Mistake(
        "upside down",
        "seconds are bytes divided by bytes a second. Yours is the other way round.",
        _cost(seconds=lambda weights, held, T, rate: rate / (weights + held)),
    ),
    Mistake(
        "multiplied",
        "bytes times bytes a second is no time. Divide by the bandwidth.",
        _cost(seconds=lambda weights, held, T, rate: rate * (weights + held)),
    ),
    Mistake(
        "one FLOP",
        "each weight is multiplied, and the product is added: two FLOP a parameter.",
        _cost(flop=lambda n_params, T: n_params),
    ),
    Mistake(
        "FLOP of the whole text",
        "that is the arithmetic for the whole text. With a cache only the new token goes through "
        "the layers.",
        _cost(flop=lambda n_params, T: 2 * n_params * T),
    ),
    Mistake(
        "FLOP from bytes",
        "arithmetic is done with numbers, not with bytes: 2 * n_params.",
        _cost(flop=lambda n_params, T: 8 * n_params),
    ),
)


# ---- 3. A layer of Hugging Face's GPT-2 ----

LINEAR = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
BUFFERS = ("attn.bias", "attn.masked_bias")


def _short(name):
    """The name without "transformer."."""
    return name.removeprefix("transformer.")


def _read(state, i, *, start="h.{}.", turned=lambda name, t: name in LINEAR, skip=BUFFERS):
    """Reading with one part of it changeable, to make each mistake once."""
    start, found = start.format(i), {}
    for name, tensor in state.items():
        if _short(name).startswith(start):
            name = _short(name).removeprefix(start)
            if name not in skip:
                found[name] = tensor.T if turned(name, tensor) else tensor
    return found


def right_read(state, i):
    return _read(state, i)


def _ending(*endings):
    """Reading that leaves out every name with one of these endings."""

    def student(state, i):
        return {name: t for name, t in _read(state, i).items() if not name.endswith(endings)}

    return student


def _prefix_needed(state, i):
    return _read({name: t for name, t in state.items() if name.startswith("transformer.")}, i)


def _names_kept(state, i):
    found = {name: t for name, t in state.items() if _short(name).startswith(f"h.{i}.")}
    found = {
        name: t for name, t in found.items() if not name.endswith(tuple("." + b for b in BUFFERS))
    }
    return {name: t.T if t.ndim == 2 else t for name, t in found.items()}


def _never_fits(name, tensor):
    """Turned where the shape shows that it must be: a square matrix does not show it."""
    return name in LINEAR and tensor.shape[0] != tensor.shape[1]


READ_MISTAKES = (
    Mistake(
        "not turned",
        "the matrices are as the file has them, (in, out). Ours are (out, in), as torch's Linear "
        "wants them: turn the four of them with .T.",
        partial(_read, turned=lambda name, t: False),
    ),
    Mistake(
        "square not turned",
        "attn.c_proj.weight is square, so it fits either way, and nothing complains. It must be "
        "turned like the other three.",
        partial(_read, turned=_never_fits),
    ),
    Mistake(
        "attention only turned",
        "the matrices of mlp must be turned as well as those of attn.",
        partial(_read, turned=lambda name, t: name in LINEAR[:2]),
    ),
    Mistake(
        "feedforward only turned",
        "the matrices of attn must be turned as well as those of mlp.",
        partial(_read, turned=lambda name, t: name in LINEAR[2:]),
    ),
    Mistake(
        "mask kept",
        "attn.bias is no bias: it is the mask, which old files keep, and attn.masked_bias is its "
        "minus infinity. Our modules have neither: leave both out.",
        partial(_read, skip=()),
    ),
    Mistake(
        "half of the mask kept",
        "attn.bias is left out, and attn.masked_bias is still there. Leave both out.",
        partial(_read, skip=BUFFERS[:1]),
    ),
    Mistake(
        "all biases dropped",
        'every name that ends in "bias" is left out, the real biases too. Leave out the two names '
        "attn.bias and attn.masked_bias, and no other.",
        _ending("bias"),
    ),
    Mistake(
        "c_attn's bias dropped",
        'attn.c_attn.bias is missing: that name ends in "attn.bias" too. Compare the whole name.',
        _ending("attn.bias", "attn.masked_bias"),
    ),
    Mistake(
        "names not cut",
        "the names still say which layer. Block knows nothing of that: cut them down to names such "
        "as ln_1.weight.",
        _names_kept,
    ),
    Mistake(
        "names half cut",
        "your names still begin with `h.0.` (or another layer's number); ours begin with `ln_1`, "
        "`attn`, ...",
        lambda state, i: {f"h.{i}.{name}": t for name, t in _read(state, i).items()},
    ),
    Mistake(
        "prefix not cut",
        "some names begin with `transformer.`; no layer was found among them. Take it off first.",
        lambda state, i: _read({n: t for n, t in state.items() if n == _short(n)}, i),
    ),
    Mistake(
        "prefix needed",
        'right where names begin with "transformer.", and empty where they do not. Some files have '
        'them without: name.removeprefix("transformer.").',
        _prefix_needed,
    ),
    Mistake(
        "layers 10 and 11 too",
        'layer 10 begins with "h.1" as well as layer 1 does. Ask for "h.1.", with the dot.',
        lambda state, i: _layers_too(state, i),
    ),
    Mistake(
        "first layer always",
        "you have read layer 0, whichever was asked for.",
        lambda state, i: _read(state, 0),
    ),
    Mistake(
        "one layer on",
        "you have read another layer. Layers are counted from 0, in the file as in GPT.h.",
        lambda state, i: _read(state, i + 1),
    ),
)


def _layers_too(state, i):
    """Asked for "h.1", and the rest of the name taken from behind its second dot."""
    found = {}
    for name, tensor in state.items():
        name = _short(name)
        if name.startswith(f"h.{i}"):
            name = name.split(".", 2)[2]
            if name not in BUFFERS:
                found[name] = tensor.T if name in LINEAR else tensor
    return found
