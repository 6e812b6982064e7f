"""What describes the project agrees with itself: requirements, versions, commands, links."""

import re
import runpy
import shutil
import subprocess
import tomllib
from pathlib import Path

import lesson_clock
import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from PIL import Image

import gptlib

ROOT = Path(__file__).resolve().parent.parent
CONDA_NAMES = {
    "torch": "pytorch",
    "matplotlib": "matplotlib-base",
    "nbconvert": "nbconvert-core",
    "huggingface-hub": "huggingface_hub",
}
CONDA_ONLY = {"python", "pip"}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def project():
    return tomllib.loads(read("pyproject.toml"))["project"]


def requirements():
    """Everything pyproject.toml asks for, extras too: {name: SpecifierSet}."""
    extras = project()["optional-dependencies"]
    found = {}
    for line in project()["dependencies"] + [line for extra in extras.values() for line in extra]:
        asked = Requirement(line)
        if asked.name == "gptlib":  # an extra that takes another extra in
            assert asked.extras <= extras.keys()
        else:
            found[canonicalize_name(asked.name)] = asked.specifier
    return found


def pins():
    """The lines of constraints.txt as Requirements."""
    lines = (line.split("#")[0].strip() for line in read("constraints.txt").splitlines())
    return [Requirement(line) for line in lines if line]


def conda():
    """environment.yml, and what it installs by conda and by pip: {name: SpecifierSet} each."""
    whole = yaml.safe_load(read("environment.yml"))
    by_conda, by_pip = {}, {}
    for entry in whole["dependencies"]:
        lines = entry["pip"] if isinstance(entry, dict) else [entry]
        for line in lines:
            if line != "-e .":
                asked = Requirement(line)
                table = by_pip if isinstance(entry, dict) else by_conda
                table[asked.name] = asked.specifier
    return whole, by_conda, by_pip


# --- requirements ---------------------------------------------------------------------------


def test_environment_yml_asks_for_what_pyproject_asks_for_and_for_nothing_else():
    _, by_conda, by_pip = conda()
    expected = {CONDA_NAMES.get(name, name): spec for name, spec in requirements().items()}
    assert {n: s for n, s in (by_conda | by_pip).items() if n not in CONDA_ONLY} == expected


def test_environment_yml_names_each_package_once():
    whole, by_conda, by_pip = conda()
    lines = sum(len(e["pip"]) if isinstance(e, dict) else 1 for e in whole["dependencies"])
    assert lines == len(by_conda) + len(by_pip) + 1  # and "-e ."


def test_environment_yml_installs_this_checkout_from_conda_forge():
    whole, _, _ = conda()
    assert whole["name"] == "gptlib"
    assert whole["channels"][0] == "conda-forge"
    assert "-e ." in whole["dependencies"][-1]["pip"]


def test_every_requirement_is_pinned_within_its_range():
    exact = {canonicalize_name(pin.name): pin.specifier for pin in pins()}
    for name, asked in requirements().items():
        (pin,) = exact[name]
        assert pin.operator == "=="
        assert asked.contains(pin.version), f"{name} {pin.version} is not in {asked}"


def test_constraints_are_exact_sorted_and_named_once():
    names = [canonicalize_name(pin.name) for pin in pins()]
    assert names == sorted(set(names))
    for pin in pins():
        (only,) = pin.specifier
        assert only.operator == "==" and "*" not in only.version, str(pin)
        assert not Version(only.version).local, f"{pin} names one build of a wheel"


def test_a_server_installs_the_same_versions_with_hashes_and_pytorch_by_itself():
    """`pip install --require-hashes --no-deps` takes nothing that has no hash."""
    text = re.sub(r"^#.*\n", "", read(SERVER), flags=re.MULTILINE)
    exact = {canonicalize_name(pin.name): str(pin.specifier) for pin in pins()}
    names = set()
    for entry in re.findall(
        r"\S.*(?:\n .*)*", text
    ):  # a line, and those below it that are indented
        asked, *hashes = entry.split(" \\\n    --hash=")
        pin = Requirement(asked)
        assert str(pin.specifier) == exact[pin.name], "run `make hashes`"
        assert hashes and all(re.fullmatch("sha256:[0-9a-f]{64}", found) for found in hashes)
        names.add(pin.name)
    asked = project()["dependencies"] + project()["optional-dependencies"]["lessons"]
    assert {canonicalize_name(Requirement(line).name) for line in asked} - names == {"torch"}


