"""The installer's walk: what the guides tell to type, typed in their order on the simulated machine.

Three real processes run, as ``legpress run`` starts them. The installer's hand is the file that the guide names. Every
wait is for something to happen, and fails when it does not.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from guide import blocks, inline_commands

from device.bus import BusError, send_command
from device.command import main
from device.messages import Command

ROOT = Path(__file__).resolve().parent.parent
GUIDES = [ROOT / "docs" / "hardware.md", ROOT / "docs" / "calibration.md"]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
RUN = "legpress run --config sim.toml"
READY_S, STEP_S = 60.0, 30.0
AS_SIMULATED = (
    ("--lens module3", "--focal 524"),
    ("--machine my-machine.toml --point", "--machine simulated --focal 524 --point"),
)
"""The guide's lens and measures are a real machine's; the simulated one has its own, which it names at its end."""
TRIES = 4
TOO_BUSY = re.compile(
    r"readings a second, expected|wanders by|let the machine come to rest|gives no picture|does not answer"
)
"""A computer that runs tests besides is refused a measurement; the installer types the command again, and it goes on
where it was left."""
NOT_ON_A_SIMULATED_MACHINE = ("--picture", "sudo ")


def typed() -> list[str]:
    return [command for path in GUIDES for block in blocks(path) for command in block.commands]


# --- without a machine: nothing is named that does not exist ---------------------------------------


def test_the_guides_commands_are_found() -> None:
    commands = typed()
    assert RUN in commands
    assert sum(command.startswith("legpress calibrate") for command in commands) >= 8
    assert sum(command.startswith("echo ") for command in commands) >= 3
    assert any("--point plate_top_left=" in command and "back_pad_top=" in command for command in commands)


@pytest.mark.parametrize("command", [each for each in typed() if each.startswith("legpress ")])
def test_every_command_of_the_guides_is_understood_with_all_its_options(command: str) -> None:
    words = shlex.split(command)[1:]
    understood = vars(main.build_parser(words).parse_args(words))
    assert understood["command"] == words[0]


def exists(command: str) -> str | None:
    """What is wrong with a command that is named in running text; None when nothing is.

    Placeholders and dots end it; ``a|b`` and ``a, b`` are alternatives.
    """
    words = re.sub(r"^(sudo (-u \S+ )?)?legpress ", "", command).split()
    if not re.fullmatch(r"[a-z|]+", words[0]):
        return None
    for name in words[0].split("|"):
        if name not in main.available():
            return f"{command}: there is no {name}"
        parsers = [main.build_parser([name])]
        known = ""
        while parsers:  # every parser below it
            parser = parsers.pop()
            known += parser.format_help()
            for action in parser._actions:
                choices = getattr(action, "choices", None)
                if isinstance(choices, dict):
                    parsers += [choices[each] for each in choices if parser.prog != "legpress" or each == name]
        for word in words[1:]:
            option = re.match(r"--[a-z-]+", word)
            if option and option[0] not in known:
                return f"{command}: {name} has no {option[0]}"
            if re.fullmatch(r"[a-z|]+", word):
                missing = [each for each in word.split("|") if not re.search(rf"\b{each}\b", known)]
                if missing and word == words[1]:
                    return f"{command}: {name} knows no {missing[0]}"
    return None


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_named_in_a_document_exists(path: Path) -> None:
    assert [wrong for command in inline_commands(path) if (wrong := exists(command)) is not None] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_user_that_a_command_is_to_be_called_as_is_made_by_the_installation(path: Path) -> None:
    made = set(re.findall(r"^u (\S+)", (ROOT / "systemd" / "legpress.sysusers").read_text(), re.MULTILINE))
    assert set(re.findall(r"sudo -u (\S+)", path.read_text("utf-8"))) <= made


def test_a_command_that_does_not_exist_would_be_found() -> None:
    assert exists("legpress doctor --json") is None
    assert exists("legpress calibrate load|seat|camera") is None
    assert exists("legpress calibrate pads") == "legpress calibrate pads: calibrate knows no pads"
    assert exists("legpress weigh") == "legpress weigh: there is no weigh"
    assert exists("sudo legpress doctor --loud") == "sudo legpress doctor --loud: doctor has no --loud"


# --- on the simulated machine ----------------------------------------------------------------------


def wait_for(happened: Callable[[], bool], within_s: float, what: Callable[[], str]) -> None:
    until_s = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < until_s, f"did not happen within {within_s:g} s: {what()}"
        time.sleep(0.05)


class Program:
    """A command that is running, what it has said, and its keyboard."""

    def __init__(self, words: list[str], folder: Path) -> None:
        environ = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "device.command", *words], cwd=folder, env=environ, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.lines: list[str] = []
        self.answered = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def asks(self) -> str | None:
        """All that was said since the last answer, once it ends in a question."""
        new = list(self.lines[self.answered :])
        ends = new and (new[-1].endswith(("press Enter.", "[y/N]")) or "(Enter when" in new[-1])
        return "\n".join(new) if ends else None

    def answer(self, text: str) -> None:
        self.answered = len(self.lines)
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def ended(self) -> bool:
        return self.process.poll() is not None

    def end(self) -> int:
        """Its exit code, after it has ended by itself or was told to."""
        if not self.ended():
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.returncode


class Installer:
    """Follows the guides: types each command, does by hand what it asks for, and answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: Program | None = None
        self.hand: list[str] = []
        """What the guide lets the hand do next, in its order."""
        self.given: dict[str, str] = {}
        """What the hand did when it was asked for this."""
        self.there = ""
        """What it did last."""
        self.done: list[str] = []

    def type(self, command: str, codes: tuple[int, ...] = (0,)) -> str:
        """Runs one command to its end, which must be one of ``codes``; returns what it said."""
        as_simulated = command
        for real, simulated in AS_SIMULATED:
            as_simulated = as_simulated.replace(real, simulated)
        words = shlex.split(as_simulated)[1:]
        if "--config" not in words and words[:2] != ["calibrate", "sheet"]:
            words += ["--config", "sim.toml"]
        for _ in range(TRIES):
            code, said = self._once(command, words)
            if code in codes or not TOO_BUSY.search(said):
                break
        assert code in codes, f"{command} ended with {code}:\n{said}"
        self.done.append(command)
        return said

    def _once(self, command: str, words: list[str]) -> tuple[int, str]:
        program = Program(words, self.folder)
        try:
            while not program.ended():
                wait_for(
                    lambda: program.ended() or program.asks() is not None, STEP_S, lambda: f"{command}: {program.said}"
                )
                question = program.asks()
                if question is not None and not program.ended():
                    program.answer(self._does(question))
        finally:
            code = program.end()
        return code, program.said

    def _does(self, question: str) -> str:
        """What the hand does, until the machine shows it; then what is typed."""
        if "[y/N]" in question:
            return "y"
        if "kg are on it" in question:
            step = question[question.index("Step") :][:20]
            put_on = self.given[step] = self.given.get(step) or self.hand.pop(0)
            self._put(put_on)
            return f"{json.loads(shlex.split(put_on)[1])['load_kg']:g}"
        notch = re.search(r"into notch (\d+)", question)
        if notch is not None:
            # the guide shows the first notch, and tells of the others in the remark behind it
            first = self.given["notch"] = self.given.get("notch") or self.hand.pop(0)
            self._put(first.replace('"seat_notch": 1', f'"seat_notch": {notch[1]}'))
        return ""

    def _put(self, command: str) -> None:
        part = "seat" if "seat_notch" in command else "load"
        before = self._reads(part)
        assert re.fullmatch(r"echo '[^']*' > [\w./]+", command), command
        subprocess.run(["/bin/sh", "-c", command], cwd=self.folder, check=True)

        def there() -> bool:
            now = self._reads(part)
            as_before = before is None or part == "seat" or command == self.there
            return now is not None and (as_before or abs(now - before) > 0)

        wait_for(there, STEP_S, lambda: f"{command}: {part} reads {self._reads(part)}, before {before}")
        self.there = command

    def _reads(self, part: str) -> float | None:
        """What the part reads at rest; None while it moves or cannot be read."""
        measured = self.ask({"part": part, "do": "measure", "span_s": 0.4})
        if measured is None:
            return None
        figures = measured["cells"][0] if part == "load" else measured["pot"]
        if figures["quality"] in ("stale", "failed") or figures["valid"] < 2:
            return None
        if part == "load":
            return round(figures["mean"], -4) if figures["high"] - figures["low"] < 20_000 else None
        return float(figures["mean"]) if figures["spread"] < 0.005 else None

    def tidy(self) -> None:
        """Takes off what was put on, where the guide says so next."""
        if self.hand and json.loads(shlex.split(self.hand[0])[1]) == {}:
            self._put(self.hand.pop(0))

    def ask(self, wish: dict[str, Any]) -> dict[str, Any] | None:
        try:
            reply = send_command(self.folder / "run", Command("calibrate", json.dumps(wish)), 2.0)
        except BusError:
            return None
        figures: dict[str, Any] | None = json.loads(reply.data) if reply.ok and reply.data else None
        return figures

    def start(self, command: str) -> None:
        """``legpress run``, and waits until both processes answer."""
        self.running = Program(shlex.split(command)[1:], self.folder)
        wait_for(lambda: self._reads("load") is not None and self._sees(), READY_S, lambda: self._log())

    def _sees(self) -> bool:
        """Both cameras give pictures."""
        try:
            looks = (Command("look", f"stickers {name}") for name in ("side", "front"))
            return all(send_command(self.folder / "run", look, 2.0, "camera").ok for look in looks)
        except BusError:
            return False

    def settle(self) -> None:
        """After a new calibration: until the processes that took it up answer again."""
        wait_for(lambda: self._reads("load") is not None and self._sees(), READY_S, lambda: self._log())

    def _log(self) -> str:
        return self.running.said if self.running is not None else "nothing was started"

    def close(self) -> None:
        if self.running is not None:
            self.running.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def installer(tmp_path: Path) -> Iterator[Installer]:
    """In a folder with the guide's ``sim.toml``, and a copy of the machine's profile, as the guide asks for."""
    [config] = [block for block in blocks(GUIDES[1]) if block.language == "toml" and "[simulation]" in block.lines]
    (tmp_path / "sim.toml").write_text("\n".join([*config.lines, "[web]", f"port = {free_port()}", ""]))
    shutil.copy(ROOT / "vision" / "profiles" / "sled45.toml", tmp_path / "my-machine.toml")
    walker = Installer(tmp_path)
    yield walker
    walker.close()


