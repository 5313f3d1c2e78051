"""What the member hears and sees of it all: one warning, one sound, one light.

Safety faults (medium and high) sound at once; coaching (low) at most ``coaching_per_rep`` times a rep,
since constant cueing demoralises (EVIDENCE.md, cueing). A lasting fault sounds again with a new rep, a
high one goes on until it ends. Acknowledging silences what is not more urgent than what was silenced.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from device.core.actions import Flash, PlaySound, SetLight
from device.core.conditions import form_check_runs
from device.core.faults import RANK
from device.core.state import ActiveFault, Cues
from device.core.turn import Turn
from device.messages import Colour, Priority

SOUND_S: Final[dict[str, float]] = {"medium": 1.3, "low": 0.7, "confirm": 0.5, "help": 30.0}
"""How long a sound is taken to play. High ones repeat until their fault ends."""
QUIET_S = 2.0
"""The same sound does not come again within this: a value that wavers must not stutter."""
FORM_CHECK_OFF = "low:form_check_off"


def update_cues(turn: Turn) -> None:
    """Decide warning, confirmation, sound and light after everything else in this step."""
    cues = turn.cues
    started: ActiveFault | None = None
    if turn.faults:
        _cue_new_faults(turn)
        started = _due_to_sound(turn)
    elif not (cues.rep_began or cues.to_confirm or cues.sound or cues.confirmation) and cues.silenced_rank == 0:
        _set_light(turn, None)
        return
    warning = warning_fault(turn.faults)
    _confirm(turn, warning)
    _sound(turn, warning, started)
    _set_light(turn, warning)


def warning_fault(faults: tuple[ActiveFault, ...]) -> ActiveFault | None:
    """The most urgent fault that the member has been told of; the oldest of several."""
    best: ActiveFault | None = None
    for fault in faults:
        if fault.cued and (best is None or RANK[fault.priority] > RANK[best.priority]):
            best = fault
    return best


def acknowledge(turn: Turn) -> bool:
    """Silence what is heard for ``acknowledge_s``; False where there is nothing to acknowledge.

    High priority is never silenced, and what is more urgent than the acknowledged breaks through.
    """
    cues = turn.cues
    if cues.help_called:
        turn.cues = cues = replace(cues, help_called=False)
        if cues.sound == "help":
            _play(turn, None, None)
        return True
    warning = warning_fault(turn.faults)
    if warning is None:
        return False
    rank = min(RANK[warning.priority], RANK["medium"])
    if turn.now_s < cues.silenced_until_s and rank <= cues.silenced_rank:
        return False
    until_s = turn.now_s + turn.config.cueing.acknowledge_s
    turn.cues = replace(cues, silenced_until_s=until_s, silenced_rank=rank)
    if cues.sound is not None and not cues.sound.startswith("high:"):
        _play(turn, None, None)
    return True


def call_help(turn: Turn) -> None:
    turn.cues = replace(turn.cues, help_called=True)
    if turn.cues.sound is None or not turn.cues.sound.startswith("high:"):
        _play(turn, "help", turn.now_s + SOUND_S["help"])


def sound_form_check_edge(turn: Turn) -> None:
    """One low sound when the form check goes off under a lifter; asked at every tick."""
    runs = form_check_runs(turn)
    started_s = turn.clock.first_tick_s
    starting = started_s is not None and turn.now_s - started_s <= turn.config.faults.pose_stale_s
    if runs == turn.cues.form_check or (turn.view.sample is None and starting):
        return
    turn.cues = replace(turn.cues, form_check=runs)
    if not runs and turn.set is not None and turn.cues.sound is None and not _silenced(turn.cues, "low", turn.now_s):
        _play(turn, FORM_CHECK_OFF, turn.now_s + SOUND_S["low"])


def _cue_new_faults(turn: Turn) -> None:
    """Tell of new faults: safety at once, coaching as far as this rep's share goes."""
    if all(fault.cued for fault in turn.faults):
        return
    urgent = any(fault.priority != "low" for fault in turn.faults)
    coached = turn.cues.coached
    after: list[ActiveFault] = []
    for fault in turn.faults:
        tell = not fault.cued and fault.priority != "low"
        if not fault.cued and not tell and not urgent and coached < turn.config.cueing.coaching_per_rep:
            coached += 1
            tell = True
        after.append(replace(fault, cued=True) if tell else fault)
    if any(fault.cued for fault in after):
        turn.faults = tuple(after)
    if coached != turn.cues.coached:
        turn.cues = replace(turn.cues, coached=coached)


