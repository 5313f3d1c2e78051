"""What a sensor says of itself, in figures and in words."""

import pytest
from pin_bench import LoadBench, run

from device.bus import decode, encode
from device.config import Config, Load
from device.load import LoadReader
from device.load_path import LoadPath
from device.messages import PartReport, PartsReport
from device.pins import MockBoard
from device.sensor_report import ReadingLog, Trouble
from device.sensor_set import open_sensors

TROUBLES = {"loose": Trouble("a wire is loose", "fasten it"), "saturated": Trouble("is at its rail", "unload it")}


def log_with(values, at_hz=10.0, wanted_hz=10.0, noisy=False):
    log = ReadingLog("cell", "counts", wanted_hz, TROUBLES, noisy=noisy)
    for i, value in enumerate(values):
        log.took(i / at_hz, value)
    return log


def test_a_healthy_part_gives_its_figures_and_no_advice():
    report = log_with([100, 102] * 15).report(2.95)
    assert (report.health, report.advice, report.unique, report.readings) == ("ok", "", 2, 20)
    assert report.rate_hz == pytest.approx(10.0)
    assert (report.noise, report.mean) == (pytest.approx(1.0), pytest.approx(101.0))
    assert report.detail == "10 readings a second; noise 1 counts"


def test_a_part_that_falls_silent_has_failed_after_a_second_and_says_what_to_do():
    log = log_with([1, 2] * 20)
    log.refused(4.0, "loose")
    assert log.report(4.2).health == "ok"
    report = log.report(5.1)
    assert (report.health, report.detail.split(";")[0], report.advice) == ("failed", "a wire is loose", "fasten it")


def test_a_part_that_gives_half_its_readings_is_degraded_with_both_rates():
    report = log_with(range(20), at_hz=4.9).report(3.9)
    assert (report.health, report.detail.split(";")[0]) == ("degraded", "5 readings a second of 10")


def test_many_rejected_readings_degrade_a_part_and_a_few_do_not():
    log = log_with(range(40))
    log.refused(3.9, "loose")
    assert log.report(3.9).health == "ok"
    for i in range(5):
        log.refused(3.9 + i / 100, "saturated")
    report = log.report(3.95)
    assert (report.health, report.saturated, report.rejected) == ("degraded", 5, {"loose": 1, "saturated": 5})


def test_a_converter_that_repeats_one_value_is_suspected_where_noise_is_natural():
    assert log_with([5] * 40, noisy=True).report(3.9).detail.startswith("the same value 21 times")
    assert log_with([5] * 40).report(3.9).health == "ok"


def test_a_past_fault_is_still_named_with_its_age():
    log = log_with([1, 2] * 10)
    log.refused(2.0, "loose")
    for i in range(40):
        log.took(2.0 + i / 10, i)
    assert log.report(6.0).detail.endswith("4 s ago: a wire is loose")
    assert log.report(6.0).last_fault_age_s == pytest.approx(4.0)


def test_a_part_never_read_says_so():
    assert ReadingLog("cell", "counts", 80, {}).report(1.0).detail == "has not been read yet"


def test_the_load_cells_report_follows_its_chip():
    config = Load(location="stack", counts_per_kg=8000.0)
    bench = LoadBench()
    bench.counts = lambda setting, t_s: 500_000 + int(t_s * 1e4) % 300
    path = LoadPath((LoadReader(bench.driver, config),), config)
    run(path, bench.time, 3.0)
    (healthy,) = path.reports(bench.time.now_s)
    assert (healthy.part, healthy.health, healthy.wanted_hz) == ("load cell", "ok", 80.0)
    assert healthy.rate_hz == pytest.approx(80.0, abs=2.0)
    bench.chip.fault = "silent"
    run(path, bench.time, 1.5)
    (dead,) = path.reports(bench.time.now_s)
    assert (dead.health, dead.last_fault) == ("failed", "silent")
    assert dead.advice == "check the converter's supply and its data wire"
    bench.board.close()


def test_every_sensor_of_a_machine_reports_and_the_report_travels_over_the_bus():
    with MockBoard() as board:
        sensors = open_sensors(Config(), board)
        report = PartsReport(1.0, sensors.reports(1.0))
    assert [part.part for part in report.parts] == ["load cell", "seat potentiometer"]
    assert decode(encode(report)) == report
    assert all(isinstance(part, PartReport) for part in report.parts)
