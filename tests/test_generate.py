"""Synthetic histories: the same seed gives the same bytes, which read back and cover the rules."""

import io
import json
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import islice, pairwise
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import pytest
import structlog

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import verify
from dispute_fsm.domain.commands import DEFAULT_VERSION
from dispute_fsm.domain.enums import (
    Deadline,
    EventType,
    Outcome,
    PickupKind,
    RefusalCode,
    StateName,
)
from dispute_fsm.domain.events import EVENT, GENESIS, AuditEvent
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.errors import InputError
from dispute_fsm.history.generate import MOST_DISPUTES, generate
from dispute_fsm.history.jsonl import write_records
from dispute_fsm.rules.registry import rule_version
from tests.command_line import run
from tests.patience import PATIENCE

TABLE = rule_version(DEFAULT_VERSION).table
SHANGHAI = ZoneInfo("Asia/Shanghai")

UNRECORDED = {RefusalCode.ORDER_NOT_FOUND, RefusalCode.DISPUTE_EXISTS}
"""Refusals of an opening, which leave no dispute to record them in."""

NOT_IN_2023_03 = {
    RefusalCode.OPTION_NOT_OFFERED,
    RefusalCode.NO_PARTIAL_REFUND,
    RefusalCode.ALREADY_APPEALED,
}
"""This version offers every option."""

RARE = {StateName.DENIAL_UNDER_REVIEW, StateName.AWAITING_EVIDENCE}
"""Few disputes enter the first, and none stays long in the second.

So some thousand disputes may lack a transition out of them.
"""

MAIN = "import dispute_fsm.cli.generate; from dispute_fsm.cli.app import app; app()"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Log no decision: thousands are made of times."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.reset_defaults()


@cache
def made(disputes: int, seed: int = 1) -> tuple[tuple[AuditEvent, Policy], ...]:
    return tuple(generate(disputes, seed))


def events(disputes: int) -> list[AuditEvent]:
    return [event for event, _ in made(disputes)]


def written(disputes: int, seed: int = 1) -> str:
    stream = io.StringIO()
    write_records(stream, generate(disputes, seed))
    return stream.getvalue()


def by_dispute(recorded: Sequence[AuditEvent]) -> dict[str, list[AuditEvent]]:
    """Give each dispute's events, the disputes in the order in which they opened."""
    found: dict[str, list[AuditEvent]] = {}
    for event in recorded:
        found.setdefault(event.dispute_id, []).append(event)
    return found


def most_at_once(recorded: Sequence[AuditEvent]) -> int:
    """Count how many disputes are at most between their first and their last event."""
    ends = {dispute_id: told[-1].seq for dispute_id, told in by_dispute(recorded).items()}
    now, most = 0, 0
    for event in recorded:
        now += event.seq == 1
        most = max(most, now)
        now -= event.seq == ends[event.dispute_id]
    return most


def fold(lines: Sequence[str]) -> dict[str, Dispute]:
    """Fold a history into its disputes, each line checked against its chain."""
    policies: dict[str, Policy] = {}
    disputes: dict[str, Dispute] = {}
    for line in lines:
        record = json.loads(line)
        if record["type"] == "policy":
            policies[record["digest"]] = Policy.model_validate(record["policy"])
            continue
        event = EVENT.validate_json(line)
        before = disputes.get(event.dispute_id)
        verify(record, GENESIS if before is None else before.last_hash)
        disputes[event.dispute_id] = (
            begin(event, policies[event.policy]) if before is None else evolve(before, event)
        )
    return disputes


# ---- the same seed -------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert written(40) == written(40)
    assert not {event.hash for event in events(40)} & {event.hash for event, _ in made(40, seed=2)}


