"""gptlib.scale.rows: where rows begin, and held-out text as rows."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gptlib.scale.rows import NO_TARGET, document_starts
from gptlib.training import (
    evaluation_rows,
)


def test_documents_start_at_stop_tokens_and_after_them():
    tokens = torch.tensor([5, 0, 6, 7, 0, 8])
    assert document_starts(tokens, 0).tolist() == [0, 1, 2, 4, 5]


@given(
    ids=st.lists(st.integers(0, 3), min_size=2, max_size=40),
    block_size=st.integers(1, 7),
    eos_id=st.sampled_from([None, 0]),
)
def test_evaluation_rows_hold_each_target_once_in_order_behind_its_own_context(
    ids, block_size, eos_id
):
    x, y = evaluation_rows(torch.tensor(ids), block_size, eos_id)
    assert y[y != NO_TARGET].tolist() == (ids[1:] if eos_id is None else ids)
    for inputs, targets in zip(x.tolist(), y.tolist(), strict=True):
        kept = [t for t in targets if t != NO_TARGET]
        assert kept == targets[: len(kept)] and inputs[1 : len(kept)] == kept[:-1]


def test_a_document_is_scored_from_the_stop_token_before_it_to_its_own():
    x, y = evaluation_rows(torch.tensor([5, 6, 0, 7, 0]), 4, eos_id=0)
    assert y.tolist() == [[5, 6, 0, -1], [7, 0, -1, -1]]
    assert x.tolist() == [[0, 5, 6, 0], [0, 7, 0, 0]]


def test_a_text_with_nothing_to_predict_is_refused():
    with pytest.raises(ValueError, match="nothing to predict"):
        evaluation_rows(torch.tensor([5]), 4)
