"""Live explorers for the lessons: a front end in js/, its data and its answers in Python."""

from .attention import attention_explorer
from .by_hand import attention_by_hand
from .embeddings import embedding_explorer
from .feedforward import block_explorer
from .gpt2 import size_explorer
from .lens import logit_lens
from .logits import softmax_explorer
from .machine import machine
from .sampling import sampling_studio
from .set_up import set_up_check
from .tokenizer import tokenizer_explorer
from .training import training_explorer, watch

__all__ = [
    "attention_by_hand",
    "attention_explorer",
    "block_explorer",
    "embedding_explorer",
    "logit_lens",
    "machine",
    "sampling_studio",
    "set_up_check",
    "size_explorer",
    "softmax_explorer",
    "tokenizer_explorer",
    "training_explorer",
    "watch",
]
