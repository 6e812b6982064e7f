"""js/gpt.js, bpe.js and sampling.js in a real browser: the numbers that gptlib computes."""

import base64
import json
import re
import unicodedata

import numpy as np
import pytest
import torch
from safetensors.torch import save

import gptlib
from gptlib.ablations import PARTS
from gptlib.formats import visible
from gptlib.formats.hf import to_hf_tensors
from gptlib.sampling import draw
from gptlib.widgets import esm, svg
from gptlib.widgets.attention import exchanged

TEXTS = [
    "The cat is sleeping.",
    "It isn't 12% of I'LL we've\t\n\n  two  spaces ",
    "naïve Ærøskøbing Ω≈ç√ привет мир 東京タワー नमस्ते ١٢٣ Ⅳ ½",
    "👩‍👩‍👧‍👦🏳️‍🌈 \u202eright to left\u2066 \ufeff\u200b\xa0\x85\x1c\x1f",
    "<|endoftext|><img src=x onerror=alert(1)>",
    "\x00\x01\x7f\x80\xff\U0010ffff\ue000",
    "a" * 300,
    "",
]


def as_bytes(data):
    return base64.b64encode(data).decode()


def run(page, code, **given):
    """What JavaScript returns; `bytes(x)` makes a DataView of a base64 text."""
    return page.evaluate(
        f"""async given => {{
          const bytes = text =>
            new DataView(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
          const [gpt, bpe, sampling, dom] = await Promise.all(
            ["gpt", "bpe", "sampling", "dom"].map(name => import(`/${{name}}.js`)));
          {code}
        }}""",
        given,
    )


def give_model(page, model):
    """`model` in the page, as window.model."""
    tensors = {name: t.contiguous() for name, t in to_hf_tensors(model).items()}
    data, config = as_bytes(save(tensors)), model.config.to_dict()
    run(page, "window.model = new gpt.GPT(given.config, gpt.readTensors(bytes(given.data)))",
        data=data, config=config)  # fmt: skip


def give_tokenizer(page, tokenizer):
    merges = as_bytes(np.array(tokenizer.merges, dtype="<i4").tobytes())
    code = """
      const merges = new Int32Array(bytes(given.merges).buffer);
      window.tokenizer = new bpe.Tokenizer({...given, merges})"""
    special, byte_ids = tokenizer.special_tokens, tokenizer.byte_ids
    run(page, code, merges=merges, special=special, byteIds=byte_ids)


