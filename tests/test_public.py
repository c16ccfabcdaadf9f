"""The public API: its names, the quickstart, one class per event, and the `repr` of values."""

import asyncio
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from inspect import getdoc
from pathlib import Path
from typing import Any, assert_type, get_args

import pytest

import dispute_fsm
from dispute_fsm import (
    CommandType,
    Deadline,
    Dispute,
    Disputes,
    EventType,
    Expiry,
    InMemoryOrderSystem,
    InputError,
    Option,
    Order,
    OrderSystemUnavailableError,
    Role,
    StateName,
    commands,
    consumer,
    events,
    merchant,
    needs_facts,
)
from dispute_fsm.commands import Command
from dispute_fsm.domain.commands import COMMAND_CLASSES, ChoicePayload
from dispute_fsm.domain.events import EVENT_CLASSES
from dispute_fsm.errors import ClockWentBackError
from dispute_fsm.events import EVENT, AuditEvent, OptionChosen
from dispute_fsm.service.async_service import AsyncDisputeService
from tests.service_support import House, house
from tests.support import (
    AGREED,
    CLAIMABLE,
    DAY,
    HOUR,
    KEPT,
    OPENED_AT,
    PAID,
    SECOND,
    choose,
    corpus_events,
    in_state,
    opened,
    opening,
    over,
    stamp,
)

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
IDS = {"dispute_id": "D-1", "order_id": "O-1", "merchant_id": "M-1", "consumer_id": "C-1"}


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


def disputes(shown: Order | None = CLAIMABLE, *, available: bool = True) -> Disputes:
    orders = InMemoryOrderSystem({} if shown is None else {"O-1": shown})
    orders.available = available
    return Disputes(orders, stamp)


# ---- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [dispute_fsm, commands, events])
def test_every_public_name_is_there_once_sorted_and_documented(module: object) -> None:
    names: list[str] = module.__all__  # type: ignore[attr-defined]  # all three have one
    assert len(set(names)) == len(names)
    for name in names:
        value = getattr(module, name)
        assert not callable(value) or getdoc(value), name


def test_the_top_has_some_fifty_names_and_none_of_them_is_a_command_or_an_event() -> None:
    assert 40 <= len(dispute_fsm.__all__) <= 60
    assert not {model.__name__ for model in get_args(commands.AnyCommand)} & set(
        dispute_fsm.__all__
    )
    assert {model.__name__ for model in get_args(commands.AnyCommand)} <= set(commands.__all__)
    assert {model.__name__ for model in get_args(events.AnyEvent)} <= set(events.__all__)


def test_the_page_on_python_lists_every_command_and_event_by_who_sends_it() -> None:
    page = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    section = page.partition("## Commands and events\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| the (\w+) \| (.*) \|$", section, re.MULTILINE))
    assert {role: set(re.findall(r"`(\w+)`", row)) for role, row in rows.items()} == {
        role.value: {model.__name__ for model in COMMAND_CLASSES.values() if model.roles[0] is role}
        for role in Role
    }
    named = set(re.findall(r"`(\w+)`", section.partition("dispute_fsm.events")[2]))
    assert {model.__name__ for model in get_args(events.AnyEvent)} <= named


def test_without_the_extra_the_store_says_what_to_install() -> None:
    code = """
import sys
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"sqlalchemy", "psycopg"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NotInstalled())
from dispute_fsm import Disputes
for name in ("Store", "DisputeService"):
    try:
        exec(f"from dispute_fsm import {name}")
    except ImportError as missing:
        print(missing)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 -- our own code
    told = ran.stdout.splitlines()
    assert len(told) == 2
    for name, line in zip(("Store", "DisputeService"), told, strict=True):
        assert re.fullmatch(
            rf"{name} needs \w+, which is not installed: pip install 'dispute-fsm\[sql\]'", line
        )


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        dispute_fsm.Desk  # type: ignore[attr-defined]  # noqa: B018 -- that is what is tested


# ---- the quickstart ------------------------------------------------------------------------------


def quickstart() -> list[str]:
    """Give the statements of the README's first code."""
    block = re.search(r"## Quickstart\n.*?```python\n(.*?)```", README, re.DOTALL)
    assert block is not None
    return [line[4:] for line in block[1].splitlines() if line.startswith((">>> ", "... "))]


