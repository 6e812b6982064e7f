"""Every picture in both themes: it can be read, says what it shows, and leaves nothing behind."""

import io
import math
import subprocess
import sys
import warnings
from functools import cache
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from matplotlib.text import Text
from nbclient import NotebookClient

import gptlib
from gptlib import plots
from gptlib.attention import mask_scores
from gptlib.corpora import pets as grammar
from gptlib.plots.machine import PARTS
from gptlib.plots.parts.image import size_of
from gptlib.plots.style import CSS_DPI, DPI, SMALL, THEMES, contrast, picture_theme

ROOT = Path(__file__).resolve().parents[2]
SENTENCE = "Mia has a red ball. Tom has a big blue ball. The ball of Mia is"
NOUNS = ["cat", "dog", "bird", "cats", "sky", "ball", "kite", "box"]
OTHERS = ["sleeping", "happy", "running", "hungry", "Mia", "Tom", "Ben", "Eve", "red", "blue"]


@cache
def shipped():
    """The pets model, its tokenizer, and traces of a short and of a long sentence."""
    model, tokenizer = gptlib.load("pets")
    traces = {}
    for text in ("The cat is", SENTENCE):
        ids = tokenizer.encode(text)
        tokens = [tokenizer.token_str(id) for id in ids]
        traces[text] = (gptlib.trace(model, ids), tokens)
    return model, tokenizer, *traces.values()


def causal(count, generator, *lead):
    scores = 2 * torch.randn(*lead, count, count, generator=generator)
    return torch.softmax(mask_scores(scores), -1)


