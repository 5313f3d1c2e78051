"""The fault table, second part: every way in which outputs and button can fail, with the reaction and its delay.

An output that fails does so silently and in the dark; a button that fails never presses by itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
from core_story import CALIBRATED, Story
from pin_bench import BenchTime, run

from device.button import HOLD_S, ButtonReader
from device.config import Config, Outputs, Paths, Pins
from device.core.actions import PlaySound, SetLight
from device.light import open_light
from device.mailbox import Mailbox
from device.messages import ButtonPressed
from device.pins import MockBoard, PinError
from device.recorder import NoStore
from device.scenario import ScenarioClock, load_scenario
from device.sensor_set import WireTime
from device.service import Device, DeviceDied
from device.service import Outputs as DrivenOutputs
from device.silence import main as silence_main
from device.simulation.machine import VirtualMachine
from device.sounder import open_sounder

OUTPUT_PINS = {name: getattr(Pins(), name) for name in ("buzzer", "light_red", "light_green", "light_blue")}
ACTIVE_RGB = Outputs()
PASSIVE_TRAFFIC = Outputs(buzzer="passive", light="traffic")

# --- the end of the process ------------------------------------------------------------------------


@dataclass(frozen=True)
class Ending:
    name: str
    code: str
    exit_code: int


ENDINGS = [
    Ending("the process ends", "pass", 0),
    Ending("an exception nobody caught", "raise RuntimeError('a bug')", 1),
    Ending("sys.exit", "sys.exit(3)", 3),
    Ending("SIGTERM", "os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)", 143),
    Ending("SIGHUP", "os.kill(os.getpid(), signal.SIGHUP); time.sleep(30)", 129),
    Ending("Ctrl-C", "os.kill(os.getpid(), signal.SIGINT); time.sleep(30)", -2),
    Ending("the board is closed", "board.close()", 0),
    Ending("the board is closed twice", "board.close(); board.close()", 0),
]
SILENT_WITHIN_S = 0.5
"""From the ending on, on a busy computer; a pulse of the alarm lasts 0.1 to 0.25 s."""


@pytest.mark.parametrize("outputs", [ACTIVE_RGB, PASSIVE_TRAFFIC], ids=["active buzzer, rgb", "passive, traffic"])
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.name)
def test_however_the_process_ends_it_is_silent_and_dark(ending: Ending, outputs: Outputs, tmp_path: Path) -> None:
    log = tmp_path / "edges"
    program = f"""
        import json, os, signal, sys, time
        # a shell in the background passes on that these are ignored
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from device.config import Config, Outputs
        from device.core.actions import PlaySound, SetLight
        from device.pins import MockBoard, silence_on_exit
        from device.service import Outputs as Driven
        log = open({str(log)!r}, "a", buffering=1)
        def note(pin, high):
            log.write(json.dumps([pin, high, time.monotonic()]) + "\\n")
        board = MockBoard()
        silence_on_exit(board)
        for pin in {sorted(OUTPUT_PINS.values())!r}:
            board.watch(pin, lambda high, pin=pin: note(pin, high))
        driven = Driven(board, Config(outputs=Outputs(buzzer={outputs.buzzer!r}, light={outputs.light!r})))
        now_s = time.monotonic()
        driven.apply(PlaySound("high:back_rounding"), now_s)
        for colour in ("red", "amber", "blue"):
            driven.apply(SetLight(colour, "steady"), now_s)
        note(0, True)
        {ending.code}
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == ending.exit_code, done.stderr
    edges = [json.loads(line) for line in log.read_text().splitlines()]
    ended_s = next(t_s for pin, _, t_s in edges if pin == 0)
    last = {pin: (high, t_s) for pin, high, t_s in edges if pin != 0}
    assert OUTPUT_PINS["buzzer"] in last
    assert {pin for pin, (high, _) in last.items() if high} == set()
    assert last[OUTPUT_PINS["buzzer"]][1] - ended_s < SILENT_WITHIN_S


