"""The virtual leg press's camera: bundled clips in step with the virtual machine's one clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from device.scenario import Scenario
from device.scenario_clock import ScenarioClock
from device.scenario_faults import ScenarioFaults
from vision.calibration_file import load_calibration
from vision.clip import ClipReader
from vision.frames import Frame, Image, SourceError
from vision.sticker_view import StickerPainter
from vision.stickers import Sticker


class ScenarioSource:
    """Shows what the camera called `name` of the scenario sees now; the picture stands still outside a clip.

    Raises:
        SourceError: the scenario has no camera of that name.
    """

    def __init__(
        self,
        scenario: Scenario,
        name: str,
        elapsed: ScenarioClock,
        once: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        faults: ScenarioFaults | None = None,
        stickers: Sequence[Sticker] = (),
    ) -> None:
        names = [camera.name for camera in scenario.cameras]
        if name not in names:
            raise SourceError(
                f"camera {name}: the scenario {scenario.name} has no such camera; it has {', '.join(names)}"
            )
        self._scenario, self._name, self._elapsed, self._once = scenario, name, elapsed, once
        self._clock, self._sleep, self._faults = clock, sleep, faults
        seen = next(camera for camera in scenario.cameras if camera.name == name)
        self._painter = StickerPainter(load_calibration(seen.calibration), stickers) if stickers else None
        self._period_s = 1.0 / scenario.set.frames_per_s
        self._due_s = clock()
        self._reader: ClipReader | None = None
        self._shown: Frame | None = None
        self._count = 0

    def read(self, timeout_s: float) -> Frame | None:
        now_s = self._clock()
        if self._due_s - now_s > 0:
            self._sleep(self._due_s - now_s)
            now_s = self._clock()
        # a camera keeps its beat; only after a long pause does it start a new one
        self._due_s = max(self._due_s + self._period_s, now_s)
        shown = self._scenario.shown(self._name, self._elapsed.elapsed(now_s), self._once)
        if self._reader is None or self._reader.path != shown.clip:
            self.close()
            self._reader, self._shown = ClipReader(shown.clip), None
        fault = self._faults.now().camera if self._faults is not None else None
        if fault == "gone":
            return None
        if fault != "frozen" or self._shown is None:
            self._at(self._reader, shown.frame)
        self._count += 1
        return Frame(self._picture(fault, now_s), now_s, self._count - 1)

    def _picture(self, fault: str | None, now_s: float) -> Image:
        assert self._shown is not None
        image = self._shown.image_bgr
        if fault == "garbage":
            return np.random.default_rng(self._count).integers(0, 256, image.shape, dtype=np.uint8)
        if fault == "dark":
            return np.zeros_like(image)
        if self._painter is not None:
            carriage_m = self._scenario.moment(self._elapsed.elapsed(now_s), self._once).carriage_m
            image = self._painter.paint(image, carriage_m)
        return image

    def _at(self, reader: ClipReader, index: int) -> Frame:
        """Frame `index`, or the last one there is; clips are played forwards, a jump back starts again."""
        if self._shown is not None and self._shown.index == index:
            return self._shown
        if index < reader.next_index:
            reader.rewind()
        while reader.next_index < index and reader.skip():
            continue
        self._shown = reader.next() or self._shown
        if self._shown is None:
            raise SourceError(f"{reader.path}: frame {index} cannot be read")
        return self._shown

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