@cache
def pictures():
    """{name: a function that draws it}: every public function, small and large."""
    model, tokenizer, (three, tokens), (long, many) = shipped()
    g = torch.Generator().manual_seed(0)
    random = causal(32, g)
    all_heads = causal(10, g, 12, 12)
    names = [f"␣word{k}" for k in range(32)]
    some = NOUNS + OTHERS
    vectors = model.wte.weight[[tokenizer.encode(" " + word)[0] for word in some]]
    groups = ["noun"] * len(NOUNS) + ["other word"] * len(OTHERS)
    truth = grammar.next_words("The cat is")
    said = {tokenizer.token_str(k): p for k, p in enumerate(three.probs[-1].tolist())}
    drawn = {"sleeping": 0.61, "on": 0.29, "happy": 0.06, "running": 0.04}
    history = gptlib.load_history("pets")
    steps = [0, 10, 100, 1000, 5000, 6000, 7000, 8000, 9000, 10000, 11000, 12000]
    share = np.linspace(0.02, 1, len(steps))[:, None] * [[0.6, 0.3, 0.05, 0.05]]
    sleeping = tokenizer.encode(" sleeping")[0]
    merged = [gptlib.Tokenizer(tokenizer.merges[:k]) for k in (0, 10, 60)]
    strips = [[t.token_str(id) for id in t.encode(SENTENCE)] for t in merged]
    return {
        **{f"machine {part}": lambda part=part: plots.machine(part) for part in MAP},
        "head": lambda: plots.attention_head(three, tokens, layer=1, head=2),
        "head of one token": lambda: plots.attention_head([[1.0]], ["The"]),
        "head of many tokens": lambda: plots.attention_head(long, many, layer=-1),
        "head of 32 tokens": lambda: plots.attention_head(random, names),
        "head in focus": lambda: plots.attention_head(three, tokens, 1, 2, focus=[2, (1, 0)]),
        "head of many in focus": lambda: plots.attention_head(long, many, 1, 1, rows=[4, 11, -1]),
        "head of 24 in focus": lambda: plots.attention_head(
            causal(24, torch.Generator().manual_seed(1)), names[:24], focus=[3, 4, 23, (9, 2)]
        ),
        "head of 200 in focus": lambda: plots.attention_head(
            causal(200, torch.Generator().manual_seed(1)), ["x"] * 200, focus=[199, (50, 3)]
        ),
        "heads": lambda: plots.attention_heads(three, tokens),
        "heads in focus": lambda: plots.attention_heads(three, tokens, focus=[-1]),
        "heads of many in focus": lambda: plots.attention_heads(long, many, focus=[-1]),
        "some heads": lambda: plots.attention_heads(
            three, tokens, heads=[(0, 0), (0, 3), (1, 0), (1, 1), (1, 3)]
        ),
        "some heads in focus": lambda: plots.attention_heads(
            three, tokens, heads=[(0, 3), (1, 1)], focus=["is", ("cat", "The")]
        ),
        "some heads of many": lambda: plots.attention_heads(
            long, many, heads={"looks at the subject of its sentence": (0, 3), "b": (1, 1)}
        ),
        "some heads of many in focus": lambda: plots.attention_heads(
            long, many, heads=[(0, 3), (1, 1)], focus=[4, 11, -1]
        ),
        "heads of many tokens": lambda: plots.attention_heads(long, many),
        "heads of GPT-2": lambda: plots.attention_heads(all_heads, names[:10]),
        "steps": lambda: plots.attention_steps(three, tokens),
        "steps of one token": lambda: plots.attention_steps([[0.0]], ["The"]),
        "steps of many tokens": lambda: plots.attention_steps(long, many, 1, 2),
        "steps in focus": lambda: plots.attention_steps(three, tokens, focus=[2]),
        "steps of many in focus": lambda: plots.attention_steps(long, many, 1, 1, focus=[4, -1]),
        "cosines in focus": lambda: plots.cosine_heatmap(vectors[:6], some[:6], focus=["cat"]),
        "cosines of many in focus": lambda: plots.cosine_heatmap(
            {"before": -vectors, "after": vectors}, some, focus=["cat", ("dog", "sky")]
        ),
        "cosines": lambda: plots.cosine_heatmap(vectors[:6], some[:6]),
        "cosines, twice": lambda: plots.cosine_heatmap(
            {"before training": -vectors, "after training": vectors}, some
        ),
        "map of words": lambda: plots.embedding_map(vectors, some, groups, title="Words"),
        "map of one word": lambda: plots.embedding_map(vectors[:1], some[:1]),
        "arrows": lambda: plots.arrows([[1, 2], [2, 1], [2, -1], [-2, 1], [-1, -2]], NOUNS[:5]),
        "arrow of length 0": lambda: plots.arrows([[0, 0]], ["cat"]),
        "positions": lambda: plots.position_similarity(model.wpe.weight),
        "GELU": plots.gelu_and_relu,
        "hidden unit": lambda: plots.hidden_unit(three.layers[1].mlp_hidden[:, 34], tokens, "34"),
        "contributions": lambda: plots.contributions(
            plots.logit_parts(model, three, sleeping), "sleeping"
        ),
        "contributions, some negative": lambda: plots.contributions({"a": -2.0, "b": 1.5}),
        "softmax": lambda: plots.logits_to_probs([4.3, 3.6, 1.8, -1.8], list(truth)),
        "softmax of negatives": lambda: plots.logits_to_probs([-4.0, -30.0], ["on", "happy"]),
        "logit lens": lambda: plots.logit_lens(three, tokens, tokenizer.token_str),
        "logit lens of many": lambda: plots.logit_lens(long, many, tokenizer.token_str),
        "loss": lambda: plots.loss_curve(history, vocab_size=397),
        "loss, log": lambda: plots.loss_curve(history, vocab_size=397, log_steps=True),
        "loss, truth and band": lambda: plots.loss_curve(history, truth=0.49, spread=(0.4, 0.6)),
        "loss of one step": lambda: plots.loss_curve([(1, 2.0)]),
        "probabilities": lambda: plots.probs_over_training(steps, share, list(truth), truth),
        "probabilities of one": lambda: plots.probs_over_training([0], share[:1], list(truth)),
        "compared": lambda: plots.compare({"T = 0.5": truth, "T = 2": drawn}),
        "compared, one": lambda: plots.compare({"model": drawn}, title="After The cat is"),
        "model beside truth": lambda: plots.model_beside_truth(said, truth),
        "and sampled": lambda: plots.model_beside_truth(said, truth, drawn, title="The cat is …"),
        "tree": lambda: plots.sentence_tree(grammar.continuations("The cat is")),
        "tree, greedy fails": lambda: plots.sentence_tree(grammar.continuations("The dog is")),
        "tree of many": lambda: plots.sentence_tree(grammar.continuations("The")),
        "tree of one": lambda: plots.sentence_tree([("The end.", 1.0)]),
        "time": lambda: plots.time_per_token([16, 64, 504], [1.8, 8.3, 46.8], [1.3, 1.2, 1.7]),
        "time of one": lambda: plots.time_per_token([16], [1.8], [1.3]),
        "ablations": lambda: plots.ablation_losses(gptlib.ablations.measured()),
        "strip": lambda: plots.token_strip(tokens, three.ids.tolist()),
        "strip of many": lambda: plots.token_strip(many, long.ids.tolist()),
        "strip of one": lambda: plots.token_strip(["The"]),
        "merges": lambda: plots.merge_strips(strips, ["bytes", "10 merges", "60 merges"]),
        "hostile tokens": lambda: plots.attention_head(
            np.eye(4), ["$x_1$", "<b>\n", "\ud83d\x00", "\u4e2d\u0301 " * 20]
        ),
    }