@pytest.mark.parametrize("outputs", [ACTIVE_RGB, PASSIVE_TRAFFIC], ids=["active buzzer, rgb", "passive, traffic"])
def test_after_a_kill_the_service_manager_takes_the_pins_and_drives_them_low(outputs: Outputs, tmp_path: Path) -> None:
    board = MockBoard()
    for pin in OUTPUT_PINS.values():  # as the kernel leaves them
        board._factory.pin(pin)._function = "output"
        board._factory.pin(pin)._state = True
    fell: list[int] = []
    for pin in OUTPUT_PINS.values():
        board.watch(pin, lambda high, pin=pin: fell.append(pin) if not high else None)  # type: ignore[misc]
    config = tmp_path / "outputs.toml"
    config.write_text(f'[outputs]\nbuzzer = "{outputs.buzzer}"\nlight = "{outputs.light}"\n')
    assert silence_main(["--config", str(config)], lambda config: board) == 0
    assert sorted(fell) == sorted(OUTPUT_PINS.values())


# --- a fault in the running process ----------------------------------------------------------------


class RunningDevice:
    """The device's loop on a virtual machine, in the middle of an alarm."""

    def __init__(self, folder: Path) -> None:
        paths = Paths(state_dir=folder / "state", runtime_dir=folder / "run")
        scenario = load_scenario("rounding")
        self.config = scenario.configure(Config(paths=paths))
        self.board = MockBoard()
        self.inbox: Mailbox[object] = Mailbox()
        machine = VirtualMachine(self.config, scenario, self.board, ScenarioClock(folder / "run"))
        wire_time = WireTime(machine.timer.now, machine.timer.sleep)
        self.device = Device(self.config, self.board, NoStore(), self.inbox, wire_time=wire_time)  # type: ignore[arg-type]
        now_s = self.device._clock()
        self.device._outputs.apply(PlaySound("high:back_rounding"), now_s)
        self.device._outputs.apply(SetLight("red", "steady"), now_s)

    def lit(self) -> set[str]:
        return {name for name, pin in OUTPUT_PINS.items() if self.board.level(pin)}

    def close(self) -> None:
        self.device.close()
        self.inbox.close()
        self.board.close()


@pytest.mark.parametrize("sensor", ["load", "seat", "carriage", "button"])
def test_a_sensors_thread_that_dies_ends_the_process_silent_and_dark(sensor: str, tmp_path: Path) -> None:
    import threading

    running = RunningDevice(tmp_path)
    assert running.lit() == {"buzzer", "light_red"}

    def broken(now_s: float) -> None:
        raise ZeroDivisionError("a driver's bug")

    names = ["load", "seat", "carriage", "button"]
    running.device._threads[names.index(sensor)]._reader.poll = broken  # type: ignore[attr-defined,method-assign]
    with pytest.raises(DeviceDied, match="a sensor's thread died: a driver's bug"):
        running.device.run(threading.Event())
    assert running.lit() == set()
    running.close()


