"""What ``tests/fuzz.py`` tries of the pages: bytes on a connection, through waitress's own parser into the application.

The server is the real one; only its threads are left out, so that one input is done before the next.
"""

from __future__ import annotations

import random
import socket
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from fuzz_damage import Target, damaged, scratch_folder

HOST = b"127.0.0.1:8080"
TYPES = [b"application/json", b"application/x-www-form-urlencoded", b"text/plain", b"multipart/form-data; boundary=a"]
BODIES = [b'{"goal": "quads"}', b'{"tag": "4711"}', b'{"tag": null}', b"{}", b"form_token=a&password=b"]
POSTS = [b"/api/v1/goal", b"/api/v1/tag", b"/api/v1/acknowledge", b"/api/v1/help", b"/staff/login"]
READS = [
    *(b"/api/v1/state", b"/api/v1/sets", b"/api/v1/alerts", b"/api/v1/sets/x", b"/api/v1/alerts/x/replay"),
    *(b"/metrics", b"/healthz", b"/static/icon.svg", b"/staff/sets"),
]
QUERIES = [
    b"since=2026-11-23&until=2026-11-24T00:00:00Z&goal=quads&limit=3&cursor=YQ",
    b"member=4711&fault=overload",
    b"limit=5",
    b"cursor=MjAyNi0xMS0yMyBh",
]
PAGES = 0.02
"""Share of the requests that ask for a whole page of the staff's, which takes thirty times as long."""


class OneByOne:
    """In the place of waitress's threads: requests are served when they are asked for, by who asks."""

    def __init__(self) -> None:
        self._waiting: deque[Any] = deque()

    def add_task(self, task: Any) -> None:
        self._waiting.append(task)

    def serve(self) -> None:
        while self._waiting:
            self._waiting.popleft().service()


INTO_THE_PAGES = 0.3
"""Share of the inputs that go on from the parser into the application, which takes seven times as long."""


def request(chance: random.Random, cookie: bytes) -> bytes:
    """A whole request with one of its parts damaged, or the whole of it."""
    part = chance.randrange(5)
    body = b""
    if chance.random() < 0.5:
        method, target = b"POST", chance.choice(POSTS)
        body = damaged(chance, BODIES) if part < 3 else chance.choice(BODIES)
    else:
        method, target = b"GET", chance.choice(READS[:-1] if chance.random() > PAGES else READS)
        query = damaged(chance, QUERIES) if part < 2 else chance.choice(QUERIES)
        target += b"?" + query.translate(None, b"\r\n\x00 #")
    if part == 2:
        target = damaged(chance, [target]).translate(None, b"\r\n ")
    headers = [b"Host: " + HOST, b"Content-Type: " + chance.choice(TYPES)]
    if chance.random() < 0.5:
        headers.append(b"Cookie: " + cookie)
    if part == 3:
        which = chance.randrange(len(headers))
        headers[which] = damaged(chance, headers)
    if body or method == b"POST":
        headers.append(b"Content-Length: %d" % len(body))
    whole = b"%s %s HTTP/1.1\r\n%s\r\n\r\n%s" % (method, target, b"\r\n".join(headers), body)
    return damaged(chance, [whole]) if part == 4 else whole


def http() -> Target:
    from waitress.channel import HTTPChannel
    from waitress.parser import HTTPRequestParser
    from web_machine import make_open_machine
    from web_server import free_port

    from web_ui.service import make_server

    now_s = [0.0]
    machine = make_open_machine(scratch_folder(), port=free_port(), rate_clock=lambda: now_s[0])
    machine.publish()
    staff = machine.staff()
    signed_in = staff.get_cookie("legpress")
    assert signed_in is not None
    cookie = f"legpress={signed_in.value}".encode()
    inside, answered, broken = machine.app.wsgi_app, list[int](), list[Exception]()

    def watched(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        machine.device.commands.clear()

        def start(status: str, headers: list[tuple[str, str]], *error: object) -> Any:
            code = int(status[:3])
            answered.append(code)
            assert code < 500 or code == 503, status
            assert code < 400 or machine.device.commands == [], (status, machine.device.commands)
            return start_response(status, headers, *error)

        try:
            return inside(environ, start)
        except Exception as error:  # waitress would answer with an error of its own, and log it
            broken.append(error)
            raise

    machine.app.wsgi_app = watched  # type: ignore[method-assign] # as Flask's documentation puts a middleware around
    server: Any = make_server(machine.config, machine.app)
    server.task_dispatcher.shutdown()
    server.task_dispatcher = tasks = OneByOne()

    def read(data: bytes) -> bool:
        parser = HTTPRequestParser(server.adj)
        while data and not parser.completed:
            data = data[parser.received(data) :]
        parser.close()
        return bool(parser.completed and not parser.error and not parser.empty)

    def attempt(chance: random.Random) -> bool:
        if chance.random() > INTO_THE_PAGES:
            return read(damaged(chance, [request(chance, cookie)]))
        now_s[0] += 60.0  # every bucket is full again
        answered.clear()
        data = request(chance, cookie)
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            channel = HTTPChannel(server, near, ("127.0.0.1", 50000), server.adj, map={})
            cut = chance.randrange(len(data)) if chance.random() < 0.1 and data else len(data)
            for piece in (data[:cut], data[cut:]):  # now and then in two packets
                channel.received(piece)
                tasks.serve()
            for outbuf in channel.outbufs:
                outbuf.close()
            server.trigger.handle_read()  # what would wake its loop, else a full pipe
        if broken:
            raise broken.pop()
        return bool(answered) and answered[0] < 400

    weakref.finalize(attempt, server.close)
    return attempt