SERVER = "requirements-server.txt"


def test_a_bot_looks_after_what_is_pinned():
    told = yaml.safe_load(read(".github/dependabot.yml"))["updates"]
    assert {update["package-ecosystem"] for update in told} == {"pip", "github-actions"}


OPENS_ANYTHING = (
    r"\b(pickle|marshal|shelve|dill|joblib|allow_pickle|weights_only|eval|exec)\b *[(,.=]"
)


def test_nothing_in_gptlib_opens_a_pickle_or_runs_text_as_code():
    """As SECURITY.md says: only the checks run code, the student's. `model.eval()` does not."""
    checks = ROOT / "gptlib" / "checks"
    for path in sorted(set((ROOT / "gptlib").rglob("*.py")) - {checks / "blanks.py"}):
        code = re.sub(r"\.eval\(\)", "", path.read_text(encoding="utf-8"))
        code = re.sub(r'""".*?"""|"[^"\n]*"|#[^\n]*', "", code, flags=re.DOTALL)
        assert not re.search(OPENS_ANYTHING + r"|\b(torch|np|numpy)\.load\(", code), path
        assert not re.search(r"import (pickle|marshal|shelve|dill|joblib|subprocess)", code), path


def test_python_ranges_agree():
    asked = SpecifierSet(project()["requires-python"])
    _, by_conda, _ = conda()
    assert by_conda["python"] == asked
    low, high = re.search(r"\(3, (\d+)\) <= .* <= \(3, (\d+)\)", read("Makefile")).groups()
    allowed = [minor for minor in range(100) if asked.contains(f"3.{minor}")]
    assert allowed == list(range(int(low), int(high) + 1))
    assert f"Python 3.{low} to 3.{high}" in read("README.md")
    assert f'python: ["3.{low}", "3.{high}"]' in read(".github/workflows/ci.yml")


@pytest.mark.parametrize(
    "user, there, added",
    [
        (0, [], ["chromium", "firefox-esr"]),
        (0, ["google-chrome"], ["firefox-esr"]),
        (0, ["firefox"], ["chromium"]),
        (0, ["chromium", "firefox-esr"], []),
        (1000, [], []),
    ],
)
def test_each_browser_is_installed_where_it_is_missing(tmp_path, user, there, added):
    """With an apt that only notes what it is asked for and has no Firefox; `make` ends the run."""
    commands = {
        "uname": "echo Linux",
        "id": f"echo {user}",
        "dirname": 'echo "${1%/*}"',
        "make": "exit 3",
        "apt-get": 'echo "${@: -1}" >> "$NOTED"; [ "${@: -1}" != firefox-esr ]',
    }
    for name, code in (commands | dict.fromkeys(there, "")).items():
        (tmp_path / name).write_text(f"#!{shutil.which('bash')}\n{code}\n")
        (tmp_path / name).chmod(0o755)
    noted = tmp_path / "noted.txt"
    noted.touch()
    done = subprocess.run(
        [shutil.which("bash"), ROOT / ".ci" / "run"],
        env={"PATH": str(tmp_path), "NOTED": str(noted), "GPTLIB_CACHE": str(tmp_path)},
    )
    assert done.returncode == 3
    assert [name for name in noted.read_text().split() if name != "update"] == added


# --- versions -------------------------------------------------------------------------------


def test_one_version_everywhere():
    newest = re.search(r"^## \[([^\]]+)\]", read("CHANGELOG.md"), re.MULTILINE).group(1)
    cited = yaml.safe_load(read("CITATION.cff"))
    assert project()["version"] == gptlib.__version__ == str(cited["version"]) == newest
    assert cited["license"] == project()["license"] == "MIT"


# --- commands -------------------------------------------------------------------------------


def test_make_help_lists_every_target():
    makefile = read("Makefile")
    phony = re.search(r"^\.PHONY:(.*)$", makefile, re.MULTILINE).group(1).split()
    explained = re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE)
    assert sorted(explained) == sorted(phony)


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_alone_prints_the_help():
    said = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    phony = re.search(r"^\.PHONY:(.*)$", read("Makefile"), re.MULTILINE).group(1).split()
    assert set(re.findall(r"^  ([a-z]+) ", said, re.MULTILINE)) == set(phony)


