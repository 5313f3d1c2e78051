"""Throws damaged input at every parser: ``make fuzz``, or ``python tests/fuzz.py TARGET COUNT [SEED]``.

Each input is a valid one with a few things wrong: bytes flipped, cut, doubled or swapped with another's, numbers that
are none or far too large. A parser may refuse (with its own error) or accept; it may not crash, hang, give a number
that is none, or keep half of what it refused. The same seed gives the same inputs.
"""

from __future__ import annotations

import dataclasses
import json
import math
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).parent
SCENARIOS = TESTS.parent / "device" / "simulation" / "scenarios"
TOKENS = [
    *(
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"-1e999",
        b"null",
        b"true",
        b"{}",
        b"[]",
        b'""',
        b"-1",
        b"0",
        b"0.0",
    ),
    *(
        b"1" * 400,
        b"9" * 20,
        b"\x00",
        b"\xff",
        b"\xed\xa0\x80",
        b"[" * 2000,
        b'{"a":' * 500,
        b"inf",
        b"nan",
        b"'''",
        b'"',
    ),
    *(
        b"../../../etc/passwd",
        b"%00",
        b"%s%n",
        b"' OR 1=1 --",
        b"<script>",
        b"a" * 5000,
        b"\r\n",
        b"1979-05-27",
        b"0x7f",
    ),
]
SLOWEST_S = 5.0
"""An input that computes for longer is a hang: most take microseconds. Time that others take does not count."""


def damaged(chance: random.Random, valid: list[bytes]) -> bytes:
    """One of `valid` with one to four things wrong."""
    data = bytearray(chance.choice(valid))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(6)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[at : at + chance.choice((1, 2, 8, 64))]
        elif kind == 2:
            data[at:at] = chance.choice(TOKENS)
        elif kind == 3:
            numbers = list(re.finditer(rb"-?\d+(\.\d+)?", data))
            if numbers:
                number = chance.choice(numbers)
                data[number.start() : number.end()] = chance.choice(TOKENS)
        elif kind == 4:
            other = chance.choice(valid)
            cut = chance.randrange(len(other) + 1)
            data[at:] = other[cut : cut + 4000]
        else:
            data[at:at] = data[at : at + chance.choice((1, 8, 64))]
    return bytes(data)


