"""How records travel between the three processes: JSON over ZeroMQ on ``ipc://`` sockets.

vision binds ``pose`` and ``camera``, device binds ``live`` and ``command``; whoever connects may come and go. Each
message is two frames: the record's type name and its JSON. What does not validate is counted and
dropped, never half believed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import time
import uuid
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pydantic_core
import zmq
from pydantic import ConfigDict, TypeAdapter, ValidationError

from device import messages
from device.errors import RunError, UserError
from device.messages import (
    SCHEMA_VERSION,
    AlertRecord,
    Command,
    CommandReply,
    LiveState,
    PartsReport,
    PoseSample,
    RepRecord,
    SetRecord,
)

log = logging.getLogger(__name__)

Record: TypeAlias = PoseSample | LiveState | PartsReport | RepRecord | SetRecord | AlertRecord | Command | CommandReply
Channel = Literal["pose", "live", "command", "camera"]

_PYDANTIC_CONFIG = "__pydantic_config__"
for _record in vars(messages).values():
    if dataclasses.is_dataclass(_record):
        # a number on the wire is a number: 1e999 would otherwise come in as infinity
        setattr(_record, _PYDANTIC_CONFIG, ConfigDict(allow_inf_nan=False, extra="forbid"))

_ADAPTERS: dict[bytes, TypeAdapter[Record]] = {
    cls.__name__.encode(): TypeAdapter(cls)
    for cls in (PoseSample, LiveState, PartsReport, RepRecord, SetRecord, AlertRecord, Command, CommandReply)
}
_LONGEST_SOCKET_PATH = 107
"""sun_path of a Unix socket holds 108 bytes with its terminator."""
_HIGH_WATER_MARK = 200
"""Messages kept for a slow reader (10 s of poses); beyond that they are dropped and show as gaps."""


_LOOK_EVERY_S = 1.0
"""How soon a deleted socket is noticed (ours)."""


class BusError(RunError):
    """A peer did not answer; the text says which and what to do."""


class BusPathError(BusError):
    """A socket could not be made where the configuration wants it."""

    exit_code = 2


class MessageError(UserError):
    """Bytes that are no record of ours; the text says why."""


def encode(record: Record) -> list[bytes]:
    name = type(record).__name__.encode()
    return [name, _ADAPTERS[name].dump_json(record)]


def decode(frames: list[bytes]) -> Record:
    """The record in `frames` (type name, JSON).

    Raises:
        MessageError: unknown type, not JSON (NaN and Infinity included), a field missing or of the
            wrong type, or another schema version.
    """
    if len(frames) != 2 or frames[0] not in _ADAPTERS:
        raise MessageError(f"not a known record: {frames[0][:40]!r}" if frames else "empty message")
    try:
        record = _ADAPTERS[frames[0]].validate_python(_parsed(frames[1]))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the record"
        raise MessageError(f"{frames[0].decode()}: {where}: {first['msg'].lower()}") from error
    except ValueError as error:
        raise MessageError(f"{frames[0].decode()}: {str(error).splitlines()[0]}") from error
    version = getattr(record, "schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise MessageError(f"{frames[0].decode()}: schema version {version}, expected {SCHEMA_VERSION}")
    return record


def _parsed(text: bytes) -> Any:
    # the parser remembers strings, 16,384 of them: field names come again, times of day never do
    return pydantic_core.from_json(text, allow_inf_nan=False, cache_strings="keys")


def address(runtime_dir: Path, channel: Channel) -> str:
    """The ``ipc://`` address of a channel; makes the folder, readable by its owner and group only.

    Raises:
        BusPathError: the folder cannot be made or the path is longer than a Unix socket's may be.
    """
    path = runtime_dir / f"{channel}.sock"
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        raise BusPathError(
            f"paths.runtime_dir is too long for a socket: {path} ({_LONGEST_SOCKET_PATH} bytes at most); "
            "choose a shorter one"
        )
    try:
        runtime_dir.mkdir(mode=0o770, parents=True, exist_ok=True)
    except OSError as error:
        raise BusPathError(f"paths.runtime_dir: cannot make {runtime_dir}: {error.strerror}") from error
    return f"ipc://{path}"


def _socket(kind: zmq.SocketType) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, _HIGH_WATER_MARK)
    socket.setsockopt(zmq.RCVHWM, _HIGH_WATER_MARK)
    return socket


class _Binding:
    """A bound socket whose file is watched: who deletes it would otherwise shut out every peer that comes later."""

    def __init__(self, kind: zmq.SocketType, runtime_dir: Path, channel: Channel) -> None:
        self._runtime_dir, self._channel = runtime_dir, channel
        self._where = address(runtime_dir, channel)
        self._path = runtime_dir / f"{channel}.sock"
        self.socket = _socket(kind)
        try:
            self.socket.bind(self._where)
        except zmq.ZMQError as error:
            self.socket.close()
            raise BusPathError(f"cannot open {self._path}: {error.strerror}") from error
        self._file = self._found()
        self._next_s = time.monotonic() + _LOOK_EVERY_S

    def _found(self) -> int | None:
        try:
            return self._path.stat().st_ino
        except OSError:
            return None

    def keep(self) -> None:
        """Binds anew where the file is gone or another's; cheap, looks once a second."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + _LOOK_EVERY_S
        if (found := self._found()) is not None and found == self._file:
            return
        log.warning("%s was deleted or replaced; opening it again", self._path)
        try:
            with contextlib.suppress(zmq.ZMQError):
                self.socket.unbind(self._where)
            address(self._runtime_dir, self._channel)
            self.socket.bind(self._where)
        except (zmq.ZMQError, BusPathError) as error:
            log.error("cannot open %s: %s", self._path, error)
        self._file = self._found()


