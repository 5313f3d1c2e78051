"""The admin's page of backups: the list, one more now, download, and a restore that says first what it replaces."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from staff_history import make_week_machine
from web_machine import WebMachine, form_token

from device.messages import Command, CommandReply
from device.store.backup import back_up
from device.store.prepare import database_path
from web_ui.staff_backups import STAGES


def answers(machine: WebMachine, **doing: object) -> None:
    """From now on the device tells this of its backups."""
    told = json.dumps({"stage": "idle", "said": "", "ok": True, "restart_needed": False, **doing})
    machine.device.answer = lambda command: CommandReply(command.id, True, None, told)


@pytest.fixture(name="machine")
def with_a_week(tmp_path: Path) -> WebMachine:
    machine = make_week_machine(tmp_path)
    answers(machine)
    return machine


@pytest.fixture(name="backup")
def with_a_backup(machine: WebMachine) -> Path:
    """Of a week's 30 sets, after which two more begin."""
    database = database_path(machine.config.paths.state_dir)
    made = back_up(database)
    old = made.rename(made.with_name("legpress-20261122T033000Z.sqlite3"))
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("DELETE FROM sets WHERE started_utc >= '2026-11-22T03:30'")
    return old


def asked(machine: WebMachine) -> list[tuple[str, str | None, str | None, str | None]]:
    commands = [each for each in machine.device.commands if each.value != "status"]
    return [(each.name, each.value, each.target, each.who) for each in commands]


def test_the_list_has_each_backup_with_date_size_and_reason(machine: WebMachine, backup: Path) -> None:
    before = backup.with_name("legpress-20261120T120000Z-before-0002.sqlite3")
    before.write_bytes(b"x" * 2_340_000)
    backup.with_name("holiday.sqlite3").touch()
    page = machine.admin().get("/staff/backups").text
    assert page.count("Restore …") == 2
    assert page.index("22 Nov 2026, 0") < page.index("20 Nov 2026, 1")
    assert ">2.3 MB<" in page
    assert ">before 0002<" in page


def test_a_backup_is_made_by_the_device_and_how_that_goes_is_shown(machine: WebMachine) -> None:
    admin = machine.admin()
    token = form_token(admin.get("/staff/backups").text)
    assert admin.post("/staff/backups", data={"form_token": token}).status_code == 303
    assert asked(machine) == [("backup", "make", None, "admin")]
    answers(machine, stage="backing_up")
    assert "A backup is being made and read through." in admin.get("/staff/backups/now").text
    answers(machine, said="it was made")
    assert "it was made." in admin.get("/staff/backups/now").text


def test_a_backup_is_downloaded_whole_and_that_is_noted(machine: WebMachine, backup: Path) -> None:
    answer = machine.admin().get(f"/staff/backups/{backup.name}")
    assert answer.data == backup.read_bytes()
    assert backup.name in answer.headers["Content-Disposition"]
    answer.close()
    assert asked(machine) == [("audit", backup.name, "downloaded a backup", "admin")]


@pytest.mark.parametrize("name", ["nothing.sqlite3", "..%2Flegpress.sqlite3", "legpress-20990101T000000Z.sqlite3"])
def test_only_what_is_in_the_folder_of_backups_can_be_downloaded(machine: WebMachine, backup: Path, name: str) -> None:
    admin = machine.admin()
    assert admin.get(f"/staff/backups/{name}").status_code == 404
    assert admin.get(f"/staff/backups/{name}/restore").status_code == 404


def test_before_a_restore_it_is_said_what_goes_what_comes_and_how_to_undo_it(machine: WebMachine, backup: Path) -> None:
    with closing(sqlite3.connect(backup)) as connection:
        kept = connection.execute("SELECT count(*) FROM sets").fetchone()[0]
    page = machine.admin().get(f"/staff/backups/{backup.name}/restore").text
    assert '<td>In use now, replaced</td><td class="n">30</td>' in page
    assert f'<td>This backup</td><td class="n">{kept}</td>' in page
    assert f"<b>{30 - kept} sets begun after this backup</b> will no longer be shown" in page
    assert "restore that one to undo this" in page


def test_a_restore_must_be_confirmed_and_is_asked_of_the_device(machine: WebMachine, backup: Path) -> None:
    admin = machine.admin()
    address = f"/staff/backups/{backup.name}/restore"
    token = form_token(admin.get(address).text)
    assert admin.post(address, data={"form_token": token}).status_code == 400
    assert asked(machine) == []
    assert admin.post(address, data={"form_token": token, "sure": "yes"}).status_code == 303
    form = {"form_token": token, "sure": "yes", "settings": "yes"}
    assert admin.post(address, data=form).status_code == 303
    assert asked(machine) == [
        ("restore", backup.name, None, "admin"),
        ("restore", backup.name, "settings", "admin"),
    ]
    answers(machine, said="it was restored", restart_needed=True)
    assert "/staff/settings/apply" in admin.get("/staff/backups/now").text


def test_a_restore_that_the_device_refuses_is_refused_with_its_reason(machine: WebMachine, backup: Path) -> None:
    admin = machine.admin()
    address = f"/staff/backups/{backup.name}/restore"
    token = form_token(admin.get(address).text)
    machine.device.refuse("Somebody is lifting; restore after the set")
    answer = admin.post(address, data={"form_token": token, "sure": "yes"})
    assert answer.status_code == 409
    assert "Somebody is lifting; restore after the set" in answer.text


def test_without_the_device_the_list_is_there_and_says_so(machine: WebMachine, backup: Path) -> None:
    admin = machine.admin()
    machine.device.fall_silent()
    page = admin.get("/staff/backups").text
    assert "the device process does not answer" in page
    assert page.count("Restore …") == 1


def test_a_backup_that_is_no_database_is_not_offered_for_restoring(machine: WebMachine, backup: Path) -> None:
    backup.write_bytes(b"\xa5" * 8192)
    answer = machine.admin().get(f"/staff/backups/{backup.name}/restore")
    assert answer.status_code == 409
    assert "cannot be read as a database" in answer.text


def test_every_stage_of_the_device_has_its_words() -> None:
    from typing import get_args

    from device.backup_desk import Stage

    assert set(STAGES) == set(get_args(Stage))


def test_staff_without_the_admins_password_see_no_backup(machine: WebMachine, backup: Path) -> None:
    assert machine.staff().get(f"/staff/backups/{backup.name}").status_code == 403


def test_the_command_for_status_changes_nothing(machine: WebMachine) -> None:
    machine.admin().get("/staff/backups")
    assert machine.device.commands == [Command("backup", "status", who="admin")]
