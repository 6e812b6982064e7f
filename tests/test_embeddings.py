"""gptlib.embeddings: looking up is multiplying by one-hot rows, and no id falls off the table."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gptlib.embeddings import PositionEmbedding, TokenEmbedding
from gptlib.formats.values import check_ids


@pytest.fixture
def wte():
    table = TokenEmbedding(vocab_size=3, n_embd=2)
    with torch.no_grad():
        table.weight.copy_(torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    return table


def test_each_id_fetches_its_own_row(wte):
    vectors = wte(torch.tensor([[2, 0], [1, 1]]))
    assert vectors.tolist() == [[[4.0, 5.0], [0.0, 1.0]], [[2.0, 3.0], [2.0, 3.0]]]


def test_looking_up_equals_multiplying_by_one_hot_rows(wte):
    ids = torch.tensor([[2, 0, 1, 1]])
    one_hot = torch.nn.functional.one_hot(ids, 3).float()  # (B, T, V)
    assert torch.equal(wte(ids), one_hot @ wte.weight)


def test_a_row_learns_once_for_each_time_its_token_was_read(wte):
    wte(torch.tensor([[1, 1, 2]])).sum().backward()
    assert wte.weight.grad.tolist() == [[0.0, 0.0], [2.0, 2.0], [1.0, 1.0]]


def test_int32_ids_fetch_the_same_rows(wte):
    ids = torch.tensor([[2, 0]])
    assert torch.equal(wte(ids.int()), wte(ids))


def test_both_tables_start_at_a_spread_of_two_hundredths():
    torch.manual_seed(0)
    for table in (TokenEmbedding(500, 40), PositionEmbedding(500, 40)):
        # 20,000 draws: the spread is known to 0.02 / sqrt(2 * 20000) = 0.0001
        assert table.weight.std().item() == pytest.approx(0.02, abs=0.0005)
        assert table.weight.mean().item() == pytest.approx(0, abs=0.0007)


def test_positions_count_from_start():
    wpe = PositionEmbedding(block_size=6, n_embd=2)
    assert torch.equal(wpe(3), wpe.weight[:3])
    assert torch.equal(wpe(2, start=3), wpe.weight[3:5])
    assert torch.equal(wpe(6), wpe.weight)


@pytest.mark.parametrize("n_tokens, start", [(7, 0), (1, 6), (4, 3)])
def test_there_is_no_position_past_the_context(n_tokens, start):
    wpe = PositionEmbedding(block_size=6, n_embd=2)
    with pytest.raises(ValueError, match=f"{n_tokens + start} tokens .* context of 6"):
        wpe(n_tokens, start)


@settings(deadline=None, max_examples=50)
@given(st.integers(-(2**63), 2**63 - 1).filter(lambda i: not 0 <= i < 7))
@example(-1)
@example(7)
def test_an_id_outside_the_vocabulary_is_named_with_the_range(wrong):
    ids = torch.tensor([[0, 6], [wrong, 3]])
    with pytest.raises(ValueError, match=rf"token id {wrong} is outside 0\.\.6"):
        check_ids(ids, 7)
    with pytest.raises(ValueError, match=rf"token id {wrong} is outside 0\.\.6"):
        TokenEmbedding(7, 2)(ids)


def test_the_first_and_the_last_id_are_inside():
    check_ids(torch.tensor([0, 6]), 7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool, torch.float16])
def test_ids_that_are_no_whole_numbers_are_refused_by_name(dtype):
    with pytest.raises(TypeError, match=str(dtype)):
        check_ids(torch.ones(2, dtype=dtype), 7)