def some_ids(model, length, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(model.config.vocab_size, (length,), generator=generator).tolist()


def near(found, expected, places=1e-4):
    expected = torch.as_tensor(expected).tolist()
    np.testing.assert_allclose(np.array(found), np.array(expected), atol=places, rtol=0)


# ---- gpt.js ----


@pytest.mark.parametrize("length", [1, 3, 64])
def test_the_logits_of_the_pets_model_are_gptlibs(page, pets, length):
    model, _ = pets
    give_model(page, model)
    ids = some_ids(model, length)
    found = run(page, "return Array.from(model.next(given.ids))", ids=ids)
    near(found, gptlib.trace(model, ids).logits[-1])


def test_every_intermediate_is_the_one_of_the_trace(page, lively):
    give_model(page, lively)
    ids = some_ids(lively, 6)
    found = run(
        page,
        """const t = model.trace(given.ids);
        const rows = array => Array.from({length: t.T}, (_, k) =>
          Array.from(t.row(array, k, array.length / t.T)));
        const parts = (l, kind) => Array.from({length: model.config.nHead}, (_, h) =>
          t.ids.map((_, k) => Array.from(t.part(l, kind, h, k))));
        return {
          wte: rows(t.wte), wpe: rows(t.wpe), ln_f: rows(t.lnF),
          logits: t.ids.map((_, k) => Array.from(t.logits(k))),
          by_layer: [0, 1, 2].map(d => t.ids.map((_, k) => Array.from(t.logitsAt(d, k)))),
          layers: t.layers.map((at, l) => ({
            x: rows(at.x), ln_1: rows(at.ln1), attn: rows(at.attn), x_mid: rows(at.mid),
            ln_2: rows(at.ln2), mlp_hidden: rows(at.hidden), mlp: rows(at.mlp), out: rows(at.out),
            q: parts(l, "q"), k: parts(l, "k"), v: parts(l, "v"),
            weights: at.weights.map(h => h.map(row => Array.from(row))),
            scores: at.scores.map(h => h.map(row => Array.from(row))),
          })),
        }""",
        ids=ids,
    )
    seen = gptlib.trace(lively, ids)
    for name in ("wte", "wpe", "ln_f", "logits"):
        near(found[name], getattr(seen, name))
    near(found["by_layer"], seen.logits_by_layer)
    for layer, expected in zip(found["layers"], seen.layers, strict=True):
        for name in ("weights", "scores"):  # in the page a row ends where the mask begins
            for head, rows in enumerate(layer.pop(name)):
                for place, row in enumerate(rows):
                    near(row, getattr(expected, name)[head, place, : place + 1])
        for name, values in layer.items():
            near(values, getattr(expected, name))


def test_a_pass_that_goes_on_from_the_one_before_gives_what_a_whole_one_gives(page, lively):
    give_model(page, lively)
    ids, other = some_ids(lively, 8), some_ids(lively, 5, seed=2)
    found = run(
        page,
        """const made = [];
        for (const ids of [...given.ids.map((_, k) => given.ids.slice(0, k + 1)),
                           given.ids.slice(0, 3), given.other, given.ids])
          made.push(Array.from(model.trace(ids).logits()));
        return made""",
        ids=ids,
        other=other,
    )
    texts = [*(ids[: k + 1] for k in range(8)), ids[:3], other, ids]
    for logits, text in zip(found, texts, strict=True):
        near(logits, gptlib.trace(lively, text).logits[-1])


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("layers", [None, [1]], ids=["all", "one"])
def test_a_model_with_a_part_taken_out_is_that_of_ablate(page, lively, part, layers):
    give_model(page, lively)
    ids = some_ids(lively, 6)
    code = """const {without, layers} = given;
      return Array.from(model.trace(given.ids, {without, layers}).logits())"""
    found = run(page, code, ids=ids, without=[part], layers=layers)
    broken = gptlib.ablate(lively, part, layers=layers)
    near(found, gptlib.trace(broken, ids).logits[-1], 1e-3)


def test_a_patched_head_changes_only_what_comes_after_it(page, lively):
    give_model(page, lively)
    ids = some_ids(lively, 4)
    code = """const patch = (l, h, t, out) => { if (l === 1 && h === 0 && t === 3) out.fill(0); };
      const [whole, cut] = [model.trace(given.ids), model.trace(given.ids, {patch})];
      return [0, 1].map(l => [whole, cut].map(t => Array.from(t.layers[l].out)))
        .concat([[Array.from(whole.logits(2)), Array.from(cut.logits(2))]])"""
    first, second, before = run(page, code, ids=ids)
    assert first[0] == first[1] and before[0] == before[1] and second[0] != second[1]


@pytest.mark.parametrize("ids", [[], [99], [0] * 9])
def test_ids_that_no_model_reads_are_refused(page, lively, ids):
    give_model(page, lively)
    code = "try { model.trace(given.ids) } catch (error) { return error.message }"
    assert run(page, code, ids=ids)


# ---- bpe.js ----


@pytest.fixture(params=["pets", "gpt2", "hostile"])
def tokenizer(request, pets):
    if request.param == "gpt2":
        return request.getfixturevalue("gpt2_tokenizer")
    if request.param == "hostile":
        return gptlib.Tokenizer.train("".join(TEXTS) * 3, 420, ("<|endoftext|>", "<|a|>", "<|a|>b"))
    return pets[1]


@pytest.mark.parametrize("special", [False, True])
def test_ids_and_text_are_gptlibs(page, tokenizer, special):
    give_tokenizer(page, tokenizer)
    texts = [*TEXTS, "<|a|>b<|a|>"]
    code = """const {texts, allowSpecial} = given;
      const ids = texts.map(text => tokenizer.encode(text, {allowSpecial}));
      return [ids, ids.map(each => tokenizer.decode(each))]"""
    ids, decoded = run(page, code, texts=texts, allowSpecial=special)
    allowed = "all" if special else ()
    assert ids == [tokenizer.encode(text, allowed_special=allowed) for text in texts]
    assert decoded == texts


def test_each_token_is_shown_as_token_str_shows_it(page, tokenizer):
    give_tokenizer(page, tokenizer)
    ids = list(range(min(tokenizer.vocab_size, 2000)))
    found = run(page, "return given.ids.map(id => tokenizer.tokenStr(id))", ids=ids)
    assert found == [tokenizer.token_str(id) for id in ids]
    assert run(page, "return tokenizer.tokenStr(999999)") == "<999999>"


def test_what_cannot_be_seen_is_what_python_says(page):
    surrogates = (0xD800, 0xDFFF)  # which no UTF-8 can hold
    expected = [[a, b] for a, b, _ in visible.UNSEEN if (a, b) != surrogates]
    assert run(page, "return bpe.UNSEEN") == expected


def test_bytes_that_are_no_text_are_decoded_as_python_does(page, pets):
    give_tokenizer(page, pets[1])
    pieces = [[0xE2, 0x82], [0xF0, 0x9F, 0x98, 65], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xFF, 32]]
    found = run(page, "return given.ids.map(ids => tokenizer.decode(ids))", ids=pieces)
    assert found == [pets[1].decode(ids) for ids in pieces]