# --- documents ------------------------------------------------------------------------------


def lesson_rows():
    """README's table of lessons: {"00": its cells}."""
    rows = re.findall(r"^\| *(\d\d) *\|(.*)\|$", read("README.md"), re.MULTILINE)
    return {number: [cell.strip() for cell in cells.split("|")] for number, cells in rows}


def test_readme_lists_every_lesson_with_its_minutes():
    rows = lesson_rows()
    for notebook in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        cells = rows[notebook.name[:2]]
        assert f"(notebooks/{notebook.name})" in cells[0]
        says = [minutes for minutes, _ in lesson_clock.sections(notebook).values() if minutes]
        assert int(cells[-1]) == (sum(says) + 2 if says else 45)  # two for the header
        deeper = notebook.parent / "deeper" / notebook.name
        assert (f"(notebooks/deeper/{notebook.name})" in cells[0]) == deeper.exists()
        assert re.search(rf'src="notebooks/images/{notebook.stem}.png".* alt="..', cells[-2])


def coarse(image):
    """Its grey levels, 48 columns wide: what another Pillow draws a shade off is the same here."""
    return np.asarray(image.convert("L").resize((48, 27)), dtype=float)


PICTURES = runpy.run_path(str(ROOT / "notebooks" / "images" / "make.py"))


@pytest.mark.parametrize("lesson", PICTURES["PICTURES"])
def test_readmes_pictures_are_those_of_the_lessons_as_they_are(lesson):
    with Image.open(ROOT / "notebooks" / "images" / f"{lesson}.png") as kept:
        today = PICTURES["small"](lesson, PICTURES["PICTURES"][lesson])
        assert kept.size == today.size
        assert np.abs(coarse(kept) - coarse(today)).max() < 4, "run `make pictures`"


def test_readme_links_no_lesson_that_is_still_to_come():
    for number, cells in lesson_rows().items():
        written = any((ROOT / "notebooks").glob(f"{number}_*.ipynb"))
        assert ("coming" in cells[-1]) is not written
        assert ("](" in cells[0]) is written


@pytest.mark.parametrize(
    "page",
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "data/README.md"]
    + [f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")],
)
def test_relative_links_point_at_something(page):
    text = re.sub(r"^```.*?^```", "", read(page), flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    relative = [link for link in links if not re.match(r"[a-z]+:|#", link)]
    missing = [x for x in relative if not ((ROOT / page).parent / x.split("#")[0]).exists()]
    assert not missing


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("How to report a vulnerability", ["Report a vulnerability", "Only the maintainers see"]),
        ("What is loaded, and from where", ["safetensors", "Hugging Face Hub", "No pickle"]),
        ("What runs", ["A notebook is a program", "Checks run the student's own code"]),
        ("On a shared computer", ["`--ip=0.0.0.0` gives a shell", "plain HTTP", "the token"]),
    ],
)
def test_the_page_on_security_says_what_its_reader_must_know(section, words):
    [body] = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", read("SECURITY.md"), re.M | re.S)
    for said in words:
        assert said in " ".join(body.split())


def tracked_files():
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if not listed.stdout:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_tracked_file_names_a_folder_of_one_machine():
    folders = [r"(?<![\w.])/(?:home|Users)/\w", r"(?<![\w.])/roo[t]/", r"[A-Z]:\\{1,2}Users\\"]
    if len(ROOT.parts) > 3:  # else too short to mean anything, such as "/src"
        folders.append(re.escape(str(ROOT)))
    pattern = re.compile("|".join(folders).encode())
    found = {}
    for path in tracked_files():
        content = path.read_bytes()
        if b"\0" not in content and (hit := pattern.search(content)):
            found[path.relative_to(ROOT).as_posix()] = hit.group().decode()
    assert not found


def test_every_action_is_pinned_by_its_commit_with_the_version_beside_it():
    pages = list((ROOT / ".github" / "workflows").glob("*.yml"))
    used = [
        line for page in pages for line in page.read_text("utf-8").splitlines() if "uses:" in line
    ]
    assert used
    for line in used:
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$", line), line