MAP = (None, *PARTS)
NAMES = sorted(pictures())
THEMED = pytest.mark.parametrize("theme", list(THEMES))
EVERY = pytest.mark.parametrize("name", NAMES)


@cache
def looked_at(name, theme):
    """A picture drawn once, to be measured; nothing may be changed by that.

    The dark one is that of a page, drawn with its light one: `page`.
    """
    before = dict(matplotlib.rcParams.copy())
    with warnings.catch_warnings(), plots.theme("page" if theme == "dark" else theme):
        warnings.simplefilter("error")
        page = pictures()[name]()
        figure = page.dark if theme == "dark" else page
        texts, ground, width = measured(figure)
    changed = dict(matplotlib.rcParams.copy()) != before
    return SimpleNamespace(
        page=page, figure=figure, width=width, texts=texts, ground=ground, changed=changed
    )


def measured(figure):
    """Every text that is seen with its box in pixels, the picture without any text, and its width.

    The width is that of the image in a page, in CSS pixels.
    """
    figure.set_dpi(100)
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()  # places every text
    renderer = canvas.get_renderer()
    found = []
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            box = Text.get_window_extent(text, renderer)  # without its arrow
            found.append(SimpleNamespace(text=text.get_text(), box=box, colour=text.get_color()))
            found[-1].size = text.get_fontsize()
    inches = figure.get_tightbbox(renderer).width + 0.3 if figure.crop else figure.get_figwidth()
    renderer.draw_text = lambda *_, **__: None  # the ground of a text stays
    canvas.draw()
    return found, np.array(canvas.buffer_rgba())[..., :3], inches * CSS_DPI


# ---- Reading ----

LEVELS = np.arange(256) / 255
LINEAR = np.where(LEVELS <= 0.04045, LEVELS / 12.92, ((LEVELS + 0.055) / 1.055) ** 2.4)


@EVERY
@THEMED
def test_every_text_contrasts_with_what_lies_behind_it(name, theme):
    look = looked_at(name, theme)
    ground = LINEAR[look.ground] @ [0.2126, 0.7152, 0.0722]
    tall, wide = ground.shape
    for text in look.texts:
        left, right = np.clip([text.box.x0, text.box.x1], 0, wide - 1).astype(int)
        top, bottom = np.clip([tall - text.box.y1, tall - text.box.y0], 0, tall - 1).astype(int)
        behind = ground[top : bottom + 1, left : right + 1]
        ink = luminance(text.colour)
        ratio = (np.maximum(behind, ink) + 0.05) / (np.minimum(behind, ink) + 0.05)
        assert np.mean(ratio >= 4.5) > 0.85, (text.text, ratio.min())


@EVERY
def test_no_text_covers_another_and_none_is_cut_off(name):
    look = looked_at(name, "light")
    boxes = [(text.text, *text.box.extents) for text in look.texts]
    for one, other in combinations(boxes, 2):
        width = min(one[3], other[3]) - max(one[1], other[1])
        height = min(one[4], other[4]) - max(one[2], other[2])
        assert width < 1.5 or height < 3.5, (one[0], other[0])  # boxes have a hair around letters
    if not look.figure.crop:  # the others are cropped around what is drawn
        wide, tall = look.figure.bbox.size
        for text, left, low, right, high in boxes:
            assert left >= 2 and low >= 2 and right <= wide - 2 and high <= tall - 2, text


