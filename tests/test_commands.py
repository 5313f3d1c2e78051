"""The console command: what is printed, on which stream, and with which exit code it ends."""

from __future__ import annotations

import ctypes
import errno
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from device import installation_health
from device.bus import Publisher
from device.command import doctor, examination, examination_services, main, prerequisites
from device.config import Camera, Config, Load, Paths, Simulation, Web
from device.errors import LegpressError, RunError, UserError
from device.machine_health import Finding
from device.scenario import load_scenario

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def no_configuration_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEGPRESS_CONFIG", raising=False)
    monkeypatch.setattr("device.config_file.SYSTEM_FILE", tmp_path / "none.toml")


def ended(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command line."""
    try:
        code = main.main(words)
    except SystemExit as ending:  # argparse ends by itself after --help and on wrong arguments
        code = int(ending.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# --- the entry -----------------------------------------------------------------------------------


def test_the_help_lists_the_commands_that_exist_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ended(["--help"], capsys)
    assert (code, err) == (0, "")
    listed = [line.split()[0] for line in out.splitlines() if re.match(r"    \S", line)]
    assert listed == list(main.available())
    assert {"config", "model", "doctor"} <= set(listed)
    for name in listed:
        assert (ROOT / "device" / "command" / f"{name}.py").is_file()


@pytest.mark.parametrize("name", main.available())
def test_every_command_has_help_and_the_two_functions(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"device.command.{name}")
    assert callable(module.add_arguments)
    assert callable(module.run)
    code, out, err = ended([name, "--help"], capsys)
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: legpress {name} ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "legpress: the following arguments are required: COMMAND (see 'legpress --help')\n"),
        (["config"], "legpress: the following arguments are required: ACTION (see 'legpress config --help')\n"),
        (["config", "show", "--nope"], "legpress: unrecognized arguments: --nope (see 'legpress --help')\n"),
        (
            ["config", "show", "--all", "--changed"],
            "legpress: argument --changed: not allowed with argument --all (see 'legpress config show --help')\n",
        ),
        (["config", "check", "--config", "no.toml"], "legpress: no.toml: no such configuration file\n"),
        (["doctor", "--config", "no.toml"], "legpress: no.toml: no such configuration file\n"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(words, capsys) == (2, "", message)


def test_an_unknown_command_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ended(["frobnicate"], capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("legpress: argument COMMAND: invalid choice: 'frobnicate' (choose from ")


def test_the_version_is_the_projects(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", {"legpress": "1.2.3"}.__getitem__)
    assert ended(["--version"], capsys) == (0, "legpress 1.2.3\n", "")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], int]], None]:
    """Puts a function in the place of what ``legpress config check`` does."""

    def put(work: Callable[[], int]) -> None:
        monkeypatch.setattr("device.command.config.run", lambda args: work())

    return put


def fails(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "printed"),
    [
        (UserError("clip.mp4: no video"), 2, "legpress: clip.mp4: no video\n"),
        (RunError("the camera died"), 1, "legpress: the camera died\n"),
        (LegpressError("first\nsecond"), 1, "legpress: first\nlegpress: second\n"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "a.mp4"),
            2,
            "legpress: a.mp4: No such file or directory\n",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 2, "legpress: /x: Permission denied\n"),
        (OSError(errno.EADDRINUSE, "Address already in use"), 2, "legpress: Address already in use\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 1, "legpress: /x: No space left on device\n"),
        (OSError("odd"), 1, "legpress: odd\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_becomes_its_lines_and_its_exit_code(
    error: BaseException,
    code: int,
    printed: str,
    capsys: pytest.CaptureFixture[str],
    command: Callable[[Callable[[], int]], None],
) -> None:
    command(fails(error))
    assert ended(["config", "check"], capsys) == (code, "", printed)


def test_the_commands_own_exit_code_is_passed_on(
    capsys: pytest.CaptureFixture[str], command: Callable[[Callable[[], int]], None]
) -> None:
    command(lambda: 7)
    assert ended(["config", "check"], capsys) == (7, "", "")


def test_a_mistake_of_ours_is_not_dressed_up_as_the_users(command: Callable[[Callable[[], int]], None]) -> None:
    command(fails(ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError):
        main.main(["config", "check"])


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        run = subprocess.run(
            [sys.executable, "-m", "device.command", "config", "show"],
            cwd=ROOT,
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)
    assert (run.returncode, run.stderr) == (0, b"")


# --- config --------------------------------------------------------------------------------------


def test_config_check_says_which_file_is_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["config", "check"], capsys) == (0, "no configuration file: the defaults are in force\n", "")
    (tmp_path / "legpress.toml").write_text("[web]\nport = 9000\n")
    assert ended(["config", "check"], capsys) == (0, "legpress.toml: the configuration is valid\n", "")


def test_config_check_prints_a_line_for_each_fault_and_never_valid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.toml").write_text("[web]\nport = 0\n[pin]\n")
    assert ended(["config", "check", "--config", "bad.toml"], capsys) == (
        2,
        "",
        "legpress: bad.toml:2: web.port = 0: allowed 1 to 65535, a whole number\n"
        "legpress: bad.toml:3: pin is no known section; did you mean pins?\n",
    )


def test_config_show_prints_what_is_in_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my.toml").write_text("[web]\nport = 9000\n")
    code, out, _ = ended(["config", "show", "--config", "my.toml"], capsys)
    assert code == 0
    assert '\n[web]\nhost = "127.0.0.1"\nport = 9000\n' in out
    assert ended(["config", "show", "--changed", "--config", "my.toml"], capsys) == (
        0,
        "# from my.toml\n\n[web]\nport = 9000\n",
        "",
    )


# --- what the system must provide ----------------------------------------------------------------


def test_a_complete_system_lacks_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: name)
    assert prerequisites.main([]) == 0
    assert capsys.readouterr() == ("", "")


def test_what_is_missing_is_named_with_its_purpose_and_the_apt_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_gles(name: str) -> str:
        if name.startswith("libGLES"):
            raise OSError(f"{name}: cannot open shared object file")
        return name

    monkeypatch.setattr(ctypes, "CDLL", without_gles)
    monkeypatch.setattr(shutil, "which", lambda program: None if program == "chromedriver" else f"/usr/bin/{program}")
    assert prerequisites.main([]) == 1
    assert capsys.readouterr().err == (
        "legpress: this system lacks libgles2 (for the pose model). Run: sudo apt-get install libgles2\n"
    )
    assert prerequisites.main(["--tests", "--packages"]) == 0
    assert capsys.readouterr().out == "libgles2 chromium-driver\n"


def test_an_old_python_is_told_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert prerequisites.main([]) == 1
    assert capsys.readouterr().err == (
        "legpress: needs Python 3.11 or newer, this is 3.9; name one: make PYTHON=python3.13\n"
    )


# --- doctor --------------------------------------------------------------------------------------


def only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


def config_in(folder: Path, **sections: object) -> Config:
    paths = Paths(state_dir=folder / "state", runtime_dir=folder / "run", model_dir=folder / "models")
    return Config(paths=paths).model_copy(update=sections)


def test_a_pi_4_is_told_before_anything_could_kill_the_process(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("Features\t: fp asimd evtstrm crc32 cpuid\n")
    finding = only(examination.processor("aarch64", cpuinfo))
    assert finding.health == "failed"
    assert "Raspberry Pi 4" in finding.detail
    assert "Raspberry Pi 5" in finding.advice
    cpuinfo.write_text("Features\t: fp asimd atomics\n")
    assert only(examination.processor("aarch64", cpuinfo)).health == "ok"
    assert only(examination.processor("x86_64", cpuinfo)).health == "ok"


def test_missing_libraries_fail_with_the_apt_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = [item for item in prerequisites.LIBRARIES if item.package in {"libegl1", "libgl1"}]
    monkeypatch.setattr(prerequisites, "missing", lambda needed: lacking)
    assert only(examination.libraries()) == Finding(
        "libraries",
        "failed",
        "missing: libegl1 (for the pose model), libgl1 (for OpenCV)",
        "sudo apt-get install libegl1 libgl1",
    )


def test_a_missing_model_fails_with_the_command_that_builds_it(tmp_path: Path) -> None:
    config = config_in(tmp_path, cameras=(Camera(), Camera(name="front", model="heavy")))
    full, heavy = examination.pose_models(config)
    assert (full.part, full.health, full.advice) == ("model full", "failed", "run: legpress model build")
    assert (heavy.part, heavy.advice) == ("model heavy", "run: legpress model build --variant heavy")


def test_a_state_folder_that_cannot_be_written_fails(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in its place")
    finding = only(installation_health.state_folder(config_in(tmp_path)))
    assert (finding.health, finding.detail) == ("failed", f"{tmp_path / 'state'} cannot be written: File exists")


@pytest.mark.parametrize(("free_bytes", "health"), [(5e9, "ok"), (5e8, "degraded"), (5e7, "failed")])
def test_a_filling_disk_is_told_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: float, health: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free_bytes))
    assert only(installation_health.state_folder(config_in(tmp_path))).health == health


def test_an_uncalibrated_load_cell_is_degraded_and_a_calibrated_one_ok(tmp_path: Path) -> None:
    assert only(installation_health.load_cell(config_in(tmp_path))).health == "degraded"
    assert only(installation_health.load_cell(config_in(tmp_path, load=Load(counts_per_kg=2000.0)))).health == "ok"


def test_what_no_camera_checks_is_said(tmp_path: Path) -> None:
    calibration = load_scenario("rounding").cameras[0].calibration
    clip = tmp_path / "set.mp4"
    clip.touch()
    side = Camera(source="clip", clip=clip, calibration=calibration)
    camera, form_check = examination.cameras(config_in(tmp_path, cameras=(side,)))
    assert (camera.health, camera.detail.split(",")[0]) == ("ok", "side view")
    told = "not checked: knee valgus; checked: foot placement, heels, hips, lockout, rounding"
    assert form_check == Finding("form check", "degraded", told, "add a front camera to check it")


def test_a_camera_that_cannot_work_fails_the_form_check(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("view = 5")
    (tmp_path / "set.mp4").touch()
    wrong = Camera(source="clip", clip=tmp_path / "set.mp4", calibration=tmp_path / "bad.toml")
    lost = Camera(name="front", source="clip", clip=tmp_path / "no.mp4")
    first, second, form_check = examination.cameras(config_in(tmp_path, cameras=(wrong, lost)))
    assert (first.health, second.health, form_check.health) == ("failed", "failed", "failed")
    assert first.detail.startswith(f"{tmp_path / 'bad.toml'}: ")
    assert second.detail == f"{tmp_path / 'no.mp4'}: no such video"


def test_simulated_cameras_are_calibrated_where_the_vision_process_finds_a_calibration(tmp_path: Path) -> None:
    cameras = (Camera(source="scenario"), Camera(name="front", source="scenario"))
    config = config_in(tmp_path, cameras=cameras, simulation=Simulation(scenario="mixed"))
    side, front, form_check = examination.cameras(config)
    assert (side.health, front.health, form_check.health) == ("degraded", "degraded", "degraded")
    assert form_check.advice == "calibrate a camera"
    *_, form_check = examination.cameras(load_scenario("mixed").configure(config))
    assert form_check.health == "ok"


def test_services_that_do_not_answer_are_degraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination_services, "ANSWER_WITHIN_S", 0.01)
    device, pages = examination_services.services(config_in(tmp_path, web=Web(port=1)))
    assert (device.health, device.detail) == ("degraded", "not running")
    assert (pages.health, pages.detail) == ("degraded", "http://127.0.0.1:1/healthz does not answer")


def test_a_device_that_publishes_something_else_is_not_taken_for_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination_services, "ANSWER_WITHIN_S", 0.01)
    publisher = Publisher(tmp_path / "run", "live")
    try:
        assert next(examination_services.services(config_in(tmp_path, web=Web(port=1)))).detail == "not running"
    finally:
        publisher.close()


FINDINGS = (
    Finding("python", "ok", "3.13.1 on aarch64"),
    Finding("camera side", "failed", "picamera2 is not installed", "sudo apt-get install python3-picamera2"),
    Finding("load cell", "degraded", "not calibrated"),
)


def test_the_report_has_a_line_a_finding_its_advice_and_the_sum() -> None:
    assert doctor.report(FINDINGS).splitlines() == [
        "ok        python           3.13.1 on aarch64",
        "failed    camera side      picamera2 is not installed",
        "                           -> sudo apt-get install python3-picamera2",
        "degraded  load cell        not calibrated",
        "",
        "2 parts need attention: 1 ok, 1 degraded, 1 failed",
    ]
    assert (
        max(len(line) for line in doctor.report([Finding("x", "ok", "word " * 60, "word " * 60)]).splitlines()) <= 118
    )


@pytest.mark.parametrize(("count", "health", "code"), [(3, "failed", 1), (1, "ok", 0)])
def test_the_doctor_ends_with_1_when_a_part_failed_and_tells_machines_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], count: int, health: str, code: int
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda path: iter(FINDINGS[:count]))
    assert ended(["doctor"], capsys)[0] == code
    ended_with, out, _ = ended(["doctor", "--json"], capsys)
    told = json.loads(out)
    assert (ended_with, told["health"], len(told["findings"])) == (code, health, count)
    assert told["findings"][0] == {"part": "python", "health": "ok", "detail": "3.13.1 on aarch64", "advice": ""}


def test_faults_of_the_configuration_are_findings_and_nothing_that_depends_on_it_is_examined(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[web]\nport = 0\n")
    *_, last = doctor.examine(tmp_path / "bad.toml")
    assert last == Finding(
        "configuration",
        "failed",
        f"{tmp_path / 'bad.toml'}:2: web.port = 0: allowed 1 to 65535, a whole number",
        "correct it; the parts that depend on it were not examined",
    )


@pytest.mark.model
def test_the_doctor_finds_no_failed_part_on_the_simulated_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sim.toml").write_text(
        '[paths]\nstate_dir = "state"\nruntime_dir = "run"\n[pins]\nfactory = "mock"\n[web]\nport = 1\n'
        '[simulation]\nscenario = "rounding"\n[[cameras]]\nsource = "scenario"\n'
    )
    code, out, err = ended(["doctor", "--config", "sim.toml", "--json"], capsys)
    told = {item["part"]: item["health"] for item in json.loads(out)["findings"]}
    assert (code, err, told["model full"], told["state folder"], told["pins"]) == (0, "", "ok", "ok", "ok")
