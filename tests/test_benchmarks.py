"""The benchmarks' own parts, nothing of which is timed here."""

import re
import sys
from itertools import islice
from pathlib import Path

import nbformat
import pytest
import soak
import torch

import gptlib
from benchmarks import __main__ as command
from benchmarks import (
    ablations,
    board,
    bpe,
    clock,
    cuda,
    encoding,
    generation,
    growth,
    loading,
    mutation,
    summary,
    training,
    widgets,
)
from benchmarks.growth import Curve, draw
from benchmarks.peak import peak_bytes
from benchmarks.peers import Missing, from_clone, installed
from benchmarks.side_by_side import RESULTS, NotMeasured, Row, numbers_of


@pytest.mark.parametrize(
    "module",
    [board, bpe, clock, cuda, encoding, generation, growth, loading, mutation, training, widgets],
)
def test_each_section_has_its_place_in_the_results(module):
    page = RESULTS.read_text(encoding="utf-8")
    assert page.count(module.BEGIN) == page.count(module.END) == 1
    assert page.index(module.BEGIN) < page.index(module.END)


def test_a_page_with_eight_explorers_is_light():
    assert 0.5 < widgets.page_weight() < 1.5  # MB


def test_the_first_page_says_what_the_tables_say():
    page = RESULTS.read_text(encoding="utf-8")
    between = page.split(summary.BEGIN + "\n")[1].split("\n" + summary.END)[0]
    assert between == summary.summary(page), "run python -m benchmarks.summary"
    assert between.count("\n") >= len(summary.PROMISES)


def test_a_promise_whose_row_is_gone_or_there_twice_is_refused():
    promise = summary.Promise("x", "a", "b", "at most 1")
    row = "| a step | b | 1 s | 2 s | 0.50 |\n"
    page = "<!-- x: begin -->\n{}<!-- x: end -->"
    assert promise.line(page.format(row)) == "| a step (beside b) | 1 s | 2 s | 0.50 | at most 1 |"
    for rows in ("", row + row):
        with pytest.raises(ValueError, match="rows begin with 'a'"):
            promise.line(page.format(rows))
    missing = page.format("| a step | b | not measured: no card | | |\n")
    assert "| not measured | | | at most 1 |" in promise.line(missing)


def test_what_is_promised_of_every_row_is_the_worst_of_them():
    worst = summary.Worst("x", 2, "the slowest", "at most 20 ms")
    page = "<!-- x: begin -->\n| explorer | control | p90 |\n|---|---|---|\n{}<!-- x: end -->"
    rows = "| a | b | 9 |\n| c | d | 12 |\n| e | f | 4 |\n"
    assert worst.line(page.format(rows)) == "| the slowest | 12 ms (c) | | | at most 20 ms |"
    with pytest.raises(ValueError, match="no number in column 2"):
        worst.line(page.format(""))
    named = [promise.column for promise in summary.PROMISES if isinstance(promise, summary.Worst)]
    titles = [title.strip() for title in widgets.HEAD[0].strip("|").split("|")]
    assert [titles[column - 1 : column + 1] for column in named] == [
        ["kernel busy p50", "p90"],
        ["200 ms delay p50", "p90"],
        ["p90", "opening"],
    ]


def test_every_command_that_the_results_name_is_there():
    page = RESULTS.read_text(encoding="utf-8")
    for names in re.findall(r"--only ([\w,]+)", page):
        assert set(names.split(",")) <= set(command.SECTIONS)
    for module in re.findall(r"python -m benchmarks\.(\w+)", page):
        assert (RESULTS.parent / f"{module}.py").is_file()


def test_sections_that_are_asked_for_run_in_that_order_and_no_others(monkeypatch, capsys):
    ran = []
    sections = {name: lambda section, given: ran.append((section, given)) for name in "abc"}
    monkeypatch.setattr(command, "SECTIONS", sections)
    monkeypatch.setattr(command, "import_module", lambda name, package: name.removeprefix("."))
    monkeypatch.setattr(command.summary, "main", lambda: ran.append(("the first page", None)))
    monkeypatch.setattr("sys.argv", ["benchmarks", "--only", "c,a", "--minbpe", "there"])
    command.main()
    assert [name for name, _ in ran] == ["c", "a", "the first page"]
    assert ran[0][1].minbpe == Path("there") and ran[0][1].nanogpt is None
    monkeypatch.setattr("sys.argv", ["benchmarks", "--only", "a,x"])
    with pytest.raises(SystemExit):
        command.main()
    assert "'x' is none of a, b, c" in capsys.readouterr().err


def test_the_rows_of_a_card_need_no_browser_and_no_notebook():
    code = "import sys; sys.modules |= dict.fromkeys(['playwright', 'nbformat', 'nbclient']);"
    code += "from benchmarks import __main__, cuda, training; print(len(__main__.SECTIONS))"
    assert numbers_of(code) == [11]
    assert all((RESULTS.parent / f"{name}.py").is_file() for name in command.SECTIONS)