def test_every_character_is_split_from_its_neighbours_as_gptlib_does(page):
    """Of those characters that an older Unicode knew, and so all of them."""
    known = [chr(c) for c in range(0x20000) if unicodedata.category(chr(c)) not in ("Cn", "Cs")]
    texts = [f"a {''.join(known[i : i + 500])}  1" for i in range(0, len(known), 500)]
    found = run(page, "return given.texts.map(text => bpe.split(text))", texts=texts)
    assert found == [gptlib.tokenizer.split(text) for text in texts]


def test_half_of_a_character_is_refused(page, pets):
    give_tokenizer(page, pets[1])
    code = "try { tokenizer.encode('a\\ud83d') } catch (error) { return error.message }"
    assert "half of a character" in run(page, code)


def test_fewer_merges_give_the_ids_of_a_tokenizer_that_learned_no_more(page, pets):
    give_tokenizer(page, pets[1])
    for merges in (0, 5, 60):
        few = gptlib.Tokenizer(pets[1].merges[:merges])
        found = run(
            page, "return tokenizer.encode(given.text, given)", text=TEXTS[0], merges=merges
        )
        assert found == few.encode(TEXTS[0])


# ---- sampling.js ----


@pytest.mark.parametrize("seed", [0, 1, 3, 999_999, 2**32 - 1])
def test_the_random_numbers_of_a_seed_are_torchs(page, seed):
    code = "const s = new sampling.Stream(given.seed); return s.slice(0, 1500)"
    generator = torch.Generator().manual_seed(seed)
    expected = torch.rand(1500, generator=generator, dtype=torch.float64).tolist()
    assert run(page, code, seed=seed) == expected


SETTINGS = [
    {}, {"temperature": 0.0}, {"temperature": 0.05}, {"temperature": 2.5}, {"top_k": 1},
    {"top_k": 3}, {"top_k": 5}, {"top_p": 0.9}, {"top_p": 0.05},
    {"temperature": 1.5, "top_k": 4, "top_p": 0.8},
]  # fmt: skip
LOGITS = [[2.0, 1.3, -0.5, -0.5, -4.0], [0.0, 3.0, 3.0, 3.0, 3.0], [5.0, 0.0, -60.0, 0.0, 0.0]]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("logits", LOGITS, ids=str)
def test_the_distribution_is_next_token_probs_ties_and_all(page, settings, logits):
    code = """const {temperature, top_k, top_p} = given.settings;
      return Array.from(sampling.nextTokenProbs(Float32Array.from(given.logits),
        {temperature, topK: top_k ?? null, topP: top_p ?? null}))"""
    found = run(page, code, logits=logits, settings=settings)
    expected = gptlib.next_token_probs(torch.tensor(logits), **settings)
    near(found, expected, 1e-6)
    assert [p == 0 for p in found] == (expected == 0).tolist()


def test_a_number_falls_on_the_id_that_draw_gives(page):
    probs = torch.tensor([[0.0, 0.25, 0.5, 0.0, 0.25, 0.0]]).repeat(200, 1)
    expected = draw(probs, torch.Generator().manual_seed(5)).tolist()
    code = """const s = new sampling.Stream(5), p = Float32Array.from(given.probs);
      return Array.from({length: 200}, (_, k) => sampling.draw(p, s.at(k)))"""
    assert run(page, code, probs=probs[0].tolist()) == expected
    counts = run(page, """const s = new sampling.Stream(5);
      return Array.from(sampling.countDraws(Float32Array.from(given.probs), s.slice(0, 200)))""",
      probs=probs[0].tolist())  # fmt: skip
    assert counts == np.bincount(expected, minlength=6).tolist()


