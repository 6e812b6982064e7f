"""For the kernel of a lesson to import: counts the updates of every optimizer, and tells of one."""

from pathlib import Path

from torch.optim.optimizer import register_optimizer_step_post_hook

made = 0
_wanted = _file = None


def tell(update, file):
    """Make `file` when that update is made."""
    global _wanted, _file
    _wanted, _file = update, Path(file)


def _count(optimizer, *_):
    global made
    if type(optimizer).__name__ == "Muon":  # AdamW comes after it: the two are one update
        return
    made += 1
    if made == _wanted:
        _file.touch()


register_optimizer_step_post_hook(_count)
