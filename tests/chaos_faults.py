"""What ``tests/chaos.py`` breaks: each fault breaks something, waits, and mends it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import zmq
from chaos_inside import HOUR_S
from chaos_machine import STALE_S, BrokenInvariantError, Machine, wait_for
from small_disk import fill, open_files, remounted

from device.bus import Subscriber, address, send_command
from device.messages import Command, LiveState
from device.store.backup import back_up
from device.store.backup_list import Backup, listed, named

Fault = Callable[[Machine, random.Random], None]
FAULTS: dict[str, Fault] = {}
FORM_CHECK_OFF_S = 3.0
"""The product says 2 s; the rest is this busy computer."""
ROOM_BYTES = {"device": 200 * 2**20, "web": 300 * 2**20, "vision": 1000 * 2**20}
"""About what the units' MemoryMax leaves above what each process takes."""
DEVICE_AWAY = {"kill_device", "freeze_device", "hog_device"}
"""During these no warning can come; how long they take is limited by `RECOVERS_S`."""
LOAD_BROKEN = {"load_silent", "load_stuck_low", "load_noise", "load_rail_high", "load_rail_low", *DEVICE_AWAY}


def fault(name: str) -> Callable[[Fault], Fault]:
    def register(function: Fault) -> Fault:
        FAULTS[name] = function
        return function

    return register


def _killer(name: str) -> Fault:
    def kill(machine: Machine, chance: random.Random) -> None:
        began_s = time.monotonic()
        victim = machine.pid(name)
        os.kill(victim, signal.SIGKILL)
        if name == "vision":
            wait_state(machine, lambda state: not state.form_check, FORM_CHECK_OFF_S)
        wait_for(lambda: machine.pid(name) != victim, 10, f"{name} started again")
        if name == "device":
            machine.device_left(began_s)

    return kill


def _freezer(name: str) -> Fault:
    def freeze(machine: Machine, chance: random.Random) -> None:
        began_s = time.monotonic()
        victim = machine.pid(name)
        os.kill(victim, signal.SIGSTOP)
        if name == "device":
            wait_for(
                lambda: machine.page() != 200 or machine.pid(name) != victim,
                STALE_S + 0.6,
                "the page says that the frozen device is silent",
            )
        wait_for(lambda: machine.pid(name) != victim, 30, f"the frozen {name} was killed and started again")
        if name == "device":
            machine.device_left(began_s)

    return freeze


def _hogger(name: str) -> Fault:
    def hog(machine: Machine, chance: random.Random) -> None:
        """It may live on without memory, or die of it and be started again; nothing else may happen."""
        began_s = time.monotonic()
        victim = machine.pid(name)
        with machine.hog.in_process(victim, ROOM_BYTES[name]) as full:
            wait_for(lambda: full.exists() or machine.pid(name) != victim, 20, f"the memory of {name} was full")
            time.sleep(chance.uniform(0.5, 2.0))
        if name == "device":
            time.sleep(0.7)  # should it be dying, it has been started again by then
            if machine.pid(name) != victim:
                machine.device_left(began_s)

    return hog


def _breaker(key: str, value: str) -> Fault:
    def break_it(machine: Machine, chance: random.Random) -> None:
        machine.set_broken(**{key: value})
        time.sleep(chance.uniform(0.5, 2.5))
        machine.set_broken(**{key: None})

    return break_it


for _name in ("device", "vision", "web"):
    FAULTS[f"kill_{_name}"] = _killer(_name)
    FAULTS[f"freeze_{_name}"] = _freezer(_name)
    FAULTS[f"hog_{_name}"] = _hogger(_name)
for _camera in ("gone", "frozen", "garbage", "dark"):
    FAULTS[f"camera_{_camera}"] = _breaker("camera", _camera)
for _pot in ("open", "short", "jump"):
    FAULTS[f"seat_{_pot}"] = _breaker("pot", _pot)
for _load in ("silent", "stuck_low", "noise", "corrupt", "rail_high", "rail_low"):
    FAULTS[f"load_{_load}"] = _breaker("load", _load)


@fault("socket_deleted")
def _socket_deleted(machine: Machine, chance: random.Random) -> None:
    path = machine.config.paths.runtime_dir / f"{chance.choice(('pose', 'live', 'command'))}.sock"
    path.unlink(missing_ok=True)
    wait_for(path.exists, 10, f"{path.name} was made again")


