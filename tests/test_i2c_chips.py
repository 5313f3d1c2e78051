"""NAU7802 and VL53L1X, register by register, on a bus whose methods are smbus2's."""

import inspect
from types import SimpleNamespace

import pytest
import smbus2
from hypothesis import given, settings
from hypothesis import strategies as st
from pin_bench import BenchTime, run

from device.config import Load
from device.i2c import I2cChip, open_chip
from device.load import LoadReader
from device.load_converter import FULL_SCALE
from device.nau7802 import ADDRESS, CTRL1, CTRL2, LDO_3V0_GAIN_128, NAU7802, PU_CTRL, RATES, RUNNING
from device.pins import MockBoard
from device.simulation.i2c_bus import SimulatedSMBus
from device.simulation.nau7802_chip import SimulatedNAU7802
from device.simulation.vl53l1x_chip import SimulatedVL53L1X
from device.vl53l1x import ADDRESS as RANGER_ADDRESS
from device.vl53l1x import CONFIGURATION, MODE_START, SETTINGS, VL53L1X

READY = 4
STACK = Load(location="stack", converter="nau7802", counts_per_kg=8000.0)


class BridgeBench:
    """A NAU7802 driver on a simulated chip that weighs ``self.counts``."""

    def __init__(self, samples_per_s=80):
        self.time, self.board, self.counts = BenchTime(), MockBoard(), 123_456
        self.made = []
        self.chip = SimulatedNAU7802(self.board, 1, READY, self._convert, lambda: self.time.now_s)
        self.line = self.board.i2c(1, ADDRESS, "load converter")
        self.driver = NAU7802(self.line, self.board.input(READY, "load ready"), samples_per_s)

    def _convert(self, t_s):
        counts = self.counts(t_s) if callable(self.counts) else self.counts
        self.made.append(counts)
        return counts

    def frames(self, duration_s, step_s=0.001):
        found, end_s = [], self.time.now_s + duration_s
        while self.time.now_s < end_s:
            frame = self.driver.read(self.time.now_s)
            if frame is not None:
                found.append(frame)
            self.time.now_s += step_s
        return found

    def started(self):
        self.driver.reset(self.time.now_s)
        self.frames(1.5)
        return self


@pytest.fixture
def bench():
    bench = BridgeBench()
    yield bench
    bench.board.close()


@pytest.mark.parametrize("method", ["read_i2c_block_data", "write_byte_data", "i2c_rdwr", "close"])
def test_the_simulated_bus_takes_what_smbus2_takes(method):
    ours = inspect.signature(getattr(SimulatedSMBus, method))
    theirs = inspect.signature(getattr(smbus2.SMBus, method))
    assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
        (p.name, p.kind, p.default) for p in theirs.parameters.values()
    ]


def test_the_wide_registers_travel_in_smbus2s_own_messages():
    bus = SimulatedSMBus()

    class Echo:
        written_bytes = b""

        def written(self, data):
            self.written_bytes = data

        def asked(self, length):
            return self.written_bytes.ljust(length, b"\xee")

    bus.chips[0x29] = Echo()
    chip = I2cChip(bus, 0x29)
    assert chip.read_wide(0x010F, 4) == b"\x01\x0f\xee\xee"
    chip.write_wide(0x0087, [0x40])
    assert bus.chips[0x29].written_bytes == b"\x00\x87\x40"


def test_a_bus_held_low_is_given_up_after_50_ms_and_not_after_the_kernels_second(monkeypatch):
    asked = []
    monkeypatch.setattr("device.i2c.fcntl.ioctl", lambda fd, request, value: asked.append((fd, request, value)))
    open_chip(1, 0x29, opener=lambda bus: SimpleNamespace(fd=40 + bus))
    assert asked == [(41, 0x0702, 5)]
    assert smbus2.SMBus().fd is None  # the attribute is the library's own


def test_an_address_without_a_chip_does_not_acknowledge():
    with pytest.raises(OSError, match="Remote I/O error"):
        I2cChip(SimulatedSMBus(), 0x2A).read(0)


