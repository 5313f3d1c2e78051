"""What the pipeline knows of one camera besides its pictures: how often they come, and whether they can be believed."""

from __future__ import annotations

from device.messages import CameraStatus, View
from vision.capture import Detection
from vision.view_check import ViewCheck, is_dark

LOST_AFTER_S = 1.0
"""A camera without a new frame for this long is lost."""
STARTS_WITHIN_S = 6.0
"""So long it may take to its first frame before it is lost (ours; a USB camera takes 3 s on a busy machine)."""
_RATE_WEIGHT = 0.1


class CameraHealth:
    """What the pipeline knows of one camera besides its pictures."""

    def __init__(self, name: str, view: View, calibrated: bool, check: ViewCheck | None = None) -> None:
        self.name, self.view, self.calibrated = name, view, calibrated
        self.check = check or ViewCheck(None)
        self._asked_s: float | None = None
        self._last_frame_s: float | None = None
        self._frames_per_s = 0.0
        self._dark = False

    def saw(self, detection: Detection, now_s: float) -> None:
        exposed_s = detection.frame.t_s
        if self._last_frame_s is not None and exposed_s > self._last_frame_s:
            rate = 1.0 / (exposed_s - self._last_frame_s)
            self._frames_per_s += _RATE_WEIGHT * (rate - self._frames_per_s) if self._frames_per_s else rate
        self._last_frame_s = min(exposed_s, now_s)
        self._dark = is_dark(detection.frame.image_bgr)

    @property
    def believed(self) -> bool:
        """Whether what this camera sees can be measured by its calibration."""
        return self.check.condition == "ok" and not self._dark

    def status(self, now_s: float, dropped: int, fitted: CameraStatus | None, failed: bool = False) -> CameraStatus:
        """`fitted` is what the fit said of this camera at its newest frame (nobody there, moved); `failed`: the source
        gives no pictures."""
        self._asked_s = now_s if self._asked_s is None else self._asked_s
        starting = self._last_frame_s is None and not failed and now_s - self._asked_s < STARTS_WITHIN_S
        age_s = now_s - self._last_frame_s if self._last_frame_s is not None else float("1e6")
        lost = failed or age_s > LOST_AFTER_S
        condition = fitted.condition if fitted is not None else "ok"
        if self.check.condition in ("moved", "blurred"):
            condition = self.check.condition
        if not self.calibrated:
            condition = "uncalibrated"
        if self._dark or self.check.condition == "dark":
            condition = "dark"
        if lost:
            condition = "starting" if starting else "lost"
        rate = 0.0 if lost else round(self._frames_per_s, 1)
        return CameraStatus(self.name, self.view, condition, rate, dropped, round(age_s, 3))
