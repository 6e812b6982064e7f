"""While a class's answers are run for grades: what a submission may open, start and end.

A fence and no wall: Python cannot shut in code that runs in its own process. It keeps the
teacher's answers from a student who opens their file, and a class from an `exit()`. Where students
are not trusted, grade in a container that does not have the answers at all.
"""

import builtins
import os
import sys
import tempfile
from pathlib import Path

from . import capstone, grading, running  # loaded now: later their files cannot be opened

__all__ = ["capstone", "fence", "grading", "running"]

PATIENCE = 20  # seconds for an input: a machine that grades a class is busy

OPENS = {"open", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
OPENS |= {"os.listdir", "os.scandir", "os.chmod", "shutil.copyfile", "shutil.move", "shutil.rmtree"}
STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"}
STARTS |= {"socket.connect", "socket.sendto"}
CHECKS = Path(__file__).resolve().parent


def fence(course: str) -> None:
    """Close off a course's folder, all but the one that this process is in, until it ends.

    Also the checks' own files and all notebooks elsewhere; no program is started or killed and no
    address is called; `exit()` ends a cell and not the kernel. Nothing of this can be undone.
    Checks wait longer for an answer than in a lesson.

    Args:
        course: nbgrader's folder, with `source` and the gradebook in it.
    """
    keep_the_kernel()
    running.PATIENCE = PATIENCE
    own, course_folder = Path.cwd().resolve(), Path(course).resolve()
    free = (own, Path(tempfile.gettempdir()).resolve())

    def closed(name: object) -> bool:
        try:
            path = Path(os.path.realpath(os.fsdecode(name)))
        except (TypeError, ValueError, OSError):  # a number: what is open already
            return False
        if path.is_relative_to(own):
            return False
        if path.is_relative_to(course_folder) or path.is_relative_to(CHECKS):
            return True
        return path.suffix == ".ipynb" and not any(map(path.is_relative_to, free))

    def watch(event: str, given: tuple) -> None:
        if event in STARTS:
            raise PermissionError(f"{event}: not while answers are graded")
        if event == "os.kill" and given[0] in (0, -1, os.getpid(), os.getppid()):
            raise PermissionError("os.kill: the kernel is needed for the other exercises")
        if event in OPENS and any(map(closed, given)):
            raise PermissionError("this is the teacher's, and closed while answers are graded")

    sys.addaudithook(watch)


def keep_the_kernel() -> None:
    """Let `exit()`, `quit()` and `os._exit()` end a cell only."""
    kernel, leave_at_once = os.getpid(), os._exit

    def leave(*_: object) -> None:
        raise SystemExit("exit() ends this cell")

    leave.__module__ = "builtins"  # for `borrowed`, which looks for what is the course's

    def leave_unless_kernel(status: int) -> None:
        if os.getpid() == kernel:
            leave()
        leave_at_once(status)  # a copy of the kernel, in which a check tries something

    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        shell.ask_exit, shell.keepkernel_on_exit = leave, True
        shell.user_ns.update(exit=leave, quit=leave)
    builtins.exit = builtins.quit = leave
    os._exit = leave_unless_kernel
