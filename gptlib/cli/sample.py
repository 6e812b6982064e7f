"""`gptlib sample`: let a model go on from a prompt."""

import argparse

import torch

from ..decoding.quantization import quantize
from ..sampling import generate
from ..scale.devices import resolve_device
from ..storage import checkpoint
from ..tokenizer import Tokenizer
from .options import non_empty, seed, text


def add(commands) -> None:
    """Add the subcommand with its options."""
    parser = commands.add_parser("sample", help="let a model continue a prompt")
    parser.set_defaults(run=run)
    parser.add_argument(
        "--model", type=non_empty, default="pets", metavar="DIR|NAME", help="(pets)"
    )
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--prompt", type=text, metavar="TEXT", help="the text to continue")
    start.add_argument(
        "--from-start", action="store_true", help="write a new text, starting from the stop token"
    )
    parser.add_argument("--max-new-tokens", type=int, default=100, metavar="N", help="(100)")
    parser.add_argument("--temperature", type=float, default=1.0, metavar="T", help="0: greedy (1)")
    parser.add_argument("--top-k", type=int, metavar="K")
    parser.add_argument("--top-p", type=float, metavar="P")
    parser.add_argument("--seed", type=seed, metavar="S", help="to get the same text again")
    parser.add_argument(
        "--int8", action="store_true", help="round the weights to eight bits: faster, less exact"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")


def run(a: argparse.Namespace) -> int:
    device = resolve_device(a.device)
    model, tokenizer = checkpoint.load(a.model)
    if a.int8:
        model = quantize(model)
    ids = _first_ids(a, tokenizer)
    generator = None if a.seed is None else torch.Generator().manual_seed(a.seed)
    out = generate(
        model.to(device),
        ids,
        a.max_new_tokens,
        temperature=a.temperature,
        top_k=a.top_k,
        top_p=a.top_p,
        eos_id=tokenizer.eos_id,
        generator=generator,
    ).tolist()
    print(tokenizer.decode(_without_stop_tokens(out, a.from_start, tokenizer.eos_id)))
    return 0


def _first_ids(a: argparse.Namespace, tokenizer: Tokenizer) -> list[int]:
    """What the model goes on from."""
    if a.from_start:
        if tokenizer.eos_id is None:
            raise ValueError(f"--from-start: the tokenizer of {a.model} has no stop token")
        return [tokenizer.eos_id]
    ids = tokenizer.encode(a.prompt)
    if not ids:
        raise ValueError("--prompt is empty: give at least one letter, or use --from-start")
    return ids


def _without_stop_tokens(ids: list[int], from_start: bool, eos_id: int | None) -> list[int]:
    """The text alone: tokens that say "it begins here" or "it ends here" are not part of it."""
    ids = ids[from_start:]
    return ids[:-1] if ids and ids[-1] == eos_id else ids
