"""The files that explorers on a page read: what they begin with, weights, tokenizers, the truth.

A file is named by what it holds: a browser never mixes an old one with a new page. Where a file
refers to another, it says its size and its SHA-256, so that a page can tell what does not fit.
"""

import hashlib
import json
from pathlib import Path

import traitlets

from gptlib.corpora import pets
from gptlib.storage.checkpoint import HISTORY, resolve
from gptlib.teaching.questions import QuestionBox
from gptlib.tokenizer import Tokenizer
from gptlib.widgets.explorer import Explorer
from gptlib.widgets.sampling import SamplingStudio
from gptlib.widgets.set_up import SetUpCheck
from gptlib.widgets.shared import Shared, share_tokenizer
from gptlib.widgets.tokenizer import TokenizerExplorer
from gptlib.widgets.training import TOKENS, TrainingExplorer

from . import grammar

OWN = {"own_id", "layout", "tabbable", "tooltip", "comm"}  # what a page has no use for


class Data:
    """A folder of such files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tables: dict[str, dict] = {}  # of each grammar: lesson 06 changes it for itself
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, content: bytes, ending: str) -> dict:
        """Write a file, once, and return what refers to it."""
        digest = hashlib.sha256(content).hexdigest()
        name = f"{digest[:16]}.{ending}"
        if not (self.folder / name).exists():
            (self.folder / name).write_bytes(content)
        return {"file": name, "bytes": len(content), "sha256": digest}

    def put_json(self, value: object) -> dict:
        """The same of what JSON can hold."""
        words = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return self.put(words.encode(), "json")

    def state(self, explorer: Explorer) -> dict:
        """Write all that a page needs to open an explorer; what refers to it."""
        traits = self._traits(explorer)
        if isinstance(explorer, TrainingExplorer):
            traits["settings"] = traits["settings"] | {"live": False}  # nothing is trained here
        answers = self._answers(explorer)
        return self.put_json({"script": explorer.SCRIPT, "traits": traits, "answers": answers})

    def _traits(self, widget: traitlets.HasTraits) -> dict:
        names = [name for name in widget.traits(sync=True) if not name.startswith("_")]
        return {name: self._told(getattr(widget, name)) for name in names if name not in OWN}

    def _told(self, value: object) -> object:
        """A value as JSON; bytes and what several explorers share are files."""
        if isinstance(value, bytes):
            return {"$bytes": self.put(value, "bin")}
        if isinstance(value, Shared):
            return {"$shared": self._traits(value)}
        if isinstance(value, QuestionBox):
            return {"$question": self.state(value)}
        return value

    # ---- What the kernel would answer, and a page must answer by itself ----

    def _answers(self, explorer: Explorer) -> dict:
        """{what is asked: the files or values that the answer is made from}."""
        found: dict = {}
        if getattr(explorer, "truth", None) is not None:
            found["truth"] = self._truth()
        if isinstance(explorer, SamplingStudio):
            found["reread"] = {}  # a page's model never changes
        if isinstance(explorer, TokenizerExplorer):
            other = explorer.beside or Tokenizer.gpt2()
            found["beside"] = self._traits(share_tokenizer(other))
        if isinstance(explorer, QuestionBox):
            found["commit"] = {
                "lesson": explorer.lesson,
                "question": explorer.name,
                "kind": explorer.kind,
                "right": explorer.question.right,
            }
        if isinstance(explorer, TrainingExplorer):
            found["prompt"] = self._recording(explorer)
        return found

    def _truth(self) -> dict:
        """The table of the grammar as it is now."""
        rules = repr({name: rule for name, rule in vars(pets).items() if name.isupper()})
        if rules not in self.tables:
            self.tables[rules] = self.put_json(grammar.table())
        return self.tables[rules]

    def _recording(self, explorer: TrainingExplorer) -> dict:
        """The recorded models, for a prompt that is typed on the page."""
        config = explorer._last.config
        return {
            "tokenizer": self._traits(share_tokenizer(explorer.tokenizer)),
            "config": config.to_dict(),
            "steps": list(explorer.recording.history.steps),
            "longest": min(TOKENS, config.block_size),
            "history": self.put((resolve("pets") / HISTORY).read_bytes(), "safetensors"),
            "truth": self._truth() if explorer.truth is not None else None,
        }


def needs_python(explorer: Explorer) -> str | None:
    """Why an explorer, or a part of it, runs only in the notebook; None: all of it runs here."""
    if isinstance(explorer, SetUpCheck):
        return "This page needs no set-up: the check is for the notebook."
    if isinstance(explorer, SamplingStudio) and explorer.sampler is not None:
        return "This explorer draws with the sampler that you write: it runs in the notebook only."
    if isinstance(explorer, TrainingExplorer):
        return "Here you see the recorded run. To train a model of your own, open the notebook."
    if hasattr(explorer, "model") and explorer.shared_model is None:
        return "This model is too large for a page, so the explorer runs in the notebook only."
    return None


def stays_a_picture(explorer: Explorer) -> bool:
    """Whether nothing of an explorer can run on a page."""
    return needs_python(explorer) is not None and not isinstance(explorer, TrainingExplorer)
