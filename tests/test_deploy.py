"""deploy/: what a hub is told agrees with the course, and with what was measured."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from test_packaging import pins, project, read

from benchmarks import hub

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
IN_AN_IMAGE = "/opt/gptlib/"
needs_sh = pytest.mark.skipif(not shutil.which("sh"), reason="there is no sh here")


def values():
    return yaml.safe_load((DEPLOY / "zero-to-jupyterhub.yaml").read_text(encoding="utf-8"))


def docker_steps():
    """The lines of the Dockerfile, those that go on taken together: [("FROM", "python:...")]."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def of_littlest_hub():
    """{"cmd": [...], "environment": {...}} of what the file sets on c.Spawner."""
    tree = ast.parse((DEPLOY / "littlest_jupyterhub.py").read_text(encoding="utf-8"))
    return {
        node.targets[0].attr: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("c.Spawner.")
    }


def gigabytes(words):
    number, unit = re.fullmatch(r"([\d.]+)([MG])i?", words).groups()
    return float(number) / (1000 if unit == "M" else 1)


# ---- They agree ----


def test_every_kind_of_hub_has_the_settings_of_threads_that_were_measured_best():
    in_image = dict(docker_steps())["ENV"]
    for name, value in hub.ADVICE.items():
        assert f"{name}={value}" in in_image
        assert values()["singleuser"]["extraEnv"][name] == value
        assert of_littlest_hub()["environment"][name] == value
    page = read("docs/teach/hub.md")
    assert all(f"`{name}={value}`" in page for name, value in hub.ADVICE.items())


def test_the_image_starts_where_the_lessons_are():
    """A hub opens my_course in the folder that a server starts in."""
    steps = docker_steps()
    home = steps.index(("WORKDIR", "$HOMES/jovyan"))
    assert ("ARG", "HOMES=/home") in steps[:home]
    assert steps.index(("USER", "jovyan")) < home < [name for name, _ in steps].index("CMD")
    assert any(name == "RUN" and '"$HOME/my_course"' in what for name, what in steps[home:])


def test_all_files_that_are_named_are_there():
    its = values()["singleuser"]
    named = [its["cmd"], *of_littlest_hub()["cmd"], dict(docker_steps())["CMD"].strip('[]"')]
    named += re.findall(rf"{IN_AN_IMAGE}[\w./-]+", (DEPLOY / "Dockerfile").read_text("utf-8"))
    for path in named:
        assert (ROOT / path.removeprefix(IN_AN_IMAGE)).is_file(), path
    for url in (its["defaultUrl"], of_littlest_hub()["default_url"]):
        lesson = url.removeprefix("/lab/tree/my_course/")
        assert (ROOT / "notebooks" / lesson).is_file()


def test_the_image_has_the_version_and_a_python_of_the_course():
    tag = values()["singleuser"]["image"]["tag"]
    assert tag == project()["version"]
    python = re.fullmatch(r"python:([\d.]+)-slim", dict(docker_steps())["FROM"])[1]
    assert SpecifierSet(project()["requires-python"]).contains(python)


def test_a_hubs_own_packages_are_pinned_and_no_other_version_than_the_constraints():
    lines = (DEPLOY / "requirements-hub.txt").read_text(encoding="utf-8").splitlines()
    own = [Requirement(line) for line in lines if line and not line.startswith("#")]
    exact = {pin.name for pin in pins()}
    for pin in own:
        (only,) = pin.specifier
        assert only.operator == "==" and pin.name not in exact
    assert [pin.name for pin in own] == ["jupyterhub"]


def test_a_students_memory_is_what_was_measured_with_room_to_spare():
    memory = values()["singleuser"]["memory"]
    assert gigabytes(memory["guarantee"]) < gigabytes(memory["limit"])
    measured = re.findall(r"^\| \d+ \| (\d+) / (\d+) / (\d+) MB", section(), re.MULTILINE)
    for row in measured:
        most = 1.048576 * max(map(int, row)) / 1000
        assert most < gigabytes(memory["guarantee"]) < 2 * most
    limit = re.search(r"limits.memory (\S+)", read("deploy/littlest_jupyterhub.py"))[1]
    assert limit == memory["limit"]


def section():
    page = read("docs/teach/hub.md")
    assert page.count(hub.BEGIN) == page.count(hub.END) == 1
    return page.partition(hub.BEGIN)[2].partition(hub.END)[0]


def test_the_page_has_the_table_that_the_benchmark_writes():
    text = section()
    assert hub.HEAD[0] in text and hub.HEAD_OF_SETTINGS[0] in text
    assert all(f"| {name} |" in text for name in hub.SETTINGS)


