"""`gptlib sample`: let a model go on from a prompt."""

import argparse

import torch

from ..decoding.quantization import quantize
from ..sampling import generate
from ..scale.devices import resolve_device
from ..storage import checkpoint
from .options import non_empty, seed


def add(commands) -> None:
    """Add the subcommand with its options."""
    parser = commands.add_parser("sample", help="let a model go on from a prompt")
    parser.set_defaults(run=run)
    parser.add_argument(
        "--model", type=non_empty, default="pets", metavar="DIR|NAME", help="(pets)"
    )
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--max-new-tokens", type=int, default=100, metavar="N", help="(100)")
    parser.add_argument("--temperature", type=float, default=1.0, metavar="T", help="0: greedy (1)")
    parser.add_argument("--top-k", type=int, metavar="K")
    parser.add_argument("--top-p", type=float, metavar="P")
    parser.add_argument("--seed", type=seed, metavar="S", help="for the same text again")
    parser.add_argument(
        "--int8", action="store_true", help="weights of eight bits: sooner, rounded"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")


def run(a: argparse.Namespace) -> int:
    device = resolve_device(a.device)
    model, tokenizer = checkpoint.load(a.model)
    if a.int8:
        model = quantize(model)
    ids = tokenizer.encode(a.prompt)
    if not ids:
        raise ValueError("--prompt is empty: the model needs at least one token to go on from")
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
    if out[-1] == tokenizer.eos_id:  # the token that says "the end" is not a part of the text
        out.pop()
    print(tokenizer.decode(out))
    return 0