def test_the_quickstart_is_short() -> None:
    lines = quickstart()
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    assert len(imports) <= 2
    assert len(lines) - len(imports) <= 12


def test_the_quickstart_prints_what_it_says_and_no_log() -> None:
    ran = subprocess.run(  # noqa: S603 -- our own code
        [sys.executable, "-c", "\n".join(quickstart())], capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    assert len(ran.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("configure", "shows"),
    [
        ("", (0, 0)),
        ("import logging; logging.basicConfig(level=logging.INFO)", (0, 2)),
        ("import structlog; structlog.configure()", (2, 0)),
    ],
)
def test_the_host_decides_where_log_lines_go(configure: str, shows: tuple[int, int]) -> None:
    code = f"""
{configure}
from dispute_fsm import Disputes, InMemoryOrderSystem, consumer
disputes = Disputes(InMemoryOrderSystem({{"O-1": {{}}}}))
opened = disputes.open(**{IDS}, at="2023-03-28T10:00:00Z")
disputes.send(opened.dispute, "withdraw", by=consumer("C-1"), at="2023-03-28T11:00:00Z")
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 -- our own code
    told = (ran.stdout, ran.stderr)
    assert tuple(text.count("dispute_decision") for text in told) == shows


def test_a_warning_shows_without_any_configuration() -> None:
    code = """
from dispute_fsm.log import log
log().warning("deadline_pending", dispute_id="D-1")
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 -- our own code
    assert (ran.stdout, ran.stderr) == ("", "event=deadline_pending dispute_id=D-1\n")


# ---- the same by fields --------------------------------------------------------------------------


def test_an_opening_by_its_fields_is_the_same_opening() -> None:
    by_fields = disputes().open(
        dispute_id="D-1", order_id="O-1", merchant_id="M-1", consumer_id="C-1", at=OPENED_AT
    )
    assert by_fields == disputes().open(opening(), at="2023-03-28T10:00:00+08:00")
    assert by_fields.accepted


def test_a_command_by_its_type_is_the_same_command() -> None:
    asked = choose(Option.ALREADY_SHIPPED, key="k-1")
    typed = disputes().send(opened(), asked, at=OPENED_AT)
    for kind in ("choose_option", CommandType.CHOOSE_OPTION):
        told = disputes().send(
            opened(), kind, option="already_shipped", by=merchant("M-1"), key="k-1", at=OPENED_AT
        )
        assert told == typed
        assert told.accepted


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (lambda here: here.send(opened(), "chose_option", at=OPENED_AT), None),
        (
            lambda here: here.send(
                opened(), "choose_option", by=merchant("M-1"), option="x", at=OPENED_AT
            ),
            "option",
        ),
        (
            lambda here: here.send(
                opened(), "withdraw", by=consumer("C-1"), note="x", at=OPENED_AT
            ),
            "note",
        ),
        (
            lambda here: here.send(
                opened(), choose(Option.PROVE_NO_FAULT), key="k-1", at=OPENED_AT
            ),
            "key",
        ),
        (
            lambda here: here.send(opened(), choose(Option.PROVE_NO_FAULT), note="x", at=OPENED_AT),
            "note",
        ),
        (lambda here: here.send(opened(), opening(), at=OPENED_AT), "command"),
        (lambda here: here.send(opened(), "open_dispute", **IDS, at=OPENED_AT), "command"),
        (lambda here: here.send(opened(), None, at=OPENED_AT), "command"),
        (lambda here: here.send(opened(), Command(by=merchant("M-1")), at=OPENED_AT), "command"),
        (lambda here: here.open("D-1", at=OPENED_AT), "opening"),
        (lambda here: here.open(opening(), order_id="O-2", at=OPENED_AT), "order_id"),
        (lambda here: here.open(dispute_id="D-1", at=OPENED_AT), "order_id"),
        (lambda here: here.open(**IDS, policy="default", at=OPENED_AT), "policy"),
        (lambda here: here.open(opening(), at="2023-03-28T10:00:00"), "at"),
        (lambda here: here.send(opened(), choose(Option.PROVE_NO_FAULT), at="tomorrow"), "at"),
        (lambda here: here.sweep(opened(), at=1_680_000_000), "at"),
        (lambda here: here.expire(opened(), at=None), "at"),
        (lambda here: here.options(opened(), at=datetime(2023, 3, 28)), "at"),  # noqa: DTZ001 -- that is what is tested
    ],
)
def test_what_cannot_be_read_names_its_field(
    ask: Callable[[Any], object], field: str | None
) -> None:
    with pytest.raises(InputError) as caught:
        ask(disputes())
    assert caught.value.field == field


