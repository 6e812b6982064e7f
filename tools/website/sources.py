"""The sources that Sphinx reads: the notebooks and pages of the repository, made ready for the web.

In a notebook an explorer becomes a place that js/course.js fills; until it does, and where no
script runs, the place shows the explorer's picture. A drawn picture becomes a file of its own.
"""

import base64
import html
import json
import os
import re
from fnmatch import fnmatch
from pathlib import Path

import nbformat
import student

from . import api, data, recording, scripts, terms
from .pages import ROOT, Links, notebook_links, pages

MARKER = re.compile(r"<!-- explorer: (\S+) (\w+) -->")
TOCTREE = re.compile(r"(```\{toctree\}\n(?::.*\n)+\n)((?:.+\n)+)```\n")
INLINE = re.compile(r"data:(image/[a-z+]+);base64,([A-Za-z0-9+/=]+)")
ENDINGS = {"image/png": "png", "image/svg+xml": "svg"}
OWN_PICTURE = 40_000  # bytes: a smaller one is better off inside its page
OF_ONE_RUN = "This is a picture from one run. Run the notebook to see it live."
STUDENT = "student"  # the folder of the notebooks to take away


class Site:
    """Writes the sources into a folder.

    Args:
        folder: for the pages. static: for what Sphinx only copies. repository: its address or "".
    """

    def __init__(self, folder: Path, static: Path, repository: str = "") -> None:
        self.folder, self.static, self.repository = folder, static, repository
        self.known = pages()
        self.data = data.Data(static / "data")
        self.recorded: dict[str, list[recording.Recorded]] = {}
        self.places: dict[tuple[str, int, int], str] = {}  # the HTML of each explorer
        self.written: set[Path] = set()

    def write(self) -> None:
        """All pages. What was here before and is not written now goes."""
        before = {path for path in self.folder.rglob("*") if path.is_file()}
        notebooks = [file for file in self.known if file.endswith(".ipynb")]
        for file in notebooks:
            with recording.package_as_it_is():
                self.recorded[file] = recording.explorers(ROOT / file)
                for one in self.recorded[file]:
                    self.places[file, one.cell, one.output] = self.place(file, one)
        for file, page in self.known.items():
            if file.endswith(".ipynb"):
                self._put(f"{page}.ipynb", self.notebook(file))
            elif page != terms.PAGE:
                self._put(f"{page}.md", self.markdown(file))
        self._put(f"{terms.PAGE}.md", self.glossary())
        for name, text in api.pages().items():
            self._put(name, text)
        for path in before - self.written:
            path.unlink()

    def _put(self, name: str, text: str) -> None:
        """Write a file only if it changes: Sphinx reads again what is newer."""
        path = self.folder / name
        self.written.add(path)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    # ---- Pages of text ----

    def markdown(self, file: str) -> str:
        """A page of text."""
        text = self._links(file).rewritten((ROOT / file).read_text(encoding="utf-8"))
        text = MARKER.sub(lambda found: self._named(file, *found.groups()), text)
        return TOCTREE.sub(self._listed, text.replace("<!-- lessons -->", self._lessons()))

    def _listed(self, found: re.Match) -> str:
        """A list of pages without the patterns that no page fits; nothing, if none is left."""
        named = [*self.known.values(), "api/index"]
        lines = found[2].splitlines()
        kept = [line for line in lines if any(fnmatch(page, line) for page in named)]
        return f"{found[1]}{chr(10).join(kept)}\n```\n" if kept else ""

    def _early(self, file: str, script: str, place: str) -> str:
        """Ask for an explorer's scripts and data as the page arrives, not one after the other."""
        names = scripts.needed("course", script)
        where = [f"_static/{scripts.folder()}/{name}.js" for name in names]
        links = [f'<link rel="modulepreload" href="{self._from(file, path)}">' for path in where]
        state = re.search(r'data-explorer="([^"]+)"', place)[1]
        path = f"_static/data/{json.loads(html.unescape(state))['file']}"
        links.append(f'<link rel="preload" as="fetch" crossorigin href="{self._from(file, path)}">')
        return "".join(links)

    def _lessons(self) -> str:
        """The lessons by their titles, each with its second hour."""
        listed = []
        for file, page in self.known.items():
            if page.startswith(("lessons/", "capstone")):
                title = nbformat.read(ROOT / file, as_version=4).cells[0].source.splitlines()[0]
                deeper = f"deeper/{os.path.basename(file)}"
                more = f" ([deeper]({deeper}))" if f"notebooks/{deeper}" in self.known else ""
                listed.append(f"- [{title.lstrip('# ')}]({page}.ipynb){more}")
        return "\n".join(listed)

    def _named(self, file: str, notebook: str, kind: str) -> str:
        """The place of a notebook's first explorer of some class, on another page."""
        for one in self.recorded[notebook]:
            if type(one.explorer).__name__ == kind:
                place = self.places[notebook, one.cell, one.output]
                return self._early(file, one.explorer.SCRIPT, place) + self._pictures(file, place)
        raise ValueError(f"{file}: {notebook} has no {kind}")

    def glossary(self) -> str:
        """The glossary's table with a target at each term, to which the other pages link."""
        file = "notebooks/glossary.md"
        text = (ROOT / file).read_text(encoding="utf-8")
        listed = ['<dl class="course-glossary">\n']
        for term, meaning, where in terms.rows():
            target = f'<dt id="{terms.anchor(term)}">{html.escape(term)}</dt>'
            where = where if where.startswith("[capstone]") else f"lesson {where}"
            listed.append(f"{target}<dd>\n\n{meaning} ({where})\n\n</dd>\n")
        start = text.index("| word |")
        whole = text[:start] + "\n".join(listed) + "\n</dl>\n"
        return self._links(file).rewritten(whole)

    def _links(self, file: str) -> Links:
        def picture(path: Path) -> str:
            copy = self.folder / "images" / path.name
            self.written.add(copy)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.is_file() or copy.read_bytes() != path.read_bytes():
                copy.write_bytes(path.read_bytes())
            return self._from(file, f"images/{path.name}")

        return Links(file, self.known, self.repository, picture)

    def _from(self, file: str, there: str) -> str:
        """The address of something on the site, from a file's page."""
        return os.path.relpath(there, os.path.dirname(self.known[file]) or ".")

    # ---- Notebooks ----

    def notebook(self, file: str) -> str:
        """A notebook as its page shows it."""
        book = nbformat.read(ROOT / file, as_version=4)
        links = self._links(file)
        for place, cell in enumerate(book.cells):
            if cell.cell_type == "markdown":
                cell.source = links.rewritten(cell.source)
            elif cell.cell_type == "code":
                made = [
                    self._output(file, output, self.places.get((file, place, k)))
                    for k, output in enumerate(cell.outputs)
                ]
                cell.outputs = [output for output in made if output is not None]
        title, _, rest = book.cells[0].source.partition("\n")
        book.cells[0].source = f"{title}\n\n{self._open(file)}\n\n{rest}"
        end = nbformat.v4.new_markdown_cell('<div class="course-answers" hidden></div>')
        end.id = "answers"
        book.cells.append(end)
        return nbformat.writes(book) + "\n"

    def _output(self, file: str, output: dict, place: str | None) -> dict | None:
        """An output for a page; None: nothing of it is shown, such as a bar of progress.

        place: of its explorer, if it is one.
        """
        shown = output.get("data", {})
        live = shown.pop(recording.VIEW, None) is not None
        if place is not None:
            shown["text/html"] = place
        elif live and "text/html" not in shown:
            return None
        if "text/html" in shown:
            shown["text/html"] = self._pictures(file, "".join(shown["text/html"]))
            shown.pop("image/png", None)
        if live and place is None:
            shown["text/html"] += self._needs(file, OF_ONE_RUN)
        return output

    def _pictures(self, file: str, text: str) -> str:
        """HTML whose large pictures are files: they arrive when they come into view."""

        def own(found: re.Match) -> str:
            content = base64.b64decode(found[2])
            if len(content) < OWN_PICTURE:
                return found[0]
            name = self.data.put(content, ENDINGS[found[1]])["file"]
            return f'{self._from(file, f"_static/data/{name}")}" loading="lazy'

        return INLINE.sub(own, text)

    def place(self, file: str, one: recording.Recorded) -> str:
        """The HTML of an explorer: its picture, and what js/course.js needs to open it."""
        picture, words = one.explorer.fallback()["text/html"], data.needs_python(one.explorer)
        needs = self._needs(file, words) if words else ""
        if data.stays_a_picture(one.explorer):
            return f'<div class="course-explorer">{picture}{needs}</div>'
        told = html.escape(json.dumps(self.data.state(one.explorer)), quote=True)
        more = " course-question" if one.explorer.SCRIPT == "question" else ""
        shown = f'<div class="course-explorer{more}" data-explorer="{told}">{picture}</div>'
        return f"{shown}{needs}"

    def _open(self, file: str) -> str:
        """Where the notebook of a page can be opened."""
        links = [f'<a href="{self._copy(file)}" download>the notebook, to run on your computer</a>']
        links += [
            f'<a href="{address}">{words}</a>'
            for words, address in notebook_links(file, self.repository).items()
        ]
        said = f"<p>Run and change it: {' · '.join(links)}</p>"
        return f'<div class="course-open">{said}{self._install(file)}</div>'

    def _copy(self, file: str) -> str:
        """The address of the notebook as a student gets it, from its page."""
        return self._from(file, f"{STUDENT}/{file.removeprefix('notebooks/')}")

    def _needs(self, file: str, words: str) -> str:
        """What runs in the notebook only, with a link to it."""
        link = f'<a href="{self._copy(file)}" download>the notebook</a>'
        return f'<p class="course-needs">{html.escape(words).replace("the notebook", link, 1)}</p>'

    def _install(self, file: str) -> str:
        """What Colab, which knows no gptlib, has to be told first."""
        if not notebook_links(file, self.repository):
            return ""
        command = html.escape(f"%pip install git+{self.repository}")
        return f"<p>In Colab, first run <code>{command}</code> in a cell of its own.</p>"


def take_away(folder: Path) -> None:
    """The notebooks that a reader downloads, as `make student` writes them."""
    for name, content in student.copies().items():
        path = folder / STUDENT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