BUSY = re.compile(r"frames/s \(needed|fetched too late|gives no picture|No news from the cameras")
"""What the doctor rightly says of a computer that runs tests besides, and cannot keep up."""


def doctor(said: str) -> dict[str, str]:
    """Each part that is not as it should be, as ``legpress doctor`` printed it, and its state."""
    rows = re.findall(r"^(degraded|failed) +(.{17})(.*)", said, re.MULTILINE)
    return {part.strip(): state for state, part, detail in rows if not BUSY.search(part + detail)}


@pytest.mark.system
@pytest.mark.model
def test_the_guide_leads_from_an_uncalibrated_machine_to_one_where_all_is_well(installer: Installer) -> None:
    commands = typed()
    installer.hand = [each for each in commands if each.startswith("echo ")]
    installer.start(RUN)
    examinations: list[dict[str, str]] = []
    for command in commands:
        plain = command.removesuffix(" --config sim.toml")
        if command == RUN or command.startswith("echo ") or any(each in command for each in NOT_ON_A_SIMULATED_MACHINE):
            continue
        if command.startswith("python "):
            where = subprocess.run(
                [sys.executable, *shlex.split(command)[1:]], cwd=ROOT, capture_output=True, text=True, check=True
            )
            assert (Path(where.stdout.strip()) / "sled45.toml").is_file()
        elif plain == "legpress doctor":
            if len(examinations) < 1:  # before everything
                examinations.append(doctor(installer.type(command, codes=(0, 1))))
            elif command != plain:  # and at the very end, again where a camera has not come back yet
                for _ in range(TRIES):
                    found = doctor(installer.type(command, codes=(0, 1)))
                    if not found:
                        break
                examinations.append(found)
        elif plain not in installer.done:  # the last section repeats what came before, with its file
            installer.type(command)
            installer.done.append(plain)
            installer.settle()
            installer.tidy()
    assert installer.hand == [], "the guide puts something on that nothing asks for"
    before, after = examinations
    assert set(before.values()) == {"degraded"}, before
    assert set(before) >= {"load cell scale", "camera side", "camera front", "form check"}
    assert after == {}