def test_a_vote_that_the_board_has_not_kept_is_lost_and_one_kept_twice_is_said():
    measured = board.Measured([0.01, 0.03], [0.1, 0.1], {"a": (1.0, None), "b": (2.0, None)}, 5.0)
    given = board._parser().parse_args(["--seconds", "30"])
    lines = measured.lines(["a", "c", "c"], given)
    assert lines[2] == "| from a vote to its acknowledgement, on disk | 20 ms | 29 ms | 30 ms |"
    assert lines[-1] == (
        "300 students, 10 votes a second, 30 s: 2 votes acknowledged; 5 kills -9, 5 s without a "
        "board in all; lost: 1; counted twice: 1."
    )
    assert "not measured" in board.Measured().lines([], given)[2]


def test_long_tests_that_were_not_run_keep_their_rows():
    head = "| what must hold | what | s | |\n|---|---|---|---|\n"
    page = f"{soak.BEGIN}\nhere\n\n{head}| a | 1 | 2 | passed |\n| b | 1 | 2 | failed |\n{soak.END}"
    rows = ["| b | 3 | 4 | passed |", "| c | 5 | 6 | passed |"]
    assert soak.beside(page, rows) == ["| a | 1 | 2 | passed |", *rows]


def test_a_ratio_is_the_median_of_the_pairs():
    row = Row.of_pairs("this", "peer", [(1, 2), (3, 2), (9, 3)])
    assert (row.ours, row.peers, row.ratio) == (3, 2, 1.5)
    assert str(row) == "| this | peer | 3.00 s | 2.00 s | 1.50 |"
    assert str(Row("this", "peer", 0.2, 250, 0.0008)).endswith("| 200.0 ms | 250.00 s | 0.0008 |")


def test_a_peer_that_is_missing_is_a_row_that_says_why(tmp_path):
    with pytest.raises(Missing, match=r"no clone was given \(--minbpe PATH\)"):
        from_clone(None, "minbpe", "--minbpe")
    with pytest.raises(Missing, match="--minbpe: there is no minbpe in the folder"):
        from_clone(tmp_path, "minbpe", "--minbpe")
    with pytest.raises(Missing, match="such-a-peer is not installed"):
        installed("such_a_peer", "such-a-peer")
    row = bpe.beside_minbpe("a text", None)
    assert isinstance(row, NotMeasured)
    assert "| minbpe | not measured: no clone was given" in str(row)
    assert str(row).count("|") == 6  # as many cells as a row that was measured


def test_a_clone_is_imported_from_its_folder_alone(tmp_path):
    (tmp_path / "a_peer_of_mine.py").write_text("import gptlib\nanswer = 42\n")
    assert from_clone(tmp_path, "a_peer_of_mine", "--mine").answer == 42
    assert str(tmp_path) not in sys.path
    (tmp_path / "a_broken_peer.py").write_text("import no_such_module_at_all\n")
    with pytest.raises(Missing, match="--mine: No module named 'no_such_module_at_all'"):
        from_clone(tmp_path, "a_broken_peer", "--mine")


def test_the_large_text_has_no_document_twice():
    texts = list(islice(bpe.documents(), 40))
    assert len(set(texts)) == 40 and texts[0] == bpe.real_text()