@EVERY
def test_letters_are_large_enough_for_the_last_row_and_pictures_fit_a_page(name):
    look = looked_at(name, "light")
    assert all(text.size >= SMALL for text in look.texts)
    assert look.width <= 1034  # CSS pixels of a projector: wider, and its letters would shrink


@pytest.mark.parametrize(
    "name", ["machine None", "tree", "heads", "loss", "head of many in focus", "hostile tokens"]
)
def test_the_image_in_a_page_is_as_wide_as_was_measured(name):
    """Of each kind of layout one: to make the image of each picture would take long."""
    figure = pictures_again(name, "light")
    _, metadata = figure._repr_mimebundle_()
    png = size_of(figure.png())[0] / DPI * CSS_DPI
    assert metadata["image/png"]["width"] == round(png)
    assert png == pytest.approx(looked_at(name, "light").width, rel=0.01)


@EVERY
def test_every_picture_says_in_one_line_what_it_shows(name):
    said = plots.describe(looked_at(name, "light").figure)
    assert said.endswith(".") and "\n" not in said and "nan" not in said.lower().split()
    assert said == plots.describe(looked_at(name, "dark").figure)
    assert "-0.00" not in said


@EVERY
@THEMED
def test_drawing_changes_no_setting_of_matplotlib(name, theme):
    assert not looked_at(name, theme).changed


def pictures_again(name, theme):
    """A picture of one's own, to be changed."""
    with plots.theme(theme):
        return pictures()[name]()


def luminance(colour):
    return contrast(colour, "black") * 0.05 - 0.05


def test_both_themes_have_colours_that_read_on_their_paper():
    for theme in THEMES.values():
        for colour in (theme.ink, theme.soft, theme.accent, theme.second):
            assert contrast(colour, theme.paper) >= 4.5
        assert contrast(theme.ink, theme.tint) >= 4.5 and contrast(theme.ink, theme.fill) >= 4.5
    assert contrast("white", "black") == pytest.approx(21)
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.01)  # WebAIM's example


def test_nothing_has_the_colour_of_the_page_and_more_is_stronger_on_both_sides():
    for theme in THEMES.values():
        paper = luminance(theme.paper)
        for shade, zero, ends in ((theme.hue, 0.0, (1.0,)), (theme.signed, 0.5, (0.0, 1.0))):
            assert to_rgb(shade(zero)) == pytest.approx(to_rgb(theme.paper), abs=0.01)
            for end in ends:
                away = [abs(luminance(shade(x)) - paper) for x in np.linspace(zero, end, 50)]
                assert all(np.diff(away) > -1e-9) and contrast(shade(end), theme.paper) > 4.5
        assert theme.hue(1.0) == theme.signed(1.0)  # scores and weights: one colour for much


@EVERY
def test_every_picture_follows_the_page_unless_a_theme_is_asked_for(name):
    figure = looked_at(name, "dark").page
    assert figure.paint.name == "light" and figure.dark.paint.name == "dark"
    assert figure.dark.description == figure.description
    assert tuple(figure.dark.get_size_inches()) == tuple(figure.get_size_inches())
    assert looked_at(name, "light").figure.dark is None


@EVERY
def test_no_pattern_is_all_that_a_surface_has(name):
    figure = looked_at(name, "light").figure
    paper = to_rgb(figure.paint.paper)
    for patch in figure.findobj(Patch):
        assert not patch.get_hatch() or to_rgb(patch.get_facecolor()) != paper


def test_shades_rise_steadily_in_both_themes():
    for theme in THEMES.values():
        shades = [luminance(theme.hue(x)) for x in np.linspace(0, 1, 50)]
        assert all(np.diff(shades) < 0) or all(np.diff(shades) > 0)
        assert contrast(theme.hue(0.0), theme.hue(1.0)) > 4.5


# ---- Leaving nothing behind ----


def test_the_settings_of_the_user_change_no_picture():
    def head():
        return plots.attention_head([[1.0, 0.0], [0.3, 0.7]], ["a", "b"]).png()

    ours = head()
    loud = {"font.size": 30, "text.color": "red", "axes.facecolor": "pink", "image.cmap": "jet"}
    with matplotlib.rc_context(loud):
        assert head() == ours


