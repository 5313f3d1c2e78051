"""What the installer's guides tell to type: their code blocks, in their order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
_COMMAND = re.compile(r"(sudo -u \S+ )?(legpress|python|echo) ")


@dataclass(frozen=True)
class Block:
    language: str
    """Of a fenced block; empty for an indented one."""
    lines: tuple[str, ...]

    @property
    def commands(self) -> list[str]:
        """What is typed, without the remarks behind it; continued lines are one."""
        whole = "\n".join(self.lines).replace("\\\n", " ")
        lines = [re.sub(r"\s+# .*", "", line).strip() for line in whole.splitlines()]
        return [" ".join(line.split()) if "'" not in line else line for line in lines if _COMMAND.match(line)]


def blocks(path: Path) -> list[Block]:
    """The code blocks of a document, fenced and indented, in its order."""
    text = path.read_text("utf-8")
    found = [(match.start(), Block(match[1], tuple(match[2].splitlines()))) for match in _FENCE.finditer(text)]
    rest = _FENCE.sub(lambda match: "\n" * match[0].count("\n") + " " * (len(match[0]) - match[0].count("\n")), text)
    for match in re.finditer(r"(?:^(?: {4}|\t).*\n?)+", rest, re.MULTILINE):
        lines = tuple(line[4:].rstrip() for line in match[0].splitlines())
        if any(lines):
            found.append((match.start(), Block("", lines)))
    return [block for _, block in sorted(found, key=lambda each: each[0])]


def inline_commands(path: Path) -> list[str]:
    """What is named in running text: ``legpress ...`` between backquotes, on one line or over two."""
    text = _FENCE.sub("", path.read_text("utf-8"))
    spans = (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text))
    return [span for span in spans if re.match(r"(sudo -u \S+ |sudo )?legpress ", span)]