def test_facts_come_as_a_mapping_with_instants_as_text() -> None:
    orders = InMemoryOrderSystem({"O-1": {"paid_at": "2023-03-25T10:00:00+08:00"}})
    assert orders.look("O-1", OPENED_AT) == InMemoryOrderSystem({"O-1": PAID}).look(
        "O-1", OPENED_AT
    )
    for facts, field in (
        ({"paid_at": "2023-03-25"}, "paid_at"),
        ({"paid": 1}, "paid"),
        ({"refund": {"status": "x"}}, "refund.status"),
    ):
        with pytest.raises(InputError) as caught:
            orders.put("O-1", facts)
        assert caught.value.field == field
    assert orders.look("O-1", OPENED_AT) == InMemoryOrderSystem({"O-1": PAID}).look(
        "O-1", OPENED_AT
    ), "nothing is half-written"


# ---- results -------------------------------------------------------------------------------------


def test_a_refused_opening_is_a_result_without_a_dispute() -> None:
    refused = disputes(None).open(opening(), at=OPENED_AT)
    assert (refused.accepted, refused.codes, refused.event, refused.dispute_or_none) == (
        False,
        ("order_not_found",),
        None,
        None,
    )
    assert [reason.code for reason in refused.reasons] == list(refused.codes)
    with pytest.raises(InputError, match="order_not_found"):
        _ = refused.dispute


def test_a_refused_command_has_the_dispute_that_records_it() -> None:
    refused = disputes(PAID).send(opened(), choose(Option.ALREADY_SHIPPED), at=OPENED_AT)
    assert (refused.accepted, refused.codes) == (False, ("not_shipped", "no_pickup_scan"))
    assert refused.dispute.refusals == 1
    accepted = disputes().send(opened(), choose(Option.ALREADY_SHIPPED), at=OPENED_AT)
    assert (accepted.accepted, accepted.codes, accepted.reasons) == (True, (), ())


# ---- expiries ------------------------------------------------------------------------------------

DUE = OPENED_AT + DAY


def test_nothing_has_passed_yet() -> None:
    for at, early in ((OPENED_AT, DAY + SECOND), (DUE, SECOND)):
        early_by = disputes().expire(opened(), at=at)
        assert early_by == Expiry("early", early_by=early, next_due=(Deadline.RESPONSE, DUE))
        assert disputes().expire(opened(), at=at + early).status == "fired", (
            "then it can be acted on"
        )


def test_what_has_passed_fires_and_says_what_is_due_next() -> None:
    fired = disputes().expire(opened(), at=DUE + SECOND)
    assert (fired.status, fired.next_due, fired.early_by) == ("fired", None, None)
    assert [result.dispute.state for result in fired.results] == [StateName.PENALIZED]
    dispute = in_state(StateName.AWAITING_SHIPMENT)
    first = min(dispute.running.values())
    assert disputes().expire(dispute, at=first).status == "early"


def test_a_timer_of_another_revision_does_nothing() -> None:
    dispute = opened()
    for revision in (0, dispute.revision + 1):
        stale = disputes().expire(dispute, at=DUE + SECOND, revision=revision)
        assert stale == Expiry("stale", next_due=(Deadline.RESPONSE, DUE))
    assert disputes().expire(dispute, at=DUE + SECOND, revision=dispute.revision).status == "fired"


