"""A few of the faults of ``make chaos``, and every invariant, on each run of the tests."""

from __future__ import annotations

import pytest
from chaos import FAULTS, Report, run_seed

pytestmark = pytest.mark.system


def test_the_running_machine_survives_a_schedule_of_faults() -> None:
    report = Report()
    run_seed(seed=1, count=8, report=report)
    assert sum(report.faults.values()) == 8
    assert set(report.faults) <= set(FAULTS)
    assert report.states > 50
    assert report.warnings
