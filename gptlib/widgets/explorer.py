"""What every explorer in the browser has on its Python side: data to send, questions to answer.

Its picture and its controls are in js/; what it shows where no kernel runs is drawn here, as SVG.
"""

import os
from pathlib import Path
from typing import ClassVar

import anywidget
import traitlets

from ..formats.files import atomic_write
from ..formats.values import reason
from . import svg
from .esm import bundle
from .shared import reference


class Explorer(anywidget.AnyWidget):
    """A front end in `js/SCRIPT.js`. Subclasses give SCRIPT, `draw`, `describe`, and answers.

    A method `answer_KIND(**content)` answers `kernel.ask(KIND, content)`: it returns a dict that
    JSON can hold, and what is bytes in it travels as a buffer, in the order of the dict.
    """

    SCRIPT: ClassVar[str]

    _esm = traitlets.Unicode().tag(sync=True)
    own_id = traitlets.Unicode().tag(sync=True)  # by which the page finds this widget itself
    settings = traitlets.Dict().tag(sync=True)  # what the front end is told once
    shared_model = reference()
    shared_tokenizer = reference()

    def __init__(self, **traits) -> None:
        super().__init__(_esm=bundle(self.SCRIPT), **traits)
        self.own_id = self.model_id or ""
        self.on_msg(self._hear)

    def draw(self) -> str:
        """The picture as it opens, one SVG, for where no widget can run."""
        raise NotImplementedError

    def describe(self) -> str:
        """The same in one line of text."""
        raise NotImplementedError

    def _hear(self, _, message: dict, buffers: list) -> None:
        """Answer the front end; what goes wrong is said there, where the class looks."""
        content = dict(message)
        id, kind = content.pop("id", None), content.pop("ask", None)
        try:
            answer = getattr(self, f"answer_{kind}")(**content)
        except Exception as error:
            name = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            self.send({"id": id, "error": name + reason(error)})
            return
        data = [value for value in answer.values() if isinstance(value, bytes)]
        plain = {name: value for name, value in answer.items() if not isinstance(value, bytes)}
        self.send({"id": id, **plain}, buffers=data)

    def save(self, path: str | os.PathLike) -> None:
        """Write the picture as it opens to a file: `.svg`, or `.html`.

        Raises:
            ValueError: another ending.
        """
        path = Path(path)
        if path.suffix not in (".svg", ".html"):
            raise ValueError(f"{path.name}: the name must end in .svg or .html")
        picture = self.draw()
        whole = path.suffix == ".html"
        content = svg.page(picture, self.describe()) if whole else svg.standalone(picture)
        with atomic_write(path) as temporary:
            temporary.write_text(content, encoding="utf-8")

    def fallback(self) -> dict[str, str]:
        """For where no widget can run (the web, print): the picture as an image, and its words."""
        try:
            words, picture = svg.writable(self.describe()), self.draw()
        except Exception as error:  # the live one says so too
            words, picture = svg.writable(f"{type(self).__name__}: {reason(error)}"), ""
        html = svg.image(picture, words) if picture else f"<p>{svg.escape(words)}</p>"
        return {"text/plain": words, "text/html": html}

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        view, metadata = super()._repr_mimebundle_(**kwargs)
        return view | self.fallback(), metadata
