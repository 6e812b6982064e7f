"""`gptlib board`: votes and verdicts of a class, live on one page."""

import argparse
import asyncio
import re
from pathlib import Path

from .messages import note
from .options import folder, non_empty

HOST, PORT = "0.0.0.0", 8765
ROOM = re.compile(r"[A-Z0-9]{4,12}")
NEEDS = "gptlib board needs aiohttp and the lessons: pip install 'gptlib[teach,lessons]'"


def add(commands) -> None:
    """Add the subcommand with its options."""
    parser = commands.add_parser("board", help="show a class's votes and verdicts, live")
    parser.set_defaults(run=run)
    parser.add_argument("--host", type=non_empty, help=f"the address to listen on ({HOST}: all)")
    parser.add_argument("--port", type=port, default=PORT, metavar="N", help=f"({PORT})")
    parser.add_argument("--data", type=folder, metavar="DIR", help="(in your user data folder)")
    parser.add_argument(
        "--room", type=room, metavar="CODE", help="the room to continue (a new one)"
    )
    parser.add_argument(
        "--from", dest="collected", type=folder, metavar="FOLDER", help="only show collected files"
    )


def port(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**16:
        raise argparse.ArgumentTypeError(f"must be in 0..65535, not {value}")
    return value


def room(text: str) -> str:
    code = text.upper()
    if not ROOM.fullmatch(code):
        words = f"must be 4 to 12 letters (A to Z) or digits, not {text!r}"
        raise argparse.ArgumentTypeError(words)
    return code


def run(a: argparse.Namespace) -> int:
    try:
        from ..teaching.asked import catalogue
        from ..teaching.board import running
    except ImportError as error:
        raise ImportError(NEEDS) from error
    if a.collected is not None:
        return _show_collected(a.collected, a.host or "127.0.0.1", a.port)
    running.serve(
        catalogue(),
        folder=a.data or running.default_folder(),
        code=a.room or running.new_code(),
        host=a.host or HOST,
        port=a.port,
        say=_say,
    )
    return 0


def _show_collected(folder: Path, host: str, port: int) -> int:
    from ..teaching.asked import collected
    from ..teaching.board import running

    room, left_out = collected(folder)
    note(left_out) if left_out else None
    ready = lambda port: _say(running.teachers_line(room, host, port))  # noqa: E731
    asyncio.run(running.run(room, host, port, ready, open_to_students=False))
    return 0


def _say(line: str) -> None:
    print(line, flush=True)
