"""Members: opaque tags, and what is known of each."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import func, select

from device.store.rows import recall_member
from device.store.schema import Member, Neutral, TrainingSet
from web_ui.history import History, Page


def members(history: History, limit: int, after: str | None = None, like: str | None = None) -> Page:
    """By tag: sets, the last one's start, and whether a neutral is stored. ``like`` is the beginning of the tag."""
    query = select(Member.tag, Member.created_utc)
    if after is not None:
        query = query.where(Member.tag > after)
    if like is not None:
        query = query.where(Member.tag.startswith(like, autoescape=True))
    with history.reading() as connection:
        found = [dict(row) for row in connection.execute(query.order_by(Member.tag).limit(limit + 1)).mappings()]
        items = found[:limit]
        tags = [each["tag"] for each in items]
        sets = select(TrainingSet.member, func.count(), func.max(TrainingSet.started_utc))
        counts = {
            row[0]: (row[1], row[2])
            for row in connection.execute(sets.where(TrainingSet.member.in_(tags)).group_by(TrainingSet.member))
        }
        neutral = set(connection.execute(select(Neutral.member).where(Neutral.member.in_(tags)).distinct()).scalars())
    for each in items:
        each["sets"], each["last_set_utc"] = counts.get(each["tag"], (0, None))
        each["has_neutral"] = each["tag"] in neutral
    return Page(items, items[-1]["tag"] if len(found) > limit else None)


def one_member(history: History, tag: str) -> dict[str, Any] | None:
    """What the machine recalls when the tag is shown, and the neutrals stored; None for an unknown one."""
    with history.reading() as connection:
        known = connection.execute(select(Member.created_utc).where(Member.tag == tag)).scalar()
        if known is None:
            return None
        recalled = asdict(recall_member(connection, tag))
        neutrals = connection.execute(
            select(Neutral.created_utc, Neutral.goal, Neutral.seat_notch)
            .where(Neutral.member == tag)
            .order_by(Neutral.created_utc.desc())
        ).mappings()
        recalled["neutrals"] = [dict(each) for each in neutrals]
        recalled["sets"] = connection.execute(
            select(func.count()).select_from(TrainingSet).where(TrainingSet.member == tag)
        ).scalar_one()
    return {"created_utc": known, **{name: value for name, value in recalled.items() if name != "neutral"}}
