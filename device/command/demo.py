"""``legpress demo``: the whole product on the virtual leg press, in a folder of its own that goes when it ends."""

from __future__ import annotations

import argparse
import contextlib
import logging
import secrets
import socket
import tempfile
import threading
import time
import urllib.request
import webbrowser
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path

from device import config_file
from device.bus import BusError, Subscriber, send_command
from device.command.config import to_toml
from device.command.model import build_with_progress
from device.command.run import configure_log
from device.command.supervisor import Supervisor, stop_on_signals
from device.config import Config
from device.errors import RunError, UserError
from device.messages import AlertRecord, Command, LiveState, RepRecord
from device.scenario import NAMES, Scenario, load_scenario
from device.scenario_clock import ScenarioClock
from vision.model import model_path
from web_ui.credentials import ROLES, Role, set_password

log = logging.getLogger(__name__)

READY_WITHIN_S = 60.0
"""From the start to the first figure: 4 s on a laptop, longer on a machine that is busy or cold."""
GIVE_UP_AFTER = 3
"""Restarts before the demonstration has begun."""
_POLL_S = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=8080, metavar="N", help="of the web pages (default: 8080)")
    parser.add_argument(
        "--scenario", choices=NAMES, default="mixed", help="what happens on the machine (default: mixed)"
    )
    parser.add_argument("--once", action="store_true", help="end after one pass of the scenario")
    parser.add_argument("--no-browser", action="store_true", help="do not open the kiosk page")
    parser.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="keep database and logs in this folder (default: a new one, removed at the end)",
    )


def run(args: argparse.Namespace) -> int:
    configure_log("demo")
    if not 1 <= args.port <= 65535:
        raise UserError(f"--port {args.port}: give a port from 1 to 65535")
    check_port_free("127.0.0.1", args.port)
    scenario = load_scenario(args.scenario)
    stop = stop_on_signals()
    with folder(args.state) as home:
        config = demo_config(scenario, home, args.port, args.once)
        build_with_progress("full", model_path(config.paths.model_dir, "full"))
        config_path = home / "config.toml"
        config_path.write_text(to_toml(config), encoding="utf-8")
        passwords = {role: secrets.token_urlsafe(9) for role in ROLES}
        for role in ROLES:
            set_password(config.paths.state_dir, passwords[role], role)
        clock = ScenarioClock(config.paths.runtime_dir)
        clock.clear()
        with Supervisor(config_path) as supervisor:
            demonstration = Demonstration(config, scenario, clock, supervisor, stop)
            code = demonstration.wait_until_ready()
            if code is None:
                announce(config, scenario, passwords, args.once)
                if not args.no_browser:
                    threading.Thread(target=webbrowser.open, args=(address(config),), daemon=True).start()
                code = demonstration.play(args.once)
        print(demonstration.summary() if code == 0 else "demo: ended early")
    return code


def check_port_free(host: str, port: int) -> None:
    """Raises UserError where another program listens already."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(f"port {port} cannot be used ({error.strerror}); choose another with --port") from error


@contextlib.contextmanager
def folder(kept: Path | None) -> Iterator[Path]:
    """The folder `kept`, or a new one that is removed at the end.

    Raises:
        UserError: it cannot be made or written.
    """
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="legpress-", ignore_cleanup_errors=True) as name:
            yield Path(name)
        return
    try:
        kept.mkdir(parents=True, exist_ok=True)
        (kept / "config.toml").touch()
    except OSError as error:
        raise UserError(f"--state {kept}: cannot be written: {error.strerror}") from error
    yield kept.absolute()


def demo_config(scenario: Scenario, home: Path, port: int, once: bool) -> Config:
    """The defaults, the virtual machine, and every path but the pose model's inside `home`."""
    config = scenario.configure(config_file.with_absolute_paths(Config(), Path.cwd()))
    paths = config.paths.model_copy(update={"state_dir": home / "state", "runtime_dir": home / "run"})
    paths.state_dir.mkdir(parents=True, exist_ok=True)
    return config.model_copy(
        update={
            "paths": paths,
            "web": config.web.model_copy(update={"port": port}),
            "simulation": config.simulation.model_copy(
                update={"once": once, "pin_trace": home / "state" / "pin_edges.jsonl"}
            ),
        }
    )


