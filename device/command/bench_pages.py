"""The staff's pages on a database of a million reps: how fast each answers, and what an export costs in memory."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import statistics
import tempfile
import time
import tracemalloc
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

from device.config import Config, Paths
from device.messages import FaultKind
from device.store.prepare import prepare_database
from device.store.rows import pack_replay
from device.store.schema import utc_text

REPS = 1_000_000
REPS_A_SET = 10
MEMBERS = 2000
YEARS = 2.0
ALERT_SHARE = 0.12
"""Alerts a rep, about what the simulated machine gives (ours)."""
REPLAYS = 2000
"""Replays and motions kept: three months' worth is what fills a card, not what slows a page."""
ROUNDS, QUICK_ROUNDS = 30, 5
PAGE_LIMIT_MS = 150
STAFF_LIMIT_KB, KIOSK_LIMIT_KB = 400, 150
PASSWORD = "only for this measurement"
PAGES = (
    "/staff",
    "/staff/sets",
    "/staff/sets?fault=overload",
    "/staff/sets?fault=knee_valgus&goal=quads",
    "/staff/sets?fault=load_dropped&since=2020-01-01",
    "/staff/sets?member=m-0007",
    "/staff/sets/NEWEST_SET",
    "/staff/alerts",
    "/staff/alerts?fault=overload",
    "/staff/alerts?member=m-0007",
    "/staff/alerts?goal=glutes&fault=back_rounding",
    "/staff/alerts?member=m-0007&fault=load_dropped",
    "/staff/alerts/NEWEST",
    "/staff/review",
    "/staff/trends",
    "/api/v1/trends?by=week&weeks=12",
    "/api/v1/trends?by=load&weeks=12",
    "/api/v1/trends?by=week&weeks=104",
    "/api/v1/trends?by=seat&weeks=104",
    "/api/v1/trends?by=goal&weeks=104",
    "/api/v1/trends?by=load&weeks=104",
    "/api/v1/trends?by=week&weeks=104&goal=quads",
    "/staff/trends.csv?by=load&weeks=104",
    "/api/v1/trends?by=seat&weeks=52&member=m-0007",
    "/staff/members",
    "/staff/members/m-0007",
    "/staff/data",
    "/staff/audit",
)