@fault("database_locked")
def _database_locked(machine: Machine, chance: random.Random) -> None:
    with closing(sqlite3.connect(machine.database, timeout=10, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        time.sleep(chance.uniform(1.0, 4.0))
        rival.execute("ROLLBACK")


@fault("database_corrupted")
def _database_corrupted(machine: Machine, chance: random.Random) -> None:
    before = machine.reps()
    back_up(machine.database)
    with machine.database.open("r+b") as file:
        file.write(b"\xa5" * 8192)
    victim = machine.pid("device")
    began_s = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: machine.pid("device") != victim, 10, "device started again")
    machine.device_left(began_s)

    def restored() -> bool:
        with contextlib.suppress(sqlite3.Error):
            return machine.reps() >= before
        return False

    wait_for(restored, 30, "the backup was restored")
    state = wait_state(machine, lambda state: any(each.kind == "store_failed" for each in state.conditions), 10)
    if "backup" not in next(each.detail for each in state.conditions if each.kind == "store_failed"):
        raise BrokenInvariantError("the restored database is not said")


@fault("disk_read_only")
def _disk_read_only(machine: Machine, chance: random.Random) -> None:
    turn(machine, "ro")
    time.sleep(chance.uniform(1.0, 3.0))
    turn(machine, "rw")


@fault("disk_full")
def _disk_full(machine: Machine, chance: random.Random) -> None:
    filler = fill(machine.home / "state")
    time.sleep(chance.uniform(2.0, 4.0))
    filler.unlink()


@fault("clock_jump")
def _clock_jump(machine: Machine, chance: random.Random) -> None:
    """An hour forwards or back; the next jump is back to the true time, as NTP's is."""
    before, jumped_s = machine.pids(), time.monotonic()
    machine.clock.set(0 if machine.clock.offset_s else chance.choice((-HOUR_S, HOUR_S)))
    true_utc = datetime.now(UTC) + timedelta(seconds=machine.clock.offset_s)
    made = _back_up_by_page(machine)
    if abs((made.made - true_utc).total_seconds()) > 60:
        raise BrokenInvariantError(f"the device's clock says {made.made}, not {true_utc}: it did not jump")
    if listed(machine.database)[0] != made:
        raise BrokenInvariantError(f"{made.path.name} was made last and is not the newest backup")
    if not machine.staff.is_signed_in():
        raise BrokenInvariantError("staff are signed out by a jump of the clock")
    for kind in ("sets", "alerts"):
        there = machine.ids(kind)
        shown = machine.staff.all_ids(kind)
        if len(shown) != len(set(shown)) or there - set(shown):
            raise BrokenInvariantError(f"the pages show {len(shown)} {kind}, the database holds {len(there)}")
    wait_for(lambda: time.monotonic() - jumped_s > 1.0, 10, "a second passed")
    if machine.pids() != before:
        raise BrokenInvariantError("a watchdog took a jump of the clock for silence")


def _back_up_by_page(machine: Machine) -> Backup:
    """By the device itself, with its own clock."""
    reply = send_command(machine.config.paths.runtime_dir, Command("backup", "make"), timeout_s=5.0)
    if not reply.ok:
        raise BrokenInvariantError(f"no backup could be begun: {reply.error}")
    status: dict[str, Any] = {}

    def ended() -> bool:
        told = send_command(machine.config.paths.runtime_dir, Command("backup", "status"), timeout_s=5.0)
        status.update(json.loads(told.data or "{}"))
        return status.get("stage") == "idle"

    wait_for(ended, 20, "the backup was made")
    made = named(machine.database, str(status["said"]).partition(" ")[0])
    if made is None:
        raise BrokenInvariantError(f"no backup was made: {status['said']}")
    return made


@fault("slow_consumer")
def _slow_consumer(machine: Machine, chance: random.Random) -> None:
    deaf = Subscriber(machine.config.paths.runtime_dir, "live")
    with socket.create_connection(("127.0.0.1", machine.config.web.port), timeout=5) as page:
        page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        page.sendall(f"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1:{machine.config.web.port}\r\n\r\n".encode())
        time.sleep(chance.uniform(1.0, 3.0))
    deaf.close()


@fault("thousand_clients")
def _thousand_clients(machine: Machine, chance: random.Random) -> None:
    """Connections at once, a third silent, a third half a request, a third a whole one."""
    held = []
    for number in range(1000):
        client = socket.socket()
        client.settimeout(0.2)
        with contextlib.suppress(OSError):
            client.connect(("127.0.0.1", machine.config.web.port))
            if number % 3:
                end = b"\r\n\r\n" if number % 3 == 1 else b"\r\nX: "
                client.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{machine.config.web.port}".encode() + end)
        held.append(client)
        if len(held) > 400:
            held.pop(0).close()
    for client in held:
        client.close()


@fault("garbage_on_the_bus")
def _garbage_on_the_bus(machine: Machine, chance: random.Random) -> None:
    pose = zmq.Context.instance().socket(zmq.SocketType.DEALER)
    pose.setsockopt(zmq.LINGER, 0)
    pose.connect(address(machine.config.paths.runtime_dir, "command"))
    for _ in range(200):
        pose.send_multipart([chance.randbytes(8), chance.randbytes(chance.choice((1, 100, 100000)))])
    time.sleep(0.3)
    pose.close()


@fault("busy_computer")
def _busy_computer(machine: Machine, chance: random.Random) -> None:
    """Two processes that compute and take a gigabyte of memory together."""
    code = (
        "import time\nblock = bytearray(500_000_000)\nend = time.time() + 2\nwhile time.time() < end: sum(range(9999))"
    )
    hogs = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    for hog in hogs:
        hog.wait()


def turn(machine: Machine, how: str) -> None:
    """Remounts the disk of the state. "ro" is refused while a file of it is open for writing, which nothing in the
    machine may be for long: it would be what a power cut tears."""
    disk = machine.home / "state"
    try:
        wait_for(lambda: remounted(disk, how), 20, f"the disk was remounted {how}")
    except BrokenInvariantError as error:
        raise BrokenInvariantError(f"{error}: open are {'; '.join(open_files(disk)) or 'none'}") from error


def wait_state(machine: Machine, wanted: Callable[[LiveState], bool], within_s: float) -> LiveState:
    found: list[LiveState] = []

    def there() -> bool:
        state = machine.state()
        if state is not None and wanted(state):
            found.append(state)
        return bool(found)

    wait_for(there, within_s, f"a state that says so, at {machine.fault}")
    return found[0]


NEEDS_MOUNT = {"disk_read_only", "disk_full"}
NEEDS_CLOCK = {"clock_jump"}