def address(config: Config) -> str:
    return f"http://{config.web.host}:{config.web.port}/"


def announce(config: Config, scenario: Scenario, passwords: Mapping[Role, str], once: bool) -> None:
    length = f"{scenario.pass_s:.0f} s" + ("" if once else ", again and again")
    print(
        f"\n  {scenario.title} ({scenario.name}, {length})"
        f"\n  kiosk page      {address(config)}"
        f"\n  staff page      {address(config)}staff   password, this time only: {passwords['staff']}"
        f"\n                  as admin, who also changes settings: {passwords['admin']}"
        f"\n  data            {config.paths.state_dir}"
        f"\n  Ctrl-C ends it.\n",
        flush=True,
    )


class Demonstration:
    """Waits for the services, starts the scenario, and does on the kiosk what its member would do."""

    def __init__(
        self,
        config: Config,
        scenario: Scenario,
        clock: ScenarioClock,
        supervisor: Supervisor,
        stop: threading.Event,
    ) -> None:
        self._config, self._scenario, self._clock = config, scenario, clock
        self._supervisor, self._stop = supervisor, stop
        self._live = Subscriber(config.paths.runtime_dir, "live")
        self._state: LiveState | None = None
        self._reps: dict[tuple[str, int], RepRecord] = {}
        self._alerts: dict[str, AlertRecord] = {}

    def wait_until_ready(self) -> int | None:
        """None once every part answers and the figure stands; an exit code when it will not.

        Raises:
            RunError: not within `READY_WITHIN_S`.
        """
        deadline_s = time.monotonic() + READY_WITHIN_S
        return self._until(lambda: self._ready() or self._late(deadline_s))

    def _ready(self) -> bool:
        state = self._state
        return state is not None and bool(state.figure) and web_answers(self._config)

    def _late(self, deadline_s: float) -> bool:
        if time.monotonic() > deadline_s:
            raise RunError(f"the services were not ready within {READY_WITHIN_S:.0f} s; their messages stand above")
        if self._supervisor.restarts >= GIVE_UP_AFTER:
            raise RunError("a service does not start; its messages stand above")
        return False

    def play(self, once: bool) -> int:
        """The scenario from its start; until it is over (`once`) or the person has seen enough."""
        self._clock.start(time.monotonic())
        script = list(self._scenario.script)

        def over() -> bool:
            elapsed_s = self._clock.elapsed(time.monotonic())
            while script and script[0].t_s <= elapsed_s:
                self._press(script.pop(0).command)
            return self._scenario.finished(elapsed_s, once)

        code = self._until(over)
        return 0 if code is None else code

    def _press(self, command: Command) -> None:
        try:
            reply = send_command(self._config.paths.runtime_dir, command)
        except BusError as error:
            log.warning("%s", error)
            return
        if not reply.ok:
            log.warning("the machine refused %s %s: %s", command.name, command.value or "", reply.error)

    def _until(self, done: Callable[[], bool]) -> int | None:
        """None when `done`; 0 when stopped; the exit code of a service whose input is bad."""
        try:
            while not self._stop.is_set():
                self._live.wait(_POLL_S)
                self._read()
                code = self._supervisor.check()
                if code is not None:
                    return code
                if done():
                    return None
        finally:
            self._read()
        return 0

    def _read(self) -> None:
        for record in self._live.drain():
            if isinstance(record, LiveState):
                self._state = record
            elif isinstance(record, RepRecord):
                self._reps[(record.set_id, record.number)] = record
            elif isinstance(record, AlertRecord):
                self._alerts[record.alert_id] = record

    def summary(self) -> str:
        """What was counted while it ran."""
        kinds = Counter(
            f"{alert.kind.replace('_', ' ')}{' ' + alert.side if alert.side else ''}" for alert in self._alerts.values()
        )
        alerts = ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items())) or "no warning"
        return f"demo: {len(self._reps)} reps; {alerts}"


def web_answers(config: Config) -> bool:
    """True when the pages know the machine's state."""
    try:
        with urllib.request.urlopen(f"{address(config)}api/v1/state", timeout=1.0) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:  # nobody listens yet, or the service has no state yet (an HTTPError is an OSError)
        return False
