"""No parser crashes, hangs, or half believes what is damaged. ``make fuzz`` does the same for hours."""

from __future__ import annotations

import pytest
from fuzz import outcomes

COUNTS = {
    "messages": 3000,
    "configuration": 400,
    "calibration": 400,
    "calibrating": 600,
    "http": 600,
    "clips": 20,
    "landmarks": 1500,
}


@pytest.mark.parametrize(
    "target", [pytest.param(name, marks=[pytest.mark.model] if name == "landmarks" else []) for name in COUNTS]
)
def test_damaged_input_is_refused_or_taken_whole(target: str) -> None:
    accepted = list(outcomes(target, COUNTS[target], seed=1))
    assert len(accepted) == COUNTS[target]
    assert 0 < sum(accepted) < COUNTS[target]  # the damage is neither always fatal nor never