def test_neither_the_hash_seed_nor_the_zone_nor_the_locale_of_the_process_changes_a_byte() -> None:
    def apart(**environment: str) -> bytes:
        command = [
            sys.executable,
            "-c",
            MAIN,
            "generate",
            "--disputes",
            "25",
            "--seed",
            "1",
            "-o",
            "-",
        ]
        done = subprocess.run(  # noqa: S603 -- our own command
            command,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            env={**os.environ, **environment},
        )
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout

    here = written(25).encode()
    assert apart(PYTHONHASHSEED="1", TZ="America/New_York", LC_ALL="C.UTF-8") == here
    assert (
        apart(PYTHONHASHSEED="2", TZ="Asia/Shanghai", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
        == here
    )


def test_a_dispute_is_the_same_however_many_follow() -> None:
    few, many = by_dispute(events(50)), by_dispute(events(200))
    assert list(few) == list(many)[:50]
    assert all(many[dispute_id] == told for dispute_id, told in few.items())


# ---- a history like any other --------------------------------------------------------------------


def test_what_is_written_reads_back_and_every_dispute_ends() -> None:
    folded = fold(written(300).splitlines())
    assert len(folded) == 300
    assert all(dispute.closed for dispute in folded.values())
    assert {dispute.dispute_id: dispute.seq for dispute in folded.values()} == Counter(
        event.dispute_id for event in events(300)
    )


def test_every_event_comes_with_the_policy_that_it_names() -> None:
    assert len({policy.digest for _, policy in made(300)}) > 2
    assert all(event.policy == policy.digest for event, policy in islice(made(300), 200))


def test_business_time_never_goes_back_in_the_file_and_is_when_it_was_written() -> None:
    assert all(earlier.at <= later.at for earlier, later in pairwise(events(2_000)))
    assert all(event.recorded_at == event.at for event in events(2_000))


def test_disputes_are_interleaved() -> None:
    changes = sum(
        earlier.dispute_id != later.dispute_id for earlier, later in pairwise(events(2_000))
    )
    assert changes > 0.8 * len(events(2_000))


def test_the_disputes_that_are_open_at_once_do_not_grow_with_their_number() -> None:
    assert 20 < most_at_once(events(2_000)) <= 1.5 * most_at_once(events(500))


def test_the_first_events_of_a_history_of_any_size_are_there_at_once() -> None:
    first = list(islice(generate(MOST_DISPUTES, 1), 100))
    assert [event for event, _ in first] == events(2_000)[:100]


def test_no_dispute_is_no_event() -> None:
    assert list(generate(0, 1)) == []


# ---- what happens in it --------------------------------------------------------------------------


def test_every_option_outcome_and_type_of_event_occurs() -> None:
    recorded = events(2_000)
    chosen = {
        event.payload.model_dump()["option"]
        for event in recorded
        if event.type is EventType.OPTION_CHOSEN
    }
    assert chosen == set(rule_version(DEFAULT_VERSION).options)
    assert {event.outcome for event in recorded} - {None} == {
        outcome
        for configuration in TABLE.configurations.values()
        for outcome in configuration.outcomes
    }
    types = {row.records for rows in TABLE.transitions.values() for row in rows}
    assert {event.type for event in recorded} == types | {
        EventType.DISPUTE_OPENED,
        EventType.REFUSED,
    }


def test_every_refusal_code_occurs_but_those_that_cannot() -> None:
    assert {code for event in events(2_000) for code in event.refused} == set(
        RefusalCode
    ) - UNRECORDED - NOT_IN_2023_03


def test_every_edge_is_gone_but_rare_ones() -> None:
    gone = {
        (event.source, event.command, event.target)
        for event in events(2_000)
        if event.type is not EventType.REFUSED
    }
    edges = {
        (row.source, row.event, row.target) for rows in TABLE.transitions.values() for row in rows
    }
    missing = edges - gone
    assert len(missing) < 3
    assert {TABLE.configurations[source].state for source, _, _ in missing} <= RARE


def test_most_disputes_end_without_any_refusal_and_most_merchants_answer() -> None:
    told = by_dispute(events(2_000)).values()
    refused = sum(any(event.type is EventType.REFUSED for event in each) for each in told)
    silent = sum(each[-1].outcome is Outcome.NO_RESPONSE for each in told)
    assert 0.1 < refused / len(told) < 0.5
    assert 0.02 < silent / len(told) < 0.25


def test_disputes_come_in_by_day_more_than_by_night() -> None:
    hours = Counter(event.at.astimezone(SHANGHAI).hour for event in events(2_000) if event.seq == 1)
    assert sum(hours[hour] for hour in range(9, 21)) > 4 * sum(hours[hour] for hour in range(1, 7))


def test_an_expiry_is_recorded_by_the_first_sweep_after_it_was_due() -> None:
    late: list[timedelta] = []
    for told in by_dispute(events(2_000)).values():
        for before, event in pairwise(told):
            if event.command.expires is not None and event.type is not EventType.REFUSED:
                late.append(event.at - max(before.deadlines[event.command.expires], before.at))
    assert len(late) > 200
    assert all(timedelta(0) < each <= timedelta(minutes=5) for each in late)


def test_news_of_a_scan_may_come_late_and_still_keep_a_promise() -> None:
    unknown, after_the_promise = 0, 0
    for told in by_dispute(events(2_000)).values():
        looks = [event.facts for event in told if event.facts is not None]
        scans = [
            facts.pickup.scanned_at
            for facts in looks
            if facts.pickup is not None and facts.pickup.kind is PickupKind.PICKED_UP
        ]
        before_the_news = looks[: len(looks) - len(scans)]
        unknown += bool(scans) and any(
            cast("datetime", scans[0]) < facts.observed_at for facts in before_the_news
        )
        for before, event in pairwise(told):
            if (
                event.outcome is Outcome.SETTLED_BY_AGREED_SHIPMENT
                and event.type is EventType.DISPUTE_RESOLVED
            ):
                after_the_promise += (
                    event.at > before.deadlines[Deadline.PROMISE] - DEFAULT_POLICY.scan_grace
                )
    assert unknown > 20
    assert after_the_promise > 20


# ---- the command ---------------------------------------------------------------------------------


def call(*arguments: str | Path) -> tuple[int, bytes, str]:
    ran = run("generate", *arguments)
    return ran.code, ran.out.encode(), ran.err


def test_the_command_writes_a_file_and_says_so_on_standard_error(tmp_path: Path) -> None:
    file = tmp_path / "x.history.jsonl"
    code, out, err = call("--disputes", "20", "--seed", "7", "-o", file)
    assert (code, out) == (0, b"")
    assert str(file) in err
    assert file.read_text(encoding="utf-8") == written(20, seed=7)


def test_the_command_writes_to_standard_output_and_nothing_else_there() -> None:
    assert call("--disputes", "20", "--seed", "7", "--rules", DEFAULT_VERSION, "-o", "-") == (
        0,
        written(20, seed=7).encode(),
        "",
    )


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (("--disputes", "-1"), ("disputes", "-1")),
        (("--disputes", str(MOST_DISPUTES + 1)), ("disputes", str(MOST_DISPUTES))),
        (("--rules", "1999-01"), ("rules", "1999-01", DEFAULT_VERSION)),
    ],
)
def test_wrong_arguments_are_an_error_that_names_them_and_leave_no_file(
    tmp_path: Path, wrong: tuple[str, str], named: tuple[str, ...]
) -> None:
    file = tmp_path / "x.history.jsonl"
    code, out, err = call("--disputes", "3", "--seed", "1", *wrong, "-o", file)
    assert (code, out) == (2, b"")
    assert all(name in err for name in named)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    code, out, err = call("--disputes", "3", "--seed", "1", "-o", tmp_path)
    assert (code, out) == (2, b"")
    assert err.startswith(f"dispute-fsm: {tmp_path}: ")


def test_arguments_are_checked_before_the_first_event_is_asked_for() -> None:
    with pytest.raises(InputError):
        generate(-1, 1)
    with pytest.raises(InputError):
        generate(1, 1, rules="1999-01")
