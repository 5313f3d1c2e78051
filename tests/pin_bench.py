"""A bench for the drivers' tests: mock pins with simulated chips on them, and a clock that only moves when told."""

import math

from device.hx711 import HX711
from device.pins import MockBoard
from device.simulation.hx711_chip import SimulatedHX711

DATA, CLOCK = 5, 6


class BenchTime:
    """Seconds that pass 3 us at a time with every look of a driver, and by ``stall_s`` where a test says so."""

    def __init__(self):
        self.now_s = 100.0
        self.stalls_s = {}
        self.looks = 0

    def now(self):
        return self.now_s

    def look(self):
        self.now_s += 3e-6 + self.stalls_s.pop(self.looks, 0.0)
        self.looks += 1
        return self.now_s

    def sleep(self, duration_s):
        self.now_s += duration_s


class LoadBench:
    """An HX711 driver wired to a simulated chip that weighs ``self.counts``."""

    def __init__(self, setting="a128", samples_per_s=80):
        self.time = BenchTime()
        self.board = MockBoard()
        self.counts = 123_456
        self.made = []
        self.rises = 0
        self.stalls_before_fall_s = {}
        self.board.watch(CLOCK, self._edge)  # before the chip sees the edge
        self.chip = SimulatedHX711(
            self.board, DATA, CLOCK, self._convert, samples_per_s, clock=self.time.now, pulse_clock=self.time.now
        )
        self.driver = HX711(
            self.board.input(DATA, "load cell data"),
            self.board.output(CLOCK, "load cell clock"),
            setting,
            samples_per_s,
            pulse_clock=self.time.look,
            sleep=self.time.sleep,
        )

    def _edge(self, high):
        if high:
            self.rises += 1
        else:
            self.time.now_s += self.stalls_before_fall_s.pop(self.rises, 0.0)

    def _convert(self, setting, t_s):
        counts = self.counts(setting, t_s) if callable(self.counts) else self.counts
        self.made.append((setting, t_s, counts))
        return counts

    def next_frame(self, within_s=1.0):
        """The next frame that the driver fetches, looked for every millisecond; None when there is none."""
        end_s = self.time.now_s + within_s
        while self.time.now_s < end_s:
            frame = self.driver.read(self.time.now_s)
            if frame is not None:
                return frame
            self.time.now_s += 0.001
        return None

    def valid_frame(self, tries=10):
        for _ in range(tries):
            frame = self.next_frame()
            if frame is not None and frame.fault is None:
                return frame
        return None


def run(reader, time, duration_s, samples=None):
    """Poll ``reader`` as its thread does, for ``duration_s``; returns (now_s, sample) of every sample."""
    samples = [] if samples is None else samples
    end_s = time.now_s + duration_s
    while time.now_s < end_s:
        at_s = time.now_s
        sample = reader.poll(at_s)
        if sample is not None:
            samples.append((at_s, sample))
        due_s = reader.next_due_s
        time.now_s = max(time.now_s + 0.0005, due_s if math.isfinite(due_s) else 0.0)
    return samples
