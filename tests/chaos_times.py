"""How long a warning takes, from what the trace of the simulated machine's pins and the device's states tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from device.command.bench_core import percentile


@dataclass(frozen=True, slots=True)
class LoadChange:
    """The first conversion that carries another load. Monotonic seconds, as all here."""

    made_s: float
    """When it was ready on the load cell's wire."""
    read_s: float
    """When the driver fetched it."""
    loaded: bool


@dataclass(frozen=True, slots=True)
class Warned:
    """One overload, from the plate to the buzzer."""

    put_on_s: float
    sample_s: float
    """The first conversion that shows it was ready, waiting for the driver."""
    read_s: float
    decided_s: float
    """The reading by which the rules found the fault."""
    heard_s: float
    """The buzzer's pin rose."""


def warned(
    put_on_s: float,
    changes: Sequence[LoadChange],
    decided_s: float,
    edges: Sequence[tuple[float, bool]],
) -> Warned | None:
    """The times of an overload that was put on at ``put_on_s`` and found by the reading of ``decided_s``.

    None when the buzzer sounded for something else between the first sample and the decision: what of it was heard for
    the overload cannot be told from the pin. Raises ValueError where a time is missing.
    """
    first = next((each for each in changes if each.loaded and each.read_s >= put_on_s), None)
    if first is None:
        raise ValueError(f"the load cell felt nothing of the load that was put on at {put_on_s:.3f} s")
    # the chip makes a conversion up when it is asked, with the load of then: none is older than its load
    sample_s = max(first.made_s, put_on_s)
    heard_s = next((t_s for t_s, high in edges if high and t_s >= decided_s), None)
    if heard_s is None:
        raise ValueError(f"the buzzer did not sound after {decided_s:.3f} s")
    before = [high for t_s, high in edges if t_s < sample_s]
    between = any(sample_s <= t_s < decided_s for t_s, _ in edges)
    if between or (before and before[-1]):
        return None
    return Warned(put_on_s, sample_s, first.read_s, decided_s, heard_s)


def delays(warnings: Sequence[Warned]) -> dict[str, Any]:
    """Milliseconds: median, 99th percentile and worst of each stretch on the way to the pin."""
    stretches = {
        "sample_to_pin_ms": [each.heard_s - each.sample_s for each in warnings],
        "plate_to_pin_ms": [each.heard_s - each.put_on_s for each in warnings],
        "sample_to_driver_ms": [each.read_s - each.sample_s for each in warnings],
        "decision_to_pin_ms": [each.heard_s - each.decided_s for each in warnings],
    }
    told: dict[str, Any] = {"n": len(warnings)}
    for name, values in stretches.items():
        if values:
            p50, p99 = (round(1000 * percentile(values, share), 1) for share in (0.5, 0.99))
            told[name] = {"p50": p50, "p99": p99, "worst": round(1000 * max(values), 1)}
    return told
