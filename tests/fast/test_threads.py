"""gptlib.fast.threads: PyTorch on one core for a while, and its threads back afterwards."""

import threading

import torch

from gptlib.fast.threads import one_torch_thread


def test_threads_that_are_inside_at_once_have_theirs_back(two_threads):
    first_in, second_in, first_out = (threading.Event() for _ in range(3))
    left = []

    def other():
        first_in.wait(9)
        with one_torch_thread:
            second_in.set()
            first_out.wait(9)
        left.append(torch.get_num_threads())

    thread = threading.Thread(target=other)
    thread.start()
    with one_torch_thread:
        first_in.set()
        assert second_in.wait(9)
    first_out.set()
    thread.join(9)
    assert left == [2] and torch.get_num_threads() == 2
    with one_torch_thread:
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
