"""Hands items from other threads to the one that waits on a poller."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Items from other threads of this process, with a descriptor that a poller can wait on."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque(maxlen=1000)
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def put(self, item: Item) -> None:
        self._items.append(item)
        os.eventfd_write(self.fd, 1)

    def drain(self) -> Iterator[Item]:
        try:
            os.eventfd_read(self.fd)
        except BlockingIOError:
            return
        while self._items:
            yield self._items.popleft()

    def close(self) -> None:
        os.close(self.fd)