def test_a_seed_gives_the_same_sentence_as_generate(page, pets):
    model, tokenizer = pets
    give_model(page, model)
    ids = tokenizer.encode("The cat is")
    code = """const s = new sampling.Stream(given.seed), ids = [...given.ids];
      for (let k = 0; k < 20 && ids.at(-1) !== given.stop; k++)
        ids.push(sampling.draw(sampling.nextTokenProbs(model.next(ids)), s.at(k)));
      return ids"""
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        expected = gptlib.generate(model, ids, 20, eos_id=tokenizer.eos_id, generator=generator)
        assert run(page, code, ids=ids, seed=seed, stop=tokenizer.eos_id) == expected.tolist()


# ---- dom.js ----


def test_numbers_are_printed_as_svg_prints_them(page):
    numbers = [0, 0.604, 0.125, 0.001, 1e-9, 0.995, 0.015, 1, -0.001, -0.5, -1.005, 12.345]
    found = run(page, "return given.n.map(x => [dom.two(x), dom.chance(Math.abs(x))])", n=numbers)
    assert found == [[svg.two(x), svg.chance(abs(x))] for x in numbers]


@pytest.mark.parametrize("name", ["onclick", "href", "src", "onload", "srcdoc"])
def test_an_attribute_that_could_load_or_run_something_is_never_set(page, name):
    code = "try { dom.make('a', {[given.name]: 'x'}) } catch (error) { return error.message }"
    assert name in run(page, code, name=name)


def test_text_reaches_the_page_as_text(page):
    hostile = "</svg><img src=x onerror=alert(1)>\x00\x1b"
    code = """const made = dom.make('p', {title: given.text}, given.text);
      return [made.childElementCount, made.textContent, made.title]"""
    assert run(page, code, text=hostile) == [0, svg.writable(hostile), svg.writable(hostile)]


def test_no_module_writes_markup():
    for path in esm.FOLDER.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        for sign in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert sign not in text, f"{path.name}: {sign}"
        assert not json.dumps(text).count("https://"), path.name


def test_two_files_give_no_class_two_looks():
    """What several explorers of a page wear is in the page once, for all of them."""
    whose = {}
    for path in esm.FOLDER.glob("*.js"):
        for rule in re.findall(r"^(\.gptlib[^{`]*) \{", path.read_text("utf-8"), re.MULTILINE):
            for one in rule.split(","):
                if re.fullmatch(r"(\.gptlib-live )?\.gptlib-[\w-]+", one.strip()):
                    whose.setdefault(one.split()[-1], set()).add(path.name)
    assert len(whose) > 50
    assert {name: files for name, files in whose.items() if len(files) > 1} == {}


@pytest.mark.parametrize("last", [None, "Eve"])
def test_a_heads_output_is_exchanged_as_python_exchanges_it(page, pets, last):
    model, tokenizer = pets
    give_model(page, model)
    text = "Mia has a red ball. Tom has a big blue ball. Eve has a green ball. The ball of"
    first = tokenizer.encode(f"{text} Tom is")
    second = last and tokenizer.encode(f"{text} {last} is")
    where = {"layer": 0, "head": 1, "at": 20, "beside": 6}
    found = run(
        page,
        """const { exchanged } = await import("/exchange.js");
        const { before, after } =
          exchanged(window.model, given.first, given.second, given.where);
        return [...before, ...after].map(row => [...row])""",
        first=first, second=second, where=where,
    )  # fmt: skip
    before, after = exchanged(model, first, second, **where)
    for row, expected in zip(found, [*before, *after], strict=True):
        torch.testing.assert_close(torch.tensor(row), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16])
def test_strokes_lie_over_each_cell_of_the_future_and_over_no_other(page, count):
    side, lines = (
        40 * count,
        """
      const { smallTable } = await import("/heat.js");
      const rows = Array.from({ length: given.count }, () => new Array(given.count).fill(0));
      const table = smallTable();
      const drawn = masked => {
        table.update(rows, given.side, masked);
        return [...table.root.querySelectorAll("g path")].map(path => path.getAttribute("d"));
      };
      return [drawn(true), drawn(false)]""",
    )
    (area, strokes), without = run(page, lines, count=count, side=side)
    assert without == ["", ""] and bool(area) == (count > 1)
    crossed = set()
    for ends in re.findall(r"M(\S+) (\S+)L(\S+) ([\d.]+)", strokes):
        x1, y1, x2, y2 = map(float, ends)
        for share in np.linspace(0.01, 0.99, 197):
            x, y = x1 + share * (x2 - x1), y1 + share * (y2 - y1)
            crossed.add((int(y // 40), int(x // 40)))
    assert crossed == {(i, j) for i in range(count) for j in range(i + 1, count)}