class Publisher:
    """Sends records to whoever listens; never waits."""

    def __init__(self, runtime_dir: Path, channel: Channel) -> None:
        self._binding = _Binding(zmq.SocketType.PUB, runtime_dir, channel)
        self._socket = self._binding.socket

    def send(self, record: Record) -> None:
        self._binding.keep()
        self._socket.send_multipart(encode(record), flags=zmq.NOBLOCK)

    def close(self) -> None:
        self._socket.close()


class Subscriber:
    """Receives records in order; `gaps` counts those lost on the way, `rejected` the malformed."""

    def __init__(self, runtime_dir: Path, channel: Channel) -> None:
        where = address(runtime_dir, channel)
        self.socket = _socket(zmq.SocketType.SUB)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"")
        self.socket.connect(where)
        self.gaps = 0
        self.rejected = 0
        self.last_error = ""
        self._last_seq: dict[str, int] = {}

    def drain(self) -> Iterator[Record]:
        """All records waiting now, oldest first; returns at once when there is none."""
        while True:
            try:
                frames = self.socket.recv_multipart(flags=zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                record = decode(frames)
            except MessageError as error:
                self.rejected += 1
                self.last_error = str(error)
                continue
            self._count_gap(record)
            yield record

    def wait(self, timeout_s: float) -> bool:
        """True when something arrived within `timeout_s`."""
        return bool(self.socket.poll(round(timeout_s * 1000)))

    def _count_gap(self, record: Record) -> None:
        seq = getattr(record, "seq", None)
        if seq is None:
            return
        kind = type(record).__name__
        last = self._last_seq.get(kind)
        if last is not None and seq > last + 1:
            self.gaps += seq - last - 1
        self._last_seq[kind] = seq

    def close(self) -> None:
        self.socket.close()


class CommandServer:
    """Where commands are answered, in the device (``command``) or the vision process (``camera``).

    Many clients, each answered by its own address.
    """

    def __init__(self, runtime_dir: Path, channel: Literal["command", "camera"] = "command") -> None:
        self._binding = _Binding(zmq.SocketType.ROUTER, runtime_dir, channel)
        self.socket = self._binding.socket
        # a Command's id -> who asked; bounded, for a client may be gone before it is answered
        self._askers: deque[tuple[str, bytes]] = deque(maxlen=256)

    def drain(self) -> Iterator[Command]:
        self._binding.keep()
        while True:
            try:
                sender, *frames = self.socket.recv_multipart(flags=zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                command = decode(frames)
            except MessageError as error:
                self._send(sender, CommandReply(id="", ok=False, error=str(error)))
                continue
            if not isinstance(command, Command):
                self._send(sender, CommandReply(id="", ok=False, error=f"not a command: {type(command).__name__}"))
                continue
            self._askers.append((command.id, sender))
            yield command

    def reply(self, reply: CommandReply) -> None:
        """Answer the client that sent the command with this id; a client that left is forgotten."""
        for entry in self._askers:
            if entry[0] == reply.id:
                self._askers.remove(entry)
                self._send(entry[1], reply)
                return

    def _send(self, receiver: bytes, reply: CommandReply) -> None:
        self.socket.send_multipart([receiver, *encode(reply)], flags=zmq.NOBLOCK)

    def close(self) -> None:
        self.socket.close()


def send_command(
    runtime_dir: Path,
    command: Command,
    timeout_s: float = 2.0,
    channel: Literal["command", "camera"] = "command",
) -> CommandReply:
    """Ask the device (``camera``: the vision process) something and wait for its answer. Safe from any thread.

    Raises:
        BusError: no answer within `timeout_s`: the process is not running or is stuck.
    """
    who = "device" if channel == "command" else "vision"
    if not command.id:
        command = dataclasses.replace(command, id=uuid.uuid4().hex)
    socket = _socket(zmq.SocketType.DEALER)
    try:
        socket.connect(address(runtime_dir, channel))
        socket.send_multipart(encode(command))
        if not socket.poll(round(timeout_s * 1000)):
            raise BusError(f"the {who} process did not answer within {timeout_s:g} s; is 'legpress run {who}' running?")
        reply = decode(socket.recv_multipart())
    finally:
        socket.close()
    if not isinstance(reply, CommandReply):
        raise BusError(f"the {who} process answered with {type(reply).__name__}, not with a reply")
    return reply
