"""Running a board: its room, its lock, its port, and the lines that the teacher needs."""

import asyncio
import errno
import logging
import secrets
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import platformdirs
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ...formats.locks import InUse, sole_writer
from .catalogue import Catalogue
from .room import Room
from .server import SERVER, application
from .store import Store

EVERYWHERE = ("0.0.0.0", "::")  # all addresses of this computer
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that looks like a digit on a wall
CODE_LENGTH = 5
HOLDING = 1.0  # seconds that a request may still take when the board ends
TAKEN = (errno.EADDRINUSE, errno.EACCES)


def new_code() -> str:
    """A room's code: 8 million of them, and an address has few guesses."""
    return "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))


def default_folder() -> Path:
    return Path(platformdirs.user_data_dir("gptlib")) / "board"


def serve(
    catalogue: Catalogue,
    *,
    folder: Path,
    code: str,
    host: str,
    port: int,
    say: Callable[[str], None],
) -> None:
    """Run a board until it is told to end (Ctrl-C, SIGTERM).

    Raises:
        ValueError: the port is in use, or the folder holds no board's data; one line.
        OSError: another board has the folder, or it cannot be written.
    """
    try:
        with sole_writer(folder):
            room = Room(Store(folder), code, catalogue)
            asyncio.run(run(room, host, port, lambda port: _say_where(room, host, port, say)))
    except InUse as error:
        words = f"{folder}: another board is using this data: end it, or use --data"
        raise ValueError(words) from error
    say("closed; all votes are kept")


async def run(
    room: Room,
    host: str,
    port: int,
    ready: Callable[[int], None],
    open_to_students: bool = True,
) -> None:
    """Run the server of a room until it is told to end; `ready` is called with its port.

    Raises:
        ValueError: the port is in use.
    """
    app = application(room, open_to_students)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_log(),
        handle_signals=False,
        shutdown_timeout=HOLDING,
        keepalive_timeout=15,
    )
    await runner.setup()
    writing, told = asyncio.create_task(room.write_all()), asyncio.create_task(_end().wait())
    try:
        site = web.TCPSite(runner, host, port, backlog=1024)
        await _started(site, host, port)
        port = runner.addresses[0][1]
        app[SERVER].wall = f"{address(reachable(host), port)}/room/{room.code}"
        ready(port)
        await asyncio.wait([told, writing], return_when=asyncio.FIRST_COMPLETED)
        if writing.done():
            writing.result()
    finally:
        await runner.cleanup()
        writing.cancel()
        told.cancel()
        room.close()


def _log() -> logging.Logger:
    """Says what goes wrong in the board, and not what a stranger sends that is no HTTP."""
    log = logging.getLogger("gptlib.teaching.board")
    log.addFilter(_is_ours)  # a filter that is there already is not added again
    return log


def _is_ours(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def _started(site: web.TCPSite, host: str, port: int) -> None:
    try:
        await site.start()
    except OSError as error:
        if error.errno in TAKEN:
            words = f"port {port} of {host} is in use, perhaps by another board: use --port"
            raise ValueError(words) from error
        raise ValueError(f"--host {host}: {error.strerror or error}") from error


def _end() -> asyncio.Event:
    """Set when the process gets a signal to end.

    On Windows Ctrl-C is an exception instead, and no other thread than the first gets signals.
    """
    end, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, end.set)
    return end


def _say_where(room: Room, host: str, port: int, say: Callable[[str], None]) -> None:
    say(f"on the wall  {address(reachable(host), port)}/room/{room.code}")
    say(teachers_line(room, host, port))
    say(f"Ctrl-C ends it; to continue this room: gptlib board --room {room.code}")


def teachers_line(room: Room, host: str, port: int) -> str:
    """The teacher's page: on this computer, where the key does not travel through the network."""
    mine = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"your page    {address(mine, port)}/teacher#{room.key}"


def address(host: str, port: int) -> str:
    """
    >>> address("192.168.1.20", 8765), address("::1", 80)
    ('http://192.168.1.20:8765', 'http://[::1]:80')
    """
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def reachable(host: str) -> str:
    """The address by which others in the network reach this computer, as far as can be told.

    To connect a UDP socket sends nothing; it only makes the system choose.
    """
    if host not in EVERYWHERE:
        return host
    family, far = socket.AF_INET, "10.254.0.1"
    if ":" in host:
        family, far = socket.AF_INET6, "2001:db8::1"
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect((far, 9))
        return asking.getsockname()[0]
    return socket.gethostname()