def test_a_fault_of_the_rules_themselves_ends_the_process_silent_and_dark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    running = RunningDevice(tmp_path)

    def broken(state: object, event: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("device.service.step", broken)
    with pytest.raises(ZeroDivisionError):
        running.device.run(threading.Event())
    assert running.lit() == set()
    running.close()


# --- pins that cannot be had, or fail --------------------------------------------------------------


def opened(board: MockBoard, outputs: Outputs, pins: Pins) -> None:
    open_sounder(outputs, board, pins.buzzer)
    open_light(outputs.light, board, pins)


@pytest.mark.parametrize("outputs", [ACTIVE_RGB, PASSIVE_TRAFFIC], ids=["active buzzer, rgb", "passive, traffic"])
@pytest.mark.parametrize("taken", OUTPUT_PINS)
def test_a_taken_pin_is_named_and_leaves_the_others_silent_and_dark(taken: str, outputs: Outputs) -> None:
    with MockBoard() as board:
        board.output(OUTPUT_PINS[taken], "another program's")
        purpose = {"buzzer": "buzzer", "light_red": "red light", "light_green": "green light"}.get(taken)
        purpose = purpose or ("blue light" if outputs.light == "rgb" else "amber light")
        with pytest.raises(PinError, match=rf"^GPIO {OUTPUT_PINS[taken]} \({purpose}\): in use already"):
            opened(board, outputs, Pins())
        assert [name for name, pin in OUTPUT_PINS.items() if board.level(pin)] == []


@pytest.mark.parametrize("broken", OUTPUT_PINS)
def test_a_pin_that_cannot_be_written_any_more_does_not_keep_the_others_on(
    broken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    board = MockBoard()
    driven = DrivenOutputs(board, Config(outputs=ACTIVE_RGB))
    driven.apply(PlaySound("high:back_rounding"), 0.0)
    for pin in OUTPUT_PINS.values():
        board._factory.pin(pin).state = True

    def gone(value: float) -> None:
        raise OSError(5, "Input/output error")

    line = board._factory.pin(OUTPUT_PINS[broken])
    line._set_state = gone
    board.silence()
    assert {name for name, pin in OUTPUT_PINS.items() if board.level(pin)} == {broken}
    assert "a pin could not be driven low" in capsys.readouterr().err
    del line._set_state
    board.close()
    assert not board.level(OUTPUT_PINS[broken])


@pytest.mark.parametrize("outputs", [ACTIVE_RGB, PASSIVE_TRAFFIC], ids=["active buzzer, rgb", "passive, traffic"])
def test_opening_the_outputs_makes_no_sound_and_no_light(outputs: Outputs) -> None:
    rose: list[int] = []
    with MockBoard() as board:
        for pin in OUTPUT_PINS.values():
            board.watch(pin, lambda high, pin=pin: rose.append(pin) if high else None)  # type: ignore[misc]
        opened(board, outputs, Pins())
    assert rose == []


# --- the button ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ButtonRow:
    name: str
    levels: tuple[tuple[bool, float], ...]
    """(down, for how long), after 0.1 s at the first level."""
    presses: tuple[bool, ...]
    """Held or not, of each press that is told."""
    within_s: float = 0.0
    """The last press is told so soon after the last change of level."""
    at_start: bool = False
    """The first level is there before the driver is."""


def bounce(down: bool, times: int, each_s: float) -> tuple[tuple[bool, float], ...]:
    return tuple((down if i % 2 == 0 else not down, each_s) for i in range(times))


BUTTON_ROWS = [
    ButtonRow("stuck closed at the start", ((True, 600.0),), (), at_start=True),
    ButtonRow("closed at the start, let go, pressed", ((True, 5.0), (False, 0.5), (True, 0.2), (False, 0.3)), (False,),
              0.06, at_start=True),
    ButtonRow("bouncing when it closes", (*bounce(True, 9, 0.004), (True, 0.3), (False, 0.3)), (False,), 0.06),
    ButtonRow("bouncing when it opens", ((True, 0.3), *bounce(False, 9, 0.004), (False, 0.3)), (False,), 0.06),
    ButtonRow("a worn contact that chatters for ever", bounce(True, 2000, 0.004), ()),
    ButtonRow("spikes picked up by a long wire", bounce(True, 200, 0.02), ()),
    ButtonRow("held long: a call for help", ((True, 2.2),), (True,), HOLD_S + 0.05),
    ButtonRow("stuck closed while pressed: one call, no more", ((True, 600.0),), (True,), HOLD_S + 0.05),
    ButtonRow("held long, let go: no short press besides", ((True, 3.0), (False, 1.0)), (True,)),
    ButtonRow("its wire is broken", ((False, 600.0),), ()),
    ButtonRow("a loose wire while it is held", ((True, 1.5), (False, 0.01), (True, 1.0)), (True,)),
    ButtonRow("a short press", ((True, 0.2), (False, 0.2)), (False,), 0.06),
]  # fmt: skip


@pytest.mark.parametrize("row", BUTTON_ROWS, ids=lambda row: row.name.replace(" ", "_"))
def test_a_button_presses_only_when_somebody_presses_it(row: ButtonRow) -> None:
    time, board = BenchTime(), MockBoard()
    pin = board.input(23, "button", pull_up=True)
    board.drive(23, not (row.levels[0][0] if row.at_start else False))
    reader = ButtonReader(pin)
    run(reader, time, 0.1)
    told: list[tuple[float, object]] = []
    changed_s = time.now_s
    for down, duration_s in row.levels:
        changed_s = time.now_s
        board.drive(23, not down)
        told += run(reader, time, duration_s)
    board.close()
    assert [press.held for _, press in told if isinstance(press, ButtonPressed)] == list(row.presses)
    if row.within_s:
        assert told[-1][0] - changed_s <= row.within_s


def test_a_long_press_calls_staff_at_once_with_light_sound_and_page() -> None:
    told = Story(CALIBRATED).wait(0.5)
    pressed_s = told.t_s
    told.wait(HOLD_S)
    told.tell(ButtonPressed(pressed_s, held=True))
    assert told.lights[-1] == ("blue", "slow")
    assert told.sounds[-1] == "help"
    told.wait(0.2)
    assert told.live.help_called


def test_the_tables_rows_have_names_of_their_own() -> None:
    for rows in (ENDINGS, BUTTON_ROWS):
        assert len({row.name for row in rows}) == len(rows)
