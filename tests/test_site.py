"""The site as a reader has it: built once, served under a path, opened in a real browser."""

import functools
import html
import json
import os
import re
import subprocess
import sys
import threading
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

import pytest
import torch
from browser import chromium, chromium_page
from live import Live

import gptlib
from gptlib.corpora import pets as grammar
from gptlib.storage import answers
from gptlib.teaching import tally
from gptlib.widgets import training_explorer
from gptlib.widgets.truth import true_tokens

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = "https://github.com/someone/a-course"
UNDER = "some where/course"  # the site's place on its server
LARGEST = 2_000_000  # bytes of the front page and of all that it asks for
WINDOWS = {"desktop": {"width": 1366, "height": 768}, "phone": {"width": 390, "height": 844}}
LESSON = "lessons/05_logits_and_softmax.html"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of a site, built as `make site` builds it; a warning would be an error.

    GPTLIB_SITE=build/site takes one that is built already, with REPOSITORY.
    """
    if os.environ.get("GPTLIB_SITE"):
        return Path(os.environ["GPTLIB_SITE"]).resolve()
    folder = tmp_path_factory.mktemp("site") / UNDER
    folder.parent.mkdir(parents=True)
    command = [sys.executable, ROOT / "tools" / "make_site.py", folder]
    done = subprocess.run(
        command,
        env=os.environ | {"GPTLIB_REPOSITORY": REPOSITORY, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address(site):
    """Where the site is served."""
    root = site.parents[UNDER.count("/")]
    handler = functools.partial(Quiet, directory=str(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        path = quote(site.relative_to(root).as_posix())
        yield f"http://127.0.0.1:{server.server_port}/{path}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(address):
    """A page, with `left`, the addresses off this machine that it asked for, and `said`."""
    with chromium_page(chromium()) as (page, left):
        page.left, page.said = left, []
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("console", lambda m: m.type == "error" and page.said.append(m.text))
        yield page


@pytest.fixture
def page(browser, address):
    """The same page, with nothing kept and nothing said."""
    browser.unroute_all()
    browser.set_viewport_size(WINDOWS["desktop"])
    browser.emulate_media(color_scheme="light", media="screen")
    browser.goto(address)
    browser.evaluate("localStorage.clear()")
    browser.said.clear()
    browser.left.clear()
    browser.base = address
    return browser


def opened(page, name="index.html"):
    """The live explorers of a page, each brought into view."""
    page.goto(page.base + name)
    places = page.locator("[data-explorer]")
    for k in range(places.count()):
        places.nth(k).scroll_into_view_if_needed()
        places.nth(k).locator(".gptlib-live").first.wait_for()
    found = page.locator("[data-explorer] > div > .gptlib-live")
    return [Live(page, found.nth(k)) for k in range(found.count())]


def in_page(page, code, **given):
    """What JavaScript returns; `load(name)` imports one of the page's own scripts."""
    return page.evaluate(
        f"""async given => {{
          const script = document.querySelector('script[src*="/js-"], script[src^="_static/js-"]');
          const load = (name) => import(new URL(`${{name}}.js`, script.src));
          {code}
        }}""",
        given,
    )


# The pets model and tokenizer, from the files of the first explorer that has them.
GIVEN = """
const [{ jsonOf, traitsOf }, { loadModel, loadTokenizer }] =
  await Promise.all([load("files"), load("kernel")]);
const place = [...document.querySelectorAll("[data-explorer]")].at(given.place ?? 0);
const told = await jsonOf(JSON.parse(place.dataset.explorer));
const traits = await traitsOf(told.traits);
const host = { get: (name) => traits[name] };
const [model, tokenizer] = [await loadModel(host), await loadTokenizer(host)];
"""


def html_pages(site):
    return sorted(p for p in site.rglob("*.html") if "_static" not in p.parts)


