"""Where each key of a TOML text stands, so that a fault can name its line.

``tomllib`` forgets positions. This walks a text that ``tomllib`` has already accepted, and therefore
needs no error handling of its own.
"""

from __future__ import annotations

import re
import tomllib

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")


class _Walk:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.table_counts: dict[KeyPath, int] = {}

    def skip_blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def take(self, literal: str) -> bool:
        self.skip_blank()
        if self.text.startswith(literal, self.at):
            self.at += len(literal)
            return True
        return False

    def note(self, path: KeyPath, at: int) -> None:
        self.lines.setdefault(path, self.text.count("\n", 0, at) + 1)

    def key(self) -> tuple[str, ...]:
        parts: list[str] = []
        while True:
            self.skip_blank()
            quoted = _STRING.match(self.text, self.at)
            found = quoted or _BARE_KEY.match(self.text, self.at)
            assert found is not None, "the text was accepted by tomllib"
            self.at = found.end()
            parts.append(str(tomllib.loads(f"x = {found.group()}")["x"]) if quoted else found.group())
            if not self.take("."):
                return tuple(parts)

    def into_last_elements(self, names: tuple[str, ...]) -> KeyPath:
        """[cameras.x] after [[cameras]] belongs to the newest camera."""
        path: KeyPath = ()
        for name in names:
            path = (*path, name)
            if path in self.table_counts:
                path = (*path, self.table_counts[path] - 1)
        return path

    def document(self) -> None:
        table: KeyPath = ()
        self.skip_blank()
        while self.at < len(self.text):
            start = self.at
            if self.take("[["):
                names = self.key()
                self.take("]]")
                array = (*self.into_last_elements(names[:-1]), names[-1])
                self.note(array, start)
                count = self.table_counts.get(array, 0)
                self.table_counts[array] = count + 1
                table = (*array, count)
                self.note(table, start)
            elif self.take("["):
                table = self.into_last_elements(self.key())
                self.take("]")
                self.note_with_parents(table, start)
            else:
                self.pair(table)
            self.skip_blank()

    def note_with_parents(self, path: KeyPath, at: int) -> None:
        for length in range(1, len(path) + 1):
            self.note(path[:length], at)

    def pair(self, table: KeyPath) -> None:
        start = self.at
        path = (*table, *self.key())
        self.note_with_parents(path, start)
        self.take("=")
        self.value(path)

    def value(self, path: KeyPath) -> None:
        if self.take("["):
            index = 0
            while not self.take("]"):
                self.note((*path, index), self.at)
                self.value((*path, index))
                self.take(",")
                index += 1
        elif self.take("{"):
            while not self.take("}"):
                self.pair(path)
                self.take(",")
        else:
            self.skip_blank()
            found = _STRING.match(self.text, self.at) or _BARE_VALUE.match(self.text, self.at)
            assert found is not None, "the text was accepted by tomllib"
            self.at = found.end()


def key_lines(text: str) -> dict[KeyPath, int]:
    """Line (from 1) on which each key, table and array element of a valid TOML text begins.

    Elements of arrays, also of ``[[tables]]``, are counted from 0: ``("cameras", 1, "name")``.
    """
    walk = _Walk(text.replace("\r\n", "\n"))
    walk.document()
    return walk.lines


def nearest_line(lines: dict[KeyPath, int], path: KeyPath) -> int | None:
    """The line of ``path``, else of the closest table above it that the text has; None: nowhere in it."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None
