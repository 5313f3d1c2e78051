"""How far the back is rounded or arched, read from the lifter's silhouette in a side view.

Rounding turns the pelvis and carries hip, thigh and belly millimetres off the pad: the landmarks follow
about half of that and hardly any arching, the outline follows all of it. The pose model's person mask is
laid out in pad coordinates (the same for every camera and machine, near side always the same way round)
and one weighted sum over its cells gives degrees. The sum's absolute value means nothing, for bodies and
clothes differ; its change against the member's own clean rep at the same carriage position does
(``device.core.posture``). The weights come from rendered lifters by ``vision/training/silhouette_fit.py``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.calibration import Calibration
from vision.person import seat_m

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

CELLS: Final = 24
"""Cells along each side of the square that is looked at; 29 mm each."""
UP_M: Final = (0.50, -0.20)
OFF_M: Final = (-0.14, 0.56)
"""The square, from the calibrated seat: rows down along the pad, columns from behind its surface outwards."""
PLANE_M: Final = 0.11
"""It lies in the sagittal plane of the nearer hip joint (mean of the rendered lifters)."""
HALF: Final = 0.35
STEEPNESS: Final = 0.15
"""Mask values are sharpened about ``HALF`` (logistic): objects that the mask half takes for the person weigh less.
Both by cross-validation on training clips; the optimum is flat."""
PAD_MIDDLE_DEG: Final = 51.0
PAD_SPAN_DEG: Final = 13.0
"""Back pads from 38 (sled) to 64 degrees (seated) become -1 to 1."""
_FINER: Final = 2
_BLUR: Final = 0.6
_BESIDE_PX: Final = 4
"""What blur and interpolation take from beside a point."""
MODEL_FILE: Final = Path(__file__).parent / "silhouette_model.json"


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Degrees per unit of each cell, (24, 24); the second part counts times the pad's angle, -1 to 1."""

    upright: Floats
    by_pad: Floats

    def at(self, back_pad_deg: float) -> Floats:
        return self.upright + (back_pad_deg - PAD_MIDDLE_DEG) / PAD_SPAN_DEG * self.by_pad


def read_weights(path: Path = MODEL_FILE) -> Weights:
    """The learned weights. Raises ValueError if the file holds something else."""
    data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    parts = [np.array(data[name], dtype=np.float64) for name in ("upright", "by_pad")]
    if any(part.shape != (CELLS, CELLS) or not np.isfinite(part).all() for part in parts):
        raise ValueError(f"{path}: 'upright' and 'by_pad' must be {CELLS} x {CELLS} numbers each")
    return Weights(parts[0], parts[1])


def silhouette_cells(calibration: Calibration, mask: Singles) -> Floats:
    """(24, 24) how much each cell is covered by the person, 0..1, sharpened.

    ``mask`` (rows, columns) covers the whole image at any scale, 0..1 (``Landmarks.mask``).
    """
    part, x, y = _sample_px(calibration, mask.shape[:2])
    seen = cv2.remap(cv2.GaussianBlur(mask[part], (0, 0), _BLUR), x, y, cv2.INTER_LINEAR)
    coverage = cv2.resize(seen, (CELLS, CELLS), interpolation=cv2.INTER_AREA).astype(np.float64)
    return 1.0 / (1.0 + np.exp((HALF - coverage) / STEEPNESS))


def silhouette_back_deg(calibration: Calibration, mask: Singles) -> float:
    """Back flexion in degrees up to an offset that is the member's own at each carriage position; + = rounded."""
    return float(np.vdot(_weights_for(calibration.machine.back_pad_deg), silhouette_cells(calibration, mask)))


@lru_cache(maxsize=4)
def _sample_px(calibration: Calibration, mask_size: tuple[int, int]) -> tuple[tuple[slice, slice], Singles, Singles]:
    """The part of the mask that is looked at, and (48, 48) columns and rows in it of the points."""
    count = CELLS * _FINER
    machine = calibration.machine
    middles = (np.arange(count) + 0.5) / count
    up = UP_M[0] + middles * (UP_M[1] - UP_M[0])
    off = OFF_M[0] + middles * (OFF_M[1] - OFF_M[0])
    places = seat_m(calibration) + up[:, None, None] * machine.pad_up + off[None, :, None] * machine.pad_normal
    places[..., 0] = PLANE_M if calibration.eye[0] > 0 else -PLANE_M
    scale = mask_size[1] / calibration.image_size_px[0]
    px = (calibration.project(places) + 0.5) * scale - 0.5
    # Beyond the mask nobody is; points far outside would make the part no smaller.
    size = mask_size[::-1]
    low = np.clip(np.floor(px.min(axis=(0, 1))).astype(int) - _BESIDE_PX, 0, np.array(size) - 1)
    high = np.clip(np.ceil(px.max(axis=(0, 1))).astype(int) + _BESIDE_PX, low + 1, size)
    part = (slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0])))
    x, y = (np.ascontiguousarray(px[..., i] - low[i], dtype=np.float32) for i in (0, 1))
    return part, x, y


@cache
def _weights_for(back_pad_deg: float) -> Floats:
    return read_weights().at(back_pad_deg)