def all_finite(value: Any) -> bool:
    """No number in a record, however deep, is NaN or infinite."""
    if isinstance(value, float):
        return math.isfinite(value)
    if dataclasses.is_dataclass(value):
        return all(all_finite(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, dict):
        return all(all_finite(each) for each in value.values())
    if isinstance(value, tuple | list):
        return all(all_finite(each) for each in value)
    return True


Target = Callable[[random.Random], bool]
"""Tries one input; True when it was accepted. Raises for what may not happen."""


def messages() -> Target:
    from kiosk_scenes import LIFTING
    from store_samples import ALERT, REP, SET

    from device.bus import MessageError, decode, encode
    from device.messages import Command, CommandReply, PoseSample, Sided

    pose = PoseSample(1, 2.5, True, (), ("valgus",), Sided(3.0, None), valgus_deg=Sided(1.0, -2.0), cues={"hip": 1.5})
    records = [
        encode(each)
        for each in (LIFTING, ALERT, REP, SET, pose, Command("goal", "quads", "x"), CommandReply("x", True))
    ]
    names, bodies = [frames[0] for frames in records], [frames[1] for frames in records]

    def attempt(chance: random.Random) -> bool:
        which = chance.randrange(len(records))
        name = names[which] if chance.random() < 0.9 else damaged(chance, names)
        frames = [name, damaged(chance, [bodies[which]] if chance.random() < 0.8 else bodies)]
        if chance.random() < 0.02:
            frames = frames[: chance.randrange(2)] + [b""] * chance.randrange(3)
        try:
            record = decode(frames)
        except MessageError:
            return False
        assert all_finite(record), frames
        assert decode(encode(record)) == record, frames
        return True

    return attempt


def configuration() -> Target:
    from device.config_file import EXAMPLE_FILE, ConfigError, parse

    example = EXAMPLE_FILE.read_bytes()
    valid = [re.sub(rb"(?m)^#(?=[a-z_]+ =)", b"", example), example]
    valid += [
        b'[pins]\nfactory = "mock"\n[simulation]\nscenario = "mixed"\n[[cameras]]\nname = "a"\nsource = "scenario"\n'
    ]
    valid += [
        b"[load]\ncounts_per_kg = 2150.0\n[web]\nport = 8080\nnames = ['a.b']\n"
        b"[faults.heel_lift_deg]\nenabled = false\n"
    ]

    def attempt(chance: random.Random) -> bool:
        short = valid[2:] if chance.random() < 0.9 else valid
        try:
            config = parse(damaged(chance, short).decode("utf-8", "replace"), Path("/etc/legpress/config.toml"))
        except ConfigError as error:
            assert error.lines and all(line.startswith("/etc/legpress/config.toml:") for line in error.lines)
            return False
        assert all_finite(config.model_dump())
        return True

    return attempt


def calibration() -> Target:
    from vision.calibration import CalibrationError
    from vision.calibration_file import load_calibration

    valid = [path.read_bytes() for path in sorted(SCENARIOS.glob("*/*.calibration.toml"))]
    path = (
        Path(tempfile.mkdtemp(prefix="legpress-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        / "c.toml"
    )

    def attempt(chance: random.Random) -> bool:
        path.write_bytes(damaged(chance, valid))
        try:
            found = load_calibration(path)
        except CalibrationError as error:
            assert str(error).startswith(f"{path}: ")
            return False
        assert math.isfinite(found.reprojection_error_px)
        return True

    return attempt


def calibrating() -> Target:
    """What the pages ask of the two desks: fits with a profile of one's own, and the device's wishes."""
    from calibration_pictures import Cameras, sled_points, stickered

    from device.calibration_desk import CalibrationDesk
    from device.config import Config, Paths
    from device.messages import Command
    from vision.machine_profile import profile_path

    folder = Path(tempfile.mkdtemp(prefix="legpress-fuzz-"))
    cameras = Cameras(folder, lambda: 100.0, stickered())
    config = Config(paths=Paths(state_dir=folder))
    device = CalibrationDesk(config, config, lambda: None)
    profile = profile_path("sled45").read_text("utf-8")
    short = {"points": sled_points(), "focal_px": 524.0}
    fits = [json.dumps(short), json.dumps(short | {"machine": "my.toml", "profile": profile})]
    looks = [f"fit side {fit}".encode() for fit in fits] + [b"about side", b"stickers side aruco", b"picture side"]
    wishes = [
        b'{"part": "load", "do": "show"}',
        b'{"part": "seat", "do": "measure", "span_s": 1.0}',
        b'{"part": "load", "do": "store", "values": {"counts_per_kg": 8000.5, "tare_counts": 12}}',
    ]

    def attempt(chance: random.Random) -> bool:
        if chance.random() < 0.5:
            reply = cameras.answer(Command("look", damaged(chance, looks).decode("utf-8", "replace")))
            error, data = reply.error, reply.data
        else:
            error, data = device.answer(damaged(chance, wishes).decode("utf-8", "replace"), 100.0)
        assert (error is None) != (data is None)
        if data is None:
            return False
        found = json.loads(data)
        assert all_finite(found), data
        return found.get("refused") is None

    return attempt


def http() -> Target:
    from web_machine import make_open_machine

    now_s = [0.0]
    machine = make_open_machine(Path(tempfile.mkdtemp(prefix="legpress-fuzz-")), rate_clock=lambda: now_s[0])
    machine.publish()
    kiosk, staff = machine.kiosk(), machine.staff()
    bodies = [b'{"goal": "quads"}', b'{"tag": "4711"}', b'{"tag": null}', b"{}", b"form_token=a&password=b"]
    paths = ["/api/v1/goal", "/api/v1/tag", "/api/v1/acknowledge", "/api/v1/help", "/staff/login", "/api/v1/state"]
    reads = ["/api/v1/sets", "/api/v1/alerts", "/staff", "/api/v1/sets/x", "/api/v1/alerts/x/replay", "/metrics"]
    query = [b"since=2026-11-23&until=2026-11-24T00:00:00Z&goal=quads&limit=3&cursor=YQ", b"member=4711&fault=overload"]
    types = [
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=a",
        "",
    ]

    def attempt(chance: random.Random) -> bool:
        now_s[0] += 60.0  # every bucket is full again
        machine.device.commands.clear()
        if chance.random() < 0.5:
            body = damaged(chance, bodies)
            answer = kiosk.post(chance.choice(paths), data=body, content_type=chance.choice(types))
        else:
            text = damaged(chance, query).decode("latin-1").replace("#", "")
            path = chance.choice(reads)
            if chance.random() < 0.2:
                path += "/" + damaged(chance, [b"abc"]).decode("latin-1").replace("#", "").replace("?", "")[:500]
            try:
                answer = staff.get(path, query_string=text)
            except (UnicodeError, ValueError):
                return False  # the test client itself cannot send it
        assert answer.status_code < 500 or answer.status_code == 503, (answer.status_code, answer.text[:300])
        if answer.status_code >= 400:
            assert machine.device.commands == []
        return answer.status_code < 400

    return attempt


def clips() -> Target:
    from vision.clip import ClipReader
    from vision.frames import SourceError

    valid = (SCENARIOS / "clean" / "side.neutral.mp4").read_bytes()
    folder = Path(tempfile.mkdtemp(prefix="legpress-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    path = folder / "clip.mp4"

    def attempt(chance: random.Random) -> bool:
        data = bytearray(valid)
        if chance.random() < 0.5:  # the tables at the end or the beginning, which a reader trusts
            box = data.find(b"moov")
            for _ in range(chance.randint(1, 8)):
                data[min(box + chance.randrange(4000), len(data) - 1)] = chance.randrange(256)
        else:
            for _ in range(chance.randint(1, 50)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        path.write_bytes(data)
        try:
            reader = ClipReader(path)
        except SourceError:
            return False
        assert 1.0 <= reader.frames_per_s <= 240.0
        for _ in range(3):
            frame = reader.next()
            if frame is None:
                break
            assert frame.image_bgr.dtype == np.uint8 and math.isfinite(frame.t_s)
        reader.close()
        return True

    return attempt


def landmarks() -> Target:
    from device.config import Paths
    from vision.calibration_file import load_calibration
    from vision.clip import ClipReader
    from vision.landmarks import Landmarks, PoseModel
    from vision.model import model_path
    from vision.posture import PostureEstimator

    folder = SCENARIOS / "clean"
    known = load_calibration(folder / "side.calibration.toml")
    reader, frames = ClipReader(folder / "side.neutral.mp4"), []
    with PoseModel(model_path(Paths().model_dir.expanduser(), "full")) as model:
        for number in range(30):
            frame = reader.next()
            assert frame is not None
            found = model.detect(frame.image_bgr, 50 * number)
            assert found is not None
            frames.append((frame.image_bgr, found))
    reader.close()
    estimator, t_s = PostureEstimator([known], ["side"]), [0.0]
    odd = np.array([np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0, 1e-320, 5000.0])

    def attempt(chance: random.Random) -> bool:
        image, found = chance.choice(frames)
        rng = np.random.default_rng(chance.randrange(2**32))
        arrays = [found.px.copy(), found.visibility.copy(), found.world_m.copy()]
        for array in arrays:
            if chance.random() < 0.3:
                flat = array.reshape(-1)
                flat[rng.integers(0, flat.size, chance.randint(1, flat.size))] = odd[chance.randrange(odd.size)]
        t_s[0] += chance.choice((0.05, 0.05, 0.05, 0.05, 5.0))
        if chance.random() < 0.05:
            image = np.full_like(image, chance.choice((0, 255)))
        sample = estimator.update(0, t_s[0], image, Landmarks(*arrays))
        assert all_finite(sample), sample
        return sample.person

    return attempt


TARGETS: dict[str, Callable[[], Target]] = {
    "messages": messages,
    "configuration": configuration,
    "calibration": calibration,
    "calibrating": calibrating,
    "http": http,
    "clips": clips,
    "landmarks": landmarks,
}


SLOW = ("calibrating", "clips", "landmarks", "http")


def outcomes(name: str, count: int, seed: int) -> Iterator[bool]:
    """Whether each of `count` inputs was accepted. Raises AssertionError for what may not happen, naming the input."""
    attempt = TARGETS[name]()
    for number in range(count):
        chance = random.Random(f"{name} {seed} {number}")
        began_s = time.process_time()
        try:
            accepted = attempt(chance)
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}, input {number}: {type(error).__name__}: {error}") from error
        took_s = time.process_time() - began_s
        assert took_s < SLOWEST_S, f"{name}, seed {seed}, input {number} took {took_s:.1f} s"
        yield accepted


def main(words: list[str]) -> int:
    names = list(TARGETS) if words[0] == "all" else [words[0]]
    seed = int(words[2]) if len(words) > 2 else 1
    for name in names:
        count = int(words[1]) // (100 if name in SLOW and words[0] == "all" else 1)
        began_s, accepted = time.monotonic(), sum(outcomes(name, count, seed))
        report = {
            "target": name,
            "inputs": count,
            "accepted": accepted,
            "seconds": round(time.monotonic() - began_s, 1),
        }
        print(json.dumps(report), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
