"""What people ask for: the button on the machine, and the commands of the kiosk and the staff."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from device.core import enrolment
from device.core.actions import Calibrate, EndDemo, KeepBackup, RecallMember, Reply, StoreChange, Tare
from device.core.conditions import unlike_now
from device.core.cues import acknowledge, call_help
from device.core.events import MemberRecalled, StoreAnswer
from device.core.goals import GOALS, choose, next_goal
from device.core.posture import PostureState
from device.core.records import utc_at
from device.core.state import Lifter
from device.core.turn import Turn
from device.messages import ButtonPressed, Command, Goal

TAG: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
BACKUP_WISHES: Final = ("make", "status")
REVIEWS: Final = ("right", "wrong", "unsure")
LONGEST_DETAIL: Final = 400
LONGEST_WORD: Final = 40


def press(turn: Turn, button: ButtonPressed) -> None:
    """Short: acknowledge, or else the next goal (not in mid-set). Long: call staff."""
    if button.held:
        call_help(turn)
    elif not acknowledge(turn) and turn.set is None and not turn.faults:
        _choose_goal(turn, next_goal(turn.lifter.goal))


def obey(turn: Turn, command: Command) -> None:
    """Carry out a command, and answer it where it carries an id; what the store must do is answered once it has."""
    if command.name in ("review", "delete_member", "audit"):
        error = _hand_to_store(turn, command)
        if error is not None and command.id:
            turn.actions.append(Reply(command.id, False, error))
        return
    error = _keep_backup(turn, command) if command.name in ("backup", "restore") else _carry_out(turn, command)
    turn.published = turn.published._replace(stale=True)
    if error is None and command.name == "calibrate":
        # answered by the shell, with what it measured
        turn.actions.append(Calibrate(command.id, command.value, only_show=command.target == "show"))
    elif error is None and command.name in ("backup", "restore"):
        turn.actions.append(KeepBackup(command))  # likewise, with how it goes
    elif command.id:
        turn.actions.append(Reply(command.id, error is None, error))


def _carry_out(turn: Turn, command: Command) -> str | None:
    """The reason why not, as a sentence; None when done."""
    match command.name:
        case "goal":
            return _goal(turn, command.value)
        case "acknowledge":
            acknowledge(turn)
            return None
        case "tag":
            return _tag(turn, command.value)
        case "help":
            return _help(turn, command.value)
        case "enrol":
            return _enrol(turn, command.value)
        case "tare":
            return _tare(turn)
        case "calibrate":
            busy = turn.set is not None and command.target != "show"  # what holds now may be looked at any time
            return "Finish the set first: calibrating needs the machine for itself" if busy else None
        case "look":
            return "The cameras belong to the vision process: ask on the channel camera"
        case "shutdown_demo" | "restart":
            return _end(turn, command.name)
        case _:
            return f"{command.name} is not for here"


def _keep_backup(turn: Turn, command: Command) -> str | None:
    """The reason why not, as a sentence; None when the shell may do it."""
    if command.name == "backup":
        return None if command.value in BACKUP_WISHES else f"Unknown backup {command.value!r}: make, or status"
    if turn.set is not None or turn.sensors.taken_since_s is not None:
        return "Somebody is lifting; restore after the set"
    return None if command.value else "A restore names its backup"


def _end(turn: Turn, name: str) -> str | None:
    if name == "shutdown_demo" and turn.config.simulation.scenario is None:
        return "Only a demonstration can be ended from outside"
    if name == "restart" and turn.set is not None:
        return "Somebody is lifting; what was set is taken over after the set"
    turn.actions.append(EndDemo())
    return None


def _hand_to_store(turn: Turn, command: Command) -> str | None:
    """The reason why not, as a sentence; None when the store has it."""
    target, value = command.target or "", command.value or ""
    if command.name == "review":
        if value not in REVIEWS:
            return f"Unknown review {value!r}: choose {', '.join(REVIEWS)}"
        if not 1 <= len(target) <= LONGEST_WORD:
            return "A review names its alert"
    elif command.name == "delete_member":
        if TAG.fullmatch(value) is None:
            return "A member's tag has 1 to 64 letters, digits or . _ : - and no spaces"
        if value == turn.lifter.tag:
            if turn.set is not None:
                return "This member is lifting now; delete after the set"
            _tag(turn, None)  # else the next set would bring them back, and their last replays
            turn.history = replace(turn.history, waiting=())
            turn.published = turn.published._replace(stale=True)
    elif not (1 <= len(target) <= LONGEST_WORD and len(value) <= LONGEST_DETAIL):
        return f"An audit entry has a word of 1 to {LONGEST_WORD} letters and at most {LONGEST_DETAIL} more"
    turn.actions.append(StoreChange(command, utc_at(turn.clock, turn.now_s)))
    return None


def take_answer(turn: Turn, answer: StoreAnswer) -> None:
    """What the store says to a change goes to whoever asked for it."""
    if answer.command_id:
        turn.actions.append(Reply(answer.command_id, answer.error is None, answer.error))


def _goal(turn: Turn, value: str | None) -> str | None:
    for goal in GOALS:
        if goal == value:
            _choose_goal(turn, goal)
            return None
    return f"Unknown goal {value!r}: choose glutes, quads, balanced or warm_up"


def _choose_goal(turn: Turn, goal: Goal) -> None:
    choose(turn, goal)
    if goal == "warm_up":
        start_warm_up_enrolment(turn)
    elif turn.enrolment is not None:
        enrolment.cancel(turn)


def start_warm_up_enrolment(turn: Turn) -> None:
    """A member's warm-up starts with their neutral where none is stored, or where they look other than in it; quietly
    not, where it cannot be seen."""
    lifter = turn.lifter
    known = lifter.tag is not None and lifter.recalled
    wanted = lifter.neutral is None or "changed" in unlike_now(turn)
    if lifter.goal == "warm_up" and known and wanted and turn.enrolment is None:
        enrolment.begin(turn)


def _tag(turn: Turn, value: str | None) -> str | None:
    if turn.set is not None and turn.set.marks:
        return "Finish this set first, then change the member"
    if not value:
        turn.lifter = Lifter(goal=turn.lifter.goal, since_s=turn.now_s)
    elif TAG.fullmatch(value) is None:
        return "A member's tag has 1 to 64 letters, digits or . _ : - and no spaces"
    elif value == turn.lifter.tag:
        return None
    else:
        turn.lifter = Lifter(tag=value, goal=turn.lifter.goal, since_s=turn.now_s)
        turn.actions.append(RecallMember(value))
    turn.last_set = None
    enrolment.cancel(turn)
    turn.view = turn.view._replace(judging=PostureState())
    return None


def take_member(turn: Turn, member: MemberRecalled) -> None:
    """The store's answer. An answer for somebody who has left is dropped."""
    if member.tag != turn.lifter.tag:
        return
    neutral = turn.lifter.neutral if member.neutral is None else member.neutral
    turn.lifter = replace(
        turn.lifter, neutral=neutral, usual_load_kg=member.usual_load_kg, last_seat_notch=member.last_seat_notch,
        recalled=True,
    )  # fmt: skip
    if member.neutral is not None:
        turn.view = turn.view._replace(judging=PostureState())
    start_warm_up_enrolment(turn)


def _help(turn: Turn, value: str | None) -> str | None:
    match value:
        case None | "" | "call":
            call_help(turn)
        case "cancel":
            if turn.cues.help_called:
                acknowledge(turn)
        case "out_of_order":
            turn.cues = replace(turn.cues, out_of_order=True)
        case "in_order":
            turn.cues = replace(turn.cues, out_of_order=False)
        case _:
            return f"Unknown call {value!r}: call, cancel, out_of_order or in_order"
    return None


def _enrol(turn: Turn, value: str | None) -> str | None:
    if value == "cancel":
        enrolment.cancel(turn)
        return None
    if value:
        return f"Unknown enrolment {value!r}: leave it empty to begin, or cancel"
    return enrolment.begin(turn)


def _tare(turn: Turn) -> str | None:
    if turn.set is not None or turn.sensors.taken_since_s is not None:
        return "Take your feet off the plate first: zero is the empty machine"
    turn.actions.append(Tare())
    return None