def fill(path: Path, reps: int = REPS, now: datetime | None = None) -> None:
    """Writes a history of `reps` reps, evenly over two years, newest now. For measurements: in one transaction."""
    now = datetime.now(UTC) if now is None else now
    values = {
        "sets": reps // REPS_A_SET,
        "apart_s": 365 * 86400 * YEARS / (reps // REPS_A_SET),
        "now": utc_text(now),
        "members": MEMBERS,
        "first": utc_text(now - timedelta(days=365 * YEARS)),
        "alert_share": ALERT_SHARE,
        "reps_a_set": REPS_A_SET,
        "kinds": json.dumps(get_args(FaultKind)),
    }
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        # by the row's number, not by chance: the same history each time
        connection.create_function("chance", 1, _chance, deterministic=True)
        for statement in _FILL:
            connection.execute(statement, values)
        _replays(connection)
        connection.commit()


def _chance(number: int) -> float:
    """0 to 1, as good as random: neighbours have nothing in common."""
    return zlib.crc32(number.to_bytes(8)) / 2**32


_FILL = (
    """INSERT INTO members
       WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :members)
       SELECT printf('m-%04d', i), :first FROM n""",
    """INSERT INTO sets (id, member, goal, started_utc, ended_utc, load_kg, seat_notch, reps, enrolled, enrolment,
                         good, faulty, uncertain)
       WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :sets)
       SELECT printf('s-%06d', i),
              CASE WHEN chance(i) < 0.3 THEN NULL
                   ELSE printf('m-%04d', CAST(chance(i + 7) * :members AS INT)) END,
              CASE i % 4 WHEN 0 THEN 'glutes' WHEN 1 THEN 'quads' WHEN 2 THEN 'balanced' ELSE 'warm_up' END,
              strftime('%Y-%m-%dT%H:%M:%fZ', :now, printf('-%.3f seconds', (:sets - i) * :apart_s)), NULL,
              round(20 + 200 * chance(i + 3), 1), 1 + i % 7, :reps_a_set, 1, 0, 8, 1, 1
       FROM n""",
    """INSERT INTO reps
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :reps_a_set)
       SELECT sets.id, i, strftime('%Y-%m-%dT%H:%M:%fZ', started_utc, printf('+%d seconds', 7 * i)), 4.0, 2.1, 1.9,
              0.41, 12.0, 91.0, 120.0, 0.3, 0.5, 310.0, 3.0, 2.0, 4.0, 1.0,
              CASE i WHEN 4 THEN 'fault' WHEN 7 THEN 'uncertain' ELSE 'good' END,
              CASE i WHEN 4 THEN '["knee_valgus"]' ELSE '[]' END
       FROM sets, n ORDER BY sets.id, i""",
    """INSERT INTO alerts
       SELECT printf('a-%s-%d', set_id, number), set_id, number,
              json_extract(:kinds, printf('$[%d]', MIN(12, CAST(13 * pow(chance(rowid + 11), 3) AS INT)))),
              NULL, 'medium', started_utc, 0.8, 9.5, 'Knees out'
       FROM reps WHERE chance(rowid) < :alert_share""",
)


def _replays(connection: sqlite3.Connection) -> None:
    frames = 120
    joint = [0.1, 0.2, 0.3]
    figures = [{f"joint_{n}": joint for n in range(16)} for _ in range(frames)]
    moving = {"t_s": [0.08 * i for i in range(frames)], "figure": figures, "curves": {"carriage_m": [0.1] * frames}}
    packed = pack_replay(moving)
    newest = connection.execute("SELECT id, started_utc FROM alerts ORDER BY started_utc DESC LIMIT ?", (REPLAYS,))
    connection.executemany("INSERT INTO replays VALUES (?, ?, ?)", [(*row, packed) for row in newest.fetchall()])
    reviewed = connection.execute("SELECT id, started_utc FROM alerts ORDER BY started_utc DESC LIMIT 20000 OFFSET 50")
    verdicts = ("wrong", "right", "right", "right", "right")
    judged = [(row[0], verdicts[n % 5], row[1], "staff") for n, row in enumerate(reviewed.fetchall())]
    connection.executemany("INSERT INTO reviews VALUES (?, ?, ?, ?)", judged)


def staff_pages(_config: Config, quick: bool) -> Sequence[tuple[str, float, str, str | None]]:
    """Slowest page's p95 (ms), every page above half the limit, an export's memory (MB), the pages' weights (kB)."""
    from web_ui.app import create_app
    from web_ui.credentials import set_password
    from web_ui.live import LiveHub

    with tempfile.TemporaryDirectory(prefix="legpress-bench-") as folder:
        state_dir = Path(folder)
        started_s = time.perf_counter()
        path = prepare_database(state_dir)
        fill(path, REPS // 20 if quick else REPS)
        filled_s = time.perf_counter() - started_s
        set_password(state_dir, PASSWORD, "admin")
        config = Config(paths=Paths(state_dir=state_dir))
        client = create_app(config, LiveHub(_no_device, 1)).test_client()
        _sign_in(client)
        with closing(sqlite3.connect(path)) as connection:
            newest = connection.execute("SELECT id FROM alerts ORDER BY started_utc DESC LIMIT 1").fetchone()[0]
            newest_set = connection.execute("SELECT max(id) FROM sets").fetchone()[0]
            (reps,) = connection.execute("SELECT count(*) FROM reps").fetchone()
        figures: list[tuple[str, float, str, str | None]] = [
            ("reps in the database", reps, "", None),
            ("written in", filled_s, "s", None),
        ]
        slowest = slowest_processor = 0.0
        for page in PAGES:
            address = page.replace("NEWEST_SET", newest_set).replace("NEWEST", newest)
            p95_ms, processor_ms = _p95_ms(client, address, QUICK_ROUNDS if quick else ROUNDS)
            slowest, slowest_processor = max(slowest, p95_ms), max(slowest_processor, processor_ms)
            unit = f"ms, processor {processor_ms:.0f} ms"
            figures.append((f"p95 of {page}"[:45], p95_ms, unit, f"<= {PAGE_LIMIT_MS}"))
        figures.append(("slowest staff page, p95", slowest, "ms", f"<= {PAGE_LIMIT_MS}"))
        figures.append(("slowest staff page, p95 of processor time", slowest_processor, "ms", f"<= {PAGE_LIMIT_MS}"))
        figures += [*_export(client), *_weights(client)]
    return figures


def _no_device(_command: Any) -> Any:
    raise AssertionError("no page is asked to change anything here")


def _sign_in(client: Any) -> None:
    found = re.search(r'name="form_token" value="([^"]+)"', client.get("/staff/login").text)
    assert found is not None
    answer = client.post("/staff/login", data={"form_token": found[1], "password": PASSWORD})
    assert answer.status_code == 303, answer.text


def _p95_ms(client: Any, page: str, rounds: int) -> tuple[float, float]:
    """By the clock, and of processor time: what a machine that does nothing else would take."""
    times: list[tuple[float, float]] = []
    for _ in range(rounds):
        started_s, started_cpu_s = time.perf_counter(), time.process_time()
        answer = client.get(page)
        times.append((time.perf_counter() - started_s, time.process_time() - started_cpu_s))
        assert answer.status_code == 200, f"{page}: {answer.status_code} {answer.text[:300]}"
    by_clock, by_processor = zip(*times, strict=True)
    return _p95(by_clock), _p95(by_processor)


def _p95(times_s: Sequence[float]) -> float:
    return 1000 * statistics.quantiles(times_s, n=20, method="inclusive")[-1]


def _export(client: Any) -> Iterator[tuple[str, float, str, str | None]]:
    """A week's and all reps, read piece by piece as a server sends them: the most memory that each holds."""
    now = datetime.now(UTC)
    for name, since in (("a week's", utc_text(now - timedelta(days=7))), ("all", "2000-01-01T00:00:00.000Z")):
        tracemalloc.start()
        answer = client.get(f"/api/v1/export/reps.csv?since={since}", buffered=False)
        size = sum(len(piece) for piece in answer.response)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        yield f"export of {name} reps", size / 1e6, "MB", None
        yield f"memory for it (peak, {name})", peak / 1e6, "MB", "<= 8"


def _weights(client: Any) -> Iterator[tuple[str, float, str, str | None]]:
    """Of a page with all its files but plotly, compressed as a proxy sends them."""
    for name, page, limit in (("kiosk", "/", KIOSK_LIMIT_KB), ("staff, the heaviest", "/staff/trends", STAFF_LIMIT_KB)):
        text = client.get(page).text
        seen = {page}
        waiting = re.findall(r'(?:href|src)="(/static/[^"]+)"', text)
        total = len(gzip.compress(text.encode()))
        while waiting:
            file = waiting.pop()
            if file not in seen:
                seen.add(file)
                content = client.get(file).data
                total += len(gzip.compress(content))
                if file.endswith(".js"):
                    imported = re.findall(r'from "\./([^"]+)"', content.decode())
                    waiting += [f"/static/{each}" for each in imported]
        if page == "/":
            total += len(gzip.compress(client.get("/static/lang/en.json").data))
        yield f"weight of the {name} page, gzipped", total / 1000, "kB", f"<= {limit}"
