"""How ``tests/fuzz.py`` spoils a valid input: some bytes, or whole words and numbers in it, so that it gets deep."""

from __future__ import annotations

import dataclasses
import math
import random
import re
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

Target = Callable[[random.Random], bool]
"""Tries one input; True when it was accepted. Raises for what may not happen."""

NUMBERS = [b"0", b"1", b"-1", b"2", b"7", b"12", b"0.5", b"-7.25", b"3.0", b"99", b"640", b"1e3", b"1e-9", b"8080"]
ODD = [
    *(b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"null", b"true", b"{}", b"[]", b'""', b"inf", b"nan"),
    *(b"1" * 400, b"9" * 20, b"0x7f", b"1979-05-27", b"-0.0", b"1e-320", b"\r\n", b"'''", b'"', b"%00", b"%s%n"),
    *(b"\x00", b"\xff", b"\xed\xa0\x80", b"../../../etc/passwd", b"' OR 1=1 --", b"<script>", b"a" * 5000),
    *(b"[" * 2000, b'{"a":' * 500),
]
_PIECE = re.compile(rb"-?\d+(?:\.\d+)?(?:e-?\d+)?|[A-Za-z_][A-Za-z_0-9]*|\"[^\"\n]*\"")


@lru_cache(maxsize=256)
def _pieces(data: bytes) -> tuple[tuple[int, int, bool], ...]:
    """(begin, end, is a number) of the words, texts and numbers in it."""
    return tuple((m.start(), m.end(), m[0][:1] in b"-0123456789") for m in _PIECE.finditer(data))


def damaged(chance: random.Random, valid: list[bytes]) -> bytes:
    """One of `valid` with one to three things wrong."""
    data = chance.choice(valid)
    return _reworded(chance, data, valid) if chance.random() < 0.7 else _spoilt(chance, data, valid)


def _reworded(chance: random.Random, data: bytes, valid: list[bytes]) -> bytes:
    pieces = _pieces(data)
    if not pieces:
        return _spoilt(chance, data, valid)
    chosen = {chance.randrange(len(pieces)) for _ in range(chance.choice((1, 1, 2, 3)))}
    for number in sorted(chosen, reverse=True):
        begin, end, is_number = pieces[number]
        data = data[:begin] + _in_place_of(chance, data[begin:end], is_number, valid) + data[end:]
    return data


def _in_place_of(chance: random.Random, piece: bytes, is_number: bool, valid: list[bytes]) -> bytes:
    kind = chance.random()
    if kind < 0.25:
        return chance.choice(ODD)
    if kind < 0.35:
        return b""
    if is_number:
        return chance.choice(NUMBERS)
    other = chance.choice(valid)
    begin, end, _ = chance.choice(_pieces(other) or ((0, 0, False),))
    return other[begin:end] if kind < 0.8 else piece * 2


def _spoilt(chance: random.Random, valid_data: bytes, valid: list[bytes]) -> bytes:
    data = bytearray(valid_data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(5)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[at : at + chance.choice((1, 2, 8, 64))]
        elif kind == 2:
            data[at:at] = chance.choice(ODD)
        elif kind == 3:
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


def scratch_folder() -> Path:
    """In memory where there is such a place: a million files wear out a disk."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="legpress-fuzz-", dir=memory if memory.is_dir() else None))
