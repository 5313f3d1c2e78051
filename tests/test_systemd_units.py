"""The services as systemd sees them: correct, hardened, watched over, and with one user each."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from device.command.supervisor import WATCHDOG_S
from device.config import Camera, Config, Paths

UNITS = Path(__file__).resolve().parent.parent / "systemd"
SERVICES = ("device", "vision", "web")
PROGRAMS = ("legpress", "python", "cage", "chromium", "chvt")


@pytest.fixture(name="installed", scope="module")
def beside_programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units, with programs that exist: ``verify`` looks for them, and here nothing is installed."""
    folder = tmp_path_factory.mktemp("units")
    for program in PROGRAMS:
        shutil.copy("/bin/true", folder / program)
    for unit in UNITS.glob("legpress*.*"):
        text = unit.read_text()
        text = re.sub(rf"/(opt/legpress|usr)/bin/({'|'.join(PROGRAMS)})\b", rf"{folder}/\2", text)
        (folder / unit.name).write_text(text)
    return folder


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def directives(name: str, section: str = "Service") -> dict[str, list[str]]:
    """Every value of every key of one section; a key may come more than once."""
    found: dict[str, list[str]] = {}
    inside = False
    for line in (UNITS / name).read_text().splitlines():
        if line.startswith("["):
            inside = line == f"[{section}]"
        elif inside and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_systemd_finds_nothing_to_say_about_the_units(installed: Path) -> None:
    suffixes = {".service", ".target", ".timer"}
    units = sorted(str(path) for path in installed.glob("legpress*.*") if path.suffix in suffixes)
    assert len(units) == 7
    done = analyze("verify", *units)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_mistake_in_a_unit_would_be_noticed(installed: Path, tmp_path: Path) -> None:
    broken = tmp_path / "legpress-broken.service"
    broken.write_text((installed / "legpress-web.service").read_text().replace("WatchdogSec", "WatchdogSecs"))
    assert "WatchdogSecs" in analyze("verify", str(broken)).stderr


@pytest.mark.parametrize(("name", "worst"), [("device", 20), ("vision", 20), ("web", 15), ("backup", 15)])
def test_a_service_is_exposed_no_further_than_allowed(installed: Path, name: str, worst: int) -> None:
    done = analyze("security", "--offline=true", f"--threshold={worst}", str(installed / f"legpress-{name}.service"))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_watched_and_started_again_for_ever(name: str) -> None:
    unit = f"legpress-{name}.service"
    service = directives(unit)
    assert service["Type"] == ["notify"]
    assert service["WatchdogSec"] == [f"{WATCHDOG_S[name]:g}"]
    assert service["Restart"] == ["always"]
    assert directives(unit, "Unit")["StartLimitIntervalSec"] == ["0"]


def test_each_service_has_a_user_of_its_own_and_only_the_device_reaches_the_pins() -> None:
    users = [directives(f"legpress-{name}.service")["User"][0] for name in (*SERVICES, "kiosk")]
    assert len(set(users)) == len(users)
    declared = re.findall(r"^u (\S+)", (UNITS / "legpress.sysusers").read_text(), re.MULTILINE)
    assert sorted(declared) == sorted(users)
    devices = {name: " ".join(directives(f"legpress-{name}.service").get("DeviceAllow", [])) for name in SERVICES}
    assert [name for name, allowed in devices.items() if "gpiochip" in allowed] == ["device"]
    assert [name for name, allowed in devices.items() if "video4linux" in allowed] == ["vision"]
    assert directives("legpress-web.service")["PrivateDevices"] == ["yes"]


def test_the_screens_user_may_not_open_the_sockets_or_the_database() -> None:
    members = re.findall(r"^m (\S+) legpress$", (UNITS / "legpress.sysusers").read_text(), re.MULTILINE)
    assert members == ["legpress-device", "legpress-vision", "legpress-web"]
    folders = re.findall(r"^d (\S+) (\d+) \S+ (\S+)$", (UNITS / "legpress.tmpfiles").read_text(), re.MULTILINE)
    assert {folder: (mode, group) for folder, mode, group in folders} == {
        "/var/lib/legpress": ("2770", "legpress"),
        "/var/lib/legpress/backups": ("2770", "legpress"),
        "/var/lib/legpress/calibration": ("2770", "legpress"),
        "/run/legpress": ("2770", "legpress"),
    }


def test_the_vision_service_sees_the_calibrations_and_nothing_else_that_is_stored() -> None:
    service = directives("legpress-vision.service")
    assert service["ReadWritePaths"] == ["/run/legpress"]
    assert service["TemporaryFileSystem"] == ["/var/lib/legpress:ro"]
    assert service["BindPaths"] == ["-/var/lib/legpress/calibration"]
    config = Config(paths=Paths(state_dir=Path("/var/lib/legpress")))
    assert config.calibration_file(Camera(name="side")) == Path("/var/lib/legpress/calibration/side.toml")


def test_the_sysusers_and_tmpfiles_are_understood_by_systemd(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", str(UNITS / "legpress.sysusers")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    groups = dict(line.split(":", 1) for line in (tmp_path / "etc" / "group").read_text().splitlines())
    assert groups["legpress"].split(":")[-1].split(",") == ["legpress-device", "legpress-vision", "legpress-web"]
