"""The API's description: OpenAPI 3.1, built from the records and tables that it answers with."""

from __future__ import annotations

import functools
from typing import Any, get_args

from pydantic import TypeAdapter
from sqlalchemy import JSON, Boolean, Float, Integer

from device.messages import FaultKind, Goal, LiveState
from device.store.export import KINDS
from device.store.schema import METADATA

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_NUMBERS: Schema = {"type": "array", "items": {"type": ["number", "null"]}}
_COUNTS: Schema = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _page_of(items: Schema) -> Schema:
    cursor = {"type": ["string", "null"], "description": "for the next page; null on the last one"}
    return _object(items=_list_of(items), next_cursor=cursor)


def _row(table: str, *left_out: str) -> dict[str, Schema]:
    """The columns of a table as properties."""
    found = {}
    for column in METADATA.tables[table].columns:
        if column.name not in left_out:
            kind: Any = "string"
            for sql_type, name in ((Boolean, "boolean"), (Integer, "integer"), (Float, "number")):
                if isinstance(column.type, sql_type):
                    kind = name
                    break
            schema: Schema = {"type": [kind, "null"] if column.nullable else kind}
            found[column.name] = _list_of(_TEXT) if isinstance(column.type, JSON) else schema
    return found


def _schemas() -> dict[str, Schema]:
    live = TypeAdapter(LiveState).json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    inner = live.pop("$defs")
    frames = _object(
        t_s=_list_of({"type": "number"}),
        figure=_list_of({"type": "object", "additionalProperties": _list_of({"type": "number"})}),
        curves={"type": "object", "additionalProperties": _NUMBERS},
    )
    listed = {**_row("sets", "good", "faulty", "uncertain"), "verdicts": _COUNTS, "faults": _COUNTS}
    alert = {**_row("alerts"), "has_replay": {"type": "boolean"}, "review": {"type": ["string", "null"]}}
    maybe_number: Schema = {"type": ["number", "null"]}
    key: Schema = {"type": ["string", "integer", "null"]}
    count: Schema = {"type": "integer", "minimum": 0}
    member = _row("members")
    return {
        **inner,
        "LiveState": live,
        "Problem": {**_object(type=_TEXT, title=_TEXT, status={"type": "integer"}, detail=_TEXT)},
        "Set": _object(**listed),
        "SetWithReps": _object(**listed, rep_list=_list_of(_ref("Rep")), alerts=_list_of(_ref("Alert"))),
        "Rep": _object(**_row("reps")),
        "Alert": _object(**alert),
        "Frames": {**frames, "description": "t_s from the alert's onset or the rep's start; joints in metres"},
        "Motion": _object(number=count, t_s=frames["properties"]["t_s"], curves=frames["properties"]["curves"]),
        "GoodRep": _object(
            set_id=_TEXT, number=count, duration_s={"type": "number"}, alert_after_s=maybe_number,
            alert_duration_s=maybe_number, motion=_ref("Frames"),
        ),
        "MemberListed": _object(
            **member, sets=count, last_set_utc={"type": ["string", "null"]}, has_neutral={"type": "boolean"}
        ),
        "MemberKnown": _object(
            **member, usual_load_kg=maybe_number, last_seat_notch={"type": ["integer", "null"]}, sets=count,
            neutrals=_list_of(_object(**_row("neutrals", "id", "member", "profile"))),
        ),
        "TrendReps": _object(key=key, sets=count, reps=count, good=count, fault=count, uncertain=count),
        "TrendFaults": _object(key=key, kind=_TEXT, alerts=count),
        "Precision": _object(key=key, right=count, wrong=count, unsure=count, precision=maybe_number),
    }  # fmt: skip


def _parameter(name: str, where: str, schema: Schema, text: str) -> Schema:
    return {"name": name, "in": where, "required": where == "path", "schema": schema, "description": text}


_PARAMETERS: dict[str, Schema] = {
    "since": _parameter("since", "query", _TEXT, "from this ISO 8601 time on; UTC without a zone"),
    "until": _parameter("until", "query", _TEXT, "before this ISO 8601 time"),
    "member": _parameter("member", "query", {"type": "string", "maxLength": 200}, "a member's tag"),
    "goal": _parameter("goal", "query", {"type": "string", "enum": list(get_args(Goal))}, "the set's goal"),
    "fault": _parameter("fault", "query", {"type": "string", "enum": list(get_args(FaultKind))}, "a kind of fault"),
    "limit": _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 200}, "rows a page; usually 50"),
    "cursor": _parameter("cursor", "query", _TEXT, "next_cursor of the page before"),
    "weeks": _parameter("weeks", "query", {"type": "integer", "minimum": 1, "maximum": 104}, "whole weeks; usually 12"),
    "trend_by": _parameter("by", "query", {"type": "string", "enum": ["week", "seat", "goal", "load"]}, "key"),
    "precision_by": _parameter("by", "query", {"type": "string", "enum": ["kind", "week"]}, "key"),
    "set_id": _parameter("set_id", "path", _TEXT, "a set's id"),
    "alert_id": _parameter("alert_id", "path", _TEXT, "an alert's id"),
    "tag": _parameter("tag", "path", _TEXT, "a member's tag"),
    "kind": _parameter("kind", "path", {"type": "string", "enum": list(KINDS)}, "what to export"),
    "form": _parameter("form", "path", {"type": "string", "enum": ["csv", "json"]}, "as what"),
}
_FILTER = ("since", "until", "member", "goal", "fault", "limit", "cursor")
_PROBLEMS = {
    400: "a parameter or the body is not allowed",
    401: "no session and no token",
    403: "not from here, or not in this role",
    404: "there is no such thing",
    409: "the device refuses",
    413: "the body is too large",
    415: "the body is no JSON",
    421: "under a name that is not this machine's",
    429: "too many requests",
    503: "the device or the database does not answer",
}


