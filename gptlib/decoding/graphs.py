"""A whole text on a CUDA card: one token's step with its draw, recorded once and then replayed.

A step is some hundreds of small kernels, and to start each from Python takes longer than to run it.
A CUDA graph starts all of them at once. In return nothing may move or be decided on the way: the
cache has all its places from the start, the place is a number on the card, and a row that has
stopped goes on with stop tokens. `Decoder` and `sampling.stream` are the readable way; a test holds
the texts equal. In bfloat16 they may differ, since attention adds up in another order there.

Axes: B batch, S places of the cache, C = n_embd, nh heads, hs channels of a head, L = n_layer,
V = vocab_size.
"""

import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from ..attention import LayerCache
from ..fast.cards import to_card
from ..fast.tracing import is_traced
from ..feedforward import EPS
from ..model import GPT
from .arguments import check_settings
from .choosing import Settings, filtered, first_largest, pick
from .decoders import is_plain, last_logits, layers_of

STEP = 128  # a cache has room for a multiple of so many tokens, so that texts share a recording
FEW = 32  # tokens: to record a step takes as long as to write some more than these
LOOK = 16  # tokens from one look at who has stopped to the next: a look waits for the card

_recorded: MutableMapping[GPT, "TextWriter"] = WeakKeyDictionary()  # of each model the last one
_one_at_a_time = threading.Lock()


class TextWriter:
    """Writes texts of up to `size` places. Runs on any device; `record` is for a card.

    It keeps the weights' tensors and not the model, and reads them where they lie: what training
    does to them in place it sees, other tensors it does not.
    """

    def __init__(
        self, model: GPT, n_rows: int, size: int, settings: Settings, eos_id: int | None
    ) -> None:
        c, device = model.config, model.device
        self.size, self.settings, self.eos_id = size, settings, eos_id
        self.first_unused_id = model.first_unused_id
        self.layers, self.lm_head = layers_of(model), model.lm_head.for_few_rows()
        self.wte, self.wpe = model.wte.weight, model.wpe.weight
        self.ln_f = model.ln_f.weight, model.ln_f.bias
        heads = (c.n_head, size, c.n_embd // c.n_head)
        # Of zeros: what lies in a place ahead is multiplied by 0, and 0 times NaN would be NaN.
        self.room = torch.zeros(c.n_layer, 2, n_rows, *heads, device=device, dtype=self.wpe.dtype)
        self.places = torch.arange(size, device=device)
        self.place = torch.zeros(1, dtype=torch.int64, device=device)  # of `token`
        self.token = torch.zeros(n_rows, dtype=torch.int64, device=device)
        self.u = torch.zeros(n_rows, 1, dtype=torch.float64, device=device)  # for the next draw
        self.stopped = torch.zeros(n_rows, dtype=torch.bool, device=device)
        self.has_numbers = torch.ones((), dtype=torch.bool, device=device)
        self.out = torch.zeros(n_rows, size + 1, dtype=torch.int64, device=device)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.key: tuple = ()  # what it was recorded for

    # ---- One token ----

    def step(self) -> None:
        """Read the token at the place, and choose the one after it; no number comes back here."""
        self._choose(self._logits())

    def _logits(self) -> Tensor:
        """The sums of `FastDecoder` with attention to every place, those ahead hidden; (B, V)."""
        n_rows, channels = len(self.token), (self.wpe.shape[1],)
        n_head, hs = self.room.shape[3], self.room.shape[5]
        norm, gelu, attend = torch.layer_norm, F.gelu, F.scaled_dot_product_attention
        ahead = self.places > self.place  # (S,)
        mask = torch.zeros(self.size, device=ahead.device, dtype=self.wpe.dtype)
        mask = mask.masked_fill_(ahead, -torch.inf).expand(n_rows, n_head, 1, -1)

        x = F.embedding(self.token, self.wte) + self.wpe.index_select(0, self.place)  # (B, C)
        for (keys, values), (ln_1, (c_attn, attn_proj), ln_2, (c_fc, mlp_proj)) in zip(
            self.room, self.layers, strict=True
        ):
            qkv = c_attn(norm(x, channels, *ln_1, EPS)).view(n_rows, 3, n_head, 1, hs)
            q, k, v = qkv.unbind(1)  # (B, nh, 1, hs)
            keys.index_copy_(2, self.place, k)
            values.index_copy_(2, self.place, v)
            y = attend(q, keys, values, attn_mask=mask)
            x = x + attn_proj(y.reshape(n_rows, -1))
            x = x + mlp_proj(gelu(c_fc(norm(x, channels, *ln_2, EPS)), approximate="tanh"))
        return self.lm_head(norm(x, channels, *self.ln_f, EPS))

    def _choose(self, logits: Tensor) -> None:
        """The next token of each row, from logits (B, V), into its place."""
        logits = logits.float()
        if self.first_unused_id is not None:
            logits = logits.clone()
            logits[:, self.first_unused_id :] = -torch.inf
        self.has_numbers &= logits.amax(-1).isfinite().all()
        if self.settings[0] == 0:
            drawn = first_largest(logits)
        else:
            drawn = pick(filtered(logits, self.settings), self.u)  # (B,)
        if self.eos_id is not None:
            drawn = torch.where(self.stopped, self.eos_id, drawn)
            self.stopped |= drawn == self.eos_id
        self.token.copy_(drawn)
        self.place += 1
        self.out.index_copy_(1, self.place, drawn[:, None])

    def record(self) -> None:
        """Record a step, which a card then repeats as one."""
        with _no_bookkeeping(), torch.cuda.device(self.token.device):
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):  # libraries set themselves up at their first calls
                self.step()
                self.step()
            torch.cuda.current_stream().wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self.step()
        self.graph = graph

    # ---- A text ----

    def write(self, model: GPT, ids: Tensor, n: int, generator=None) -> Tensor:
        """The prompt ids (B, T) and up to n >= 1 more tokens, (B, T + n) or less after stop tokens.

        Raises:
            ValueError: the logits are no numbers.
        """
        source = self.u.device if generator is None else generator.device
        shape, draws = self.u.shape, self.settings[0] != 0
        before = _state(generator, source) if self.eos_id is not None and draws else None
        with torch.inference_mode():
            logits = self._start(model, ids)
            for written in range(1, n + 1):
                if draws:
                    u = torch.rand(shape, generator=generator, device=source, dtype=torch.float64)
                    self.u.copy_(to_card(u, self.u.device))
                if written == 1:
                    self._choose(logits)
                elif self.graph is not None:
                    self.graph.replay()
                else:
                    self.step()
                if (written % LOOK == 0 or written == n) and self._all_stopped():
                    break
        end = self._end(ids.shape[1], written)
        if before is not None and end < ids.shape[1] + written:  # as if nobody had drawn more
            _set_state(generator, source, before)
            for _ in range(end - ids.shape[1]):
                torch.rand(shape, generator=generator, device=source, dtype=torch.float64)
        return self.out[:, :end].clone()

    def _start(self, model: GPT, ids: Tensor) -> Tensor:
        """Read the prompt, all of it at once; the logits after it, (B, V)."""
        self.stopped.fill_(False)
        self.has_numbers.fill_(True)
        self.out[:, : ids.shape[1]] = ids
        self.place.fill_(ids.shape[1] - 1)
        return last_logits(model, ids, [LayerCache(room) for room in self.room])

    def _all_stopped(self) -> bool:
        has_numbers, stopped = torch.stack([self.has_numbers, self.stopped.all()]).tolist()
        if not has_numbers:
            self.room.zero_()  # or what is no number would stay in it
            raise ValueError("logits must hold numbers: found NaN, +inf, or a row of -inf")
        return stopped

    def _end(self, start: int, written: int) -> int:
        """Where the text ends: after the stop token of the row that reached it last."""
        if self.eos_id is None:
            return start + written
        before = (self.out[:, start : start + written] == self.eos_id).int().cumsum(-1) == 0
        return start + min(written, int(before.sum(-1).max()) + 1)