def test_where_no_deadline_runs_there_is_nothing_to_act_on() -> None:
    for state in (StateName.RESOLVED, StateName.UNDER_REVIEW):
        dispute = in_state(state)
        assert disputes().expire(
            dispute, at=dispute.last_at + 99 * DAY, revision=dispute.revision
        ) == Expiry("stale")


def test_what_the_order_system_cannot_answer_is_raised_where_nothing_fired() -> None:
    dispute = in_state(StateName.AWAITING_SHIPMENT)
    late = max(dispute.running.values()) + SECOND
    with pytest.raises(OrderSystemUnavailableError):
        disputes(available=False).expire(dispute, at=late)
    assert disputes(KEPT).expire(dispute, at=late).results[-1].dispute.state is StateName.RESOLVED


def test_what_is_pending_is_due_next_where_something_else_fired() -> None:
    dispute = begun_in_parallel()
    late = max(dispute.running.values()) + SECOND
    fired = disputes(available=False).expire(dispute, at=late)
    assert fired.status == "fired"
    assert fired.next_due is not None
    assert fired.next_due[1] < late
    assert needs_facts(fired.results[-1].dispute, commands.ExpirePromise(), late)


def begun_in_parallel() -> Dispute:
    """Return a dispute under `parallel` in which a promise and the evidence are awaited."""
    here, policy = disputes(), over()
    dispute = here.open(opening(policy, rules="parallel"), at=OPENED_AT).dispute
    return here.send(dispute, choose(Option.SHIP_BY_AGREED_DATE), at=OPENED_AT).dispute


def test_a_clock_that_went_back_is_said_so() -> None:
    with pytest.raises(ClockWentBackError):
        disputes().send(opened(), choose(Option.PROVE_NO_FAULT), at=OPENED_AT - HOUR)


def test_the_service_expires_by_id_with_its_own_clock(home: House) -> None:
    home.open()
    early = home.service.expire("D-1")
    assert (early.status, early.early_by, early.next_due) == (
        "early",
        DAY + SECOND,
        ("response", DUE),
    )
    home.time.pass_(DAY + SECOND)
    assert home.service.expire("D-1", revision=7) == Expiry(
        "stale", next_due=(Deadline.RESPONSE, DUE)
    )
    fired = home.service.expire("D-1", revision=1)
    assert (fired.status, [result.dispute.state for result in fired.results], fired.next_due) == (
        "fired",
        [StateName.PENALIZED],
        None,
    )
    assert home.service.get("D-1") is not None
    assert len(home.service.history("D-1")) == 2
    assert home.service.expire("D-1", revision=1) == Expiry("stale")
    with pytest.raises(InputError):
        home.service.expire("D-9")


def test_the_service_expires_on_the_hosts_connection(home: House) -> None:
    home.open()
    home.time.pass_(DAY + SECOND)
    with home.store.engine.begin() as connection:
        assert home.service.expire("D-1", connection=connection).status == "fired"
        connection.rollback()
    assert home.service.expire("D-1").status == "fired", "what was rolled back has not happened"


def test_the_service_raises_what_the_order_system_cannot_answer(home: House) -> None:
    home.open()
    home.service.send("D-1", choose(Option.SHIP_BY_AGREED_DATE))
    home.time.now = AGREED + 9 * DAY
    home.orders.available = False
    with pytest.raises(OrderSystemUnavailableError):
        home.service.expire("D-1", revision=2)
    home.orders.available = True
    assert home.service.expire("D-1", revision=2).status == "fired"


