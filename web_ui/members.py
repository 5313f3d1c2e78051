"""Members: opaque tags, and what is known of each."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import func, select

from device.store.rows import recall_member
from device.store.schema import MEMBERS, NEUTRALS, SETS
from web_ui.history import History, Page


def members(history: History, limit: int, after: str | None = None, like: str | None = None) -> Page:
    """By tag: sets, the last one's start, and whether a neutral is stored. ``like`` is the beginning of the tag."""
    query = select(MEMBERS.c.tag, MEMBERS.c.created_utc)
    if after is not None:
        query = query.where(MEMBERS.c.tag > after)
    if like is not None:
        query = query.where(MEMBERS.c.tag.startswith(like, autoescape=True))
    with history.reading() as connection:
        found = [dict(row) for row in connection.execute(query.order_by(MEMBERS.c.tag).limit(limit + 1)).mappings()]
        items = found[:limit]
        tags = [each["tag"] for each in items]
        sets = select(SETS.c.member, func.count(), func.max(SETS.c.started_utc))
        counts = {
            row[0]: (row[1], row[2])
            for row in connection.execute(sets.where(SETS.c.member.in_(tags)).group_by(SETS.c.member))
        }
        enrolled = select(NEUTRALS.c.member).where(NEUTRALS.c.member.in_(tags)).distinct()
        neutral = set(connection.execute(enrolled).scalars())
    for each in items:
        each["sets"], each["last_set_utc"] = counts.get(each["tag"], (0, None))
        each["has_neutral"] = each["tag"] in neutral
    return Page(items, items[-1]["tag"] if len(found) > limit else None)


def one_member(history: History, tag: str) -> dict[str, Any] | None:
    """What the machine recalls when the tag is shown, and the neutrals stored; None for an unknown one."""
    with history.reading() as connection:
        known = connection.execute(select(MEMBERS.c.created_utc).where(MEMBERS.c.tag == tag)).scalar()
        if known is None:
            return None
        recalled = asdict(recall_member(connection, tag))
        neutrals = connection.execute(
            select(NEUTRALS.c.created_utc, NEUTRALS.c.goal, NEUTRALS.c.seat_notch)
            .where(NEUTRALS.c.member == tag)
            .order_by(NEUTRALS.c.created_utc.desc())
        ).mappings()
        recalled["neutrals"] = [dict(each) for each in neutrals]
        recalled["sets"] = connection.execute(
            select(func.count()).select_from(SETS).where(SETS.c.member == tag)
        ).scalar_one()
    return {"created_utc": known, **{name: value for name, value in recalled.items() if name != "neutral"}}
