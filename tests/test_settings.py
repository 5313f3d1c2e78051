"""Settings of the admin's page: over the configuration file, checked as it is, undone, taken over at rest."""

from __future__ import annotations

import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from core_story import Story
from web_machine import WebMachine, form_token, make_open_machine

from device import calibration_store, config_file, settings
from device.calibration_store import given_in_file
from device.config import Config
from device.config_file import ConfigError
from device.core.actions import EndDemo, Reply
from device.messages import Command, CommandReply
from device.settings import SettingsError, SettingsFileError

ONSET = "faults.back_rounding_deg.onset"


@pytest.fixture(name="machine")
def with_admin(tmp_path: Path) -> WebMachine:
    return make_open_machine(tmp_path)


def configured(state_dir: Path) -> Config:
    file = state_dir / "legpress.toml"
    file.write_text(f'[paths]\nstate_dir = "{state_dir}"\n[faults.back_rounding_deg]\nonset = 8.5\n')
    return config_file.load(file)


def test_a_setting_lies_over_the_file_and_undoing_brings_the_file_back(tmp_path: Path) -> None:
    assert configured(tmp_path).faults.back_rounding_deg.onset == 8.5
    settings.keep(tmp_path, {ONSET: 10.0})
    assert configured(tmp_path).faults.back_rounding_deg.onset == 10.0
    assert config_file.load_file(tmp_path / "legpress.toml").faults.back_rounding_deg.onset == 8.5
    assert settings.undo(tmp_path)
    assert configured(tmp_path).faults.back_rounding_deg.onset == 8.5
    assert not settings.undo(tmp_path)


@pytest.mark.parametrize("values", [{}, {ONSET: 10.0}])
def test_what_was_measured_holds_with_settings_and_without(tmp_path: Path, values: dict[str, float]) -> None:
    calibration_store.store(tmp_path, "load", {"counts_per_kg": 8000.0, "tare_counts": 5, "made_utc": "2026-11-27"})
    if values:
        settings.keep(tmp_path, values)
    config = configured(tmp_path)
    assert calibration_store.given_in_file(config, "load") == []
    assert calibration_store.in_force(config).load.counts_per_kg == 8000.0


def test_each_services_user_can_read_the_settings(tmp_path: Path) -> None:
    settings.keep(tmp_path, {ONSET: 10.0})
    assert stat.S_IMODE((tmp_path / "settings.json").stat().st_mode) == 0o660
    assert [each.name for each in tmp_path.iterdir()] == ["settings.json"]


def test_every_fault_is_told_at_once_with_what_is_allowed() -> None:
    with pytest.raises(SettingsError) as caught:
        settings.overlaid(Config(), {"machine.load_limit_kg": 0, "cueing.confirmation_s": "soon"})
    lines = sorted(caught.value.lines)
    assert len(lines) == 2
    assert lines[0].startswith('cueing.confirmation_s = "soon"')
    assert lines[1].startswith("machine.load_limit_kg = 0")


def test_what_contradicts_another_key_is_refused() -> None:
    with pytest.raises(SettingsError, match="must be below faults.back_rounding_deg.onset"):
        settings.overlaid(Config(), {"faults.back_rounding_deg.release": 9.5})


@pytest.mark.parametrize("key", ["pins.buzzer", "paths.state_dir", "machine.seat_notches_m", "nonsense"])
def test_pins_paths_and_what_is_measured_cannot_be_set(key: str) -> None:
    with pytest.raises(SettingsError, match="cannot be set here"):
        settings.overlaid(Config(), {key: 5})


def test_settings_that_the_file_has_come_to_contradict_are_named_with_their_file(tmp_path: Path) -> None:
    settings.keep(tmp_path, {"faults.back_rounding_deg.release": 8.7})
    with pytest.raises(ConfigError, match=r"settings\.json: faults\.back_rounding_deg\.release = 8\.7"):
        configured(tmp_path)


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(SettingsFileError, match=r"settings\.json is damaged .*delete it"):
        configured(tmp_path)


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("machine.load_limit_kg", "above 0 to 1000 kilograms"),
        ("machine.name", "a text"),
        ("machine.house_rules", "a web address (http:// or https://), or nothing"),
        ("goals.glutes.low", "0 to 1"),
        ("faults.back_rounding_deg.onset", "0.5 to 60 degrees"),
        ("faults.hips_forward_m.onset", "0.005 to 0.3 metres"),
        ("faults.back_rounding_deg.release", "from 0 to below onset degrees"),
        ("faults.knee_lockout_deg.release", "above onset, at most 60 degrees"),
        ("faults.knee_valgus_deg.high_heavy", "from onset to high degrees"),
        ("faults.back_rounding_deg.dwell_s", "0 to 5 seconds"),
        ("retention.replays_days", "1 to 3650 days, a whole number"),
        ("retention.at_hour", "0 to 23, a whole number"),
    ],
)
def test_beside_each_field_stands_what_is_allowed_with_its_unit(machine: WebMachine, key: str, allowed: str) -> None:
    assert settings.allowed(key) == allowed
    page = machine.admin().get("/staff/settings").text
    assert re.search(rf'name="{re.escape(key)}"[^>]*><small>{re.escape(allowed)}; usual: ', page)


