"""One hour at the load cell in simulated time, every twentieth frame corrupted: error, gaps, and the processor's share.

The real driver and reader run against the simulated converter, bit by bit; only the clock is simulated. The processor
time is that of everything that is polled, the simulated chip included.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from device.config import Config, Load
from device.load_path import LoadPath
from device.pins import MockBoard
from device.scenario import CELL_COUNTS_PER_KG, CELL_TARE_COUNTS
from device.sensor_set import WireTime, open_sensors
from device.simulation.hx711_chip import SimulatedHX711
from device.simulation.machine import CELL_NOISE_COUNTS, PulseTimer
from device.simulation.nau7802_chip import SimulatedNAU7802

RATED_KG = 500.0
"""Full scale of the cell."""
HOLDS_S = 30.0
"""A load stays so long; then somebody changes the plates."""
STEP_S = 0.15
"""After a change the median needs three readings that agree, and the outlier rule three more."""
CORRUPT_SHARE = 0.05


class SimulatedTime:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def now(self) -> float:
        return self.now_s


@dataclass
class HourFigures:
    """What came of it."""

    largest_error_kg: float = 0.0
    longest_gap_s: float = 0.0
    samples: int = 0
    unknown: int = 0
    rejected_share: float = 0.0
    processor_share: float = 0.0
    """Of one core: processor time over simulated time."""


def load_at(t_s: float) -> float:
    """kg on the stack: another plateau every ``HOLDS_S``, the same in every run."""
    return random.Random(int(t_s / HOLDS_S)).uniform(0.0, 0.9 * RATED_KG)


def run_hour(duration_s: float, converter: str = "hx711") -> HourFigures:
    """``duration_s`` of simulated time at 80 samples/s."""
    clock, timer, board = SimulatedTime(), PulseTimer(), MockBoard()
    load = Load.model_validate(
        {
            "converter": converter,
            "location": "stack",
            "counts_per_kg": CELL_COUNTS_PER_KG,
            "tare_counts": CELL_TARE_COUNTS,
        }
    )
    config = Config(load=load)
    noise = random.Random(1)

    def counts(t_s: float) -> int:
        return round(CELL_TARE_COUNTS + CELL_COUNTS_PER_KG * load_at(t_s) + noise.gauss(0.0, CELL_NOISE_COUNTS))

    with board:
        pins = config.pins
        if converter == "hx711":
            chip: SimulatedHX711 | SimulatedNAU7802 = SimulatedHX711(
                board, pins.load_data, pins.load_clock, lambda _, t_s: counts(t_s), clock=clock.now,
                pulse_clock=timer.now,
            )  # fmt: skip
        else:
            chip = SimulatedNAU7802(board, load.bus, pins.load_ready, counts, clock.now)
        path = open_sensors(config, board, WireTime(timer.now, timer.sleep)).load
        assert isinstance(path, LoadPath)
        _poll(path, clock, 1.0, None)
        chip.fault, chip.corrupt_share = "corrupt", CORRUPT_SHARE
        figures = HourFigures()
        began_s, worked_s = clock.now_s, time.thread_time()
        _poll(path, clock, duration_s, _judge(figures, began_s))
        figures.processor_share = (time.thread_time() - worked_s) / duration_s
        statistics = path.cells[0].statistics
        figures.rejected_share = statistics.rejected.total() / statistics.frames
    return figures


def _judge(figures: HourFigures, began_s: float) -> Callable[[float, float | None], None]:
    last_s = began_s

    def judge(t_s: float, kg: float | None) -> None:
        nonlocal last_s
        if kg is None:
            figures.unknown += 1
            return
        figures.samples += 1
        figures.longest_gap_s = max(figures.longest_gap_s, t_s - last_s)
        last_s = t_s
        if t_s % HOLDS_S >= STEP_S:
            figures.largest_error_kg = max(figures.largest_error_kg, abs(kg - load_at(t_s)))

    return judge


def _poll(
    path: LoadPath, clock: SimulatedTime, duration_s: float, judge: Callable[[float, float | None], None] | None
) -> None:
    """As the sampling thread does, without its sleeps."""
    end_s = clock.now_s + duration_s
    while clock.now_s < end_s:
        sample = path.poll(clock.now_s)
        if sample is not None and judge is not None:
            judge(sample.t_s, sample.kg)
        due_s = path.next_due_s
        clock.now_s = max(clock.now_s + 0.0005, due_s if math.isfinite(due_s) else 0.0)


def sensor_hour(config: Config, quick: bool) -> Sequence[tuple[str, float, str, str | None]]:
    rows: list[tuple[str, float, str, str | None]] = []
    for converter, duration_s in (("hx711", 3600.0), ("nau7802", 600.0)):
        figures = run_hour(60.0 if quick else duration_s, converter)
        rows += [
            (f"{converter}: largest load error", 100.0 * figures.largest_error_kg / RATED_KG, "% of 500 kg", "<= 0.2"),
            (f"{converter}: longest gap in valid loads", 1000.0 * figures.longest_gap_s, "ms", "<= 100"),
            (f"{converter}: samples without a value", figures.unknown, "", "<= 0"),
            (f"{converter}: frames rejected", 100.0 * figures.rejected_share, "%", None),
            (f"{converter}: processor, simulated chip included", 100.0 * figures.processor_share, "%", "<= 5"),
        ]
    return rows
