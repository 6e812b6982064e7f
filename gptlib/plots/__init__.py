"""Static pictures for the lessons: one file a lesson, each function returns its figure.

A figure shows itself as the last line of a notebook cell; `describe(figure)` is what it shows, in
words. It is light on a light page and dark on a dark one; `theme("dark")` draws all that follow in
dark, whatever the page. Functions take arrays, tensors or a
`gptlib.Trace`, and tokens as strings; none of them keeps anything.
"""

from .ablations import AblationTable, ablation_losses
from .attention import attention_head, attention_heads, attention_steps
from .embeddings import (
    arrows,
    cosine_heatmap,
    cosines,
    embedding_map,
    position_similarity,
    project_2d,
)
from .feedforward import contributions, gelu_and_relu, hidden_unit, logit_parts
from .logits import logit_lens, logits_to_probs
from .machine import machine
from .sampling import compare, model_beside_truth, sentence_tree, time_per_token
from .style import Picture, describe, theme
from .tokenizer import merge_strips, token_strip
from .training import loss_curve, probs_over_training

__all__ = [
    "AblationTable",
    "Picture",
    "ablation_losses",
    "arrows",
    "attention_head",
    "attention_heads",
    "attention_steps",
    "compare",
    "contributions",
    "cosine_heatmap",
    "cosines",
    "describe",
    "embedding_map",
    "gelu_and_relu",
    "hidden_unit",
    "logit_lens",
    "logit_parts",
    "logits_to_probs",
    "loss_curve",
    "machine",
    "merge_strips",
    "model_beside_truth",
    "position_similarity",
    "probs_over_training",
    "project_2d",
    "sentence_tree",
    "theme",
    "time_per_token",
    "token_strip",
]