def test_the_service_has_the_same_verbs_by_name(home: House) -> None:
    opened_ = home.service.open(
        dispute_id="D-1", order_id="O-1", merchant_id="M-1", consumer_id="C-1"
    )
    assert opened_.accepted
    told = home.service.send(
        "D-1", "choose_option", option="already_shipped", by=merchant("M-1"), key="k-1"
    )
    assert told.accepted
    again = asyncio.run(
        AsyncDisputeService(home.service).send(
            "D-1", "choose_option", option="already_shipped", by=merchant("M-1"), key="k-1"
        )
    )
    assert (again.accepted, again.event, again.dispute.revision) == (False, None, 2)
    assert asyncio.run(AsyncDisputeService(home.service).expire("D-1")).status == "early"
    verbs = {"open", "send", "expire", "sweep", "options", "checklist"}
    assert all(
        callable(getattr(each, verb))
        for verb in verbs
        for each in (Disputes, type(home.service), AsyncDisputeService)
    )


# ---- events --------------------------------------------------------------------------------------


def test_an_event_is_matched_by_its_class() -> None:
    event: AuditEvent = (
        disputes().send(opened(), choose(Option.SHIP_BY_AGREED_DATE), at=OPENED_AT).event
        or opened().opening
    )
    match event:
        case OptionChosen(payload=chosen):
            assert_type(chosen, ChoicePayload)
            assert chosen.option is Option.SHIP_BY_AGREED_DATE
        case _:
            raise AssertionError(event)


def test_every_type_has_a_class_of_its_own_and_every_class_is_in_the_union() -> None:
    assert set(EVENT_CLASSES) == set(EventType)
    assert set(EVENT_CLASSES.values()) == set(get_args(events.AnyEvent))


@pytest.mark.parametrize(
    "event", [event for event in corpus_events() if event.type is EventType.OPTION_CHOSEN][:1]
)
def test_an_event_of_a_type_is_of_that_types_command(event: AuditEvent) -> None:
    record = event.model_dump(mode="json")
    with pytest.raises(ValueError, match="command"):
        EVENT.validate_python({**record, "command": "withdraw", "payload": {}, "private": {}})


def test_events_and_disputes_are_pickled_by_name() -> None:
    for event in corpus_events():
        assert pickle.loads(pickle.dumps(event)) == event  # noqa: S301 -- made one line above


# ---- in a line -----------------------------------------------------------------------------------


def test_each_shows_itself_in_a_line() -> None:
    chosen = disputes().send(opened(), choose(Option.ALREADY_SHIPPED, note="⟦个人⟧"), at=OPENED_AT)
    assert repr(opened().opening) == "DisputeOpened(D-1 #1 by consumer C-1: opened)"
    event = (
        "OptionChosen(D-1 #2 by merchant M-1: opened -> "
        "option_chosen.settling.awaiting_confirmation)"
    )
    assert (repr(chosen.event), repr(chosen)) == (event, f"Result(Accepted({event}))")
    assert (
        repr(chosen.dispute)
        == "Dispute(D-1 #2: awaiting_confirmation, confirmation due 2023-03-29T02:00:00Z)"
    )
    settled = disputes().expire(chosen.dispute, at=OPENED_AT + DAY + SECOND).results[0]
    assert repr(settled.event).endswith(
        "by system system: option_chosen.settling.awaiting_confirmation -> resolved, "
        "settled_by_shipment)"
    )
    assert repr(settled.dispute) == "Dispute(D-1 #3: resolved, settled_by_shipment)"
    refused = disputes(PAID).send(opened(), choose(Option.ALREADY_SHIPPED), at=OPENED_AT)
    assert repr(refused) == "Result(Refused(not_shipped, no_pickup_scan))"
    assert repr(refused.event) == (
        "CommandRefused(D-1 #2 by merchant M-1: choose_option refused in opened: not_shipped, "
        "no_pickup_scan)"
    )


@pytest.mark.parametrize(
    "event",
    [{event.type: event for event in corpus_events()}[kind] for kind in EventType],
    ids=lambda e: e.type,
)
def test_no_event_shows_a_persons_words(event: AuditEvent) -> None:
    for shown in (repr(event), str(event)):
        assert "\n" not in shown
        assert not any(
            kept.value.strip() and kept.value in shown
            for kept in event.private.values()
            if len(kept.value) > 3
        )
