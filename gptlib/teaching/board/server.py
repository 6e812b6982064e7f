"""The board's web server: what students send, the teacher's page, and what keeps others out.

Students post to /room/CODE and nowhere else; every other code is a 404. The teacher's page is open
to nobody without the key. No other site may read or send anything: there are no CORS headers, and a
post must be JSON, which a foreign page cannot send without them.
"""

import asyncio
import hashlib
import hmac
import html
import json
import sqlite3
import time
from pathlib import Path
from string import Template

from aiohttp import web

from .arriving import LARGEST, fields, read
from .limits import Allowance
from .room import Full, Room

PAGE = Path(__file__).parent / "page"
FILES = {"board.js": "text/javascript", "parts.js": "text/javascript", "board.css": "text/css"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "gptlib",
}
COOKIE = "gptlib_board"
PAUSE, HEARTBEAT = 0.25, 10.0  # seconds between two states that the page gets, at least and at most
MOST_PAGES = 30  # of the teacher's, open at once
BODY = 10.0  # seconds for the body of a request to arrive


class Server:
    """What the requests share: the room, and how much each sender has asked for.

    A whole class may come from one address (a hub, a router), so an address may send much more than
    a seat; but of guesses at a code or a key an address has few.
    """

    def __init__(self, room: Room, open_to_students: bool = True) -> None:
        self.room, self.open = room, open_to_students
        self.seats, self.addresses = Allowance(30, 1), Allowance(2000, 200)
        self.guesses = Allowance(20, 0.2)
        self.wall = ""  # the room's address, as the class reads it
        self.pages = 0
        self.ticket = hashlib.sha256(f"the teacher's page {room.key}".encode()).hexdigest()

    def is_room(self, code: str) -> bool:
        return self.open and _same(code.upper(), self.room.code)

    def is_teacher(self, request: web.Request) -> bool:
        return _same(request.cookies.get(COOKIE, ""), self.ticket)


SERVER = web.AppKey("server", Server)


def _same(given: str, right: str) -> bool:
    """Whether they are equal, in a time that does not say how much of it is."""
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())


def application(room: Room, open_to_students: bool = True) -> web.Application:
    """The server of one room. `open_to_students`: answers may be sent to it."""
    made = web.Application(middlewares=[_in_json], client_max_size=LARGEST)
    made[SERVER] = Server(room, open_to_students)
    made.on_response_prepare.append(_add_headers)
    made.on_shutdown.append(_close_pages)
    made.router.add_get("/room/{code}", _greet)
    made.router.add_post("/room/{code}", _answer)
    made.router.add_get("/teacher", _teacher)
    made.router.add_post("/teacher/open", _open)
    made.router.add_get("/teacher/events", _events, allow_head=False)
    made.router.add_post("/teacher/vote", _vote)
    made.router.add_post("/teacher/show", _show)
    made.router.add_get("/page/{name}", _file)
    return made


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


async def _close_pages(app: web.Application) -> None:
    await app[SERVER].room.say_that_it_closes()


@web.middleware
async def _in_json(request: web.Request, handler) -> web.StreamResponse:
    """Every refusal in one form; and no post that another site's page could have sent."""
    try:
        if request.method == "POST" and request.content_type != "application/json":
            return _refused(415, "send JSON")
        return await handler(request)
    except web.HTTPException as error:
        return _refused(error.status, error.reason)
    except ValueError as error:
        return _refused(422, str(error))
    except sqlite3.Error:
        return _refused(503, "it could not be written", 5)


def _refused(status: int, why: str, wait: float = 0.0) -> web.Response:
    headers = {"Retry-After": str(1 + int(wait))} if wait else {}
    return web.json_response({"error": why}, status=status, headers=headers)


async def _body(request: web.Request) -> bytes:
    """The body, which must come in good time and be of a good size."""
    try:
        async with asyncio.timeout(BODY):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


# ---- Students ----


