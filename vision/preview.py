"""Who looks through which camera: announced before the first picture, and over by itself."""

from __future__ import annotations

from typing import Final

PREVIEW_S: Final = 300.0
"""A preview ends by itself (ours); asking again after that announces it again."""
ANNOUNCED_FOR_S: Final = 1.0
"""The kiosk shows the announcement before the first picture leaves."""


class Previews:
    """Since when each camera is looked through."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}

    def begin(self, name: str, now_s: float) -> None:
        """To be announced from now on; one that is under way is not prolonged."""
        if not self.on(name, now_s):
            self._since_s[name] = now_s

    def end(self, name: str) -> None:
        self._since_s.pop(name, None)

    def on(self, name: str, now_s: float) -> bool:
        """Whether somebody looks through this camera, or is about to: to be announced."""
        return self.left_s(name, now_s) > 0.0

    def may_show(self, name: str, now_s: float) -> bool:
        """Whether a picture may leave: it was announced long enough ago, and is not over."""
        return 0.0 < self.left_s(name, now_s) <= PREVIEW_S - ANNOUNCED_FOR_S

    def left_s(self, name: str, now_s: float) -> float:
        """Until it ends; 0 when it has, or was never begun."""
        since_s = self._since_s.get(name)
        return 0.0 if since_s is None else max(0.0, PREVIEW_S - (now_s - since_s))
