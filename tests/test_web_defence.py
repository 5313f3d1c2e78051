"""Against those who ask too much: foreign names, floods, slow and endless requests, proxies that lie."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

import pytest
from web_machine import PASSWORD, WebMachine, form_token, make_open_machine
from web_server import serving

from web_ui.rate_limit import CLIENTS_REMEMBERED, COMMANDS, NETWORK, Buckets, Rate
from web_ui.slow_clients import IDLE_S, REQUEST_WITHIN_S, Patience


@pytest.fixture(name="machine")
def running(tmp_path: Path) -> WebMachine:
    machine = make_open_machine(tmp_path, rate_clock=lambda: 0.0)
    machine.publish()
    return machine


@pytest.mark.parametrize(
    "name", ["evil.example", "127.0.0.1.evil.example", "legpress.lan.evil.example", "[::", "a" * 300, ""]
)
def test_a_name_that_is_not_the_machines_is_refused_everywhere(machine: WebMachine, name: str) -> None:
    client = machine.kiosk()
    for path in ("/", "/staff/login", "/staff/none", "/static/kiosk.css", "/healthz", "/api/v1/state"):
        assert client.get(path, headers={"Host": name}).status_code in (400, 421), path


@pytest.mark.parametrize("name", ["localhost:8080", "127.0.0.1", "[::1]:8080", "LEGPRESS.lan", "legpress.lan:443"])
def test_the_machines_own_names_are_answered(machine: WebMachine, name: str) -> None:
    assert machine.kiosk().get("/staff/login", headers={"Host": name}).status_code == 200


def test_over_the_proxy_staff_sign_in_with_a_secure_cookie_and_the_kiosk_stays_closed(machine: WebMachine) -> None:
    client = machine.kiosk()
    client.environ_base |= {"HTTP_X_FORWARDED_FOR": "192.168.1.7"}
    page = client.get("/staff/login", base_url="https://legpress.lan")
    answer = client.post(
        "/staff/login",
        base_url="https://legpress.lan",
        data={"form_token": form_token(page.text), "password": PASSWORD},
        headers={"Origin": "https://legpress.lan"},
    )
    assert answer.status_code == 303
    assert "Secure" in answer.headers["Set-Cookie"] and "HttpOnly" in answer.headers["Set-Cookie"]
    assert client.get("/api/v1/state", base_url="https://legpress.lan").status_code == 403


def test_a_flood_from_the_network_is_refused_and_the_screen_goes_on(machine: WebMachine) -> None:
    stranger, kiosk = machine.stranger(), machine.kiosk()
    codes = [stranger.get("/staff/login").status_code for _ in range(int(NETWORK.burst) + 50)]
    assert codes[0] == 200
    assert codes.count(429) >= 40
    assert kiosk.get("/api/v1/state").status_code == 200


def test_commands_faster_than_fingers_are_refused(machine: WebMachine) -> None:
    client = machine.kiosk()
    answers = [client.post("/api/v1/acknowledge") for _ in range(int(COMMANDS.burst) + 10)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 5
    assert refused[0].headers["Retry-After"] == "1"
    assert len(machine.device.commands) == len(answers) - len(refused)


def test_a_bucket_fills_up_again_and_strangers_do_not_pile_up() -> None:
    now_s = [0.0]
    buckets = Buckets(Rate(per_s=2.0, burst=3.0), lambda: now_s[0])
    first = [buckets.take("a") for _ in range(4)]
    other = buckets.take("b")
    now_s[0] = 1.0
    later = [buckets.take("a") for _ in range(3)]
    for number in range(3 * CLIENTS_REMEMBERED):
        buckets.take(f"c{number}")
    assert (first, other, later) == ([True, True, True, False], True, [True, True, False])
    assert len(buckets._buckets) == CLIENTS_REMEMBERED


class Channel:
    def __init__(self, request: object | None, busy: bool = False) -> None:
        self.request, self.requests, self.will_close = request, [object()] if busy else [], False


def test_a_trickling_and_an_idle_client_are_dropped_and_a_busy_one_is_not() -> None:
    now_s = [0.0]
    trickling, idle, busy, brisk = Channel("part"), Channel(None), Channel(None, busy=True), Channel("one")

    class Server:
        def __init__(self) -> None:
            self.active_channels = dict(enumerate((trickling, idle, busy, brisk)))

    patience = Patience(Server(), lambda: now_s[0])
    for second in range(int(IDLE_S) + 3):
        now_s[0] = float(second)
        brisk.request = f"request {second}"
        patience.look()
        if second == REQUEST_WITHIN_S - 1:
            assert not trickling.will_close
        if second == REQUEST_WITHIN_S + 2:
            assert trickling.will_close and not idle.will_close
    assert [channel.will_close for channel in (trickling, idle, busy, brisk)] == [True, True, False, False]


def ask(port: int, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        # a server that has refused does not read on: its word may be lost, the refusal is not
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk
        return answer


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 16400 + b"\r\n\r\n", b"431"),
        (b"POST /api/v1/goal HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST /api/v1/goal HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 20000\r\n\r\n" + b"a" * 20000, b"413"),
        (b'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-Proto: "\r\n\r\n', b"400"),
        (b"\x00\xff nonsense\r\n\r\n", b"400"),
    ],
)
def test_too_much_or_nonsense_is_refused_by_the_running_server(tmp_path: Path, text: bytes, code: bytes) -> None:
    with serving(tmp_path) as (machine, _address):
        answer = ask(machine.config.web.port, text)
        login = ask(machine.config.web.port, b"GET /staff/login HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    assert answer.split(b" ")[1:2] in ([code], [])
    assert login.startswith(b"HTTP/1.0 200")


def test_the_proxys_word_for_tls_counts_and_its_client_is_no_kiosk(tmp_path: Path) -> None:
    with serving(tmp_path) as (machine, _address):
        machine.publish()
        head = b"Host: legpress.lan\r\nX-Forwarded-For: 192.168.1.7\r\nX-Forwarded-Proto: https\r\n"
        head += b"Connection: close\r\n\r\n"
        login = ask(machine.config.web.port, b"GET /staff/login HTTP/1.1\r\n" + head)
        state = ask(machine.config.web.port, b"GET /api/v1/state HTTP/1.1\r\n" + head)
    assert login.startswith(b"HTTP/1.1 200") and b"Secure" in login
    assert state.startswith(b"HTTP/1.1 403")