def test_an_image_holds_no_solution_and_all_that_its_steps_copy():
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert "notebooks/solutions" in ignored and "*" in ignored
    kept = [line[1:] for line in ignored if line.startswith("!")]
    assert all((ROOT / name).exists() for name in kept)
    asked = re.findall(r"[\w.-]+\.(?:txt|toml)", (DEPLOY / "install.sh").read_text("utf-8"))
    assert {name for name in asked if (ROOT / name).exists()} <= set(kept)
    assert {"pyproject.toml", "README.md", "LICENSE", "data", "gptlib", "notebooks"} <= set(kept)


# ---- They run ----


@needs_sh
@pytest.mark.parametrize("script", sorted(DEPLOY.glob("*.sh")), ids=lambda path: path.name)
def test_a_script_is_one_that_sh_understands_and_may_be_run(script):
    subprocess.run(["sh", "-n", script], check=True)
    assert os.name == "nt" or os.access(script, os.X_OK)


@needs_sh
@pytest.mark.parametrize("index", [None, "INDEX"])
def test_installing_takes_the_course_and_what_it_pins_in_this_order(tmp_path, index):
    """With a Python that only writes down what it was asked."""
    log = tmp_path / "log"
    python = program(tmp_path / "python", f'printf "%s\\n" "$*" >> {shlex.quote(str(log))}')
    own = {k: v for k, v in os.environ.items() if k != "TORCH_INDEX"}
    own |= {"TORCH_INDEX": index} if index else {}
    subprocess.run([DEPLOY / "install.sh", python], check=True, env=own, cwd=tmp_path)
    torch, rest, own_package, lab, doctor = log.read_text().splitlines()
    chosen = " --index-url INDEX" if index else ""
    assert torch == f"-m pip install -c constraints.txt torch{chosen}"
    assert rest == "-m pip install --require-hashes --no-deps -r requirements-server.txt"
    assert own_package == "-m pip install --no-deps ."
    assert lab.endswith("@jupyterlab/apputils-extension:announcements")
    assert doctor == "-m gptlib doctor"


@needs_sh
def test_an_installation_that_fails_goes_no_further(tmp_path):
    python = program(tmp_path / "python", "exit 3")
    assert subprocess.run([DEPLOY / "install.sh", python]).returncode == 3


@needs_sh
def test_a_student_finds_lessons_and_an_earlier_ones_work_is_left_alone(tmp_path):
    program(tmp_path / "jupyterhub-singleuser", 'printf "%s\\n" "$@" > "$HOME/told"')
    own = {"HOME": str(tmp_path), "GPTLIB_PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    own["PATH"] = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    for _ in range(2):
        subprocess.run([DEPLOY / "start-student.sh", "--port=1"], check=True, env=os.environ | own)
        config, port = (tmp_path / "told").read_text().splitlines()
        assert Path(config.removeprefix("--config=")).is_file() and port == "--port=1"
        first = tmp_path / "my_course" / "00_the_whole_machine.ipynb"
        assert first.is_file()
        first.write_text("my work") if _ == 0 else None
    assert first.read_text() == "my work"


@needs_sh
def test_a_full_disk_keeps_nobody_from_their_server(tmp_path):
    program(tmp_path / "jupyterhub-singleuser", "echo started")
    (tmp_path / "my_course").write_text("no folder")
    own = {"HOME": str(tmp_path), "GPTLIB_PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    own["PATH"] = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [DEPLOY / "start-student.sh"], env=os.environ | own, capture_output=True, text=True
    )
    assert done.stdout == "started\n" and "are as they were" in done.stderr


def program(path, does):
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return path


def docker_runs():
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "info"], capture_output=True).returncode == 0


@pytest.mark.soak
@pytest.mark.skipif(not docker_runs(), reason="no Docker daemon here: the steps are tested alone")
def test_the_image_is_built_and_a_student_in_it_has_lessons_and_no_solutions(record_property):
    build = ["docker", "build", "-f", "deploy/Dockerfile", "-t", "gptlib-test"]
    if index := os.environ.get("TORCH_INDEX"):
        build += ["--build-arg", f"TORCH_INDEX={index}"]
    subprocess.run([*build, "."], cwd=ROOT, check=True)
    look = "gptlib doctor && jupyterhub-singleuser --version && "
    look += 'ls "$HOME/my_course" /opt/gptlib/notebooks'
    said = subprocess.run(
        ["docker", "run", "--rm", "gptlib-test", "sh", "-c", look],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "00_the_whole_machine.ipynb" in said and "solutions" not in said
    record_property("soak", "1 image built, and a course made in it; solutions in it: 0")
