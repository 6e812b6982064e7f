"""`gptlib tally`: a class's answers, and its inventory, from the command line."""

import json

from command import refused, run

from gptlib.teaching.inventory import NOT_VALIDATED, inventory


def test_a_folder_of_answers_is_counted(capsys, tmp_path):
    answer = {"lesson": "01", "question": "exit", "kind": "question", "chosen": "a", "right": True}
    (tmp_path / "mia.jsonl").write_text(json.dumps(answer))
    status, out, _ = run(capsys, "tally", str(tmp_path))
    assert status == 0 and "01 exit: 100% right of 1" in out


def test_two_folders_of_the_inventory_give_a_gain(capsys, tmp_path):
    item = inventory()[0]
    for folder, chosen in (("pre", item.options[0]), ("post", item.right)):
        (tmp_path / folder).mkdir()
        answer = {"lesson": "inventorya", "question": item.name, "kind": "inventory"}
        answer |= {"chosen": chosen, "right": False}
        (tmp_path / folder / "mia.jsonl").write_text(json.dumps(answer))
    given = str(tmp_path / "pre"), str(tmp_path / "post")
    status, out, _ = run(capsys, "tally", "--inventory", *given)
    assert status == 0 and NOT_VALIDATED in out and "normalised gain: " in out


def test_what_cannot_be_counted_is_refused_in_one_line(capsys, tmp_path):
    refused(run(capsys, "tally", str(tmp_path)), "no .jsonl file in this folder")
    refused(run(capsys, "tally", "--inventory", str(tmp_path / "x")), "no such folder")
    three = [str(tmp_path)] * 3
    refused(run(capsys, "tally", "--inventory", *three), "one folder, or two")