@pytest.mark.parametrize(("key", "value"), list(settings.keys(Config())))
def test_the_range_that_is_shown_is_the_one_that_is_checked(key: str, value: object) -> None:
    """The ends of each range in numbers are taken alone, or refused only for what another key says; beyond is not."""
    span = re.match(r"(above )?([\d.]+) to ([\d.]+)", settings.allowed(key))
    if isinstance(value, bool) or not isinstance(value, int | float):
        assert span is None
        return
    if span is None:
        assert "onset" in settings.allowed(key)
        return
    for beyond in (float(span[3]) * 1.01 + 1, -1.0):
        with pytest.raises(SettingsError, match=re.escape(key)):
            settings.overlaid(Config(), {key: type(value)(beyond)})
    try:
        settings.overlaid(Config(), {key: type(value)(float(span[3]))})
    except SettingsError as error:
        others = [other for other, _ in settings.keys(Config()) if other != key]
        assert all(any(other in line for other in others) for line in error.lines), error.lines


def post(machine: WebMachine, address: str, **form: str) -> tuple[int, str]:
    admin = machine.admin()
    token = form_token(admin.get("/staff/settings").text)
    answer = admin.post(address, data={"form_token": token, **form})
    return answer.status_code, answer.text


def test_what_is_saved_waits_to_be_taken_over_and_is_in_the_audit_log(machine: WebMachine, tmp_path: Path) -> None:
    assert post(machine, "/staff/settings", **{ONSET: "10", "machine.units": "lb"})[0] == 303
    assert settings.in_force(tmp_path) == {ONSET: 10.0, "machine.units": "lb"}
    page = machine.admin().get("/staff/settings").text
    assert f"{ONSET} = 10 (now 9)" in page
    told = machine.device.commands[-1]
    assert (told.name, told.target, told.who) == ("audit", "changed settings", "admin")
    assert told.value == f"machine.units = lb, {ONSET} = 10"
    assert post(machine, "/staff/settings/undo")[0] == 303
    assert settings.in_force(tmp_path) == {}
    assert post(machine, "/staff/settings/undo")[0] == 409


def test_each_undo_goes_back_by_one_change_and_is_in_the_audit_log(machine: WebMachine, tmp_path: Path) -> None:
    for onset in ("10", "11"):
        assert post(machine, "/staff/settings", **{ONSET: onset})[0] == 303
    assert post(machine, "/staff/settings/undo")[0] == 303
    assert settings.in_force(tmp_path) == {ONSET: 10.0}
    page = machine.admin().get("/staff/settings").text
    assert f'name="{ONSET}" value="10"' in page
    assert machine.device.commands[-1].target == "undid the last change of settings"
    assert post(machine, "/staff/settings/undo")[0] == 303
    assert settings.in_force(tmp_path) == {}
    assert f'name="{ONSET}" value="9"' in machine.admin().get("/staff/settings").text


def test_while_somebody_lifts_settings_are_kept_and_not_taken_over(machine: WebMachine, tmp_path: Path) -> None:
    """Saving touches nothing that runs; only taking over does, and that the rules refuse during a set."""
    told = Story().wait(0.5)
    told.rep(rest_s=0.1)

    def asked(command: Command) -> CommandReply:
        if command.name == "audit":
            return CommandReply(command.id, True)
        told.tell(replace(command, id="c9"))
        reply = told.replies[-1]
        return CommandReply(command.id, reply.ok, reply.error)

    machine.device.answer = asked
    assert post(machine, "/staff/settings", **{ONSET: "10"})[0] == 303
    status, page = post(machine, "/staff/settings/apply")
    assert (status, "Somebody is lifting; what was set is taken over after the set" in page) == (409, True)
    assert settings.in_force(tmp_path) == {ONSET: 10.0}
    assert told.of(EndDemo) == []
    told.wait(12.0)
    assert post(machine, "/staff/settings/apply")[0] == 303
    assert told.of(EndDemo) == [EndDemo()]


def test_a_form_with_a_fault_saves_nothing_and_keeps_what_was_typed(machine: WebMachine, tmp_path: Path) -> None:
    status, page = post(machine, "/staff/settings", **{ONSET: "much", "machine.name": "By the window"})
    assert status == 400
    assert "Nothing was saved" in page
    assert "faults.back_rounding_deg.onset = &#34;much&#34;" in page
    assert 'value="By the window"' in page
    assert settings.versions(tmp_path) == []
    assert machine.device.commands == []


def test_taking_over_is_the_devices_to_refuse(machine: WebMachine) -> None:
    machine.device.refuse("Somebody is lifting; what was set is taken over after the set")
    status, page = post(machine, "/staff/settings/apply")
    assert status == 409
    assert "Somebody is lifting" in page


def test_the_device_starts_anew_at_rest_only() -> None:
    told = Story()
    told.tell(Command("restart", None, "c1", who="admin"))
    assert told.of(EndDemo) == [EndDemo()]
    assert told.of(Reply)[-1].ok


def test_what_the_file_leaves_out_stays_left_out_for_a_calibration_to_fill_in(tmp_path: Path) -> None:
    path = tmp_path / "legpress.toml"
    path.write_text('[paths]\nstate_dir = "state"\n[load]\ncells = 2\n[seat]\nsensors = ["pot", "tof"]\n')
    (tmp_path / "state").mkdir()
    settings.keep(tmp_path / "state", {"machine.load_limit_kg": 250.0})
    config = config_file.load(path)
    assert config.machine.load_limit_kg == 250.0
    assert (given_in_file(config, "load"), given_in_file(config, "seat")) == ([], [])
    path.write_text('[paths]\nstate_dir = "state"\n[load]\ncounts_per_kg = 7000.0\n')
    assert given_in_file(config_file.load(path), "load") == ["load.counts_per_kg"]
