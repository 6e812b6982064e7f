"""The explorers in Firefox, on a page without a kernel: each opens, moves, and computes."""

import functools
import json
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import slides
import torch
from firefox import ARROW_RIGHT, NO_FIREFOX, find_firefox, firefox
from website.data import Data

import gptlib
from gptlib import sampling, widgets
from gptlib.corpora import pets as grammar
from gptlib.teaching.lesson import Lesson
from gptlib.widgets import esm, svg

pytestmark = pytest.mark.thorough

TEXT = "The cat is sleeping on the"


def explorers(pets):
    """{name: explorer}, each of which a page can open."""
    model, tokenizer = pets
    early = gptlib.load("pets", step=0)[0]
    truth = grammar.next_words
    return {
        "sampling_studio": widgets.sampling_studio(model, tokenizer, truth=truth),
        "machine": widgets.machine(model, tokenizer),
        "attention_explorer": widgets.attention_explorer(model, tokenizer, TEXT),
        "attention_by_hand": widgets.attention_by_hand(),
        "tokenizer_explorer": widgets.tokenizer_explorer(tokenizer, beside=tokenizer),
        "embedding_explorer": widgets.embedding_explorer({0: early, 1: model}, tokenizer),
        "block_explorer": widgets.block_explorer(model, tokenizer, truth=truth),
        "softmax_explorer": widgets.softmax_explorer(),
        "logit_lens": widgets.logit_lens(model, tokenizer, TEXT),
        "training_explorer": widgets.training_explorer("pets", truth=truth),
        "size_explorer": widgets.size_explorer("pets"),
        "question": Lesson("logits").predict("large"),
    }


NAMES = [
    "sampling_studio", "machine", "attention_explorer", "attention_by_hand", "tokenizer_explorer",
    "embedding_explorer", "block_explorer", "softmax_explorer", "logit_lens", "training_explorer",
    "size_explorer",
]  # fmt: skip


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def page(tmp_path_factory, pets):
    """A page as the site has them, with every explorer on it, in Firefox."""
    executable = find_firefox()
    if executable is None:
        pytest.skip(NO_FIREFOX)
    folder = tmp_path_factory.mktemp("pages")
    for scripts in slides.SCRIPTS:
        shutil.copytree(scripts, folder / "js", dirs_exist_ok=True)
    data, made = Data(folder / "data"), explorers(pets)
    assert list(made) == [*NAMES, "question"]
    told = {name: data.state(explorer) for name, explorer in made.items()}
    places = (
        f"<div data-name={name} data-explorer='{json.dumps(state)}'></div>"
        for name, state in told.items()
    )
    script = "<script type=module src=js/course.js></script>"
    (folder / "index.html").write_text(f"<!doctype html><title>x</title>{''.join(places)}{script}")
    handler = functools.partial(Quiet, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, firefox(executable) as browser:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.open(f"http://127.0.0.1:{server.server_port}/")
        yield browser
        server.shutdown()


def test_every_module_loads(page):
    names = sorted(path.name for path in esm.FOLDER.glob("*.js"))
    script = (
        "async names => Promise.all(names.map(async n => Object.keys(await import(`/js/${n}`))))"
    )
    assert all(page.evaluate(script, names))


@pytest.mark.parametrize("name", NAMES)
def test_an_explorer_shows_its_picture(page, name):
    """Words in a picture of some size, and no trouble said in it or in the browser's console."""
    script = """async name => {
      const place = document.querySelector(`[data-name=${name}]`);
      const picture = () => place.querySelector(".gptlib-message + div");
      place.scrollIntoView();
      for (let k = 0; k < 600 && !picture()?.innerText.trim(); k++)
        await new Promise(go => setTimeout(go, 50));
      const { width, height } = picture()?.getBoundingClientRect() ?? {};
      const wrong = [...place.querySelectorAll("[role=alert]")].map(node => node.innerText);
      return { words: picture()?.innerText, width, height, wrong };
    }"""
    found = page.evaluate(script, name)
    assert found["words"] and found["width"] > 300 and found["height"] > 50, found
    assert not found["wrong"] and not page.errors


def test_a_prediction_is_committed(page):
    """By clicks of the page's own: a window without a screen never has Firefox's focus."""
    script = """async () => {
      const place = document.querySelector("[data-name=question]");
      place.scrollIntoView();
      for (let k = 0; k < 600 && !place.querySelector("input"); k++)
        await new Promise(go => setTimeout(go, 50));
      place.querySelector("input").click();
      place.querySelector("button").click();
      return place.querySelector(".gptlib-reply").innerText;
    }"""
    assert page.evaluate(script).startswith("Noted: ") and not page.errors


def test_ten_steps_of_a_slider_move_the_bars(page, pets):
    """By keyboard, from temperature 1 to 1.5; what a screen reader says of the bars."""
    model, tokenizer = pets
    logits = gptlib.trace(model, tokenizer.encode("The cat is")).logits[-1]
    said = """async expected => {
      const studio = document.querySelector("[data-name=sampling_studio]");
      const bars = () => [...studio.querySelectorAll("[role=img]")].map(n => n.ariaLabel).join();
      const there = () => expected.every(words => bars().includes(words));
      for (let k = 0; k < 600 && !there(); k++) await new Promise(go => setTimeout(go, 50));
      studio.querySelector("input[type=range]").focus();
      return [there(), bars()];
    }"""
    for temperature in (1.0, 1.5):
        probs = gptlib.next_token_probs(logits, temperature)
        ids = {word: tokenizer.encode(f" {word}")[0] for word in grammar.next_words("The cat is")}
        expected = [f"␣{word} {svg.chance(probs[id].item())}" for word, id in ids.items()]
        there, bars = page.evaluate(said, expected)
        assert there, (temperature, expected, bars)
        page.press(ARROW_RIGHT, 10)


# ---- Numbers ----

_BEGIN = """async given => {
  const [files, kernel, sampling] = await Promise.all(
    ["files", "kernel", "sampling"].map(name => import(`/js/${name}.js`)));
  const place = document.querySelector("[data-name=sampling_studio]");
  const told = await files.jsonOf(JSON.parse(place.dataset.explorer));
  const traits = await files.traitsOf(told.traits);
  const gpt = await kernel.loadModel({ get: name => traits[name] });"""


def test_the_logits_are_gptlibs(page, pets):
    model, tokenizer = pets
    ids = tokenizer.encode(TEXT)
    found = page.evaluate(f"{_BEGIN} return Array.from(gpt.next(given)) }}", ids)
    expected = gptlib.trace(model, ids).logits[-1].numpy()
    np.testing.assert_allclose(np.array(found), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", [0, 7])
def test_a_hundred_draws_of_a_seed_are_gptlibs(page, pets, seed):
    model, tokenizer = pets
    ids = tokenizer.encode("The cat is")
    code = """
      const stream = new sampling.Stream(given.seed);
      const probs = sampling.nextTokenProbs(gpt.next(given.ids));
      return Array.from({ length: 100 }, (_, k) => sampling.draw(probs, stream.at(k))) }"""
    probs = gptlib.next_token_probs(gptlib.trace(model, ids).logits[-1]).repeat(100, 1)
    expected = sampling.draw(probs, torch.Generator().manual_seed(seed)).tolist()
    assert page.evaluate(_BEGIN + code, {"ids": ids, "seed": seed}) == expected