@contextmanager
def _no_bookkeeping() -> Iterator[None]:
    """No gradients, and no tensors of inference mode, whatever the caller has set.

    With a recording PyTorch sets aside what each later one of the process writes its seed to. Made
    in inference mode, it could not be written to outside: PyTorch issue 166792, mended since.
    """
    with torch.inference_mode(False), torch.no_grad():
        yield


def _state(generator: torch.Generator | None, device: torch.device) -> Tensor:
    if generator is not None:
        return generator.get_state()
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_state(generator: torch.Generator | None, device: torch.device, state: Tensor) -> None:
    if generator is not None:
        generator.set_state(state)
    elif device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)


def write(
    model: GPT, ids: Tensor, n: int, *, temperature, top_k, top_p, eos_id, generator, use_cache
) -> Tensor | None:
    """What `sampling.generate` gives for a prompt (B, T), by a recorded step; None: not this way.

    Not by a model that is watched, ablated or changed, nor beyond the context, nor for a few
    tokens, nor while another thread is at it.
    """
    n_places = ids.shape[1] + n - 1  # the last token is not read
    if not (use_cache and n > 0 and n_places <= model.config.block_size and can_record(model)):
        return None
    if not _one_at_a_time.acquire(blocking=False):
        return None
    try:
        settings = check_settings(temperature, top_k, top_p)
        eos_id = None if eos_id is None else int(eos_id)
        writer = _writer(model, len(ids), n_places, settings, eos_id, few=n <= FEW)
        return None if writer is None else writer.write(model, ids, n, generator)
    finally:
        _one_at_a_time.release()


def can_record(model: GPT) -> bool:
    """Whether the model is on a card, of one type, and nothing but a GPT, with nobody following."""
    device, dtype = model.device, model.wpe.weight.dtype
    if device.type != "cuda":
        return False
    if any(p.device != device or p.dtype != dtype for p in model.parameters()):
        return False
    return is_plain(model) and not (is_traced() or torch.is_autocast_enabled("cuda"))


def _writer(model, n_rows, n_places, settings, eos_id, few: bool) -> TextWriter | None:
    """The model's recorded step for such texts; where there is none a new one, not for a few."""
    known = _recorded.get(model)
    key = _key(model, n_rows, settings, eos_id)
    if known is None or known.size < n_places or known.key != key:
        if few:
            return None
        del known  # what holds its memory, which is needed
        _recorded.pop(model, None)
        size = min(model.config.block_size, -(-n_places // STEP) * STEP)
        with _no_bookkeeping():
            known = TextWriter(model, n_rows, size, settings, eos_id)
        known.record()
        known.key = key
        _recorded[model] = known
    return known


def _key(model: GPT, *asked) -> tuple:
    """What a recording is for: what was asked, and the weights where they lie."""
    weights = ((p.dtype, p.data_ptr()) for p in model.parameters())
    return (*asked, model.first_unused_id, *weights)
