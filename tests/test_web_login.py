"""The staff's password and sessions."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from web_machine import PASSWORD, WebMachine, form_token, make_machine, make_open_machine, sign_in

from web_ui.credentials import Credentials, CredentialsError, PasswordError, add_token, drop_token, set_password
from web_ui.guess_limit import GuessLimit


@pytest.fixture(name="machine")
def with_password(tmp_path: Path) -> WebMachine:
    return make_open_machine(tmp_path)


def test_without_a_password_nobody_gets_in_and_the_page_says_what_to_do(tmp_path: Path) -> None:
    client = make_machine(tmp_path).kiosk()
    page = client.get("/staff/login").text
    assert "legpress staff set-password" in page
    assert client.post("/staff/login", data={"password": ""}).status_code == 403
    assert client.get("/staff").status_code == 302


def test_the_right_password_opens_the_staffs_pages(machine: WebMachine) -> None:
    client = machine.kiosk()
    assert client.get("/staff").status_code == 302
    assert sign_in(client, PASSWORD) == 303
    assert client.get("/staff").status_code == 200
    assert client.get("/staff/login").status_code == 302


def test_a_wrong_password_does_not(machine: WebMachine) -> None:
    client = machine.kiosk()
    assert sign_in(client, PASSWORD + "x") == 403
    assert client.get("/staff").status_code == 302


def test_a_login_without_the_forms_token_is_refused(machine: WebMachine) -> None:
    client = machine.kiosk()
    client.get("/staff/login")
    assert client.post("/staff/login", data={"password": PASSWORD}).status_code == 403
    assert client.get("/staff").status_code == 302


def test_signing_out_ends_the_session(machine: WebMachine) -> None:
    client = machine.staff()
    token = form_token(client.get("/staff").text)
    assert client.post("/staff/logout", data={"form_token": token}).status_code == 303
    assert client.get("/staff").status_code == 302


def test_a_new_password_ends_every_session(machine: WebMachine, tmp_path: Path) -> None:
    client = machine.staff()
    set_password(tmp_path, "another long password")
    assert client.get("/staff").status_code == 302
    assert sign_in(client, "another long password") == 303


@pytest.mark.parametrize(("set_back_h", "status"), [(1.0, 200), (1.9, 200), (2.1, 302)])
def test_a_clock_that_is_set_back_an_hour_signs_nobody_out(
    machine: WebMachine, monkeypatch: pytest.MonkeyPatch, set_back_h: float, status: int
) -> None:
    monkeypatch.setattr("web_ui.session.time.time", lambda: 4_000_000_000.0)
    client = machine.staff()
    monkeypatch.setattr("web_ui.session.time.time", lambda: 4_000_000_000.0 - 3600 * set_back_h)
    assert client.get("/staff").status_code == status


def test_a_session_expires(machine: WebMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    client = machine.staff()
    hours = machine.config.web.session_hours
    monkeypatch.setattr("web_ui.session.time.time", lambda: 4_000_000_000.0 + hours * 3600)
    assert client.get("/staff").status_code == 302


def test_a_session_cookie_is_of_no_use_to_scripts_and_other_sites(machine: WebMachine) -> None:
    cookie = machine.kiosk().get("/staff/login").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_off_the_machine_the_cookie_needs_https_and_so_does_the_login(machine: WebMachine) -> None:
    client = machine.stranger()
    page = client.get("/staff/login", base_url="http://legpress.lan")
    assert "Secure" in page.headers["Set-Cookie"]
    token = form_token(page.text)
    answer = client.post("/staff/login", data={"form_token": token, "password": PASSWORD})
    assert answer.status_code == 403


def test_after_five_wrong_passwords_even_the_right_one_must_wait(machine: WebMachine) -> None:
    client = machine.kiosk()
    assert [sign_in(client, "wrong") for _ in range(5)] == [403] * 5
    token = form_token(client.get("/staff/login").text)
    answer = client.post("/staff/login", data={"form_token": token, "password": PASSWORD})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    machine.clock.now_s += 2.1
    assert sign_in(client, PASSWORD) == 303


def test_the_wait_doubles_up_to_five_minutes_and_the_right_password_ends_it() -> None:
    now = [0.0]
    limit = GuessLimit(lambda: now[0])
    waits = []
    for _ in range(16):
        limit.wrong()
        waits.append(limit.wait_s())
    assert waits == [0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]
    limit.right()
    assert limit.wait_s() == 0


def test_the_file_is_its_owners_only_and_holds_no_password(tmp_path: Path) -> None:
    set_password(tmp_path, PASSWORD)
    token = add_token(tmp_path, "display")
    path = tmp_path / "staff.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PASSWORD not in path.read_text()
    assert token not in path.read_text()
    assert Credentials(tmp_path).knows_token(token)
    assert [each.name for each in tmp_path.iterdir()] == ["staff.json"]


@pytest.mark.parametrize("password", ["", "short", "x" * 9, "x" * 201])
def test_a_password_too_short_or_too_long_is_refused_and_nothing_changes(tmp_path: Path, password: str) -> None:
    set_password(tmp_path, PASSWORD)
    before = (tmp_path / "staff.json").read_bytes()
    with pytest.raises(PasswordError, match=rf"the password has {len(password)} characters; 10 to 200 are allowed"):
        set_password(tmp_path, password)
    assert (tmp_path / "staff.json").read_bytes() == before


def test_two_hashes_of_one_password_differ(tmp_path: Path) -> None:
    hashes = []
    for folder in ("a", "b"):
        set_password(tmp_path / folder, PASSWORD)
        hashes.append(json.loads((tmp_path / folder / "staff.json").read_text())["passwords"]["staff"]["hash"])
    assert hashes[0] != hashes[1]


def test_each_role_has_a_password_of_its_own(tmp_path: Path) -> None:
    set_password(tmp_path, PASSWORD)
    with pytest.raises(PasswordError, match="this is the password of the role staff already; choose another"):
        set_password(tmp_path, PASSWORD, "admin")
    set_password(tmp_path, "the admin's password", "admin")
    credentials = Credentials(tmp_path)
    roles = [credentials.role_of(each) for each in (PASSWORD, "the admin's password", "neither of them", "x" * 300)]
    assert roles == ["staff", "admin", None, None]


def test_a_new_password_of_one_role_leaves_the_others_signed_in(machine: WebMachine, tmp_path: Path) -> None:
    admin, staff = machine.admin(), machine.staff()
    set_password(tmp_path, "another long password")
    assert (admin.get("/staff").status_code, staff.get("/staff").status_code) == (200, 302)


def test_a_token_that_was_ended_opens_nothing(tmp_path: Path) -> None:
    token = add_token(tmp_path, "display")
    assert drop_token(tmp_path, "display")
    assert not drop_token(tmp_path, "display")
    assert not Credentials(tmp_path).knows_token(token)


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "staff.json").write_text("{")
    with pytest.raises(CredentialsError, match=r"staff\.json is damaged .*delete it and set the password again"):
        make_machine(tmp_path)
    (tmp_path / "staff.json").write_text("[]")
    with pytest.raises(CredentialsError, match=r"staff\.json is damaged \(no JSON object\)"):
        make_machine(tmp_path)


def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CredentialsError, match=r"file/state/staff\.json cannot be read: Not a directory"):
        set_password(tmp_path / "file" / "state", PASSWORD)