# --- NAU7802 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples_per_s", list(RATES))
def test_the_chip_is_set_up_as_the_data_sheet_has_it_and_converts_at_its_rate(samples_per_s):
    bench = BridgeBench(samples_per_s)
    bench.driver.reset(bench.time.now_s)
    bench.frames(2.0, 0.0005)
    frames = bench.frames(1.0, 0.0005)
    assert [frame.fault for frame in frames] == [None] * len(frames)
    assert len(frames) == pytest.approx(samples_per_s, abs=2)
    power, gain, rate = bench.line.read(PU_CTRL, 3)
    assert (power & RUNNING, gain) == (RUNNING, LDO_3V0_GAIN_128)
    assert rate >> 4 & 7 == RATES[samples_per_s]
    bench.board.close()


@given(st.integers(-FULL_SCALE + 1, FULL_SCALE - 2).filter(lambda counts: counts not in (0, -1)))
@settings(max_examples=40, deadline=None)
def test_any_value_between_the_rails_arrives_exactly(counts):
    bench = BridgeBench().started()
    bench.counts = counts
    bench.frames(0.03)
    assert {frame.raw for frame in bench.frames(0.05)} == {counts}
    bench.board.close()


def test_nothing_is_believed_before_the_chip_has_calibrated_itself_and_settled(bench):
    bench.driver.reset(bench.time.now_s)
    start_s = bench.time.now_s
    frames = bench.frames(1.5)
    valid_s = next(frame.t_s for frame in frames if frame.fault is None) - start_s
    assert {frame.fault for frame in frames} == {None, "settling"}
    assert 0.25 + 8 / 80 <= valid_s <= 0.25 + 12 / 80


def test_without_a_conversion_the_bus_is_left_alone(bench):
    bench.started()
    bench.chip.fault = "silent"
    bench.frames(0.1)
    before = bench.board._bus(1).transactions
    assert bench.frames(0.5) == []
    assert bench.board._bus(1).transactions == before


def test_a_chip_that_lost_its_settings_is_noticed_within_a_second(bench):
    bench.started()
    bench.chip._registers[CTRL1] = 0
    faults = [frame.fault for frame in bench.frames(1.2)]
    assert "lost_settings" in faults


def test_the_reader_starts_a_chip_again_that_lost_its_supply():
    bench = BridgeBench()
    bench.counts = lambda t_s: 800_000 + int(t_s * 1e4) % 50
    reader = LoadReader(bench.driver, STACK)
    run(reader, bench.time, 1.5)
    bench.chip.brown_out()
    run(reader, bench.time, 2.5)
    assert run(reader, bench.time, 0.2)[-1][1].kg == pytest.approx(100.0, abs=0.1)
    assert reader.statistics.resets == 2
    bench.board.close()


faults = st.sampled_from(
    [None, "silent", "stuck_ready", "rail_high", "rail_low", "dead", "corrupt", "unplugged", "calibration"]
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(faults, st.floats(0.005, 0.8)), min_size=1, max_size=6), st.integers(0, 2**32))
def test_no_wrong_load_passes_and_nothing_hangs_whatever_the_bus_does(history, seed):
    bench = BridgeBench()
    bench.counts = 800_000
    bench.chip.random.seed(seed)
    reader = LoadReader(bench.driver, STACK)
    run(reader, bench.time, 1.0)
    for fault, duration_s in history:
        bench.chip.fault = fault
        for _, sample in run(reader, bench.time, duration_s):
            assert sample.kg is None or abs(sample.kg - 100.0) < 1.0
            assert (sample.kg is not None) == (sample.quality == "ok")
    bench.chip.fault = None
    assert run(reader, bench.time, 4.0)[-1][1].quality == "ok"
    bench.board.close()


def test_the_settings_read_back_hold_the_rate_bits(bench):
    bench.started()
    assert bench.line.read(CTRL2)[0] >> 4 & 7 == RATES[80]


# --- VL53L1X ---------------------------------------------------------------------------------------


