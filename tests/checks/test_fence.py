"""gptlib.checks.fence: what a submission cannot do while it is graded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import gptlib.checks

CHECKS = Path(gptlib.checks.__file__).parent

TRY_ALL = """
import json, os, pathlib, signal, subprocess, socket, sys
from gptlib import checks
from gptlib.checks.fence import fence
course, *lines = json.loads(sys.stdin.read())
fence(course)
found = {}
for line in lines:
    try:
        exec(line)
    except BaseException as error:
        found[line] = type(error).__name__
    else:
        found[line] = "done"
print(json.dumps(found))
"""
CLOSED = [
    "open('../../source/a.ipynb').read()",
    "pathlib.Path('../../source/a.ipynb').read_bytes()",
    "os.listdir('../../source')",
    "open('../../gradebook.db', 'wb')",
    "os.remove('../../gradebook.db')",
    "os.symlink('../../source/a.ipynb', 'mine.ipynb'); open('mine.ipynb')",
    "open('../tom/a.txt').read()",
    f"open({str(CHECKS / 'logits.py')!r}).read()",
    "subprocess.run(['cat', '../../source/a.ipynb'])",
    "os.system('cat ../../source/a.ipynb')",
    "os.execv(sys.executable, [sys.executable, '-c', ''])",
    "socket.create_connection(('127.0.0.1', 9))",
    "os.kill(os.getpid(), signal.SIGTERM)",
]
LEAVING = ["exit()", "quit()", "os._exit(0)", "sys.exit()"]
OPEN = [
    "open('a.ipynb').read()",
    "open('new.txt', 'w').write('1'); os.remove('new.txt')",
    "import json, wave; import torch; torch.ones(2, 2) @ torch.ones(2, 2)",
    "from gptlib.checks.grading import points; from gptlib.checks.capstone import gptlibs_bpe",
    "assert checks.logits.softmax.judge(lambda x: x.softmax(-1))",
    "assert not checks.logits.softmax.judge(lambda x: 1 / 0)",
    "assert not checks.logits.softmax.judge(lambda x: exit())",
    "assert checks.training.nll.judge(lambda z, y: __import__('gptlib').nll(z, y))",
]


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    for name in (
        "source/a.ipynb",
        "gradebook.db",
        "autograded/mia/a.ipynb",
        "autograded/tom/a.txt",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("content")
    return folder


@pytest.fixture(scope="module")
def tried(course):
    """What came of each line, in the folder of Mia's submission: "done", or an error's name."""
    done = subprocess.run(
        [sys.executable, "-c", TRY_ALL],
        input=json.dumps([str(course), *CLOSED, *LEAVING, *OPEN]),
        cwd=course / "autograded" / "mia",
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("line", CLOSED)
def test_what_is_the_teachers_is_closed(course, tried, line):
    assert tried[line] == "PermissionError"
    assert (course / "gradebook.db").read_text() == "content"


@pytest.mark.parametrize("line", LEAVING)
def test_leaving_ends_only_what_was_run(tried, line):
    assert tried[line] == "SystemExit"


@pytest.mark.parametrize("line", OPEN)
def test_what_an_answer_needs_is_open(tried, line):
    assert tried[line] == "done"