@pytest.mark.parametrize("name", ["machine None", "heads", "map of words", "tree", "loss"])
def test_the_same_picture_is_the_same_file_each_time(name):
    first, second = pictures_again(name, "light"), pictures_again(name, "light")
    assert first.png() == second.png() == first.png()
    files = [io.BytesIO(), io.BytesIO()]
    for figure, file in zip((first, second), files, strict=True):
        figure.savefig(file, format="svg", metadata={"Date": None})
    assert files[0].getvalue() == files[1].getvalue()


def test_importing_and_drawing_load_no_pyplot_and_open_no_figure():
    code = """
import sys, matplotlib
before = dict(matplotlib.rcParams.copy())
import gptlib
assert "matplotlib.figure" not in sys.modules
from gptlib import plots
from gptlib.attention import mask_scores
assert dict(matplotlib.rcParams.copy()) == before
plots.machine().png()
print("matplotlib.pyplot" in sys.modules, dict(matplotlib.rcParams.copy()) == before)
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.stdout == "False True\n", result.stderr


# ---- Themes ----


def test_theme_as_a_context_holds_inside_it_and_as_a_call_from_then_on():
    assert picture_theme().name == "light"
    with plots.theme("dark"):
        with plots.theme("light"):
            assert picture_theme().name == "light"
        assert plots.gelu_and_relu().get_facecolor()[:3] == to_rgb(THEMES["dark"].paper)
        assert plots.gelu_and_relu(theme="light").paint.name == "light"
    assert picture_theme().name == "light"
    switch = plots.theme("dark")
    try:
        assert picture_theme().name == "dark" and repr(switch) == "<theme dark>"
    finally:
        plots.theme("page")


def test_an_error_inside_a_theme_puts_the_old_one_back():
    with pytest.raises(KeyError), plots.theme("dark"):
        raise KeyError
    assert picture_theme().name == "light"


@pytest.mark.parametrize("name", ["Dark", "", "solarized", 1])
def test_an_unknown_theme_is_refused_and_changes_nothing(name):
    with pytest.raises(ValueError, match="'light' or 'dark'"):
        plots.theme(name)
    with pytest.raises(ValueError, match="'light' or 'dark'"):
        plots.machine(theme=name)
    assert picture_theme().name == "light"


# ---- In a notebook ----


def test_a_picture_shows_itself_as_png_with_its_description_as_text_and_as_alt():
    figure = plots.compare({"model": {"on": 0.3}})
    data, metadata = figure._repr_mimebundle_()
    assert data["image/png"][:8] == b"\x89PNG\r\n\x1a\n"
    assert data["text/plain"] == metadata["image/png"]["alt"] == plots.describe(figure)
    assert set(data) == {"image/png", "text/html", "text/plain"}  # test_page has the html
    assert 300 < metadata["image/png"]["width"] < 1050


MAGIC = ("", "%matplotlib inline\nimport matplotlib.pyplot")


@pytest.fixture(scope="module")
def shown():
    """{how a cell begins: its outputs}, one after the other in a notebook."""
    draw = "from gptlib import plots\nplots.compare({'model': {'on': 0.3}})"
    cells = [nbformat.v4.new_code_cell(f"{begin}\n{draw}") for begin in MAGIC]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return {begin: cell.outputs for begin, cell in zip(MAGIC, notebook.cells, strict=True)}


@pytest.mark.parametrize("magic", MAGIC)
def test_a_notebook_shows_a_picture_once_with_or_without_pyplot(magic, shown):
    (output,) = shown[magic]
    assert set(output.data) == {"image/png", "text/html", "text/plain"}
    assert output.data["text/plain"] == "Probabilities. on: model 0.30."


def test_describe_takes_only_our_own_pictures():
    with pytest.raises(TypeError, match="made by gptlib.plots"):
        plots.describe(matplotlib.figure.Figure())


def test_all_that_is_exported_is_there_and_every_drawing_function_was_looked_at():
    drawing = set(plots.__all__) - {"Picture", "describe", "theme", "cosines", "project_2d"}
    drawing -= {"AblationTable"}  # no picture: test_plots has it
    source = Path(__file__).read_text(encoding="utf-8")
    assert all(f"plots.{name}" in source for name in drawing)
    assert all(hasattr(plots, name) and getattr(plots, name).__doc__ for name in plots.__all__)
    assert math.isclose(SMALL, 12)