def test_the_slope_is_the_exponent():
    sizes = [1, 2, 4, 8, 16, 32]
    curve = Curve("a", "Time: size", "things", "mine", sizes, [s**2 / 8 for s in sizes], 2, "why")
    assert curve.measured == pytest.approx(2)
    assert draw([curve]).description == (
        "Time: size, mine: from 0.12 s at 1 to 1.3e+02 s at 32 things, slope 2.0, expected 2."
    )
    assert [growth._time(k) for k in range(-6, 2)] == (
        ["1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]
    )


@pytest.mark.skipif(sys.platform != "linux", reason="getrusage counts the parent on Linux alone")
def test_a_childs_peak_does_not_count_what_its_parent_held():
    held = bytearray(b"x") * 300_000_000
    (peak,) = numbers_of("from benchmarks.peak import peak_bytes; print(peak_bytes())")
    assert peak < 100e6 < peak_bytes() and len(held) == 300_000_000


def test_without_a_card_each_row_of_cuda_says_so(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    rows = list(cuda.rows(None))
    assert len(rows) == 12 and all("there is no CUDA card here" in str(row) for row in rows)
    assert len({str(row) for row in rows}) == len(rows)


def test_a_row_that_is_not_measured_leaves_the_others_their_turn(monkeypatch, capsys):
    def missing(what, peer, nanogpt):
        raise Missing("no clone")

    def large(what, peer, nanogpt):
        raise torch.cuda.OutOfMemoryError("out of memory\nof card 0")

    def broken(what, peer, nanogpt):
        raise RuntimeError("no | kernel")

    def there(what, peer, nanogpt):
        return Row(what, peer, 1.0, 2.0, 0.5)

    measures = [("a", "p", missing), ("b", "p", large), ("d", "p", broken), ("c", "p", there)]
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(cuda, "ROWS", measures)
    said = [str(row) for row in cuda.rows(None)]
    assert ["not measured: no clone" in said[0], "out of memory" in said[1]] == [True, True]
    assert said[1] == "| b | p | not measured: out of memory of card 0 | | |"
    assert said[2] == "| d | p | not measured: it failed: no / kernel | | |"
    assert "RuntimeError: no | kernel" in capsys.readouterr().err
    assert said[3] == "| c | p | 1.00 s | 2.00 s | 0.50 |"


def test_a_row_for_which_there_is_no_time_says_so(monkeypatch):
    def there(what, peer, nanogpt):
        return Row(what, peer, 1.0, 2.0, 0.5)

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(cuda, "ROWS", [("a", "p", there), (training.ON_CUDA.what, "p", there)])
    first, last = map(str, cuda.rows(None, minutes=2))
    assert "0.50" in first and "longer than what was left of 2.0 min" in last


TOY = """
import torch
class GPTConfig:
    def __init__(self, size):
        self.size = size
class GPT(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.losses = torch.nn.Parameter(torch.zeros(config.size))
    def forward(self, x, y):
        return None, self.losses[x].mean()
"""


@pytest.mark.parametrize("prefix", ["", "_orig_mod."], ids=["plain", "compiled"])
def test_nanogpts_checkpoint_is_scored_as_it_was_saved(tmp_path, prefix):
    (tmp_path / "model.py").write_text(TOY, encoding="utf-8")
    for folder in ("out-shakespeare-char", "data/shakespeare_char"):
        (tmp_path / folder).mkdir(parents=True)
    weights = {f"{prefix}losses": torch.tensor([1.0, 2.0, 3.0])}
    saved = {"model_args": {"size": 3}, "model": weights}
    torch.save(saved, tmp_path / "out-shakespeare-char" / "ckpt.pt")
    ids = torch.tensor([0, 1, 2, 1] * 4 + [0], dtype=torch.uint16)
    ids.numpy().tofile(tmp_path / "data" / "shakespeare_char" / "val.bin")
    race = training.ON_CUDA._replace(block_size=4)
    assert training.their_loss(tmp_path, race) == pytest.approx(2.0)


def test_a_race_without_a_clone_says_so():
    for race in (training.ON_CPU, training.ON_CUDA):
        row = training.to_a_loss(None, race=race)
        assert isinstance(row, NotMeasured) and "no clone was given" in str(row)


def test_each_broken_trainer_is_broken_in_the_way_that_it_says():
    def trained(trainer):
        return ablations.train(0, trainer=trainer, steps=3, batch_size=2, warmup_steps=0)

    def logits(model):
        with torch.no_grad():
            return model(ablations.tokens[None, :8])

    whole = logits(trained(gptlib.Trainer))
    for broken in (ablations.NotShifted, ablations.NeverZeroed, ablations.SoftmaxTwice):
        assert not torch.allclose(logits(trained(broken)), whole)
    model = gptlib.GPT(gptlib.GPTConfig(397, 8, 1, 2, 8), seed=0)
    recipe = {"steps": 2, "batch_size": 2, "learning_rate": 1e-9, "grad_clip": 1e9}
    config = gptlib.TrainConfig(**recipe, device="cpu")
    piling = ablations.NeverZeroed(model, ablations.tokens, config)
    gradients = []
    for _ in piling:
        gradients.append(model.wte.weight.grad.clone())
    x, y = piling.batch(1)
    model.wte.weight.grad = None
    gptlib.nll(model(x), y).backward()
    own = model.wte.weight.grad
    assert torch.allclose(gradients[1], gradients[0] + own, atol=1e-4)


def test_a_section_of_deeper_takes_what_its_cells_take():
    def code(begun, ended):
        times = {"shell": f"2026-01-01T00:00:{begun:02}Z", "idle": f"2026-01-01T00:00:{ended:02}Z"}
        return nbformat.v4.new_code_cell("x", metadata={"execution": times})

    text = nbformat.v4.new_markdown_cell
    cells = [code(0, 9), text("## A. The first (6 min)"), code(9, 11), text("## Not one")]
    cells += [code(11, 14), text("Words.\n\n## B. The second (12 min)"), code(20, 21)]
    assert clock.seconds(nbformat.v4.new_notebook(cells=cells)) == {"A": 5, "B": 1}
