"""Starting `gptlib` in processes that have imported it already: what several tests share."""

import multiprocessing
import os
import random
import subprocess
import sys
import time

from torch.distributed import TCPStore

from gptlib import cli

# Where there is fork, one process imports, once for all of them:
CONTEXT = multiprocessing.get_context("spawn" if os.name == "nt" else "forkserver")
CONTEXT.set_forkserver_preload(["gptlib.cli", "torch._dynamo"])  # or the workers do

TINY = (
    "--steps 12 --block-size 8 --n-layer 1 --n-head 2 --n-embd 4 --vocab-size 260 --quiet "
    "--warmup-steps 2 --eval-every 5 --eval-rows 2 --device cpu"
).split()


def train_command(corpus, out, *options):
    return ["train", "--corpus", str(corpus), "--out", str(out), *TINY, *options]


def child(argv, environment, said, interrupt_at):
    """Body of a started process. interrupt_at: the step before which it gets a Ctrl-C."""
    os.environ.update(environment)
    sys.stderr = open(said, "w", buffering=1)  # noqa: SIM115
    real = cli.train.Trainer.update

    def update(self):
        if self.step == interrupt_at:
            raise KeyboardInterrupt
        return real(self)

    cli.train.Trainer.update = update
    sys.exit(cli.main(argv))


class Forked:
    """`gptlib` with these arguments in a process that has imported it already, as Popen shows one.

    For what happens after the start, at a fraction of its price: PyTorch is imported once for all.
    Standard input, output and errors are files (or pipes with a name); the process leads a group.
    """

    def __init__(self, argv, stdin=os.devnull, stdout=os.devnull, stderr=os.devnull):
        streams = ((stdin, "r"), (stdout, "a"), (stderr, "a"))
        arguments = ([*map(str, argv)], streams)
        self.process = CONTEXT.Process(target=_command, args=arguments, daemon=True)
        self.process.start()
        self.pid = self.process.pid

    def poll(self):
        return self.process.exitcode

    def wait(self, timeout=60):
        self.process.join(timeout)
        return self.process.exitcode


def _command(argv, streams):
    """Body of a process: its streams are made anew, over the numbers that any program's have."""
    if os.name != "nt":
        os.setpgid(0, 0)
    for number, (place, mode) in enumerate(streams):
        with open(place, mode) as file:
            os.dup2(file.fileno(), number)
    # Line by line, as at a terminal: an error of a stream comes while its text is being written.
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w", 1), open(2, "w", 1)  # noqa: SIM115
    sys.exit(cli.main(argv))


def forked(folder, argv, **streams):
    """(status, stdout, stderr) of a `gptlib` that has been imported already."""
    places = {"stdout": folder / "stdout", "stderr": folder / "stderr"}
    status = Forked(argv, **(places | streams)).wait()
    return status, *(path.read_bytes() if path.exists() else b"" for path in places.values())


def together(argv, size, scratch, interrupted=None):
    """Run `argv` in `size` processes: (exit statuses, what each said); {rank: step} interrupts."""
    # Where they meet is kept by none of them, as under torchrun.
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    elastic = {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
    team = []
    for rank in range(size):
        environment = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
        environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
        environment |= {"OMP_NUM_THREADS": "1"} | elastic
        if sys.platform == "darwin":
            environment["GLOO_SOCKET_IFNAME"] = "lo0"
        stop = (interrupted or {}).get(rank, -1)
        arguments = (argv, environment, str(scratch / f"said{rank}"), stop)
        team.append(CONTEXT.Process(target=child, args=arguments))
    for process in team:
        process.start()
    for process in team:
        process.join(60)
    assert not any(process.is_alive() for process in team), "a process was left hanging"
    said = [(scratch / f"said{rank}").read_text() for rank in range(size)]
    return [process.exitcode for process in team], said


def torchrun(argv, size):
    """The real thing, in a process group of its own."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(size), "-m", "gptlib", *argv]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def ranks(process):
    """The process ids of what torchrun started, by rank."""
    found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True)
    return sorted(map(int, found.stdout.split()))


def wait_for_a_save(folder, alive, seconds=60):
    path, end = folder / "model.safetensors", time.monotonic() + seconds
    before = path.stat().st_mtime_ns if path.exists() else 0
    while alive() and time.monotonic() < end:
        if path.exists() and path.stat().st_mtime_ns != before:
            return
        time.sleep(0.002)


def wait_for_saving(folder, alive, seconds=60):
    """Until a save is being written."""
    end = time.monotonic() + seconds
    while alive() and time.monotonic() < end and not (folder / ".saving").exists():
        pass


def kill_at_random(start, folder, kills, seed=0, pause=0.04):
    """start() a run again and again and kill it; how many kills hit a save half-way.

    Every other kill waits until a save is being written. After each the folder must open.
    """
    import gptlib
    from gptlib.storage import checkpoint

    moments, steps, during = random.Random(seed), [], 0
    while len(steps) < kills:
        process = start()
        wait_for_a_save(folder, process.is_alive)
        if len(steps) % 2:
            wait_for_saving(folder, process.is_alive)
        else:
            time.sleep(moments.uniform(0, pause))
        process.kill()
        process.join()
        during += (folder / ".saving").exists() or (folder / ".saved").exists()
        gptlib.load(folder)
        steps.append(checkpoint.load_training(folder)[1]["step"])
    assert steps == sorted(set(steps))  # each went on from the one before
    return steps[-1], during
