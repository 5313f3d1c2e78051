"""What waits to be written, and who wants to know how it went."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection

Data: TypeAlias = Mapping[str, Any] | Callable[[], Mapping[str, Any]]
"""Plain JSON data, or what works it out when its turn has come: hundreds of kB for a replay, which need not wait as
such."""


def worked_out(data: Data) -> Mapping[str, Any]:
    return data() if callable(data) else data


@dataclass(frozen=True, slots=True)
class QueuedWrite:
    """One change of the database, handed over by the device's loop and made on the writer's thread."""

    what: str
    """For the person who reads the error: "rep 3"."""
    apply: Callable[[Connection], Callable[[], None] | None]
    """Does it inside a transaction; may return what to call after the commit."""
    worth: int = 1
    """What gives way first in a full queue: replays (0), all else (1), reps and their sets last (2)."""
    unanswered: Callable[[], None] | None = None
    """For a question: called when there is no database to answer it."""
    refused: Callable[[str], None] | None = None
    """Called with the reason when the write is given up."""
    exchange: tuple[Callable[[], None], Callable[[str | None], None]] | None = None
    """Instead of ``apply``: puts another file in the database's place, between two transactions; and whom to tell
    afterwards: None, or why not."""

    @property
    def is_replay(self) -> bool:
        return self.worth == 0
