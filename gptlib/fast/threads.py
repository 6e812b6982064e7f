"""How many threads PyTorch uses, changed for a while."""

import threading

import torch


class OneTorchThread:
    """PyTorch on one core inside, for NumPy to have the others to itself.

    After an operation that PyTorch shares out, its threads wait for the next one without sleeping.
    NumPy's threads, which find no core to run on, then take ten times as long (measured at 124M).

    Threads of Python may be inside at once; they leave with the number that the first one had. One
    that asks PyTorch for something for the first time meanwhile keeps one core, as PyTorch sets it.
    """

    def __init__(self) -> None:
        self.lock, self.inside, self.before = threading.Lock(), 0, 1

    def __enter__(self) -> None:
        with self.lock:
            if not self.inside:
                self.before = torch.get_num_threads()
            self.inside += 1
            torch.set_num_threads(1)

    def __exit__(self, *error) -> None:
        with self.lock:
            self.inside -= 1
            torch.set_num_threads(self.before)


one_torch_thread = OneTorchThread()  # one for the process: it counts who is inside
