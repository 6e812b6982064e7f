"""How pages are made of notebooks: what is run, what links lead to, which words are linked."""

import ast

import nbformat
import pytest
from website import data, docstrings, grammar, pages, recording, sources, terms

from gptlib import widgets
from gptlib.corpora import pets as grammar_of


def kept(*statements, cell):
    made = recording.needed([ast.parse(s).body[0] for s in statements], ast.parse(cell))
    return [ast.unparse(statement) for statement in made]


def test_only_what_an_explorer_depends_on_is_run():
    before = ["import gptlib", "x = load()", "slow = train(x)", "names = []", "names.append(x)"]
    assert kept(*before, cell="show(x)") == ["x = load()"]
    assert kept(*before, cell="show(names)") == ["x = load()", "names = []", "names.append(x)"]
    assert kept(*before, cell="gptlib.show(slow)") == before[:3]


def test_of_two_values_the_later_is_taken_and_what_it_was_made_from():
    assert kept("x = 1", "x = 2", cell="show(x)") == ["x = 2"]
    assert kept("x = 1", "x = x + 1", cell="show(x)") == ["x = 1", "x = x + 1"]
    changed = ["x = []", "x += [2]", "x[0] = 3"]
    assert kept(*changed, cell="show(x)") == changed
    assert kept("x = {}", "for k in y:\n    x[k] = k", cell="show(x)")[1].startswith("for k")


def test_a_function_brings_along_what_it_reads():
    function = "def f(y):\n    return y + a"
    assert kept("a = 1", "b = 2", function, cell="show(f)") == ["a = 1", function]


def notebook(path, says):
    code = "from gptlib import widgets\nwidgets.size_explorer('pets')"
    data = {recording.VIEW: {"model_id": "x"}, "text/plain": says}
    cell = nbformat.v4.new_code_cell(code, outputs=[nbformat.v4.new_output("execute_result", data)])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


def test_a_page_never_opens_with_anything_but_what_the_notebook_shows(tmp_path):
    with pytest.raises(ValueError, match="cell 0: shows .*something else.* makes .*129,600"):
        recording.explorers(notebook(tmp_path / "a.ipynb", "something else"))


def test_an_explorer_is_recorded_with_its_place(tmp_path):
    from gptlib.widgets import size_explorer

    path = notebook(tmp_path / "a.ipynb", size_explorer("pets").describe())
    (one,) = recording.explorers(path)
    assert (one.cell, one.output, one.explorer.layers) == (0, 0, 2)


def test_what_calls_a_students_code_stays_a_picture(pets):
    def sampler(logits, *settings):
        return logits.softmax(-1)

    own, plain = (widgets.sampling_studio(*pets, sampler=which) for which in (sampler, None))
    assert data.stays_a_picture(own) and "the sampler that you write" in data.needs_python(own)
    assert data.needs_python(plain) is None and not data.stays_a_picture(plain)


def test_what_a_notebook_changes_in_gptlib_does_not_reach_the_next():
    first = grammar_of.FIRST
    with recording.package_as_it_is():
        grammar_of.FIRST = {"The": 1.0}
    assert grammar_of.FIRST is first


# ---- The grammar ----


@pytest.fixture(scope="module")
def table():
    return grammar.table()


def walked(table, words):
    """{word: p} after words, by the table."""
    state = table["start"]
    for word in words:
        row = table["states"][state]
        steps = {table["words"][row[k]]: row[k + 2] for k in range(0, len(row), 3)}
        state = steps[word] if steps[word] >= 0 else table["start"]
    row = table["states"][state]
    return {
        table["words"][row[k]]: table["probabilities"][row[k + 1]] for k in range(0, len(row), 3)
    }


def test_the_table_knows_what_the_grammar_knows_of_every_prefix(table):
    words = grammar_of.split(grammar_of.sample(60, seed=3))
    for end in range(len(words)):
        assert walked(table, words[:end]) == grammar_of.next_words(grammar_of.join(words[:end]))


def test_the_table_sums_to_one_everywhere(table):
    for row in table["states"]:
        assert sum(table["probabilities"][p] for p in row[1::3]) == pytest.approx(1)


# ---- Links ----


@pytest.fixture
def links():
    known = pages.pages()
    return lambda file, repository="": pages.Links(file, known, repository, lambda path: path.name)


def test_a_link_leads_to_the_page_that_a_file_becomes(links):
    lesson = links("notebooks/05_logits_and_softmax.ipynb")
    found = lesson.rewritten("[deeper](deeper/05_logits_and_softmax.ipynb), [word](glossary.md#x)")
    assert found == "[deeper](../deeper/05_logits_and_softmax.ipynb), [word](../glossary.md#x)"


def test_a_link_to_another_file_leads_to_the_repository_or_is_only_words(links):
    text = "see [the licence](../LICENSE), `[not](this)`"
    assert links("docs/architecture.md").rewritten(text) == "see the licence, `[not](this)`"
    found = links("docs/architecture.md", "https://github.com/a/b").rewritten(text)
    assert found == "see [the licence](https://github.com/a/b/blob/main/LICENSE), `[not](this)`"


def test_a_link_that_leads_nowhere_is_an_error(links):
    with pytest.raises(ValueError, match="docs/architecture.md: there is no docs/gone.md"):
        links("docs/architecture.md").rewritten("[x](gone.md)")


@pytest.mark.parametrize("repository", ["", "https://example.org/a/b", "https://github.com/a"])
def test_without_an_address_on_github_there_is_no_colab_and_no_binder(repository):
    assert pages.notebook_links("notebooks/a.ipynb", repository) == {}


# ---- Words ----


def test_the_names_in_a_row_of_the_glossary():
    assert terms.names_of("Byte pair encoding (BPE)") == ["Byte pair encoding", "BPE"]
    assert terms.names_of("Head (of attention)") == ["Head"]
    assert terms.names_of("Gain, bias") == ["Gain", "bias"]


def test_every_row_of_the_glossary_is_read():
    text = terms.GLOSSARY.read_text("utf-8")
    assert len(terms.rows()) == text.count("\n| ") - 1 > 100


def test_the_glossarys_page_says_where_a_term_is_explained(tmp_path):
    page = sources.Site(tmp_path / "pages", tmp_path / "static").glossary()
    assert "(lesson [05](lessons/05_logits_and_softmax.ipynb))" in page
    assert "([capstone](capstone.ipynb))" in page and "lesson [capstone]" not in page


def test_a_term_is_linked_once_as_a_whole_word_and_in_the_plural():
    found = list(terms._linked("Logits are not logit; catalogits, a Logit.", "g.html", set()))
    assert [node.astext() for node in found][:2] == ["", "Logits"]
    assert found[1]["refuri"] == "g.html#term-logit" and len(found) == 3


def test_signs_of_plain_text_are_no_markup():
    assert docstrings.escaped("`f`(x), a`b`") == r"`f`\ (x), a\ `b`"
    assert docstrings.escaped("a * b | `c * d` name_ x_y") == r"a \* b \| `c * d` name\_ x_y"


def test_an_indented_example_is_code():
    lines = ["Walk.", "", "    f(*x)", "", "Args:", "    a: b*"]
    docstrings.prepare(None, "function", "f", None, {}, lines)
    assert lines == ["Walk.", "", "::", "", "    f(*x)", "", "Args:", r"    a: b\*"]
