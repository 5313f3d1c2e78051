"""The back on its pad: what two force sensors say of rounding and arching, alone or with the cameras.

A back that rounds under load tucks the pelvis: the sacrum comes off its pad while the carriage is low. A back that
arches leaves the pad at the lumbar curve while the sacrum stays on it; cameras hardly see that from the side. The
evidence enters the one rule of each fault as a lumbar angle at its onset: dwell, release, priority and words are the
rule's. All limits here are ours; no published figure for a leg press was found.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from device.config import Pads
from device.core.posture import Posture
from device.messages import PadSample

if TYPE_CHECKING:
    from device.core.turn import Turn

PADS_FRESH_S: Final = 0.25
AT_DEPTH: Final = 0.5
"""Share of the set's deepest rep from which on a lost sacrum counts as rounding."""
CONTRADICTS: Final = 1.0 / 3.0
"""A camera that sees less than this share of the onset, in the same direction, speaks against a rounding that the
pads alone report: it sees rounding well."""
SETTLED_S: Final = 0.5
"""Both pads must have carried the back this long before losing one of them means anything."""

Evidence = Literal["rounding", "arching"]


class PadWatch(NamedTuple):
    """Contact of each pad with hysteresis, and since when."""

    sample: PadSample | None = None
    good_s: float = -math.inf
    lumbar_on: bool = False
    sacrum_on: bool = False
    both_since_s: float | None = None
    settled: bool = False
    """Both carried the back for ``SETTLED_S`` in this set."""
    evidence: Evidence | None = None
    evidence_since_s: float | None = None


def pads_fresh(turn: Turn) -> bool:
    return turn.now_s - turn.sensors.pads.good_s <= PADS_FRESH_S


def touches(on: bool, share: float, pads: Pads) -> bool:
    """Contact with hysteresis: begins at ``contact``, ends below ``lost``."""
    return share >= pads.lost if on else share >= pads.contact


def evidence_of(lumbar_on: bool, sacrum_on: bool, depth: float | None) -> Evidence | None:
    """What the contact of the moment speaks for; ``depth`` 0 top, 1 deepest, None = not known. Pure."""
    if not sacrum_on:
        return "rounding" if depth is None or depth >= AT_DEPTH else None
    return None if lumbar_on else "arching"


def note_pads(turn: Turn, sample: PadSample, depth: float | None) -> None:
    """Keep the sample and what it is evidence of."""
    watch, pads = turn.sensors.pads, turn.config.pads
    if watch.sample is not None and sample.t_s < watch.sample.t_s:
        return
    if sample.quality != "ok" or sample.lumbar is None or sample.sacrum is None:
        turn.sensors = turn.sensors._replace(pads=PadWatch(sample=sample, good_s=watch.good_s))
        return
    lumbar_on = touches(watch.lumbar_on, sample.lumbar, pads)
    sacrum_on = touches(watch.sacrum_on, sample.sacrum, pads)
    both_s = None if not (lumbar_on and sacrum_on) else sample.t_s if watch.both_since_s is None else watch.both_since_s
    settled = turn.under_watch and (watch.settled or (both_s is not None and sample.t_s - both_s >= SETTLED_S))
    evidence = evidence_of(lumbar_on, sacrum_on, depth) if settled else None
    since_s = watch.evidence_since_s if evidence == watch.evidence else sample.t_s
    turn.sensors = turn.sensors._replace(
        pads=PadWatch(
            sample, sample.t_s, lumbar_on, sacrum_on, both_s, settled, evidence, None if evidence is None else since_s
        )
    )


def pad_evidence(turn: Turn) -> Evidence | None:
    """What the pads speak for, once it has lasted for ``pads.dwell_s``."""
    watch = turn.sensors.pads
    if watch.evidence_since_s is None or not pads_fresh(turn):
        return None
    return watch.evidence if watch.good_s - watch.evidence_since_s >= turn.config.pads.dwell_s else None


def fused(turn: Turn, posture: Posture) -> Posture:
    """``posture`` with the pads' evidence in it. Without evidence it is what the cameras say.

    The camera keeps the last word on rounding, the pads on arching; either confirms the other.
    """
    evidence = pad_evidence(turn)
    seen_deg = posture.lumbar_flexion_deg
    if evidence is None:
        return posture
    at_onset_deg = _onset_deg(turn, evidence, posture)
    if at_onset_deg is None:
        return posture
    if seen_deg is not None:
        rounds_from_deg = _onset_deg(turn, "rounding", posture)
        if evidence == "rounding":
            if not CONTRADICTS * at_onset_deg <= seen_deg < at_onset_deg:
                return posture
        elif seen_deg <= at_onset_deg or (rounds_from_deg is not None and seen_deg >= rounds_from_deg):
            return posture
    errors = {name: error for name, error in posture.standard_error.items() if name != "lumbar_flexion_deg"}
    return replace(posture, lumbar_flexion_deg=at_onset_deg, standard_error=errors)


def felt_posture(turn: Turn) -> Posture:
    """What the pads alone know of the back: an onset, or a back that is flat."""
    evidence = pad_evidence(turn)
    onset_deg = None if evidence is None else _onset_deg(turn, evidence, Posture())
    return Posture(lumbar_flexion_deg=onset_deg or 0.0, checks=("lumbar_flexion",))


def _onset_deg(turn: Turn, evidence: Evidence, posture: Posture) -> float | None:
    """The lumbar angle at which the rule of this lifter begins; None where the rule is switched off."""
    kind = "back_rounding" if evidence == "rounding" else "back_arching"
    rule = next((rule for rule in turn.rules if rule.kind == kind), None)
    if rule is None:
        return None
    limits = rule.limits(turn.lifter.neutral is not None, posture)
    return limits.onset if evidence == "rounding" else -limits.onset
