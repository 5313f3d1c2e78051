"""What ``tests/fuzz.py`` tries of messages, configuration, calibration files and the calibration desks."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path

from fuzz_damage import Target, all_finite, damaged, scratch_folder

SCENARIOS = Path(__file__).parent.parent / "device" / "simulation" / "scenarios"
WHOLE_FITS = 0.002
"""Share of the wishes that go through the whole desk: a fit takes thirty times as long as its wish is read."""


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
    whole = [re.sub(rb"(?m)^#(?=[a-z_]+ =)", b"", example), example]
    # one section at a time, as people write them: a mistake in it is told, not drowned
    sections = [part for part in re.split(rb"(?m)^(?=\[)", whole[0]) if part.startswith(b"[")]
    sections = [re.sub(rb"(?m)^ *#.*\n|(?<=\S) +#.*", b"", part) for part in sections]
    sections += [
        b'[pins]\nfactory = "mock"\n[simulation]\nscenario = "mixed"\n[[cameras]]\nname = "a"\nsource = "scenario"\n',
        b"[load]\ncounts_per_kg = 2150.0\n[web]\nport = 8080\nnames = ['a.b']\n"
        b"[faults.heel_lift_deg]\nenabled = false\n",
    ]
    source = Path("/etc/legpress/config.toml")

    def attempt(chance: random.Random) -> bool:
        text = damaged(chance, sections if chance.random() < 0.995 else whole)
        try:
            config = parse(text.decode("utf-8", "replace"), source)
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
    path = scratch_folder() / "c.toml"

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

    from device import calibration_store
    from device.calibration_desk import CalibrationDesk
    from device.config import Config, Paths
    from device.messages import Command
    from vision.calibration import CalibrationError
    from vision.fit_wish import parse_wish
    from vision.machine_profile import profile_path

    folder = scratch_folder()
    cameras = Cameras(folder, lambda: 100.0, stickered())
    config = Config(paths=Paths(state_dir=folder))
    device = CalibrationDesk(config, config, lambda: None)
    profile = profile_path("sled45").read_text("utf-8")
    short = {"points": sled_points(), "focal_px": 524.0}
    fits = [json.dumps(short), json.dumps({**short, "focal_px": None, "lens": "wide"})]
    own = json.dumps(short | {"machine": "my.toml", "profile": profile})
    looks = [f"fit side {fit}".encode() for fit in (*fits, own)] + [b"about side", b"stickers side aruco"]
    asked, with_profile = [fit.encode() for fit in fits], [own.encode()]
    wishes = [
        b'{"part": "load", "do": "show"}',
        b'{"part": "seat", "do": "measure", "span_s": 1.0}',
        b'{"part": "load", "do": "store", "values": {"counts_per_kg": 8000.5, "tare_counts": 12}}',
        b'{"part": "load", "do": "undo"}',
    ]

    def whole(chance: random.Random) -> bool:
        reply = cameras.answer(Command("look", damaged(chance, looks).decode("utf-8", "replace")))
        assert (reply.error is None) != (reply.data is None)
        found = None if reply.data is None else json.loads(reply.data)
        assert all_finite(found), reply
        return found is not None and found.get("refused") is None

    def of_device(chance: random.Random) -> bool:
        before = calibration_store.stored(folder)
        error, data = device.answer(damaged(chance, wishes).decode("utf-8", "replace"), 100.0)
        assert (error is None) != (data is None)
        if data is None:
            assert calibration_store.stored(folder) == before
            return False
        assert all_finite(json.loads(data)), data
        return True

    def attempt(chance: random.Random) -> bool:
        kind = chance.random()
        if kind < WHOLE_FITS:
            return whole(chance)
        if kind < 0.5:
            return of_device(chance)
        try:
            wish = parse_wish(damaged(chance, asked if kind < 0.98 else with_profile).decode("utf-8", "replace"))
        except CalibrationError:
            return False
        assert all_finite(wish), wish
        return True

    return attempt
