"""The device process: pins, rules and records.

One loop. It waits on the poses of vision, the commands of the pages and the readings of the sensor
threads, hands each to the pure core, and carries out what the core asks. Outputs are driven first;
the disk has a thread of its own; nothing here waits for another process.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator

import zmq

from device import calibration_store
from device.backup_desk import BackupDesk
from device.bus import CommandServer, Publisher, Subscriber
from device.buzzer import BuzzerPlayer
from device.calibration_desk import CalibrationDesk
from device.config import Config
from device.core.actions import Action, Calibrate, EndDemo, KeepBackup, PlaySound, Publish, Reply, SetLight, Show, Tare
from device.core.events import Event, Stop, Tick
from device.core.live import live_state
from device.core.state import CoreState
from device.core.step import step
from device.errors import RunError
from device.heartbeat import Heartbeat
from device.light import open_light
from device.load import LoadError
from device.mailbox import Mailbox
from device.messages import Command, CommandReply, PartsReport, PoseSample
from device.pins import Board, MockBoard, open_board, silence_on_exit
from device.recorder import Recorder, Store
from device.sampling import InTurn, SamplingThread
from device.sensor_set import REAL_TIME, WireTime, open_sensors
from device.sounder import open_sounder
from device.store.prepare import database_path
from device.stored_state import open_store, refuse_unusable

log = logging.getLogger(__name__)

TICK_S = 0.1
"""How often the core is told that time passes, when nothing else happens."""
REPORT_S = 1.0
"""How often every sensor reports how it is doing."""
RETAIN_EVERY_S = 60.0
"""How often it is asked whether the daily deletion is due; not while somebody lifts."""
_LONGEST_WAIT_S = 0.05
"""So that a signal is obeyed at once."""
INPUT_HANGS_AFTER_S = 1.0
"""A sensor's thread polls at least ten times a second, and reports a fault of its sensor as such; one that does
neither for this long is stuck in its driver, and only a new process gets it out."""


class DeviceDied(RunError):
    """A sensor's thread ended: the process ends too and is started again, for nothing limps on half alive."""


class Outputs:
    """Buzzer and light. ``update`` when its deadline has come; a change acts on the pins at once."""

    def __init__(self, board: Board, config: Config) -> None:
        self.buzzer = BuzzerPlayer(open_sounder(config.outputs, board, config.pins.buzzer))
        self.light = open_light(config.outputs.light, board, config.pins)
        self.next_edge_s = math.inf

    def apply(self, action: PlaySound | SetLight, now_s: float) -> None:
        if isinstance(action, PlaySound):
            self.buzzer.play(action.pattern, now_s)
        else:
            self.light.show(action.colour, action.flash, now_s)
        self.update(now_s)

    def update(self, now_s: float) -> None:
        edges_s = (self.buzzer.update(now_s), self.light.update(now_s))
        self.next_edge_s = min((edge for edge in edges_s if edge is not None), default=math.inf)


