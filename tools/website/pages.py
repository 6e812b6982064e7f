"""Which page of the site each file of the repository becomes, and what its links lead to there."""

import os
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<!!)\[([^\]\n]*)\]\(([^)\s]+)\)")
IMAGE = re.compile(r"!\[([^\]\n]*)\]\(([^)\s]+)\)")
CODE = re.compile(r"(```.*?^```|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z]+:|#|//")

# (where files are, where their pages are); the first that fits.
FOLDERS = [
    ("docs/index.md", "index"),
    ("notebooks/deeper/*.ipynb", "deeper/"),
    ("notebooks/[0-9]*.ipynb", "lessons/"),
    ("notebooks/*.ipynb", ""),
    ("notebooks/glossary.md", "glossary"),
    ("docs/teach/*.md", "teach/"),
    ("docs/teach/lessons/*.md", "teach/lessons/"),
    ("docs/*.md", ""),
    ("benchmarks/RESULTS.md", "results"),
]


def pages() -> dict[str, str]:
    """{file in the repository: its page}, for all that the site shows."""
    found: dict[str, str] = {}
    for pattern, where in FOLDERS:
        for path in sorted(ROOT.glob(pattern)):
            name = where + path.stem if where.endswith("/") or not where else where
            found.setdefault(path.relative_to(ROOT).as_posix(), name)
    return found


class Links:
    """The links of one file, as they are on its page.

    Args:
        file: in the repository. repository: its address on the web, or "".
        picture: is given the path of a picture, and says where it is for this page.
    """

    def __init__(
        self, file: str, known: dict[str, str], repository: str, picture: Callable[[Path], str]
    ) -> None:
        self.file, self.known, self.repository, self.picture = file, known, repository, picture

    def rewritten(self, text: str) -> str:
        """Markdown whose links lead to pages, else to the repository, else nowhere."""
        parts = CODE.split(text)
        return "".join(part if k % 2 else self._plain(part) for k, part in enumerate(parts))

    def _plain(self, text: str) -> str:
        text = IMAGE.sub(self._image, text)
        return LINK.sub(self._link, text)

    def _link(self, found: re.Match) -> str:
        words, target = found.groups()
        if ELSEWHERE.match(target):
            return found[0]
        path, _, place = target.partition("#")
        there = self._there(path)
        if there in self.known:
            page = os.path.relpath(self.known[there], os.path.dirname(self.known[self.file]) or ".")
            ending = ".ipynb" if there.endswith(".ipynb") else ".md"
            return f"[{words}]({page}{ending}{'#' + place if place else ''})"
        if not (ROOT / there).exists():
            raise ValueError(f"{self.file}: there is no {there}, to which a link leads")
        return f"[{words}]({self.repository}/blob/main/{there})" if self.repository else words

    def _image(self, found: re.Match) -> str:
        words, target = found.groups()
        if ELSEWHERE.match(target):
            return found[0]
        return f"![{words}]({self.picture(ROOT / self._there(target))})"

    def _there(self, target: str) -> str:
        """A path in the repository, of a path beside this file."""
        return os.path.normpath(os.path.join(os.path.dirname(self.file), target))


def notebook_links(file: str, repository: str) -> dict[str, str]:
    """{words: address} of where a notebook can be opened, from the one setting."""
    owner_and_name = repository.removeprefix("https://github.com/").rstrip("/")
    if not repository.startswith("https://github.com/") or owner_and_name.count("/") != 1:
        return {}
    return {
        "Colab": f"https://colab.research.google.com/github/{owner_and_name}/blob/main/{file}",
        "Binder": f"https://mybinder.org/v2/gh/{owner_and_name}/main?labpath={file}",
    }
