"""What a run leaves in its folder: the model, its log, saves of earlier steps, TensorBoard's files.

`training` makes the steps and `checkpoint` the files of one save; this is the order of them on
disk, in which a crash at any moment costs what came after the last save and nothing before it.
"""

import errno
import json
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from torch import Tensor

from ..formats.files import atomic_write, user_path
from ..formats.json_files import parse
from ..formats.saves import check_room
from ..formats.values import Real, Whole, reason
from ..scale.signals import uninterrupted
from ..scale.unread import read_rows
from ..tokenizer import Tokenizer
from ..training import Step, Trainer
from . import checkpoint

LOG, TENSORBOARD = "log.jsonl", "tensorboard"
SAVE_NAME = re.compile(r"step-\d{7,18}")
SAVES = "checkpoints"  # earlier saves, step-0000100 and so on, each a folder that `load` opens


class Run:
    """Writes the folder of a run.

    Args:
        start: what the run was started with, kept in its state for --resume to compare.
        keep: how many of the last saves stay under checkpoints/, beside the last one in `folder`.
        tensorboard: write TensorBoard's files too.

    Raises:
        ImportError: `tensorboard`, and it is not installed.
    """

    def __init__(
        self,
        folder,
        trainer: Trainer,
        tokenizer: Tokenizer,
        start: dict,
        keep: int = 0,
        tensorboard: bool = False,
    ) -> None:
        self.folder, self.trainer, self.tokenizer = user_path(folder), trainer, tokenizer
        self.start, self.keep = start, keep
        self.saved = trainer.step  # the step of the last save
        self.logged = trainer.step  # the last one that is in the log, or will be when it begins
        self._log: TextIO | None = None
        self._board: Any = None
        self._board_type = _board_type() if tensorboard else None

    def state(self) -> tuple[dict[str, Tensor], dict]:
        tensors, numbers = self.trainer.state()
        return tensors, numbers | self.start

    def save(self) -> None:
        """Save the model and all that --resume needs.

        Raises:
            OSError: a full disk, say; the last save stays as it was.
        """
        try:
            checkpoint.save(self.folder, self.trainer.model, self.tokenizer, training=self)
            self.saved = self.trainer.step
            self._keep()
        except OSError as error:
            raise self._not_written(error) from error

    def log(self) -> None:
        """Add each new step to log.jsonl, a line of JSON, so that a kill costs none of them.

        On a card a step's line comes with the next one, when its loss is known without a wait. A
        step that is there already is not added again: a Ctrl-C may come before or after its line.
        The first time the file is written anew from the history: steps after the last save, which
        a killed run had logged and which are made again, are then there once.
        """
        for known in read_rows(self.trainer.history, start=self.logged):
            self._add(known)

    def _add(self, step: Step) -> None:
        try:
            with uninterrupted():
                log = self._log or self._begin(self.trainer.history[: step.step - 1])
                log.write(_line(step))
                self.logged = step.step
        except OSError as error:
            raise self._not_written(error) from error
        if self._board is not None:
            self._show(step)

    def close(self) -> None:
        for file in (self._log, self._board):
            if file is not None:
                with suppress(OSError):  # each line was written out, or failed, in its turn
                    file.close()

    def _begin(self, before: list[Step]) -> TextIO:
        if not before:
            for save in saved_steps(self.folder):  # of a run that is overwritten
                shutil.rmtree(save)
        elif self.keep:
            self._keep()  # the run may have been killed between its save and this
        with atomic_write(self.folder / LOG) as temporary:
            temporary.write_text("".join(map(_line, before)), encoding="utf-8")
        log = self._log = open(self.folder / LOG, "a", buffering=1, encoding="utf-8")
        if self._board_type is not None:
            for file in (self.folder / TENSORBOARD).glob("events.out.tfevents.*"):
                file.unlink()
            self._board = self._board_type(str(self.folder / TENSORBOARD))
            for step in before:
                self._show(step)
        return log

    def _show(self, step: Step) -> None:
        for name, value in step._asdict().items():
            if name != "step" and value is not None:
                self._board.add_scalar(name, value, step.step)

    def _keep(self) -> None:
        """Keep this save under checkpoints/, and only the last `keep` of those that are there."""
        saves = self.folder / SAVES
        if self.keep:
            staging = saves / ".saving"  # worth nothing until it has its name
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(parents=True)
            for name in checkpoint.FILES:
                if (self.folder / name).is_file():
                    _link(self.folder / name, staging / name)
            place = saves / f"step-{self.saved:07d}"
            shutil.rmtree(place, ignore_errors=True)
            os.rename(staging, place)
        for folder in saved_steps(self.folder)[: -self.keep or None] if self.keep else ():
            shutil.rmtree(folder)

    def _not_written(self, error: OSError) -> OSError:
        why = error.strerror or reason(error)
        why = "the disk is full" if error.errno == errno.ENOSPC else why
        last = f"the save of step {self.saved} is complete: --resume continues from it"
        if not (self.folder / checkpoint.TRAINING).is_file():
            last = "nothing has been saved yet"
        return OSError(f"{self.folder}: step {self.trainer.step} was not written ({why}); {last}")


def check_place(folder: Path) -> None:
    """Refuse a folder in which a run would find no room, before it trains.

    Raises:
        ValueError: a folder has the name of a file that a run writes, or the other way round.
    """
    check_room(folder)
    if (folder / LOG).is_dir():
        raise ValueError(f"{folder / LOG}: is a folder, but a file is to be written there")
    for name in (SAVES, TENSORBOARD):
        place = folder / name
        if os.path.lexists(place) and (place.is_symlink() or not place.is_dir()):
            raise ValueError(f"{place}: is a file or a link, but a folder is needed")


def saved_steps(folder) -> list[Path]:
    """The folders of a run's earlier saves (`--keep`), the oldest first; none through a link."""
    saves = user_path(folder) / SAVES
    found = [] if saves.is_symlink() else saves.glob("step-*")
    ours = [f for f in found if SAVE_NAME.fullmatch(f.name) and f.is_dir() and not f.is_symlink()]
    return sorted(ours, key=lambda f: int(f.name.removeprefix("step-")))


def read_log(folder) -> list[Step]:
    """The steps that a run has logged so far; it may still be running.

    Raises:
        FileNotFoundError: there is no log.jsonl.
        ValueError: a line of it is no step; names it.
    """
    path = user_path(folder) / LOG
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: there is no {LOG} in it")
    lines = path.read_bytes().split(b"\n")[:-1]  # after the last end of line: half of a step
    steps = []
    for number, line in enumerate(lines, 1):
        try:
            steps.append(_step(parse(line.decode())))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: line {number} is not a step of a run") from error
    return steps


def _step(values: dict) -> Step:
    """A step from a line of the log; ValueError, TypeError: it is none."""
    step = Step(**values)
    for name, value in step._asdict().items():
        whole = name in ("step", "tokens")
        if type(value) is not (int if whole else float) and (name, value) != ("val_loss", None):
            raise TypeError(name)
        (Whole() if whole else Real(optional=True)).read(name, value)
    return step


def _line(step: Step) -> str:
    return json.dumps(step._asdict()) + "\n"


def _link(file: Path, place: Path) -> None:
    """The same file under a second name, which costs no room; a copy where links cannot be made.

    A save puts new files into place and never writes into old ones, so that this one stays.
    """
    try:
        os.link(file, place)
    except OSError:
        shutil.copyfile(file, place)


def _board_type() -> type:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError("--tensorboard needs tensorboard: pip install tensorboard") from error
    return SummaryWriter
