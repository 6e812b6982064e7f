"""`gptlib inventory`: a form is written where it is asked for."""

import json

from command import refused, run


def test_a_form_is_written_in_the_order_of_its_seed(capsys, tmp_path):
    made = []
    for name, seed in (("a.json", "1"), ("b.json", "1"), ("c.json", "2")):
        path = tmp_path / name
        status, out, _ = run(capsys, "inventory", "--form", "B", "--seed", seed, "--out", str(path))
        assert (status, out) == (0, f"{path}\n")
        made.append(json.loads(path.read_text(encoding="utf-8"))["items"])
    assert made[0] == made[1] != made[2]


def test_without_a_name_it_is_a_page_here_and_the_key_another(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(capsys, "inventory")
    run(capsys, "inventory", "--key")
    assert {path.name for path in tmp_path.iterdir()} == {
        "inventory_A0.html", "inventory_A0_key.html"
    }  # fmt: skip


def test_what_cannot_be_written_is_refused_in_one_line(capsys, tmp_path):
    refused(run(capsys, "inventory", "--out", str(tmp_path / "a.pdf")), "must end in .html")
    refused(run(capsys, "inventory", "--form", "C"), "invalid choice")
