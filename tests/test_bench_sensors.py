"""The hour at the load cell, a minute of it: what the bench measures at full length."""

import pytest

from device.command.bench_sensors import RATED_KG, run_hour


@pytest.mark.parametrize("converter", ["hx711", "nau7802"])
def test_with_one_frame_in_twenty_corrupted_the_load_stays_right_without_a_gap(converter):
    figures = run_hour(60.0, converter)
    assert figures.samples == pytest.approx(0.95 * 60 * 80, rel=0.02)
    assert 0.04 < figures.rejected_share < 0.08
    assert figures.largest_error_kg <= 0.002 * RATED_KG
    assert figures.longest_gap_s <= 0.1
    assert figures.unknown == 0