def _due_to_sound(turn: Turn) -> ActiveFault | None:
    """The most urgent fault that is told for the first time, became more urgent, or lasts into a new rep."""
    due: ActiveFault | None = None
    for fault in turn.faults:
        if not fault.cued or (due is not None and RANK[due.priority] >= RANK[fault.priority]):
            continue
        told = (fault.alert_id, fault.priority) in turn.cues.told
        if not told or (turn.cues.rep_began and fault.priority == "medium"):
            due = fault
    return due


def _confirm(turn: Turn, warning: ActiveFault | None) -> None:
    cues = turn.cues
    if cues.to_confirm is not None:
        if warning is None:
            until_s = turn.now_s + turn.config.cueing.confirmation_s
            turn.cues = replace(cues, confirmation=cues.to_confirm, confirmed_until_s=until_s, to_confirm=None)
            if turn.now_s >= cues.silenced_until_s:
                _play(turn, "confirm", turn.now_s + SOUND_S["confirm"])
        else:
            turn.cues = replace(cues, to_confirm=None)
    elif cues.confirmation is not None and (warning is not None or turn.now_s >= cues.confirmed_until_s):
        turn.cues = replace(cues, confirmation=None)


def _sound(turn: Turn, warning: ActiveFault | None, due: ActiveFault | None) -> None:
    if due is not None:
        _start(turn, due)
    sound = turn.cues.sound
    if warning is not None and warning.priority == "high":
        if sound != f"high:{warning.kind}":
            _play(turn, f"high:{warning.kind}", None)
    elif sound is not None:
        until_s = turn.cues.sound_until_s
        over = until_s is None or turn.now_s >= until_s
        if over or (warning is None and sound.startswith("medium:")):
            _play(turn, None, None)
    _tidy(turn)


def _tidy(turn: Turn) -> None:
    """Forget what was told of faults that are over, and a silence that has run out."""
    cues = turn.cues
    kept = tuple(told for told in cues.told if any(fault.alert_id == told[0] for fault in turn.faults))
    rank = 0 if turn.now_s >= cues.silenced_until_s else cues.silenced_rank
    if cues.rep_began or len(kept) != len(cues.told) or rank != cues.silenced_rank:
        turn.cues = replace(cues, rep_began=False, told=kept, silenced_rank=rank)


def _start(turn: Turn, fault: ActiveFault) -> None:
    """Sound once for a medium or low fault, unless silenced, drowned by a more urgent one, or heard a moment ago."""
    cues = turn.cues
    fresh = (fault.alert_id, fault.priority) not in cues.told
    turn.cues = cues = replace(cues, told=tuple((f.alert_id, f.priority) for f in turn.faults if f.cued))
    if fault.priority == "high" or _silenced(cues, fault.priority, turn.now_s):
        return
    if cues.sound is not None and (cues.sound.startswith("high:") or not fresh):
        return
    name = f"{fault.priority}:{fault.kind}"
    if any(heard == name and turn.now_s - t_s < QUIET_S for heard, t_s in cues.sounded):
        return
    recent = tuple((heard, t_s) for heard, t_s in cues.sounded if heard != name and turn.now_s - t_s < QUIET_S)
    turn.cues = replace(cues, sounded=(*recent, (name, turn.now_s)))
    _play(turn, name, turn.now_s + SOUND_S[fault.priority])


def _silenced(cues: Cues, priority: Priority, now_s: float) -> bool:
    return priority != "high" and now_s < cues.silenced_until_s and RANK[priority] <= cues.silenced_rank


def _play(turn: Turn, name: str | None, until_s: float | None) -> None:
    if name is None and turn.cues.sound is None:
        return
    turn.cues = replace(turn.cues, sound=name, sound_until_s=until_s)
    turn.actions.append(PlaySound(name))


def _set_light(turn: Turn, warning: ActiveFault | None) -> None:
    colour, flash = _light(turn, warning)
    if colour != turn.cues.light or flash != turn.cues.flash:
        turn.cues = replace(turn.cues, light=colour, flash=flash)
        turn.actions.append(SetLight(colour, flash))


def _light(turn: Turn, warning: ActiveFault | None) -> tuple[Colour, Flash]:
    """Red fast, amber slow, amber steady for high, medium, low (IEC 60601-1-8).

    Amber steady also where something is not checked: other clothes than the neutral's are, as a guest's.
    """
    if warning is not None:
        if warning.priority == "high":
            return "red", "fast"
        return "amber", "slow" if warning.priority == "medium" else "steady"
    if turn.cues.help_called:
        return "blue", "slow"
    if not turn.cues.form_check or any(condition.kind != "looks_changed" for condition in turn.conditions):
        return "amber", "steady"
    if turn.enrolment is not None:
        return "blue", "steady"
    busy = turn.set is not None or turn.now_s - turn.view.person_s <= 2.0
    return ("green", "steady") if busy else ("off", "steady")
