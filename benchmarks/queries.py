"""Do the queries use their indexes with a million disputes? Their plans, and how long a page takes.

The rows are made by the database itself, on SQLite and on the PostgreSQL at
DISPUTE_FSM_TEST_POSTGRES. A plan is wrong that reads a whole table, or sorts what an index has in
order. `tests/test_queries.py` asks the same of a smaller table.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, Engine, literal, text

from benchmarks.measure import Report
from benchmarks.store import schema
from dispute_fsm.domain.enums import StateName
from dispute_fsm.store.address import POSTGRESQL
from dispute_fsm.store.deadlines import LAPSED, NEXT_FREE, NEXT_LAPSE, OVERDUE
from dispute_fsm.store.event_log import ALL, SETTLED
from dispute_fsm.store.projection import loading
from dispute_fsm.store.queries import DUE, DisputeQuery, dispute_query, paths_in
from dispute_fsm.store.repository import Store

NOT_BY_INDEX = "queries that do not go by an index"
BEGAN = datetime(2023, 1, 1, tzinfo=UTC)
_STATE = """CASE WHEN g % 100 < 80 THEN 'resolved' WHEN g % 100 < 92 THEN 'penalized'
  WHEN g % 100 < 96 THEN 'opened'
  WHEN g % 100 < 98 THEN 'awaiting_confirmation' WHEN g % 100 < 99 THEN 'awaiting_shipment'
  ELSE 'under_review' END"""
_PATH = """CASE WHEN g % 100 < 96 THEN {state}
  WHEN g % 100 < 98 THEN 'option_chosen.settling.awaiting_confirmation'
  WHEN g % 100 < 99 THEN 'option_chosen.settling.awaiting_shipment'
  WHEN g % 200 < 100 THEN 'option_chosen.contesting.under_review'
  ELSE 'disputing.settlement.proposing,disputing.evidence.under_review' END"""
_DISPUTES = """INSERT INTO disputes (dispute_id, order_id, merchant_id, consumer_id, rules,
  policy, opened_at, path, state, closed, revision, seq, last_at, last_hash, xid,
  snapshot_version, snapshot)
SELECT 'D-' || g, 'O-' || g, 'M-' || (g % 2000), 'C-' || g, '2023-03', '0', {at}, {path}, {state},
  g % 100 < 92, 2, 2, {at}, '0', 0, '0', '{{}}'