class RangerBench:
    def __init__(self):
        self.time, self.board, self.distance_m = BenchTime(), MockBoard(), 0.35
        self.chip = SimulatedVL53L1X(self.board, 1, lambda t_s: self.distance_m, lambda: self.time.now_s)
        self.ranger = VL53L1X(self.board.i2c(1, RANGER_ADDRESS, "ranger"))

    def ranges(self, duration_s):
        found, end_s = [], self.time.now_s + duration_s
        while self.time.now_s < end_s:
            measured = self.ranger.read(self.time.now_s)
            if measured is not None:
                found.append(measured)
            self.time.now_s += 0.01
        return found


@pytest.fixture
def ranger():
    bench = RangerBench()
    yield bench
    bench.board.close()


def test_the_settings_fill_their_registers_and_ranging_begins(ranger):
    assert len(SETTINGS) == MODE_START - CONFIGURATION + 1
    ranger.ranges(1.0)
    assert ranger.chip._registers[MODE_START] == 0x40
    assert bytes(ranger.chip._registers[CONFIGURATION:0x46]) == SETTINGS[:25]


@pytest.mark.parametrize(
    ("register", "value", "meaning"),
    [
        (0x30, "01", "data-ready is active high"),
        (0x46, "20", "data-ready with each new measurement"),
        (0x4B, "0a", "long range: phase calibration"),
        (0x60, "0f", "long range: VCSEL period A"),
        (0x63, "0d", "long range: VCSEL period B"),
        (0x69, "b8", "long range: valid phase"),
        (0x78, "0f0d", "long range: WOI SD0"),
        (0x7A, "0e0e", "long range: initial phase SD0"),
        (0x5E, "01cc", "100 ms a measurement, at long range"),
        (0x87, "00", "it does not range before it is told to"),
    ],
)
def test_the_rangers_settings_are_those_of_sts_driver_where_it_names_them(register, value, meaning):
    """The ultra lite driver (STSW-IMG009): its comments in the table, SetDistanceMode(2), SetTimingBudgetInMs(100)."""
    at = register - CONFIGURATION
    assert SETTINGS[at : at + len(value) // 2].hex() == value, meaning


def test_ten_distances_a_second_to_the_millimetre(ranger):
    ranger.ranges(1.0)
    found = ranger.ranges(2.0)
    assert len(found) == pytest.approx(20, abs=1)
    assert {measured.distance_m for measured in found} == {0.35}


@pytest.mark.parametrize("fault", ["weak", "wrapped", "hardware"])
def test_a_status_other_than_ok_is_no_distance(ranger, fault):
    ranger.ranges(1.0)
    ranger.chip.fault = fault
    found = ranger.ranges(1.0)[2:]
    assert {(measured.distance_m, measured.fault) for measured in found} == {(None, fault)}


def test_nothing_within_range_is_weak(ranger):
    ranger.ranges(1.0)
    ranger.distance_m = None
    assert {measured.fault for measured in ranger.ranges(1.0)[2:]} == {"weak"}


@pytest.mark.parametrize(
    ("fault", "named"), [("unplugged", "bus"), ("silent", "silent"), ("wrong_chip", "wrong_chip")]
)
def test_a_chip_that_cannot_start_is_told_twice_a_second_and_tried_again(fault, named):
    ranger = RangerBench()
    ranger.chip.fault = fault
    told = ranger.ranges(3.0)
    assert {measured.fault for measured in told} == {named}
    assert 2 <= len(told) <= 7
    ranger.chip.fault = None
    assert ranger.ranges(2.0)[-1].distance_m == 0.35
    ranger.board.close()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, "unplugged", "silent", "never_boots", "wrong_chip", "weak", "wrapped", "hardware"]),
            st.floats(0.01, 1.0),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_the_ranger_goes_through_a_distance_is_the_true_one(history):
    ranger = RangerBench()
    for fault, duration_s in history:
        ranger.chip.fault = fault
        assert {measured.distance_m for measured in ranger.ranges(duration_s)} <= {None, 0.35}
    ranger.chip.fault = None
    assert ranger.ranges(2.5)[-1].distance_m == 0.35
    ranger.board.close()