def _entered(request: web.Request) -> Server | web.Response:
    """The server, if the code in the address is the room's; else what to reply."""
    server = request.app[SERVER]
    if server.is_room(request.match_info["code"]):
        return server
    wait = server.guesses.wait(request.remote, time.monotonic())
    return _refused(429, "too many guesses", wait) if wait else _refused(404, "no such room")


async def _greet(request: web.Request) -> web.Response:
    """For a browser a page that says how to join; for a notebook that joins, a word."""
    server = _entered(request)
    if isinstance(server, web.Response):
        return server
    if "text/html" not in request.headers.get("Accept", ""):
        return web.json_response({"kept": ""})
    text = Template((PAGE / "student.html").read_text(encoding="utf-8"))
    address = html.escape(f"{request.url.origin()}/room/{server.room.code}")
    return web.Response(text=text.substitute(address=address), content_type="text/html")


async def _answer(request: web.Request) -> web.Response:
    """Keep an answer, and say so when it is on disk."""
    server, now = _entered(request), time.monotonic()
    if isinstance(server, web.Response):
        return server
    if wait := server.addresses.wait(request.remote, now):
        return _refused(429, "too many from this address", wait)
    answer = read(await _body(request), server.room.catalogue, server.room.clock())
    if wait := server.seats.wait(answer.seat, now):
        return _refused(429, "too many from this seat", wait)
    try:
        await server.room.add(answer)
    except Full:
        return _refused(503, "no room for this answer", 5)
    return web.json_response({"kept": answer.id})


# ---- The teacher ----


async def _teacher(request: web.Request) -> web.StreamResponse:
    return web.FileResponse(PAGE / "teacher.html")


async def _file(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    if name not in FILES:
        return _refused(404, "no such file")
    return web.FileResponse(PAGE / name, headers={"Content-Type": FILES[name]})


async def _open(request: web.Request) -> web.Response:
    """Give the browser that knows the key a cookie, which no script can read."""
    server = request.app[SERVER]
    said = fields(await _body(request), {"key": str})
    if not _same(said["key"], server.room.key):
        wait = server.guesses.wait(request.remote, time.monotonic())
        return _refused(429, "too many guesses", wait) if wait else _refused(403, "not the key")
    response = web.json_response({})
    response.set_cookie(
        COOKIE, server.ticket, path="/teacher", httponly=True, samesite="Strict", max_age=7 * 86400
    )
    return response


def _teachers(request: web.Request) -> Server:
    server = request.app[SERVER]
    if not server.is_teacher(request):
        raise web.HTTPForbidden(reason="the teacher's page needs the teacher's key")
    return server


async def _vote(request: web.Request) -> web.Response:
    server = _teachers(request)
    said = fields(await _body(request), {"lesson": str, "name": str, "vote": int})
    await server.room.set_vote((said["lesson"], said["name"]), said["vote"])
    return web.json_response({})


async def _show(request: web.Request) -> web.Response:
    server = _teachers(request)
    said = fields(await _body(request), {"lesson": str, "name": str, "shown": bool})
    await server.room.show((said["lesson"], said["name"]), said["shown"])
    return web.json_response({})


async def _events(request: web.Request) -> web.StreamResponse:
    """What is asked, once; then how it was answered, whenever that has changed."""
    server = _teachers(request)
    if server.pages >= MOST_PAGES:
        return _refused(503, "the teacher's page is open in too many windows")
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    server.pages += 1
    try:
        about = {"room": server.room.code, "open": server.open, "wall": server.wall}
        about |= server.room.catalogue.shown()
        await _send(response, "course", about)
        while not server.room.closing:
            version = server.room.version
            await _send(response, "state", server.room.shown())
            await asyncio.sleep(PAUSE)
            await server.room.changed(version, HEARTBEAT)
    except ConnectionResetError:  # the page was closed
        pass
    finally:
        server.pages -= 1
    return response


async def _send(response: web.StreamResponse, event: str, data: dict) -> None:
    await response.write(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())