class Links(HTMLParser):
    """What a page links to and asks for, and the places on it that can be linked to."""

    def __init__(self, path):
        super().__init__()
        self.to, self.places = [], {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.places |= {found[name] for name in ("id", "name") if found.get(name)}
        self.to += [found[name] for name in ("href", "src") if found.get(name)]


# ---- Files ----


def test_no_link_within_the_site_leads_nowhere(site):
    read = {path: Links(path) for path in html_pages(site)}
    assert len(read) > 40
    wrong = []
    for path, links in read.items():
        for link in links.to:
            if urlsplit(link).scheme or link.startswith("//"):
                continue
            target, place = urldefrag(link)
            there = (path.parent / unquote(urlsplit(target).path)).resolve() if target else path
            there = there / "index.html" if there.is_dir() else there
            known = there.is_file() and (not place or there not in read)
            if not known and not (there in read and unquote(place) in read[there].places):
                wrong.append((path.name, link))
    assert wrong == []


def test_addresses_are_relative_and_nothing_is_loaded_from_elsewhere(site):
    for path in html_pages(site):
        text = path.read_text("utf-8")
        for link in Links(path).to:
            assert not link.startswith("/"), (path, link)
        loads = re.findall(r'<(?:script|img|iframe)[^>]* src="([^"]*)', text)
        loads += re.findall(r'<link[^>]*rel="(?:stylesheet|preload)"[^>]* href="([^"]*)', text)
        assert [link for link in loads if urlsplit(link).scheme not in ("", "data")] == []


def test_there_is_a_page_for_all_that_the_course_has(site):
    for notebook in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        assert (site / "lessons" / f"{notebook.stem}.html").is_file()
    for notebook in (ROOT / "notebooks" / "deeper").glob("*.ipynb"):
        assert (site / "deeper" / f"{notebook.stem}.html").is_file()
    for page in (ROOT / "docs" / "teach").glob("*.md"):
        assert (site / "teach" / f"{page.stem}.html").is_file()
    for name in ("capstone", "glossary", "appendix_ablations", "architecture", "results"):
        assert (site / f"{name}.html").is_file()
    assert (site / "api" / "attention.html").is_file()


def test_github_pages_serves_the_folders_that_begin_with_an_underscore(site):
    assert (site / ".nojekyll").is_file()


def test_a_lesson_offers_the_students_notebook_colab_and_binder(site):
    text = (site / LESSON).read_text("utf-8")
    file = "notebooks/05_logits_and_softmax.ipynb"
    assert f"https://colab.research.google.com/github/someone/a-course/blob/main/{file}" in text
    assert f"https://mybinder.org/v2/gh/someone/a-course/main?labpath={file}" in text
    copy = json.loads((site / "student" / "05_logits_and_softmax.ipynb").read_text("utf-8"))
    assert all(not cell.get("outputs") for cell in copy["cells"])


def test_every_lesson_links_to_its_second_hour(site):
    for path in (site / "lessons").glob("*.html"):
        article = re.search("<article.*?</article>", path.read_text("utf-8"), re.DOTALL)[0]
        assert f'href="../deeper/{path.name}"' in article, path.name


@pytest.mark.parametrize(
    "name", ["lessons/00_the_whole_machine", "lessons/06_training", "capstone"]
)
def test_what_is_different_at_each_run_is_said_to_be_a_picture_of_one(site, name):
    text = (site / f"{name}.html").read_text("utf-8")
    assert "This is a picture from one run. Run <a " in text


def test_a_term_is_linked_where_a_page_first_uses_it(site):
    text = (site / LESSON).read_text("utf-8")
    links = re.findall(r'<a class="course-term[^>]*href="([^"]+)"[^>]*title="([^"]+)"', text)
    assert len({link for link, _ in links}) == len(links) > 5
    assert ("../glossary.html#term-logit" in dict(links)) or any("#term-" in x for x, _ in links)


def test_the_api_pages_have_types_shapes_and_examples(site):
    def words(name):
        page = (site / "api" / f"{name}.html").read_text("utf-8")
        return html.unescape(re.sub(r"<[^>]+>", "", page))

    sampling = words("sampling")
    assert "temperature: float" in sampling and "(..., V)" in sampling and "Raises" in sampling
    assert '>>> seen = trace(model, tokenizer.encode("The cat is"))' in words("trace")
    assert '>>> model, tokenizer = load("pets")' in words("storage")


def test_the_front_page_is_small(page):
    opened(page)
    sizes = page.evaluate("""Object.fromEntries(performance.getEntries()
      .filter((entry) => "encodedBodySize" in entry)
      .map((entry) => [entry.name, entry.encodedBodySize]))""")
    assert len(sizes) > 20 and any(size > 500_000 for size in sizes.values())  # the weights too
    assert sum(sizes.values()) < LARGEST, sorted(sizes.items(), key=lambda x: -x[1])[:5]


# ---- Explorers ----


@pytest.mark.parametrize("kind", ["index.html", "lessons", "deeper", "others"])
def test_every_explorer_comes_alive_and_no_other_host_is_asked(page, site, kind):
    names = [p.relative_to(site).as_posix() for p in html_pages(site)]
    others = [n for n in names if not n.startswith(("index.html", "lessons/", "deeper/"))]
    assert "capstone.html" in others
    for name in others if kind == "others" else [n for n in names if n.startswith(kind)]:
        for explorer in opened(page, name):
            assert explorer.strange() == [] and "⚠" not in "".join(explorer.words()), name
        assert page.locator(".course-trouble").count() == 0
        assert page.locator(".katex-error").count() == 0
    assert page.left == [] and page.said == []


def test_logits_in_the_page_are_those_of_gptlib(page, pets):
    model, tokenizer = pets
    texts = ["The cat is", "The dog was hungry. It", "Mia has a red ball. Tom has a blue ball. The"]
    opened(page)
    code = (
        GIVEN
        + """return given.texts.map((text) =>
      [...model.next(tokenizer.encode(text, { allowSpecial: true }))])"""
    )
    found = in_page(page, code, texts=texts)
    for text, logits in zip(texts, found, strict=True):
        with torch.no_grad():
            expected = model(torch.tensor([tokenizer.encode(text)]))[0, -1]
        assert (torch.tensor(logits) - expected).abs().max() < 1e-4


def test_a_hundred_sentences_of_equal_seeds_are_equal(page, pets):
    model, tokenizer = pets
    opened(page)
    code = (
        GIVEN
        + """
      const { Stream, draw, softmax } = await load("sampling");
      return given.seeds.map((seed) => {
        const stream = new Stream(seed), ids = tokenizer.encode("The cat is");
        for (let k = 0; k < 20 && ids.at(-1) !== tokenizer.eosId; k++)
          ids.push(draw(softmax(model.next(ids)), stream.at(k)));
        return ids;
      })"""
    )
    found = in_page(page, code, seeds=list(range(100)))
    start = torch.tensor(tokenizer.encode("The cat is"))
    for seed, ids in enumerate(found):
        generator = torch.Generator().manual_seed(seed)
        expected = gptlib.generate(
            model, start, 20, eos_id=tokenizer.eos_id, generator=generator
        ).tolist()
        assert ids == expected, seed


def test_the_truth_in_the_page_is_the_grammars(page, pets):
    _, tokenizer = pets
    text = grammar.sample(30, seed=5)
    prefixes = [text[:k] for k in range(0, 600, 7)]
    prefixes += ["", "The cat is ", "The cat is flying", "Tom has a red ball. Tom", "<|endoftext|>"]
    opened(page)
    code = (
        GIVEN
        + """
      const { Truth } = await load("truth");
      const truth = new Truth(await jsonOf(told.answers.truth));
      return given.all.map((ids) => {
        try { return [...truth.nextTokens(tokenizer, ids)]; }
        catch (error) { return error.message; }
      })"""
    )
    all_ids = [tokenizer.encode(prefix, allowed_special="all") for prefix in prefixes]
    for ids, found in zip(all_ids, in_page(page, code, all=all_ids, place=1), strict=True):
        try:
            expected = true_tokens(grammar.next_words, tokenizer, ids)
        except ValueError as error:
            assert found == str(error)
        else:
            assert dict(found) == expected


def test_the_recorded_run_answers_a_prompt_as_in_the_notebook(page):
    asked = "The dog is"
    found = opened(page, "lessons/06_training.html")
    (explorer,) = [e for e in found if e.root.get_attribute("aria-label") == "Training explorer"]
    explorer.control("textbox", "prompt").fill(asked)
    page.wait_for_function(
        "root => root.querySelector('[aria-label*=\"The dog is\"]')",
        arg=explorer.root.element_handle(),
    )
    said = explorer.root.locator('[aria-label*="The dog is"]').last.get_attribute("aria-label")
    mine = training_explorer("pets", truth=grammar.next_words)
    mine.answer_prompt(asked)
    for row in mine.rows():
        assert row.name in said
    assert "⚠" not in "".join(explorer.words())


def test_what_needs_python_says_so_with_a_link_to_the_notebook(page):
    opened(page, "lessons/06_training.html")
    words = page.locator(".course-needs").all_inner_texts()
    assert any("To train a model of your own, open the notebook" in line for line in words)
    assert page.get_by_role("button", name="Start", exact=True).count() == 0
    assert page.locator(".course-needs a[download]").count() == len(words)
    assert page.locator(".course-open a[download]").count() == 1


def test_the_studio_is_driven_by_keyboard(page):
    _, studio = opened(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to content"
    page.keyboard.press("Enter")
    studio.reach("button", "Step")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "root => root.innerText.includes('1 drawn')", arg=studio.root.element_handle()
    )
    studio.reach("slider", "temperature")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    studio.root.locator('[role=img][aria-label*="temperature 1.2:"]').wait_for()


def test_any_text_typed_is_text(page):
    machine, studio = opened(page)
    for explorer, name in ((machine, "text"), (studio, "prompt")):
        explorer.control("textbox", name).fill('<img src=x onerror="alert(1)"></p>')
        page.wait_for_timeout(200)
        assert explorer.strange() == []
    assert page.said == []


# ---- What goes wrong on the way ----


def test_while_its_files_are_on_the_way_an_explorer_says_so(page):
    files, held = "**/_static/data/*.json", []
    page.route(files, lambda route: held.append(route))
    page.goto(page.base, wait_until="domcontentloaded")
    place = page.locator("[data-explorer]").first
    assert place.locator("img").is_visible()
    line = place.locator("[role=status]")
    line.wait_for()
    assert line.inner_text() == "Loading …"
    page.route(files, lambda route: route.continue_())
    for route in held:
        route.continue_()
    place.locator("> div > .gptlib-live").wait_for()
    assert place.locator(".course-loading").count() == 0


@pytest.mark.parametrize(
    "fault, says",
    [
        ("lost", "did not arrive"),
        ("missing", "did not arrive"),
        ("cut", "was cut short"),
        ("foreign", "is not the one that this page was made with"),
    ],
)
def test_a_model_file_that_is_wrong_is_said_and_the_page_goes_on(page, fault, says):
    def spoil(route):
        if fault == "lost":
            return route.abort()
        if fault == "missing":
            return route.fulfill(status=404, body="")
        body = route.fetch().body()
        if len(body) < 500_000:  # the weights are the one large file here
            return route.fulfill(body=body)
        return route.fulfill(body=body[:1000] if fault == "cut" else bytes(len(body)))

    page.route("**/_static/data/*.bin", spoil)
    page.goto(page.base)
    trouble = page.locator(".course-trouble").first
    trouble.wait_for()
    assert says in trouble.inner_text() and trouble.get_attribute("role") == "alert"
    assert page.locator("[data-explorer] img").first.is_visible()
    page.goto(f"{page.base}{LESSON}")  # without that file
    assert all("⚠" not in "".join(e.words()) for e in opened(page, LESSON))
    page.unroute_all()
    page.goto(page.base)
    page.locator("[data-explorer] .gptlib-live").first.wait_for()


def test_trying_again_opens_the_explorer(page):
    page.route("**/_static/data/*.json", lambda route: route.abort())
    page.goto(page.base)
    page.locator(".course-trouble").first.wait_for()
    page.unroute_all()
    page.get_by_role("button", name="Try again").first.click()
    page.locator("[data-explorer] > div > .gptlib-live").first.wait_for()


# ---- Questions ----


def test_an_answer_is_kept_and_saved_as_gptlib_keeps_and_counts_it(page, tmp_path, monkeypatch):
    explorers = opened(page, LESSON)
    question = next(e for e in explorers if e.root.get_by_role("radio").count())
    question.root.get_by_role("radio").nth(1).check()
    question.root.get_by_role("button", name=re.compile("Check|Commit")).click()
    save = page.get_by_role("button", name="Save your answers")
    save.wait_for()
    with page.expect_download() as download:
        save.click()
    saved = tmp_path / "of a student.jsonl"
    download.value.save_as(saved)
    mine = json.loads(saved.read_text("utf-8"))
    counted = tally(saved)
    assert counted.counts == {
        (mine["lesson"], mine["question"]): {(mine["chosen"], mine["right"]): 1}
    }
    assert not counted.damaged and not counted.left_out
    kept = tmp_path / "answers.jsonl"
    monkeypatch.setenv("GPTLIB_ANSWERS", str(kept))
    answers.record(*(mine[key] for key in ("lesson", "question", "kind", "chosen", "right")))
    own = json.loads(kept.read_text("utf-8"))
    assert list(own) == list(mine) and len(own["time"]) == len(mine["time"])
    assert {k: v for k, v in own.items() if k != "time"} == {
        k: v for k, v in mine.items() if k != "time"
    }


def test_an_answer_is_still_there_when_the_page_is_opened_again(page):
    question = next(e for e in opened(page, LESSON) if e.root.get_by_role("radio").count())
    question.root.get_by_role("radio").nth(1).check()
    question.root.get_by_role("button", name=re.compile("Check|Commit")).click()
    page.get_by_role("button", name="Save your answers").wait_for()
    again = next(e for e in opened(page, LESSON) if e.root.get_by_role("radio").count())
    assert again.root.get_by_role("radio").nth(1).is_checked()


def boxes(page):
    """The boxes of LESSON's first prediction and of its comparison, further down."""
    explorers = opened(page, LESSON)
    found = (
        e
        for e in explorers
        for name in ("Commit", "Compare")
        if e.root.get_by_role("button", name=name, include_hidden=True).count()
    )
    return next(found), next(found)


def reply(box):
    return box.root.locator(".gptlib-reply").inner_text()


def compared(question, comparison):
    """What is replied to the second answer once it is committed and compared."""
    assert comparison.control("button", "Compare").is_disabled()
    question.root.get_by_role("radio").nth(1).check()
    question.root.get_by_role("button", name="Commit").click()
    comparison.root.get_by_role("button", name="Compare").click()
    return reply(comparison)


def test_a_prediction_that_was_compared_still_is_when_the_page_is_opened_again(page):
    said = compared(*boxes(page))
    assert "The answer is: " in said
    assert [reply(box) for box in boxes(page)] == [said, said]


def test_where_nothing_is_kept_a_prediction_is_compared_all_the_same(page):
    question, comparison = boxes(page)
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    assert "The answer is: " in compared(question, comparison)
    assert "This answer was not kept: this browser keeps nothing" in question.message()
    assert page.said == []


# ---- Looks ----


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_screen_reader_and_a_keyboard_miss_nothing(page, window, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page.set_viewport_size(WINDOWS[window])
    page.emulate_media(color_scheme=scheme)
    for name in ("index.html", LESSON, "glossary.html", "api/sampling.html"):
        opened(page, name)
        found = Axe().run(page).response
        grave = [
            (rule["id"], node["html"][:200], node["failureSummary"])
            for rule in found["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]
        assert grave == [], name


def too_wide(page):
    """How many pixels a page is wider than its window."""
    return max(0, page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.mark.parametrize("window", WINDOWS)
def test_no_explorer_makes_its_page_wider_than_the_window(page, window):
    page.set_viewport_size(WINDOWS[window])
    for name in ("index.html", LESSON, "lessons/03_masked_attention.html"):
        opened(page, name)
        assert too_wide(page) == 0, name


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_its_window(page, site, window, scheme):
    page.set_viewport_size(WINDOWS[window])
    page.emulate_media(color_scheme=scheme)
    lessons = [p.relative_to(site).as_posix() for p in sorted((site / "lessons").glob("*.html"))]
    for name in ("index.html", *lessons, "capstone.html", "results.html"):
        page.goto(page.base + name)
        assert too_wide(page) == 0, name


LOOK = """() => {
  const style = getComputedStyle(document.querySelector(".gptlib-live"));
  return [style.color, style.backgroundColor, style.webkitPrintColorAdjust];
}"""
DARK_ON_LIGHT = ["rgb(31, 31, 31)", "rgb(255, 255, 255)"]
LIGHT_ON_DARK = ["rgb(255, 255, 255)", "rgb(19, 20, 22)"]


@pytest.mark.parametrize("chosen", ["dark", "auto"])
def test_what_is_dark_is_printed_as_if_it_were_light(page, chosen):
    page.emulate_media(color_scheme="dark")
    opened(page)
    page.evaluate("theme => { document.body.dataset.theme = theme; }", chosen)
    assert page.evaluate(LOOK)[:2] == LIGHT_ON_DARK
    page.emulate_media(media="print")
    assert page.evaluate(LOOK) == [*DARK_ON_LIGHT, "exact"]


def test_the_theme_button_changes_the_page_and_its_explorers(page):
    opened(page)
    button = page.get_by_role("button", name=re.compile("color theme"))
    seen = {}
    for _ in range(3):
        seen[page.locator("body").get_attribute("data-theme")] = page.evaluate(LOOK)[:2]
        button.click()
    assert seen == {"auto": DARK_ON_LIGHT, "light": DARK_ON_LIGHT, "dark": LIGHT_ON_DARK}


def test_the_search_finds_a_word_wherever_the_site_is_served(page):
    page.goto(f"{page.base}search.html?q=softmax")
    found = page.locator("#search-results li a", has_text="Logits and softmax").first
    found.wait_for()
    found.click()
    page.wait_for_url(re.compile("/05_logits_and_softmax.html"))
    assert page.url.startswith(page.base) and page.left == [] and page.said == []


def test_without_scripts_there_are_pictures_and_folded_answers(browser, address):
    context = browser.context.browser.new_context(java_script_enabled=False)
    try:
        plain = context.new_page()
        plain.goto(address)
        assert plain.locator(".course-explorer img").count() == 2
        plain.goto(urljoin(address, LESSON))
        question = plain.locator(".course-explorer details").first
        assert not question.locator("ol").is_visible()
        question.locator("summary").click()
        assert question.locator("ol").is_visible()
    finally:
        context.close()