FROM {numbers}"""
_DEADLINES = """INSERT INTO dispute_deadlines (dispute_id, deadline, due_at)
SELECT 'D-' || g, 'response', {due} FROM {numbers} WHERE g % 100 >= 92"""
_EVENTS = """INSERT INTO dispute_events (dispute_id, seq, xid, position, hash, hashed) {overriding}
SELECT 'D-' || g, 1, {xid}, g, '0', {hashed} FROM {numbers}"""
_WORDS: Mapping[str, Mapping[str, str]] = {
    "postgresql": {
        "at": "timestamptz '2023-01-01Z' + g * interval '1 minute'",
        "due": "timestamptz '2023-01-02Z' + g * interval '1 minute'",
        "numbers": "generate_series(1, :number) AS g",
        "xid": "1 + g / 3",
        "hashed": "''::bytea",
        "overriding": "OVERRIDING SYSTEM VALUE",
    },
    "sqlite": {
        "at": "strftime('%Y-%m-%dT%H:%M:%f000+00:00', '2023-01-01', g || ' minutes')",
        "due": "strftime('%Y-%m-%dT%H:%M:%f000+00:00', '2023-01-02', g || ' minutes')",
        "numbers": (
            "(WITH RECURSIVE n(g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM n WHERE g < :number) "
            "SELECT g FROM n)"
        ),
        "xid": "0",
        "hashed": "x''",
        "overriding": "",
    },
}
_WHOLE = re.compile(
    r"Seq Scan on (disputes|dispute_deadlines|dispute_events)\b|USE TEMP B-TREE|^(SCAN|SEARCH) \w+$"
)
_SORTED = re.compile(r"\bSort\b.*\brows=(\d+)")
_FEW = 1_000
"""How many rows may be sorted: PostgreSQL likes to fetch a handful by an index and sort them."""


def fill(engine: Engine, number: int) -> None:
    """Make this many disputes, one in twelve live, and let the database analyze them."""
    words = {"state": _STATE, "path": _PATH.format(state=_STATE), **_WORDS[engine.dialect.name]}
    with engine.begin() as connection:
        for rows in (_DISPUTES, _DEADLINES, _EVENTS):
            connection.execute(text(rows.format(**words)), {"number": number})
    with engine.begin() as connection:
        for table in ("disputes", "dispute_deadlines", "dispute_events"):  # and nobody else's
            connection.exec_driver_sql(f"ANALYZE {table}")


def queries(dialect: str, number: int) -> Mapping[str, tuple[DisputeQuery, Mapping[str, Any]]]:
    """Return every query of the service, each with values of somewhere in the middle."""
    middle = BEGAN + timedelta(minutes=number // 2)
    page = {"after_at": middle, "after_id": "D-5", "limit": 100}
    review, resolved = paths_in(StateName.UNDER_REVIEW), {"path_0": "resolved"}
    feed = SETTLED if dialect == POSTGRESQL else ALL
    return {
        "load": (loading(literal(0)), {"dispute_id": "D-7", "key": "k"}),
        "by order": (dispute_query("order_id"), {**page, "order_id": "O-7"}),
        "by merchant": (dispute_query("merchant_id"), {**page, "merchant_id": "M-7"}),
        "by merchant and state": (
            dispute_query("merchant_id", paths=1),
            {**page, "merchant_id": "M-7", **resolved},
        ),
        "by merchant and state, of several versions": (
            dispute_query("merchant_id", paths=len(review)),
            {
                **page,
                "merchant_id": "M-99",
                **{f"path_{place}": path for place, path in enumerate(review)},
            },
        ),
        "by state, many": (dispute_query(paths=1), {**page, **resolved}),
        "by state, of several versions": (
            dispute_query(paths=len(review)),
            {**page, **{f"path_{place}": path for place, path in enumerate(review)}},
        ),
        "due before": (
            DUE,
            {**page, "after_name": "", "instant": middle + timedelta(days=9)},
        ),
        "overdue": (OVERDUE, {"due_before": middle, "limit": 20}),
        "lapsed": (LAPSED, {"now": middle, "due_before": middle, "limit": 20}),
        "next due": (NEXT_FREE, {"now": middle}),
        "next lapse": (NEXT_LAPSE, {"now": middle}),
        "feed": (
            feed,
            {
                "xid": number // 6 if dialect == POSTGRESQL else 0,
                "position": number // 2,
                "limit": 100,
            },
        ),
    }


def plan(connection: Connection, query: DisputeQuery, values: Mapping[str, Any]) -> list[str]:
    """Explain a query as it is run: the lines of its plan."""
    asked = str(query.params(**values).compile(connection, compile_kwargs={"literal_binds": True}))
    if connection.dialect.name == POSTGRESQL:
        return [str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN {asked}")]
    return [str(row.detail) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}")]


def faults(lines: list[str]) -> list[str]:
    """Return the lines of a plan that read a whole table, or sort much without an index."""
    return [
        line
        for line in lines
        if _WHOLE.search(line) or ((sorts := _SORTED.search(line)) and int(sorts[1]) > _FEW)
    ]


def explained(engine: Engine, number: int) -> Iterator[tuple[str, list[str], float]]:
    """Explain and run each query; gives its plan, and the least of five times that it took."""
    with engine.connect() as connection:  # what it claims is rolled back
        for name, (query, values) in queries(engine.dialect.name, number).items():
            lines = plan(connection, query, values)
            times: list[float] = []
            for _ in range(5):
                began = perf_counter()
                connection.execute(query, values).all()
                times.append(perf_counter() - began)
            yield name, lines, min(times)


def measure(report: Report, folder: Path) -> None:
    """Fill both databases, explain and run every query."""
    number, wrong = report.sizes["rows"], 0
    with ExitStack() as stack:
        for url in (f"sqlite:///{folder / 'queries.db'}", stack.enter_context(schema())):
            store = Store(url)
            stack.callback(store.close)
            kind = store.engine.dialect.name
            fill(store.engine, number)
            for name, lines, took in explained(store.engine, number):
                found = faults(lines)
                wrong += bool(found)
                report.add(f"{kind}: query {name}", took, "s", "; ".join(found) or "by index")
    report.add(NOT_BY_INDEX, wrong, note=f"{number:,} disputes")
