"""What staff ask the store to change: reviews, deletions, audit entries. The caller holds the transaction."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from device.messages import Command
from device.store.schema import ALERTS, AUDIT, MEMBERS, REVIEWS, SETS, utc_text

WORDS = {"review": "reviewed an alert", "delete_member": "deleted a member"}


def apply(connection: Connection, command: Command, at_utc: str) -> str | None:
    """Carries the command out and writes the audit log; the reason why not, as a sentence, when it cannot be."""
    target, value, who = command.target or "", command.value or "", command.who or "program"
    if command.name == "audit":
        log(connection, at_utc, who, target, value)
        return None
    if command.name == "review":
        if connection.execute(select(ALERTS.c.id).where(ALERTS.c.id == target)).first() is None:
            return f"there is no alert {target!r} any more"
        review(connection, target, value, at_utc, who)
        log(connection, at_utc, who, WORDS["review"], f"{target}: {value}")
        return None
    if connection.execute(select(MEMBERS.c.tag).where(MEMBERS.c.tag == value)).first() is None:
        return f"there is no member {value!r}"
    sets = delete_member(connection, value)
    # not the tag: what was deleted must not live on in the log
    log(connection, at_utc, who, WORDS["delete_member"], f"one member with {sets} sets")
    return None


def review(connection: Connection, alert_id: str, verdict: str, at_utc: str, who: str) -> None:
    values = {"verdict": verdict, "reviewed_utc": utc_text(at_utc), "reviewer": who}
    statement = upsert(REVIEWS).values(alert_id=alert_id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["alert_id"], set_=values))


def delete_member(connection: Connection, tag: str) -> int:
    """Everything of one member: neutrals, sets, reps, motions, alerts, replays, reviews. Returns how many sets."""
    of_member = select(SETS.c.id).where(SETS.c.member == tag)
    sets = connection.execute(select(func.count()).select_from(of_member.subquery())).scalar_one()
    connection.execute(delete(ALERTS).where(ALERTS.c.set_id.in_(of_member)))
    connection.execute(delete(MEMBERS).where(MEMBERS.c.tag == tag))
    return int(sets)


def log(connection: Connection, at_utc: str, who: str, what: str, detail: str) -> None:
    connection.execute(insert(AUDIT).values(at_utc=utc_text(at_utc), who=who, what=what, detail=detail))
