"""`Disputes`: when the order system is asked, what happens without it, sweeps, and log lines."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from dispute_fsm.decider.decisions import Accepted, Refused, Repeated, Unchanged
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import Stamp
from dispute_fsm.domain.commands import SYSTEM, Command
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    Option,
    Outcome,
    RefusalCode,
    Role,
    StateName,
)
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import Order, OrderFacts
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.errors import (
    ClockWentBackError,
    InputError,
    OrderSystemUnavailableError,
    StaleFactsError,
)
from dispute_fsm.handler import Disputes, fresh_stamp
from dispute_fsm.orders import InMemoryOrderSystem
from tests.support import (
    AGREED,
    CANCELLING,
    CLAIMABLE,
    DAY,
    HOUR,
    KEPT,
    LEAVES,
    MINUTE,
    OPENED_AT,
    OWN,
    PAID,
    PICKED_UP,
    SECOND,
    all_situations,
    choose,
    command,
    extension,
    in_state,
    opened,
    opening,
    over,
    ruling,
    seen,
    stamp,
    submission,
    voucher,
    well_formed,
)

C, E, S = RefusalCode, CommandType, StateName
TICK = timedelta(microseconds=1)
MARK = "⟦个人⟧"
SITUATIONS = all_situations()


@dataclass
class House:
    """`Disputes` on an order system that can be unavailable; it records the stamps made."""

    orders: InMemoryOrderSystem
    stamps: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    @property
    def disputes(self) -> Disputes:
        return Disputes(self.orders, self.stamp)

    def stamp(self, dispute_id: str, seq: int) -> Stamp:
        self.stamps.append((dispute_id, seq))
        return stamp(dispute_id, seq)


def house(shown: Order | None = CLAIMABLE, *, available: bool = True) -> House:
    orders = InMemoryOrderSystem({} if shown is None else {"O-1": shown})
    orders.available = available
    return House(orders)


# ---- openings ------------------------------------------------------------------------------------


def test_an_opening_asks_once_and_begins_the_dispute() -> None:
    here = house(PAID)
    answer = here.disputes.open(opening(), at=OPENED_AT)
    assert isinstance(answer.decision, Accepted)
    assert answer.event is answer.decision.event
    assert answer.dispute == begin(answer.dispute.opening, DEFAULT_POLICY)
    assert (here.orders.looks, here.stamps) == (1, [("D-1", 1)])
    assert answer.event.facts == seen(PAID, OPENED_AT).model_copy(update={"asked": "memory"})


def test_an_opening_with_a_snapshot_at_hand_does_not_ask() -> None:
    here = house(PAID, available=False)
    answer = here.disputes.open(opening(), at=OPENED_AT, facts=seen(PAID, OPENED_AT - MINUTE))
    assert answer.event is not None
    assert here.orders.looks == 0
    with pytest.raises(StaleFactsError):
        here.disputes.open(opening(), at=OPENED_AT, facts=seen(PAID, OPENED_AT - HOUR))


def test_an_opening_about_an_order_that_does_not_exist() -> None:
    here = house(None)
    answer = here.disputes.open(opening(), at=OPENED_AT)
    assert isinstance(answer.decision, Refused)
    assert (answer.codes, answer.event) == ((C.ORDER_NOT_FOUND,), None)


def test_an_opening_while_the_order_system_cannot_answer_is_undecided() -> None:
    here = house(PAID, available=False)
    with pytest.raises(OrderSystemUnavailableError):
        here.disputes.open(opening(), at=OPENED_AT)
    here.orders.available = True
    assert here.disputes.open(opening(), at=OPENED_AT).accepted


@pytest.mark.parametrize("role", [Role.MERCHANT, Role.ADJUDICATOR])
def test_the_wrong_actor_is_told_so_without_asking(role: Role) -> None:
    """`wrong_actor` comes alone: no facts are queried, also with the order system down."""
    here = house(PAID, available=False)
    answer = here.disputes.open(opening(by=OWN[role]), at=OPENED_AT)
    assert isinstance(answer.decision, Refused)
    assert (answer.codes, here.orders.looks) == ((C.WRONG_ACTOR,), 0)


def test_an_opening_repeated_is_answered_without_asking() -> None:
    here = house(PAID, available=False)
    existing = in_state(S.RESOLVED)
    answer = here.disputes.open(opening(), at=OPENED_AT + DAY, existing=existing)
    assert (answer.decision, answer.event, answer.dispute) == (
        Repeated(existing.opening),
        None,
        existing,
    )
    other = here.disputes.open(opening(order_id="O-2"), at=OPENED_AT + DAY, existing=existing)
    assert isinstance(other.decision, Refused)
    assert other.codes == (C.DISPUTE_EXISTS,)
    assert here.orders.looks == 0


def test_an_unknown_rule_version_is_the_hosts_fault() -> None:
    with pytest.raises(InputError):
        house(PAID).disputes.open(opening(rules="1999-01"), at=OPENED_AT)


# ---- when the order system is asked --------------------------------------------------------------

ASKS = {
    ("opened", E.CHOOSE_OPTION, Option.CONSUMER_CANCELS),
    ("opened", E.CHOOSE_OPTION, Option.ALREADY_SHIPPED),
    ("opened", E.CHOOSE_OPTION, Option.PARTIAL_REFUND),
    ("awaiting_shipment", E.OBSERVE_ORDER, None),
    ("awaiting_shipment", E.PROMISE_EXPIRED, None),
}


def asked_of(dispute: Dispute) -> Iterator[tuple[Option | None, Command]]:
    for event in CommandType:
        if event is E.CHOOSE_OPTION:
            yield from ((option, choose(option)) for option in Option)
        elif event is not E.OPEN_DISPUTE:
            yield None, well_formed(dispute, event)


@pytest.mark.parametrize("dispute", SITUATIONS.values(), ids=SITUATIONS)
def test_the_order_system_is_asked_once_where_a_requirement_looks_at_facts_and_nowhere_else(
    dispute: Dispute,
) -> None:
    state = dispute.state.value
    for option, asked in asked_of(dispute):
        due = dispute.deadlines.get(asked.type.expires) if asked.type.expires else None
        for now in {
            dispute.last_at + MINUTE,
            dispute.last_at + MINUTE if due is None else due + SECOND,
        }:
            here = house()
            answer = here.disputes.send(dispute, asked, at=now)
            early = asked.type.expires is not None and (due is None or now <= due)
            offered = option is None or option in dispute.rules.options
            expected = int((state, asked.type, option) in ASKS and offered and not early)
            assert here.orders.looks == expected, (asked.type, option)
            assert (answer.event is None) or (answer.event.facts is not None) == bool(expected)
            # No id is used up for nothing.
            assert here.stamps == ([] if answer.event is None else [("D-1", dispute.seq + 1)])


@pytest.mark.parametrize("state", LEAVES)
def test_late_misplaced_and_foreign_commands_are_decided_with_the_order_system_down(
    state: StateName,
) -> None:
    dispute, here = in_state(state), house(available=False)
    late = max([dispute.last_at, *dispute.deadlines.values()]) + DAY
    for option in Option:
        answer = here.disputes.send(dispute, choose(option), at=late)
        assert isinstance(answer.decision, Refused)
        answer = here.disputes.send(
            dispute, choose(option, by=OWN[Role.CONSUMER]), at=dispute.last_at
        )
        assert isinstance(answer.decision, Refused)
        assert answer.decision.codes == (C.WRONG_ACTOR,)
    assert here.orders.looks == 0


def test_a_snapshot_at_hand_is_used_instead_of_asking() -> None:
    here = house(PAID, available=False)
    answer = here.disputes.send(
        opened(),
        choose(Option.CONSUMER_CANCELS),
        at=OPENED_AT + HOUR,
        facts=seen(CANCELLING, OPENED_AT + HOUR - MINUTE),
    )
    assert answer.dispute.state is S.AWAITING_CONFIRMATION
    assert here.orders.looks == 0
    with pytest.raises(StaleFactsError):
        here.disputes.send(
            opened(),
            choose(Option.CONSUMER_CANCELS),
            at=OPENED_AT + HOUR,
            facts=seen(CANCELLING, OPENED_AT),
        )


def test_each_kind_of_answer() -> None:
    here, dispute = house(PAID), in_state(S.AWAITING_SHIPMENT)
    accepted = here.disputes.send(
        dispute, command(E.CONFIRM_AGREEMENT, key="k-1"), at=dispute.last_at
    )
    assert isinstance(accepted.decision, Accepted)
    assert accepted.event is not None
    assert accepted.dispute == evolve(dispute, accepted.event)
    refused = here.disputes.send(accepted.dispute, command(E.DENY_AGREEMENT), at=dispute.last_at)
    assert isinstance(refused.decision, Refused)
    assert refused.event is not None
    assert refused.dispute == evolve(accepted.dispute, refused.event)
    unchanged = here.disputes.send(refused.dispute, command(E.OBSERVE_ORDER), at=dispute.last_at)
    assert (unchanged.decision, unchanged.event, unchanged.dispute) == (
        Unchanged(),
        None,
        refused.dispute,
    )
    repeated = here.disputes.send(
        refused.dispute, command(E.CONFIRM_AGREEMENT, key="k-1"), at=dispute.last_at + DAY
    )
    assert (repeated.decision, repeated.event, repeated.dispute) == (
        Repeated(accepted.event),
        None,
        refused.dispute,
    )


def test_a_refusal_beyond_the_record_appends_nothing() -> None:
    dispute = opened(over(max_recorded_refusals=0))
    answer = house().disputes.send(dispute, command(E.CONFIRM_AGREEMENT), at=OPENED_AT)
    assert isinstance(answer.decision, Refused)
    assert (answer.event, answer.dispute) == (None, dispute)


def test_a_time_without_an_offset_is_the_hosts_fault() -> None:
    naive, here = OPENED_AT.replace(tzinfo=None), house(PAID)
    with pytest.raises(InputError):
        here.disputes.open(opening(), at=naive)
    with pytest.raises(InputError):
        here.disputes.send(opened(), command(E.WITHDRAW), at=naive)
    with pytest.raises(InputError):
        here.disputes.sweep(opened(), at=naive)
    assert here.orders.looks == 0


def test_a_time_on_another_clock_is_recorded_in_utc() -> None:
    answer = house(PAID).disputes.send(
        opened(), command(E.WITHDRAW), at=datetime.fromisoformat("2023-03-28T11:00:00+08:00")
    )
    assert answer.event is not None
    assert answer.event.at.isoformat() == "2023-03-28T03:00:00+00:00"


def test_time_never_goes_back() -> None:
    with pytest.raises(ClockWentBackError):
        house().disputes.send(opened(), command(E.WITHDRAW), at=OPENED_AT - TICK)


# ---- while the order system cannot answer --------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "asked", "shown"),
    [
        (S.OPENED, choose(Option.CONSUMER_CANCELS, key="k-1"), CANCELLING),
        (S.OPENED, choose(Option.ALREADY_SHIPPED, key="k-1"), PICKED_UP),
        (S.AWAITING_SHIPMENT, command(E.OBSERVE_ORDER, key="k-1"), PICKED_UP),
        (S.AWAITING_SHIPMENT, command(E.PROMISE_EXPIRED, key="k-1"), PAID),
    ],
)
@pytest.mark.parametrize("vanished", [False, True])
def test_unknown_is_not_false_nothing_is_appended_and_the_same_command_works_later(
    state: StateName, asked: Command, shown: Order, vanished: bool
) -> None:
    here = house(None) if vanished else house(shown, available=False)
    dispute = in_state(state)
    before = in_state(state)
    now = (
        dispute.last_at + MINUTE
        if asked.type.expires is None
        else dispute.deadlines[Deadline.PROMISE] + SECOND
    )
    with capture_logs() as lines, pytest.raises(OrderSystemUnavailableError):
        here.disputes.send(dispute, asked, at=now)
    assert (dispute, here.stamps, lines) == (before, [], [])
    here.orders.put("O-1", shown)
    here.orders.available = True
    answer = here.disputes.send(dispute, asked, at=now + MINUTE)
    assert isinstance(answer.decision, Accepted)
    assert answer.dispute.keys.keys() == {"k-1"}


def test_what_asks_nothing_still_works() -> None:
    here = house(available=False)
    for option in (Option.OUT_OF_STOCK_REFUND, Option.SHIP_BY_AGREED_DATE, Option.PROVE_NO_FAULT):
        assert isinstance(
            here.disputes.send(opened(), choose(option), at=OPENED_AT + MINUTE).decision, Accepted
        )


# ---- sweeping ------------------------------------------------------------------------------------


def swept(here: House, dispute: Dispute, now: datetime) -> list[AuditEvent]:
    events: list[AuditEvent] = []
    for answer in here.disputes.sweep(dispute, at=now):
        assert isinstance(answer.decision, Accepted)
        assert answer.event is not None
        events.append(answer.event)
    return events


@pytest.mark.parametrize(
    ("state", "deadline", "outcome"),
    [
        (S.OPENED, Deadline.RESPONSE, Outcome.NO_RESPONSE),
        (S.AWAITING_CONFIRMATION, Deadline.CONFIRMATION, Outcome.SETTLED_BY_CANCELLATION),
        (S.AWAITING_SHIPMENT, Deadline.PROMISE, Outcome.PROMISE_MISSED),
        (S.AWAITING_EVIDENCE, Deadline.EVIDENCE, Outcome.EVIDENCE_OVERDUE),
    ],
)
def test_a_sweep_fires_what_has_passed_as_the_system_and_only_then(
    state: StateName, deadline: Deadline, outcome: Outcome
) -> None:
    dispute, here = in_state(state), house(PAID)
    due = dispute.deadlines[deadline]
    assert swept(here, dispute, due) == []
    (event,) = swept(here, dispute, due + TICK)
    assert (event.command, event.actor, event.outcome, event.at) == (
        deadline.expiry,
        SYSTEM,
        outcome,
        due + TICK,
    )
    closed = evolve(dispute, event)
    assert swept(here, closed, due + 99 * DAY) == []


@pytest.mark.parametrize("state", [S.UNDER_REVIEW, S.DENIAL_UNDER_REVIEW, S.RESOLVED, S.PENALIZED])
def test_where_no_clock_runs_a_sweep_does_nothing(state: StateName) -> None:
    here = house(available=False)
    assert swept(here, in_state(state), OPENED_AT + 999 * DAY) == []
    assert here.orders.looks == 0


def test_a_sweep_goes_on_to_what_passed_meanwhile() -> None:
    """Overdue extra evidence leads back to the ruling, which has no deadline: one event."""
    dispute, here = in_state(S.AWAITING_EVIDENCE, submitted=True), house()
    (event,) = swept(here, dispute, OPENED_AT + 99 * DAY)
    assert evolve(dispute, event).state is S.UNDER_REVIEW


def test_the_last_answer_has_the_dispute_to_go_on_with() -> None:
    dispute, here = opened(), house(PAID)
    (answer,) = here.disputes.sweep(dispute, at=OPENED_AT + 9 * DAY)
    assert answer.event is not None
    assert answer.dispute == evolve(dispute, answer.event)
    assert here.stamps == [("D-1", 2)]


def test_a_sweep_ends_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "dispute_fsm.handler.next_due",
        lambda dispute, **_: (Deadline.RESPONSE, dispute.last_at - SECOND),
    )
    answers = house().disputes.sweep(in_state(S.UNDER_REVIEW), at=OPENED_AT + DAY)
    assert [answer.codes for answer in answers] == [(C.NOT_IN_THIS_STATE,)], (
        "each deadline is tried once"
    )


def test_a_sweep_stops_quietly_where_the_order_system_cannot_answer_and_goes_on_later() -> None:
    dispute, here = in_state(S.AWAITING_SHIPMENT), house(KEPT, available=False)
    now = AGREED + 9 * DAY
    with capture_logs() as lines:
        assert swept(here, dispute, now) == []
    (line,) = lines
    assert (line["event"], line["deadline"], line["dispute_id"], line["log_level"]) == (
        "deadline_pending",
        "promise",
        "D-1",
        "warning",
    )
    here.orders.available = True
    (event,) = swept(here, dispute, now + DAY)
    assert event.outcome is Outcome.SETTLED_BY_AGREED_SHIPMENT


def test_a_sweep_does_not_judge_an_order_that_vanished() -> None:
    assert swept(house(None), in_state(S.AWAITING_SHIPMENT), AGREED + 9 * DAY) == []


# ---- log lines -----------------------------------------------------------------------------------


def test_one_line_per_decision_with_ids_and_codes() -> None:
    here, dispute = house(PAID), opened()
    with capture_logs() as lines:
        here.disputes.open(opening(), at=OPENED_AT)
        here.disputes.open(opening(), at=OPENED_AT, existing=dispute)
        here.disputes.open(opening(by=OWN[Role.MERCHANT]), at=OPENED_AT)
        here.disputes.send(dispute, choose(Option.ALREADY_SHIPPED), at=OPENED_AT)
        here.disputes.send(dispute, command(E.OBSERVE_ORDER), at=OPENED_AT)
        here.disputes.send(dispute, command(E.RESPONSE_EXPIRED), at=OPENED_AT + 2 * DAY)
    assert [
        (line["command"], line["decision"], line["refused"], line["role"]) for line in lines
    ] == [
        ("open_dispute", "accepted", [], "consumer"),
        ("open_dispute", "repeated", [], "consumer"),
        ("open_dispute", "refused", ["wrong_actor"], "merchant"),
        ("choose_option", "refused", ["not_shipped", "no_pickup_scan"], "merchant"),
        ("observe_order", "unchanged", [], "system"),
        ("response_expired", "accepted", [], "system"),
    ]
    assert {line["event"] for line in lines} == {"dispute_decision"}
    assert {line["dispute_id"] for line in lines} == {"D-1"}
    assert (
        lines[-1]["seq"],
        lines[-1]["source"],
        lines[-1]["target"],
        lines[-1]["outcome"],
        lines[-1]["event_type"],
    ) == (
        2,
        "opened",
        "penalized",
        "no_response",
        "dispute_penalized",
    )


def _marked() -> Iterator[tuple[Dispute, Command]]:
    said = [voucher(file_name=MARK, uri=MARK)]
    for option in Option:
        yield opened(), choose(option, note=MARK, vouchers=said)
    evidence = [voucher(kind="carrier_certificate", file_name=MARK, uri=MARK)]
    for dispute in (in_state(S.AWAITING_EVIDENCE), opened(), in_state(S.RESOLVED)):
        yield dispute, submission(statement=MARK, vouchers=evidence)
        yield dispute, submission(statement=MARK * 500, vouchers=said)
    for event in (E.RULE_NO_FAULT, E.RULE_AT_FAULT, E.ANNUL):
        for state in (S.UNDER_REVIEW, S.PENALIZED, S.OPENED):
            yield in_state(state), ruling(event, rationale=MARK)
    yield in_state(S.UNDER_REVIEW), command(E.REQUEST_EVIDENCE, note=MARK)
    yield opened(), extension(AGREED, rationale=MARK)


def test_no_line_has_a_persons_words() -> None:
    here, decisions = house(CLAIMABLE), 0
    with capture_logs() as lines:
        for dispute, asked in _marked():
            answer = here.disputes.send(dispute, asked, at=dispute.last_at)
            here.disputes.send(
                answer.dispute, asked.model_copy(update={"key": "k-1"}), at=dispute.last_at
            )
            decisions += 2
    assert len(lines) == decisions
    for line in lines:
        assert MARK not in json.dumps(line, ensure_ascii=False)
        assert set(line) == {
            "event", "log_level", "decision", "dispute_id", "command", "role", "seq", "event_type",
            "source", "target", "outcome", "refused",
        }  # fmt: skip


def test_the_hosts_own_processors_see_plain_values() -> None:
    lines: list[str] = []

    def keep(_logger: object, _method: str, line: Any) -> Any:  # noqa: ANN401 -- as structlog passes it
        lines.append(json.dumps(line, ensure_ascii=False))
        raise structlog.DropEvent

    configured = structlog.get_config()
    structlog.configure(processors=[structlog.processors.add_log_level, keep])
    try:
        house(PAID).disputes.send(opened(), command(E.WITHDRAW), at=OPENED_AT)
    finally:
        structlog.configure(**configured)
    (line,) = lines
    assert json.loads(line)["outcome"] == "withdrawn"


def test_importing_configures_nothing_and_needs_no_extra() -> None:
    code = """