def _answers(schema: Schema, problems: tuple[int, ...], content_type: str = "application/json") -> Schema:
    answers: Schema = {"200": {"description": "done", "content": {content_type: {"schema": schema}}}}
    for status in (*problems, 421, 429):
        problem = {"application/problem+json": {"schema": _ref("Problem")}}
        answers[str(status)] = {"description": _PROBLEMS[status], "content": problem}
    return answers


def _read(text: str, schema: Schema, *parameters: str, problems: tuple[int, ...] = (400, 401, 403, 404, 503)) -> Schema:
    answers = _answers(schema, problems)
    answers["304"] = {"description": "unchanged since the ETag that was sent"}
    named = [_PARAMETERS[name] for name in parameters]
    return {"get": {"summary": text, "parameters": named, "responses": answers, "security": [{"token": []}]}}


def _of_kiosk(text: str, **body: Schema) -> Schema:
    schema: Schema = {**_object(**body), "required": [name for name in body if name == "goal"]}
    content = {"application/json": {"schema": schema}}
    answers = _answers(_object(ok={"const": True}), (400, 403, 409, 413, 415, 503))
    needed = {"required": "goal" in body, "content": content}
    return {"post": {"summary": text, "requestBody": needed, "responses": answers, "security": []}}


def _paths() -> dict[str, Schema]:
    now = _answers(_ref("LiveState"), (403, 503))
    state = {"get": {"summary": "The machine now", "responses": now, "security": []}}
    live = _answers(_TEXT, (403, 503), "text/event-stream")
    export: Schema = _read("Rows of a span, streamed", _TEXT, "kind", "form", "since", "until")
    export["get"]["responses"]["200"]["content"] = {"text/csv": {"schema": _TEXT}, "application/json": {"schema": {}}}
    del export["get"]["responses"]["304"]
    trend = _object(by=_TEXT, since_utc=_TEXT, reps=_list_of(_ref("TrendReps")), faults=_list_of(_ref("TrendFaults")))
    replay = _object(alert=_ref("Alert"), replay=_ref("Frames"))
    precise = _object(by=_TEXT, items=_list_of(_ref("Precision")))
    return {
        "/api/v1/state": state,
        "/api/v1/live": {"get": {"summary": "Server-sent events: state, rep, alert, set", "responses": live}},
        "/api/v1/goal": _of_kiosk("Choose the goal", goal={"type": "string", "enum": list(get_args(Goal))}),
        "/api/v1/acknowledge": _of_kiosk("Silence what is heard"),
        "/api/v1/tag": _of_kiosk("Sign a member in; null: a guest", tag={"type": ["string", "null"]}),
        "/api/v1/help": _of_kiosk("Call staff, or take the call back", call={"type": "boolean"}),
        "/api/v1/sets": _read("Sets, newest first", _page_of(_ref("Set")), *_FILTER),
        "/api/v1/sets/{set_id}": _read("One set with its reps and alerts", _ref("SetWithReps"), "set_id"),
        "/api/v1/sets/{set_id}/motions": _read("Curves of its reps", _object(items=_list_of(_ref("Motion"))), "set_id"),
        "/api/v1/alerts": _read("Alerts, newest first", _page_of(_ref("Alert")), *_FILTER),
        "/api/v1/alerts/{alert_id}": _read("One alert", _ref("Alert"), "alert_id"),
        "/api/v1/alerts/{alert_id}/replay": _read("Figures and curves around it", replay, "alert_id"),
        "/api/v1/alerts/{alert_id}/good-rep": _read("A good rep of the same member", _ref("GoodRep"), "alert_id"),
        "/api/v1/members": _read("Members by tag", _page_of(_ref("MemberListed")), "member", "limit", "cursor"),
        "/api/v1/members/{tag}": _read("What is known of one", _ref("MemberKnown"), "tag"),
        "/api/v1/trends": _read("Reps and faults over a key", trend, "trend_by", "weeks", "member", "goal"),
        "/api/v1/precision": _read("How many reviewed alerts were right", precise, "precision_by"),
        "/api/v1/export/{kind}.{form}": export,
        "/api/v1/openapi.json": _read("This document", {"type": "object"}, problems=(400, 401, 403)),
    }


@functools.cache
def document() -> dict[str, Any]:
    """The whole description. Do not change what it returns."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Leg press",
            "version": "1",
            "description": "What the machine sees and keeps. Times are UTC, units stand in the names, null is unknown. "
            "State, live and the four POSTs answer the machine's own screen only (loopback, same origin).",
        },
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
