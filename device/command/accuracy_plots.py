"""Truth against estimate, one panel a measure and camera set-up, as a PNG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from device.command.truth import Score

PANELS: Final = {
    "knee_flexion_deg": "knee flexion, deg",
    "valgus_deg": "valgus, deg",
    "lumbar_flexion_deg": "lumbar flexion, deg",
    "foot_placement": "foot placement",
}
EVERY: Final = 3
"""Neighbouring frames say the same: one in three is drawn."""


def write_plots(path: Path, scores: Mapping[str, Score]) -> None:
    """One row a measure, one column a set-up; a panel says so where the set-up does not tell the measure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    cameras = sorted(scores)
    figure = Figure(figsize=(3.0 * len(cameras), 2.9 * len(PANELS)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(PANELS), len(cameras), squeeze=False)
    for row, (measure, title) in enumerate(PANELS.items()):
        for column, camera in enumerate(cameras):
            panel = axes[row][column]
            pairs = scores[camera].pairs.get(measure, [])[::EVERY]
            panel.set_title(f"{camera}: {title}", fontsize=9)
            panel.tick_params(labelsize=8)
            if not pairs:
                panel.text(0.5, 0.5, "not told", ha="center", va="center", transform=panel.transAxes, fontsize=9)
                panel.set_xticks([])
                panel.set_yticks([])
                continue
            true, seen = zip(*pairs, strict=True)
            low, high = min(*true, *seen), max(*true, *seen)
            panel.plot([low, high], [low, high], color="0.6", linewidth=1)
            panel.plot(true, seen, ".", markersize=2, alpha=0.4, color="#0b5fa5")
            panel.set_xlabel("true", fontsize=8)
            panel.set_ylabel("seen", fontsize=8)
    figure.savefig(path, dpi=80)