class Device:
    """The loop and what it speaks to. Composed by ``run``; a test composes its own."""

    def __init__(
        self,
        config: Config,
        board: Board,
        store: Store,
        inbox: Mailbox[Event],
        clock: Callable[[], float] = time.monotonic,
        wire_time: WireTime = REAL_TIME,
        given: Config | None = None,
    ) -> None:
        runtime_dir = config.paths.runtime_dir
        self._config, self._clock, self._inbox = config, clock, inbox
        self._outputs = Outputs(board, config)
        self._recorder = Recorder(store, inbox.put)
        self._backups = BackupDesk(database_path(config.paths.state_dir), store)
        self._state = CoreState.initial(config, session=session_name())
        self._poses = Subscriber(runtime_dir, "pose")
        self._live = Publisher(runtime_dir, "live")
        self._commands = CommandServer(runtime_dir)
        self._poller = zmq.Poller()
        for waited_on in (self._poses.socket, self._commands.socket, inbox.fd):
            self._poller.register(waited_on, zmq.POLLIN)
        self._next_tick_s = -math.inf
        self._heartbeat = Heartbeat(clock=clock)
        self._next_retention_s = clock() + RETAIN_EVERY_S
        self._ended = False
        self.recalibrated = False
        """A new calibration is in force: the device has to be made anew."""
        self._died: BaseException | None = None
        self._desk = CalibrationDesk(config, given or config, self._end_to_recalibrate)
        self._sensors = open_sensors(config, board, wire_time)
        self._next_report_s = -math.inf
        self._threads: list[SamplingThread[Event]] = [
            SamplingThread("load", self._sensors.load, inbox.put, self._thread_died, clock),
            # one thread for what shares the converter's bus
            SamplingThread("seat", InTurn(self._sensors.seat, self._sensors.pads), inbox.put, self._thread_died, clock),
            SamplingThread("carriage", self._sensors.carriage, inbox.put, self._thread_died, clock),
            SamplingThread("button", self._sensors.button, inbox.put, self._thread_died, clock),
        ]

    def run(self, stop: threading.Event) -> None:
        """Until `stop`, or until the demonstration asks to end.

        Raises:
            DeviceDied: a sensor's thread died.
        """
        for thread in self._threads:
            thread.start()
        self._heartbeat.ready()
        try:
            while not (stop.is_set() or self._ended or self.recalibrated):
                self.turn()
        finally:
            self._heartbeat.stopping()
            self._outputs.apply(PlaySound(None), self._clock())
            self._outputs.apply(SetLight("off", "steady"), self._clock())
            for thread in self._threads:
                thread.stop()
        self._feed(Stop(self._clock()))

    def turn(self) -> None:
        """One round: wait for something, tell the core, drive the pins."""
        wait_s = min(self._next_tick_s, self._outputs.next_edge_s) - self._clock()
        self._poller.poll(math.ceil(1000 * min(max(wait_s, 0.0), _LONGEST_WAIT_S)))
        for event in self._arrived():
            self._feed(event)
        now_s = self._clock()
        self._outputs.update(now_s)
        if now_s >= self._next_tick_s:
            self._next_tick_s = now_s + TICK_S
            self._feed(Tick(now_s, _now_utc()))
        if now_s >= self._next_report_s:
            self._next_report_s = now_s + REPORT_S
            self._live.send(PartsReport(now_s, self._sensors.reports(now_s)))
        if not any(thread.hangs(now_s, INPUT_HANGS_AFTER_S) for thread in self._threads):
            self._heartbeat.beat()
        if now_s >= self._next_retention_s and self._state.set is None:
            self._next_retention_s = now_s + RETAIN_EVERY_S
            self._recorder.retain(self._config.retention, datetime.datetime.now(datetime.UTC))
        if self._backups.turn(resting=self._state.set is None):
            self._feed(Command("tag"))  # who is signed in was recalled from the database before
        if self._died is not None:
            raise DeviceDied(f"a sensor's thread died: {self._died}") from self._died

    def _arrived(self) -> Iterator[Event]:
        for record in self._poses.drain():
            if isinstance(record, PoseSample):
                yield record
        yield from self._commands.drain()
        for event in self._inbox.drain():
            self._desk.note(event)
            yield event

    def _feed(self, event: Event) -> None:
        self._state, actions = step(self._state, event)
        for action in actions:  # what the member hears and sees comes before any record of it
            if isinstance(action, PlaySound | SetLight):
                self._outputs.apply(action, self._clock())
        for action in actions:
            self._carry_out(action)

    def _carry_out(self, action: Action) -> None:
        if isinstance(action, Show):
            self._live.send(live_state(self._state))
        elif isinstance(action, Publish):
            self._live.send(action.record)
        elif isinstance(action, Reply):
            self._commands.reply(CommandReply(action.command_id, action.ok, action.error))
        elif isinstance(action, Tare):
            self._tare()
        elif isinstance(action, Calibrate):
            error, data = self._desk.answer(action.request, self._clock(), action.only_show)
            self._commands.reply(CommandReply(action.command_id, error is None, error, data))
        elif isinstance(action, KeepBackup):
            self._commands.reply(self._backups.answer(action.command))
        elif isinstance(action, EndDemo):
            self._ended = True
        elif not isinstance(action, PlaySound | SetLight):
            self._recorder.record(action)

    def _tare(self) -> None:
        try:
            counts = ", ".join(f"{zero:.0f}" for zero in self._sensors.load.tare())
            log.info("load set to zero at %s counts", counts)
        except LoadError as error:
            log.warning("%s", error)

    def _end_to_recalibrate(self) -> None:
        self.recalibrated = True

    def _thread_died(self, error: BaseException) -> None:
        self._died = error

    def close(self) -> None:
        self._backups.close()
        self._poses.close()
        self._live.close()
        self._commands.close()


def session_name() -> str:
    """What the ids of this run's sets and alerts begin with; no two runs share it."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


def _now_utc() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def run(config: Config, stop: threading.Event) -> None:
    """The device process until `stop`.

    Raises:
        UserError: the state folder cannot be used.
        PinError: the pins cannot be had.
        BusError: a socket cannot be opened.
        DeviceDied: a sensor's thread died.
    """
    refuse_unusable(config.paths.state_dir)
    while _run_with(config, calibration_store.in_force(config), stop):
        log.info("a new calibration is in force")


def _run_with(given: Config, config: Config, stop: threading.Event) -> bool:
    """Until `stop`, or until a new calibration has to be taken up: then True. ``given``: as in the file."""
    with contextlib.ExitStack() as stack:
        board = stack.enter_context(open_board(config.pins.factory))
        silence_on_exit(board)
        wire_time = simulate(config, board, stack) if config.simulation.scenario else REAL_TIME
        inbox: Mailbox[Event] = Mailbox()
        store = open_store(config.paths.state_dir, inbox.put)
        stack.callback(store.close)
        device = Device(config, board, store, inbox, wire_time=wire_time, given=given)
        stack.callback(device.close)
        device.run(stop)
        return device.recalibrated


def simulate(config: Config, board: Board, stack: contextlib.ExitStack) -> WireTime:
    """The simulated chips on a mock board's pins, in use until `stack` is left; returns the time on their wires.

    Only where the configuration names a scenario.
    """
    from device.scenario import load_scenario
    from device.scenario_clock import ScenarioClock
    from device.scenario_faults import ScenarioFaults
    from device.simulation.machine import EncoderMotion, VirtualMachine
    from device.simulation.trace import PinTrace

    assert isinstance(board, MockBoard), "config_file refuses a scenario on real pins"
    assert config.simulation.scenario is not None
    scenario = load_scenario(config.simulation.scenario)
    clock = ScenarioClock(config.paths.runtime_dir)
    machine = VirtualMachine(config, scenario, board, clock, once=config.simulation.once)
    if config.simulation.pin_trace is not None:
        trace = PinTrace(config.simulation.pin_trace, board, config.pins)
        stack.callback(trace.close)
        machine.on_load_changed = trace.load_changed
    machine.break_as(ScenarioFaults(config.paths.runtime_dir))
    if config.carriage.sensor == "encoder":
        turning: SamplingThread[None] = SamplingThread(
            "simulated encoder", EncoderMotion(machine), lambda _: None, lambda _: None
        )
        turning.start()
        stack.callback(turning.stop)
    return WireTime(machine.timer.now, machine.timer.sleep)
