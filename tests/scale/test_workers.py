"""Chunks to ids over several processes: who starts them, and what happens where none can be."""

import subprocess
import sys

import pytest
from chunked import TEXT

import gptlib
from gptlib.scale import chunks, workers
from gptlib.scale.prepare import prepare


@pytest.fixture
def saved(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    return tmp_path / "tokenizer.json"


def test_chunks_come_back_in_order_with_the_ids_of_their_text(small, files, tokenizer, saved):
    plan = list(chunks.plan(files))
    for jobs in (1, 2):
        found = list(workers.encode_in_order(plan, saved, "<u2", jobs))
        assert [chunk for chunk, _ in found] == plan
        for chunk, ids in found:
            end = [tokenizer.eos_id] if chunk.last else []
            expected = tokenizer.encode(chunk.read()) + end
            assert list(memoryview(ids).cast("H")) == expected


@pytest.mark.parametrize("reason", ["limit", "tracker", "start"])
def test_where_no_process_can_be_started_this_one_does_it_all_and_says_so(
    small, files, saved, reason, monkeypatch
):
    def refused(*args):
        raise OSError("AF_UNIX path too long")

    if reason == "limit":
        monkeypatch.setattr(workers, "can_start", lambda count: count < 5)
    elif reason == "tracker":
        monkeypatch.setattr(workers.resource_tracker, "ensure_running", refused)
    else:
        monkeypatch.setattr(workers.ProcessPoolExecutor, "submit", refused)
    plan = list(chunks.plan(files))
    alone = list(workers.encode_in_order(plan, saved, "<u2", 1))
    said = "a limit of the system" if reason == "limit" else "AF_UNIX path too long"
    with pytest.warns(UserWarning, match=f"no other process could be started .{said}.: this one"):
        assert list(workers.encode_in_order(plan, saved, "<u2", 2)) == alone


def test_a_script_that_does_nothing_but_prepare_works_without_a_guard(files, tokenizer, tmp_path):
    files[0].write_text(TEXT * 3)
    script = tmp_path / "script.py"
    script.write_text(
        "from gptlib.scale.prepare import prepare\n"
        "print('once')\n"
        f"prepare({list(map(str, files))!r}, {str(tmp_path / 'out')!r}, vocab_size=300, jobs=2)\n"
    )
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout, result.stderr) == (0, "once\n", "")
    again = prepare(files, tmp_path / "alone", vocab_size=300, jobs=1)
    assert gptlib.corpora.load(tmp_path / "out").fingerprint == again.fingerprint