import logging, sys
class NotInstalled:
    asked = set()
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in {"typer", "rich", "yaml", "click"}:
            self.asked.add(top)
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NotInstalled())
before = (logging.root.level, list(logging.root.handlers))
import dispute_fsm, structlog
assert not structlog.is_configured()
assert (logging.root.level, list(logging.root.handlers)) == before
assert NotInstalled.asked <= {"rich"}, NotInstalled.asked  # structlog itself tries rich
assert dispute_fsm.Disputes
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 -- our own code
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "")


# ---- stamps --------------------------------------------------------------------------------------


def test_a_fresh_stamp_is_different_each_time() -> None:
    one, two = fresh_stamp("D-1", 1), fresh_stamp("D-1", 1)
    assert one.event_id != two.event_id
    assert one.seed != two.seed
    assert len(one.seed) >= 32
    assert one.recorded_at.tzinfo is UTC
    assert one.correlation_id is None


def test_stamps_are_fresh_unless_told_otherwise() -> None:
    fresh = Disputes(InMemoryOrderSystem({"O-1": PAID}))
    first, second = (
        fresh.send(opened(), choose(Option.OUT_OF_STOCK_REFUND, note=MARK), at=OPENED_AT).event
        for _ in range(2)
    )
    assert first is not None
    assert second is not None
    assert first.event_id != second.event_id
    assert first.private != second.private
    assert first.hash != second.hash


def test_any_order_system_of_the_hosts_will_do() -> None:
    class Own:
        def look(self, order_id: str, now: datetime) -> OrderFacts | None:
            return seen(CANCELLING, now - MINUTE, order_id)

    answer = Disputes(Own(), stamp).send(
        opened(), choose(Option.CONSUMER_CANCELS), at=OPENED_AT + HOUR
    )
    assert isinstance(answer.decision, Accepted)
    assert answer.event is not None
    assert answer.event.facts == seen(CANCELLING, OPENED_AT + HOUR - MINUTE)
