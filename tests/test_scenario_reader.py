"""Reading scenario files: every field in every form, and every error with line and field."""

import io
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, DrawFn, SearchStrategy

from dispute_fsm.documents.yaml_text import read_yaml
from dispute_fsm.domain.commands import (
    DEFAULT_VERSION,
    Actor,
    Annul,
    ChooseOption,
    Command,
    ExtendDeadline,
    RequestEvidence,
    RuleAtFault,
    RuleNoFault,
    SubmitEvidence,
    adjudicator,
    merchant,
)
from dispute_fsm.domain.enums import (
    CancelStatus,
    CommandType,
    Deadline,
    Option,
    Outcome,
    PickupKind,
    RefundScope,
    RefundStatus,
    RefusalCode,
    Role,
    StateName,
    VoucherKind,
)
from dispute_fsm.domain.facts import CancelRequest, Order, Pickup, Refund, Shipment
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy, Term
from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import write_records
from dispute_fsm.scenarios.model import (
    Availability,
    Expect,
    ExpectEnd,
    FactsChange,
    Scenario,
    ScenarioStep,
    Sweep,
)
from dispute_fsm.scenarios.reader import parse_scenario, read_scenario
from dispute_fsm.scenarios.runner import run_scenario
from tests import oracle_words
from tests.sampling import examples
from tests.support import read_back

FILE = "folder/x.dispute.yaml"
HEAD = "dispute: {opened_at: 2023-03-28T10:00:00+08:00}\n"
OPENED_AT = datetime(2023, 3, 28, 2, tzinfo=UTC)
DIGEST = "a" * 64
SEED_FILES = sorted((Path(__file__).parent.parent / "examples").glob("*.dispute.yaml"))


def parsed(text: str) -> Scenario:
    return parse_scenario(text, FILE)


def steps(*items: str, head: str = HEAD) -> tuple[ScenarioStep, ...]:
    return parsed(head + "steps:\n" + "".join(f"  - {item}\n" for item in items)).steps


def command(item: str) -> Command:
    (step,) = steps(item)
    assert isinstance(step.action, Command)
    return step.action


def policy(changes: str) -> Policy:
    return parsed(HEAD + f"policy: {changes}\n").opening.policy


def refused(text: str) -> tuple[int | None, str | None]:
    with pytest.raises(InputError) as caught:
        parsed(text)
    assert caught.value.file == FILE
    assert caught.value.message
    return caught.value.line, caught.value.field


def step_refused(item: str) -> str | None:
    line, field = refused(f"{HEAD}steps:\n  - {{at: +1h, do: sweep}}\n  - {item}\n")
    assert line == 4
    return field


# ---- the head ------------------------------------------------------------------------------------


def test_what_may_be_left_out_has_a_default() -> None:
    scenario = parsed(HEAD)
    assert (scenario.file, scenario.title, scenario.opened_at) == (FILE, "x", OPENED_AT)
    opening = scenario.opening
    assert (opening.dispute_id, opening.order_id, opening.merchant_id, opening.consumer_id) == (
        "D-1",
        "O-1",
        "M-1",
        "C-1",
    )
    assert (opening.by, opening.rules, opening.key) == (
        Actor(role=Role.CONSUMER, id="C-1"),
        DEFAULT_VERSION,
        None,
    )
    assert opening.policy == DEFAULT_POLICY
    assert scenario.order == Order(paid_at=OPENED_AT - timedelta(days=3))
    assert (scenario.steps, scenario.expect) == ((), ExpectEnd())


def test_what_is_given_is_taken() -> None:
    scenario = parsed(
        """\
title: 催单 "quoted"
rules: "2023-03"
dispute: {dispute_id: "0012", order_id: "no", merchant_id: M 1, consumer_id: 消费者,
          opened_at: "2023-03-28t02:00:00z"}
order: {}
steps: []
expect:
  {state: resolved, outcome: withdrawn, events: 3, refused: [order_not_found]}
"""
    )
    opening = scenario.opening
    assert (scenario.title, scenario.opened_at, scenario.order) == (
        '催单 "quoted"',
        OPENED_AT,
        Order(),
    )
    assert (opening.dispute_id, opening.order_id, opening.merchant_id, opening.consumer_id) == (
        "0012",
        "no",
        "M 1",
        "消费者",
    )
    assert opening.by == Actor(role=Role.CONSUMER, id="消费者")
    assert scenario.expect == ExpectEnd(
        state=StateName.RESOLVED,
        outcome=Outcome.WITHDRAWN,
        events=3,
        refused=(RefusalCode.ORDER_NOT_FOUND,),
    )
    assert scenario.expect_line == 7


def test_a_file_is_read_from_disk_and_its_title_is_its_name(tmp_path: Path) -> None:
    file = tmp_path / "一 file.dispute.yaml"
    file.write_bytes(HEAD.encode())
    assert read_scenario(file) == parse_scenario(HEAD, str(file))
    assert read_scenario(file).title == "一 file"
    with pytest.raises(InputError, match="absent"):
        read_scenario(tmp_path / "absent.dispute.yaml")


def test_null_means_that_there_is_no_such_order() -> None:
    assert parsed(HEAD + "order: null\n").order is None
    assert (
        parsed(HEAD + "order: ~\nsteps: [{at: +1h, order: {paid_at: 2023-03-28T10:00:00Z}}]").order
        is None
    )


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("title: x\n", 1, "dispute"),
        ("[]\n", 1, None),
        ("a text\n", 1, None),
        ("", None, None),
        ("dispute: null\n", 1, "dispute"),
        ("dispute: []\n", 1, "dispute"),
        ("dispute:\n  order_id: O-1\n", 1, "dispute.opened_at"),
        ("dispute: {opened_at: null}\n", 1, "dispute.opened_at"),
        ("dispute: {opened_at: 2023-03-28}\n", 1, "dispute.opened_at"),
        ("dispute: {opened_at: +1h}\n", 1, "dispute.opened_at"),
        ("dispute: {opened_at: 9999-12-31T23:59:59Z}\n", 1, "dispute.opened_at"),
        ("dispute: {opened_at: 0001-01-01T00:00:00+08:00}\n", 1, "dispute.opened_at"),
        ("dispute: {opened_at: 2199-12-31T23:00:00-08:00}\n", 1, "dispute.opened_at"),
        ("dispute:\n  opened_at: 2023-03-28T10:00:00Z\n  order_id: ''\n", 3, "dispute.order_id"),
        ("dispute:\n  opened_at: 2023-03-28T10:00:00Z\n  order_id: null\n", 3, "dispute.order_id"),
        (
            'dispute:\n  opened_at: 2023-03-28T10:00:00Z\n  consumer_id: "a\\nb"\n',
            3,
            "dispute.consumer_id",
        ),
        (
            f"dispute:\n  opened_at: 2023-03-28T10:00:00Z\n  merchant_id: {'x' * 201}\n",
            3,
            "dispute.merchant_id",
        ),
        *(
            (
                f'dispute:\n  opened_at: 2023-03-28T10:00:00Z\n  {name}: "{blank}"\n',
                3,
                f"dispute.{name}",
            )
            for name in ("dispute_id", "order_id", "merchant_id", "consumer_id")
            for blank in (" ", "\\u3000", "\u00a0", "\\u200b")
        ),
        (HEAD + "title: null\n", 2, "title"),
        (HEAD + "title: 12\n", 2, "title"),
        (HEAD + "rules: null\n", 2, "rules"),
        (HEAD + "rules: 2023\n", 2, "rules"),
        (HEAD + 'rules: "2023-04"\n', 2, "rules"),
        (HEAD + "order: unavailable\n", 2, "order"),
        (HEAD + "order: []\n", 2, "order"),
        (HEAD + "order:\n  refund: {}\n", 3, "order.refund.status"),
        (HEAD + "order: {observed_at: 2023-03-28T10:00:00Z}\n", 2, "order.observed_at"),
        (HEAD + "expect: null\n", 2, "expect"),
        (HEAD + "expect: resolved\n", 2, "expect"),
        (HEAD + "expect:\n  state: settling\n", 3, "expect.state"),
        (HEAD + "expect:\n  state: proposing\n", 3, "expect.state"),
        (HEAD + "expect: {events: -1}\n", 2, "expect.events"),
        (HEAD + "expect: {events: '3'}\n", 2, "expect.events"),
        (HEAD + "expect: {events: true}\n", 2, "expect.events"),
        (HEAD + "expect: {events: 9007199254740992}\n", 2, "expect.events"),
        (HEAD + f"expect: {{events: {'9' * 100}}}\n", 2, "expect.events"),
        (HEAD + f"expect: {{events: {'9' * 101}}}\n", 2, "expect.events"),
        (HEAD + f"expect: {{events: {'9' * 10_000}}}\n", 2, "expect.events"),
        (HEAD + "expect: {refused: order_not_found}\n", 2, "expect.refused"),
        (HEAD + "expect: {unchanged: true}\n", 2, "expect.unchanged"),
    ],
)
def test_a_wrong_head_is_refused_at_its_line_and_field(
    text: str, line: int | None, field: str | None
) -> None:
    assert refused(text) == (line, field)


@pytest.mark.parametrize(
    "value", ["null", "sweep", "{}", "{at: +1h, do: sweep}", "1", "{0: {at: +1h}}"]
)
def test_steps_are_a_list(value: str) -> None:
    line, field = refused(f"{HEAD}steps: {value}\n")
    assert line == 2
    assert field is not None
    assert field.startswith("steps")


# ---- when a step happens -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "after"),
    [
        ("+0s", timedelta(0)),
        ("+90m", timedelta(minutes=90)),
        ("+1h30m", timedelta(minutes=90)),
        ("+1d2h", timedelta(hours=26)),
        ("+1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("+36500d", None),
        ("'+100s'", timedelta(seconds=100)),
        ("2023-03-28T10:00:00+08:00", timedelta(0)),
        ("2023-03-28T02:00:01Z", timedelta(seconds=1)),
        ("2023-03-28 12:00:00+09:00", timedelta(hours=1)),
        ("'2023-03-28T02:00:00.5Z'", timedelta(seconds=0.5)),
    ],
)
def test_a_step_is_at_an_instant_or_a_duration_after_the_opening(
    at: str, after: timedelta | None
) -> None:
    (step,) = steps(f"{{at: {at}, do: sweep}}")
    assert step.at == OPENED_AT + (timedelta(days=36_500) if after is None else after)
    assert step.at.tzinfo is UTC


def test_durations_count_from_the_opening_and_two_steps_may_be_at_once() -> None:
    found = steps(
        "{at: +1h, do: sweep}",
        "{at: +1h, do: sweep}",
        "{at: 2023-03-28T11:00:00+08:00, do: sweep}",
        "{at: +2h, do: sweep}",
    )
    assert [(step.at - OPENED_AT).total_seconds() for step in found] == [3600, 3600, 3600, 7200]
    assert [step.line for step in found] == [3, 4, 5, 6]


@pytest.mark.parametrize(
    "at",
    [
        *(
            "null",
            "true",
            "1",
            "[]",
            "{}",
            "''",
            "now",
            "1h",
            "+",
            "++1h",
            "'+ 1h'",
            "'+1h '",
            "+1",
            "+h",
            "+1h1h",
            "+1h2d",
            "+1.5h",
            "+-1h",
        ),
        *(
            "+1w",
            "+1H",
            "+٣h",
            "+99999d",
            "+36501d",
            f"+{'9' * 100}d",
            f"+{'9' * 100_000}s",
            "2023-03-29",
            "'2023-03-28T10:00+08:00'",
        ),
        *(
            "9999-12-31T23:59:59Z",
            "2200-01-01T00:00:00Z",
            "2023-03-28T11:00:00",
            "2023-02-30T11:00:00Z",
            "2023-03-28T24:00:00Z",
        ),
        *("2023-03-28T11:00:00+24:00", "2022-03-28T11:00:00Z", "2023-03-28T10:59:59+08:00"),
    ],
)
def test_other_times_of_a_step_are_refused(at: str) -> None:
    assert step_refused(f"{{at: {at}, do: sweep}}") == "steps[1].at"


def test_a_duration_must_not_lead_beyond_the_years_that_are_known() -> None:
    head = "dispute: {opened_at: 2199-12-01T00:00:00Z}\n"
    assert steps("{at: +30d, do: sweep}", head=head)
    assert refused(head + "steps: [{at: +31d, do: sweep}]\n") == (2, "steps[0].at")


# ---- who -----------------------------------------------------------------------------------------

IDS = "dispute: {merchant_id: M-7, consumer_id: C-7, opened_at: 2023-03-28T10:00:00+08:00}\n"
OWN_IDS = {"merchant": "M-7", "consumer": "C-7"}
BY_DEFAULT = {
    f"{name}, with: {json.dumps(oracle_words.example(name))}": (
        sent.by,
        OWN_IDS.get(sent.by, sent.by),
    )
    for name, sent in oracle_words.COMMANDS.items()
    if name != "open_dispute"
}


@pytest.mark.parametrize(
    ("event", "actor"), BY_DEFAULT.items(), ids=[event.partition(",")[0] for event in BY_DEFAULT]
)
def test_every_event_has_its_own_actor_where_none_is_named(
    event: str, actor: tuple[str, str]
) -> None:
    (step,) = steps(f"{{at: +1h, do: {event}}}", head=IDS)
    assert isinstance(step.action, Command)
    assert step.action.type.value == event.partition(",")[0]
    assert (step.action.by.role.value, step.action.by.id) == actor
    assert step.action.key is None


def test_every_event_but_the_opening_can_be_a_step() -> None:
    assert {event.partition(",")[0] for event in BY_DEFAULT} == {
        event.value for event in CommandType
    } - {"open_dispute"}


@pytest.mark.parametrize(
    ("by", "role", "who"),
    [
        ("merchant", Role.MERCHANT, "M-7"),
        ("consumer", Role.CONSUMER, "C-7"),
        ("adjudicator", Role.ADJUDICATOR, "adjudicator"),
        ("system", Role.SYSTEM, "system"),
        ("{role: merchant, id: M-8}", Role.MERCHANT, "M-8"),
        ("{id: '0012', role: consumer}", Role.CONSUMER, "0012"),
        ("{role: system, id: sweeper}", Role.SYSTEM, "sweeper"),
    ],
)
def test_by_names_a_role_with_the_disputes_own_id_or_any_actor(
    by: str, role: Role, who: str
) -> None:
    (step,) = steps(f"{{at: +1h, do: withdraw, by: {by}}}", head=IDS)
    assert isinstance(step.action, Command)
    assert step.action.by == Actor(role=role, id=who)


@pytest.mark.parametrize(
    ("by", "field"),
    [
        ("null", "by"),
        ("1", "by"),
        ("[consumer]", "by"),
        ("Consumer", "by"),
        ("C-1", "by"),
        ("{}", "by.role"),
        ("{role: consumer}", "by.id"),
        ("{id: C-1}", "by.role"),
        ("{role: null, id: C-1}", "by.role"),
        ("{role: [], id: C-1}", "by.role"),
        ("{role: consumer, id: null}", "by.id"),
        ("{role: consumer, id: ''}", "by.id"),
        ("{role: consumer, id: ' '}", "by.id"),
        ("{role: consumer, id: '\u3000'}", "by.id"),
        ("{role: consumer, id: C-1, name: x}", "by.name"),
    ],
)
def test_other_actors_are_refused(by: str, field: str) -> None:
    assert step_refused(f"{{at: +1h, do: withdraw, by: {by}}}") == f"steps[1].{field}"


def test_a_key_is_a_text() -> None:
    assert command("{at: +1h, do: withdraw, key: k-1}").key == "k-1"
    assert command("{at: +1h, do: withdraw, key: '0012'}").key == "0012"
    assert command("{at: +25h, do: expire, key: k-1, with: {deadline: response}}").key == "k-1"
    for key in (
        "null",
        "1",
        "''",
        "' '",
        "'\u3000'",
        '"\\u200b"',
        "[]",
        "true",
        '"a\\tb"',
        "x" * 201,
    ):
        assert step_refused(f"{{at: +1h, do: withdraw, key: {key}}}") == "steps[1].key"


# ---- what: events and their payloads -------------------------------------------------------------

VOUCHER = (
    f"{{kind: photo, file_name: 一.png, media_type: image/png, size: 12, sha256: {DIGEST}, uri: "
    f"'s3://x'}}"
)


def test_choose_option_takes_option_date_vouchers_and_note() -> None:
    chosen = command(
        "{at: +1h, do: choose_option, with: {option: ship_by_agreed_date, agreed_until: "
        "2023-03-30T18:00:00+08:00,"
        f" vouchers: [{VOUCHER}], note: 已约定}}}}"
    )
    assert isinstance(chosen, ChooseOption)
    assert (chosen.option, chosen.agreed_until, chosen.note) == (
        Option.SHIP_BY_AGREED_DATE,
        datetime(2023, 3, 30, 10, tzinfo=UTC),
        "已约定",
    )
    (voucher,) = chosen.vouchers
    assert voucher.model_dump() == {
        "kind": VoucherKind.PHOTO,
        "file_name": "一.png",
        "media_type": "image/png",
        "size": 12,
        "sha256": DIGEST,
        "uri": "s3://x",
    }


@pytest.mark.parametrize("option", list(Option))
def test_only_the_option_is_needed(option: Option) -> None:
    chosen = command(f"{{at: +1h, do: choose_option, with: {{option: {option.value}}}}}")
    assert chosen == ChooseOption(by=merchant("M-1"), option=option)


def test_what_the_other_commands_say() -> None:
    judge = adjudicator("adjudicator")
    evidence = command(
        f"{{at: +1h, do: submit_evidence, with: {{reason: x, vouchers: [{VOUCHER}], statement: ' "
        f"'}}}}"
    )
    assert isinstance(evidence, SubmitEvidence)
    assert (evidence.reason, len(evidence.vouchers), evidence.statement) == ("x", 1, " ")
    assert command("{at: +1h, do: submit_evidence}") == SubmitEvidence(by=merchant("M-1"))
    assert command("{at: +1h, do: submit_evidence, with: {}}") == SubmitEvidence(by=merchant("M-1"))
    assert command("{at: +1h, do: request_evidence, with: {note: more}}") == RequestEvidence(
        by=judge, note="more"
    )
    for event, ruling in {
        "rule_no_fault": RuleNoFault,
        "rule_at_fault": RuleAtFault,
        "annul": Annul,
    }.items():
        assert command(f"{{at: +1h, do: {event}, with: {{rationale: why}}}}") == ruling(
            by=judge, rationale="why"
        )
    extension = command(
        "{at: +1h, do: extend_deadline, with: {until: 2023-03-30T18:00:00Z, rationale: why, "
        "deadline: promise}}"
    )
    assert extension == ExtendDeadline(
        by=judge,
        until=datetime(2023, 3, 30, 18, tzinfo=UTC),
        rationale="why",
        deadline=Deadline.PROMISE,
    )


@pytest.mark.parametrize("deadline", list(Deadline))
def test_expire_is_the_expiry_of_the_deadline_that_it_names(deadline: Deadline) -> None:
    expiry = command(f"{{at: +1h, do: expire, with: {{deadline: {deadline.value}}}}}")
    assert expiry == command(f"{{at: +1h, do: {deadline.value}_expired}}")
    assert expiry.type is deadline.expiry


def test_a_sweep_has_no_actor_no_key_and_no_payload() -> None:
    (step,) = steps("{at: +1h, do: sweep}")
    assert step.action == Sweep()
    for field, value in (("by", "system"), ("key", "k"), ("with", "{}"), ("by", "null")):
        assert step_refused(f"{{at: +1h, do: sweep, {field}: {value}}}") == f"steps[1].{field}"


@pytest.mark.parametrize(
    ("does", "field"),
    [
        *(
            (f"do: {value}", "do")
            for value in ("null", "[]", "{}", "1", "''", "Withdraw", "open_dispute", "x" * 1000)
        ),
        *(
            (f"do: {event}, with: null", "with")
            for event in ("withdraw", "choose_option", "submit_evidence", "expire")
        ),
        *((f"do: withdraw, with: {{{name}: x}}", f"with.{name}") for name in ("by", "key", "type")),
        *(
            (f"do: {event}, with: {{x: 1}}", "with.x")
            for event in ("withdraw", "observe_order", "confirm_agreement", "response_expired")
        ),
        ("do: withdraw, with: []", "with"),
        ("do: withdraw, with: text", "with"),
        ("do: choose_option", "with.option"),
        ("do: choose_option, with: {option: null}", "with.option"),
        ("do: choose_option, with: {option: [prove_no_fault]}", "with.option"),
        ("do: choose_option, with: {option: prove_no_fault, statement: x}", "with.statement"),
        (
            "do: choose_option, with: {option: ship_by_agreed_date, agreed_until: 2023-03-30}",
            "with.agreed_until",
        ),
        (
            "do: choose_option, with: {option: ship_by_agreed_date, agreed_until: +2d}",
            "with.agreed_until",
        ),
        (
            (
                "do: choose_option, with: {option: ship_by_agreed_date, agreed_until: "
                "9999-01-01T00:00:00Z}"
            ),
            "with.agreed_until",
        ),
        (
            (
                "do: choose_option, with: {option: already_shipped, agreed_until: "
                "2023-03-30T10:00:00Z}"
            ),
            "with.agreed_until",
        ),
        ("do: choose_option, with: {option: prove_no_fault, note: 1}", "with.note"),
        ("do: choose_option, with: {option: prove_no_fault, note: [x]}", "with.note"),
        (f"do: choose_option, with: {{option: prove_no_fault, note: {'x' * 65_537}}}", "with.note"),
        ("do: choose_option, with: {option: prove_no_fault, vouchers: null}", "with.vouchers"),
        ("do: choose_option, with: {option: prove_no_fault, vouchers: {}}", "with.vouchers"),
        ("do: choose_option, with: {option: prove_no_fault, vouchers: [null]}", "with.vouchers[0]"),
        (
            f"do: choose_option, with: {{option: prove_no_fault, vouchers: [{VOUCHER}, photo]}}",
            "with.vouchers[1]",
        ),
        (
            f"do: submit_evidence, with: {{vouchers: [{VOUCHER.replace('12', '-1')}]}}",
            "with.vouchers[0].size",
        ),
        (
            (
                f"do: submit_evidence, with: {{vouchers: "
                f"[{VOUCHER.replace('12', '9007199254740992')}]}}"
            ),
            "with.vouchers[0].size",
        ),
        (
            f"do: submit_evidence, with: {{vouchers: [{VOUCHER.replace('12', '9' * 100)}]}}",
            "with.vouchers[0].size",
        ),
        (
            f"do: submit_evidence, with: {{vouchers: [{VOUCHER.replace('12', '1.5')}]}}",
            "with.vouchers[0].size",
        ),
        (
            f"do: submit_evidence, with: {{vouchers: [{VOUCHER.replace(DIGEST, DIGEST.upper())}]}}",
            "with.vouchers[0].sha256",
        ),
        (
            (
                f"do: submit_evidence, with: {{vouchers: "
                f"[{VOUCHER.replace('一.png', 'null, file_name: 2')}]}}"
            ),
            "with.vouchers[0].file_name",
        ),
        (
            f"do: submit_evidence, with: {{vouchers: [{', '.join([VOUCHER] * 1001)}]}}",
            "with.vouchers",
        ),
        ("do: submit_evidence, with: {reason: [x]}", "with.reason"),
        ("do: rule_no_fault, with: {rationale: 1}", "with.rationale"),
        ("do: rule_no_fault, with: {note: x}", "with.note"),
        ("do: request_evidence, with: {rationale: x}", "with.rationale"),
        ("do: extend_deadline", "with.until"),
        ("do: extend_deadline, with: {until: null}", "with.until"),
        ("do: extend_deadline, with: {until: +1d}", "with.until"),
        (
            "do: extend_deadline, with: {until: 2023-03-30T10:00:00Z, deadline: all}",
            "with.deadline",
        ),
        ("do: expire", "with.deadline"),
        ("do: expire, with: {}", "with.deadline"),
        ("do: expire, with: {deadline: null}", "with.deadline"),
        ("do: expire, with: {deadline: response, x: 1}", "with.x"),
        ("do: expire, with: response", "with"),
    ],
)
def test_other_events_and_payloads_are_refused(does: str, field: str) -> None:
    assert step_refused(f"{{at: +1h, {does}}}") == f"steps[1].{field}"


@pytest.mark.parametrize("item", ["null", "sweep", "[]", "[{at: +1h, do: sweep}]", "1"])
def test_a_step_is_a_mapping(item: str) -> None:
    assert step_refused(item) == "steps[1]"


# ---- changes of facts ----------------------------------------------------------------------------


def orders(*changes: str, order: str = "{}") -> list[Order]:
    found = steps(
        *(f"{{at: +1h, order: {change}}}" for change in changes), head=HEAD + f"order: {order}\n"
    )
    return [step.action.order for step in found if isinstance(step.action, FactsChange)]


def test_all_facts_can_be_given() -> None:
    (order,) = orders(
        "{paid_at: 2023-03-25T09:00:00+08:00, cancel_request: {submitted_at: "
        "2023-03-26T09:00:00Z, status: accepted},"
        " refund: {status: completed, completed_at: 2023-03-26T10:00:00Z, scope: partial, amount: "
        "'99.90', currency: CNY},"
        " shipment: {shipped_at: 2023-03-28T11:00:00Z, carrier: 中通, waybill: '0012'},"
        " pickup: {scanned_at: 2023-03-28T13:00:00Z, waybill: '0012', kind: picked_up}}"
    )
    assert order == Order(
        paid_at=datetime(2023, 3, 25, 1, tzinfo=UTC),
        cancel_request=CancelRequest(
            submitted_at=datetime(2023, 3, 26, 9, tzinfo=UTC), status=CancelStatus.ACCEPTED
        ),
        refund=Refund(
            status=RefundStatus.COMPLETED,
            completed_at=datetime(2023, 3, 26, 10, tzinfo=UTC),
            scope=RefundScope.PARTIAL,
            amount="99.90",
            currency="CNY",
        ),
        shipment=Shipment(
            shipped_at=datetime(2023, 3, 28, 11, tzinfo=UTC), carrier="中通", waybill="0012"
        ),
        pickup=Pickup(
            scanned_at=datetime(2023, 3, 28, 13, tzinfo=UTC),
            waybill="0012",
            kind=PickupKind.PICKED_UP,
        ),
    )


def test_a_change_is_merged_deeply_into_the_facts() -> None:
    shipped = datetime(2023, 3, 28, 11, tzinfo=UTC)
    first, second, third = orders(
        "{shipment: {waybill: W1}}",
        "{shipment: {shipped_at: 2023-03-28T11:00:00Z}, refund: {status: requested}}",
        "{refund: {scope: partial}}",
    )
    assert first == Order(shipment=Shipment(waybill="W1"))
    assert second == Order(
        shipment=Shipment(waybill="W1", shipped_at=shipped),
        refund=Refund(status=RefundStatus.REQUESTED),
    )
    assert third == second.model_copy(
        update={"refund": Refund(status=RefundStatus.REQUESTED, scope=RefundScope.PARTIAL)}
    )


def test_null_removes_a_fact_and_what_comes_after_begins_anew() -> None:
    start = "{paid_at: 2023-03-25T09:00:00Z, shipment: {carrier: JDL, waybill: W1}}"
    found = orders(
        "{shipment: {carrier: null}}",
        "{shipment: null}",
        "{shipment: {carrier: SF}}",
        "{paid_at: null}",
        order=start,
    )
    assert [order.shipment for order in found] == [
        Shipment(waybill="W1"),
        None,
        Shipment(carrier="SF"),
        Shipment(carrier="SF"),
    ]
    assert [order.paid_at is None for order in found] == [False, False, False, True]


def test_null_brings_back_the_default_where_a_fact_has_one() -> None:
    partial = "{refund: {status: completed, scope: partial}}"
    found = orders("{refund: {scope: null, amount: null}}", order=partial)
    assert [order.refund and order.refund.scope for order in found] == [RefundScope.FULL]


@pytest.mark.parametrize("order", ["{}", "{shipment: {waybill: W1}}", "available", "unavailable"])
@pytest.mark.parametrize(
    "expect", ["{state: opened}", "{unchanged: true}", "{refused: []}", "{}", "null"]
)
def test_nothing_can_be_expected_where_facts_change(order: str, expect: str) -> None:
    assert step_refused(f"{{at: +1h, order: {order}, expect: {expect}}}") == "steps[1].expect"


def test_changes_are_merged_into_the_default_order() -> None:
    (step,) = steps("{at: +1h, order: {shipment: {waybill: W1}}}")
    assert step.action == FactsChange(
        Order(paid_at=OPENED_AT - timedelta(days=3), shipment=Shipment(waybill="W1"))
    )
    (step,) = steps("{at: +1h, order: {}}")
    assert step.action == FactsChange(Order(paid_at=OPENED_AT - timedelta(days=3)))


def test_an_order_that_does_not_exist_is_built_up_from_nothing() -> None:
    (step,) = steps("{at: +1h, order: {shipment: {waybill: W1}}}", head=HEAD + "order: null\n")
    assert step.action == FactsChange(Order(shipment=Shipment(waybill="W1")))


def test_the_order_system_goes_down_and_comes_back() -> None:
    down, up = steps("{at: +1h, order: unavailable}", "{at: +2h, order: available}")
    assert (down.action, up.action) == (Availability(available=False), Availability(available=True))


@pytest.mark.parametrize(
    ("order", "field"),
    [
        *((value, "order") for value in ("null", "[]", "1", "Unavailable", "true", "''")),
        ("{shipment: JDL}", "order.shipment"),
        ("{shipment: [W1]}", "order.shipment"),
        ("{paid_at: {x: 1}}", "order.paid_at"),
        ("{paid_at: +1h}", "order.paid_at"),
        ("{paid_at: 9999-01-01T00:00:00Z}", "order.paid_at"),
        ("{shipment: {carrier: {name: JDL}}}", "order.shipment.carrier"),
        ("{cancel_request: {submitted_at: 2023-03-28T10:00:00Z}}", "order.cancel_request.status"),
        ("{cancel_request: {status: null}}", "order.cancel_request.status"),
        ("{refund: {status: completed, amount: 100}}", "order.refund.amount"),
        ("{refund: {status: completed, amount: '1e2'}}", "order.refund.amount"),
        ("{refund: {status: completed, amount: '-1'}}", "order.refund.amount"),
        ("{refund: {status: completed, currency: cny}}", "order.refund.currency"),
        ("{pickup: {waybill: W1}}", "order.pickup.kind"),
        ("{shipment: {waybill: ''}}", "order.shipment.waybill"),
        ("{order_id: O-2}", "order.order_id"),
        ("{paid_at: null}, by: system", "by"),
        ("unavailable, key: k-1", "key"),
        ("unavailable, with: {}", "with"),
        ("unavailable, with: null", "with"),
    ],
)
def test_other_changes_of_facts_are_refused(order: str, field: str) -> None:
    assert step_refused(f"{{at: +1h, order: {order}}}") == f"steps[1].{field}"


def test_an_error_after_merging_names_the_step_of_the_change() -> None:
    text = HEAD + (
        "steps:\n  - {at: +1h, order: {refund: {status: completed}}}\n  - {at: +2h, order: "
        "{refund: {status: null}}}\n"
    )
    assert refused(text) == (4, "steps[1].order.refund.status")


# ---- the policy ----------------------------------------------------------------------------------


def test_terms_and_lists_are_replaced_whole_and_mappings_merged() -> None:
    found = policy(
        "{response: {working_hours: 8}, evidence: {hours: 2}, confirmation: null, max_promise: "
        "null, order_url: null,"
        " calendar: {day: {to: '17:30'}, holidays: [2023-03-29, '2023-03-30']}, voucher_limits: "
        "{media_types: [image/webp]},"
        " evidence_reasons: {force_majeure: {not_accepted: []}, carrier_fault: null}}"
    )
    assert (found.response, found.evidence, found.confirmation) == (
        Term(working_hours=8),
        Term(hours=2),
        None,
    )
    assert (found.max_promise, found.order_url) == (None, None)
    assert found.calendar.holidays == (date(2023, 3, 29), date(2023, 3, 30))
    assert found.calendar.day.opens == DEFAULT_POLICY.calendar.day.opens
    assert found.calendar.day.closes != DEFAULT_POLICY.calendar.day.closes
    assert found.voucher_limits.media_types == ("image/webp",)
    assert found.voucher_limits.max_bytes == DEFAULT_POLICY.voucher_limits.max_bytes
    assert set(DEFAULT_POLICY.evidence_reasons) - set(found.evidence_reasons) == {"carrier_fault"}
    assert found.evidence_reasons["force_majeure"].not_accepted == ()
    assert (
        found.evidence_reasons["force_majeure"].prompts
        == DEFAULT_POLICY.evidence_reasons["force_majeure"].prompts
    )


def test_an_empty_policy_is_the_default() -> None:
    assert policy("{}") == DEFAULT_POLICY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "policy: {silence: null}", "unknown value null"),
        (HEAD + "policy: {denial: true}", "unknown value true"),
        (HEAD + "rules: null", "unknown rule version null"),
        (HEAD + "rules: 2023-03-28T10:00:00+08:00", "unknown rule version 2023-03-28T02:00:00Z"),
    ],
)
def test_a_value_that_is_not_known_is_named_as_it_is_written(text: str, said: str) -> None:
    with pytest.raises(InputError, match=f"{said}; "):
        parsed(text)


@pytest.mark.parametrize(
    ("changes", "line", "field"),
    [
        ("null", 2, "policy"),
        ("[]", 2, "policy"),
        ("default", 2, "policy"),
        ("\n  response: 24", 3, "policy.response"),
        ("\n  response: {}", 3, "policy.response"),
        ("\n  response: {hours: 1, working_hours: 1}", 3, "policy.response"),
        ("\n  response: {hours: 0}", 3, "policy.response.hours"),
        (f"\n  response: {{hours: {'9' * 100}}}", 3, "policy.response.hours"),
        ("\n  response: {hours: '24'}", 3, "policy.response.hours"),
        ("\n  scan_grace: null", 3, "policy.scan_grace"),
        ("\n  scan_grace: +6h", 3, "policy.scan_grace"),
        ("\n  scan_grace: 99999d", 3, "policy.scan_grace"),
        ("\n  max_facts_age: 300", 3, "policy.max_facts_age"),
        ("\n  silence: null", 3, "policy.silence"),
        ("\n  denial: [review]", 3, "policy.denial"),
        ("\n  extra_evidence_rounds: -1", 3, "policy.extra_evidence_rounds"),
        ("\n  max_recorded_refusals: null", 3, "policy.max_recorded_refusals"),
        ("\n  max_recorded_refusals: true", 3, "policy.max_recorded_refusals"),
        ("\n  order_url: https://shop.example/", 3, "policy.order_url"),
        ("\n  order_url: 'javascript:{order_id}'", 3, "policy.order_url"),
        ("\n  calendar: null", 3, "policy.calendar"),
        ("\n  calendar:\n    zone: Shanghai", 4, "policy.calendar.zone"),
        ("\n  calendar:\n    zone: America", 4, "policy.calendar.zone"),
        ("\n  calendar:\n    zone: ../../etc/passwd", 4, "policy.calendar.zone"),
        ("\n  calendar:\n    country: XX", 4, "policy.calendar.country"),
        ("\n  calendar:\n    day:\n      to: '08:00'", 4, "policy.calendar.day"),
        ("\n  calendar:\n    day:\n      from: '25:00'", 5, "policy.calendar.day.from"),
        ("\n  calendar:\n    day: null", 4, "policy.calendar.day"),
        (
            "\n  calendar:\n    holidays:\n      - 2023-01-03\n      - x",
            6,
            "policy.calendar.holidays[1]",
        ),
        (
            "\n  calendar:\n    holidays: [2023-01-03]\n    workdays: [2023-01-03]",
            3,
            "policy.calendar",
        ),
        ("\n  evidence_reasons:\n    fate: null", 4, "policy.evidence_reasons.fate"),
        (
            "\n  evidence_reasons:\n    fate: {statement: true}",
            4,
            "policy.evidence_reasons.fate.label",
        ),
        (
            (
                "\n  evidence_reasons:\n    '命运': {label: {zh: x, en: e}, prompts: [], "
                "not_accepted: [], statement: true}"
            ),
            4,
            "policy.evidence_reasons.命运",
        ),
        (
            "\n  evidence_reasons:\n    carrier_fault:\n      label: {zh: 1}",
            5,
            "policy.evidence_reasons.carrier_fault.label.zh",
        ),
        (
            "\n  evidence_reasons:\n    carrier_fault:\n      prompts: null",
            5,
            "policy.evidence_reasons.carrier_fault.prompts",
        ),
        (
            (
                "\n  evidence_reasons:\n    carrier_fault:\n      prompts: [{kind: photo, shows: "
                "s, at_least: 1},\n {kind: photo}]"
            ),
            6,
            "policy.evidence_reasons.carrier_fault.prompts[1].at_least",
        ),
        (
            "\n  evidence_reasons:\n    force_majeure:\n      not_accepted: [official_document]",
            4,
            "policy.evidence_reasons.force_majeure",
        ),
        ("\n  voucher_limits:\n    media_types: []", 4, "policy.voucher_limits.media_types"),
        ("\n  voucher_limits:\n    max_count: 2.5", 4, "policy.voucher_limits.max_count"),
        ("\n  voucher_limits: null", 3, "policy.voucher_limits"),
    ],
)
def test_an_error_in_the_policy_is_reported_at_its_own_line(
    changes: str, line: int, field: str
) -> None:
    assert refused(f"{HEAD}policy: {changes}\n") == (line, field)


# ---- what is expected of a step ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expect", "meant"),
    [
        ("{state: awaiting_evidence}", Expect(state=StateName.AWAITING_EVIDENCE)),
        (
            "{refused: [not_shipped, no_pickup_scan]}",
            Expect(refused=(RefusalCode.NOT_SHIPPED, RefusalCode.NO_PICKUP_SCAN)),
        ),
        ("{error: order_system_unavailable}", Expect(error="order_system_unavailable")),
        ("{repeated: true}", Expect(repeated=True)),
        ("{unchanged: true, state: opened}", Expect(unchanged=True, state=StateName.OPENED)),
    ],
)
def test_every_kind_of_expectation_is_read(expect: str, meant: Expect) -> None:
    (step,) = steps(f"{{at: +1h, do: withdraw, expect: {expect}}}")
    assert step.expect == meant


@pytest.mark.parametrize(
    ("expect", "field"),
    [
        *((value, "expect") for value in ("null", "{}", "[]", "resolved", "true")),
        ("{state: settling}", "expect.state"),
        ("{state: disputing}", "expect.state"),
        ("{state: [resolved]}", "expect.state"),
        ("{refused: not_shipped}", "expect.refused"),
        ("{refused: true}", "expect.refused"),
        ("{refused: [1]}", "expect.refused[0]"),
        ("{error: true}", "expect.error"),
        ("{repeated: false}", "expect.repeated"),
        ("{repeated: 1}", "expect.repeated"),
        ("{unchanged: 'true'}", "expect.unchanged"),
        ("{outcome: withdrawn}", "expect.outcome"),
        ("{events: 2}", "expect.events"),
    ],
)
def test_other_expectations_are_refused(expect: str, field: str) -> None:
    assert step_refused(f"{{at: +1h, do: withdraw, expect: {expect}}}") == f"steps[1].{field}"


def test_an_expectation_that_says_nothing_is_refused() -> None:
    assert step_refused("{at: +1h, do: withdraw, expect: {state: null}}") in {
        "steps[1].expect",
        "steps[1].expect.state",
    }


# ---- the first error of the file is reported -----------------------------------------------------

ERRORS = {
    "title": "title: 1",
    "rules": 'rules: "1999"',
    "policy.silence": "policy: {silence: x}",
    "dispute.shop": "dispute: {opened_at: 2023-03-28T10:00:00Z, shop: x}",
    "order.x": "order: {x: 1}",
    "steps[0].at": "steps: [{at: 1, do: sweep}]",
    "expect.x": "expect: {x: 1}",
    "note": "note: x",
}


@pytest.mark.parametrize(("first", "second"), list(combinations(ERRORS, 2)))
def test_of_two_errors_the_first_in_the_file_is_reported(first: str, second: str) -> None:
    sound = "" if "dispute.shop" in {first, second} else HEAD
    assert refused("\n".join([ERRORS[first], ERRORS[second], sound])) == (1, first)


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("  - at: +1h\n    do: fly\n    wings: 2\n", 4, "steps[0].do"),
        ("  - at: +1h\n    wings: 2\n    do: fly\n", 4, "steps[0].wings"),
        ("  - expect: {x: 1}\n    do: fly\n    at: soon\n", 3, "steps[0].expect.x"),
        ("  - do: withdraw\n    by: nobody\n    at: soon\n", 4, "steps[0].by"),
        (
            "  - {at: +1h, do: sweep}\n  - {at: +2h, do: fly}\n  - {at: soon, do: sweep}\n",
            4,
            "steps[1].do",
        ),
        (
            "  - at: +1h\n    do: rule_no_fault\n    with:\n      rationale: 1\n      x: 1\n",
            6,
            "steps[0].with.rationale",
        ),
        (
            "  - at: +1h\n    do: rule_no_fault\n    with:\n      x: 1\n      rationale: 1\n",
            6,
            "steps[0].with.x",
        ),
    ],
)
def test_of_two_errors_in_the_steps_the_first_is_reported(text: str, line: int, field: str) -> None:
    assert refused(HEAD + "steps:\n" + text) == (line, field)


# ---- at the edges of the years that are known ----------------------------------------------------

LATE = (
    (
        "steps:\n  - {at: +1h, do: choose_option, with: {option: ship_by_agreed_date, "
        "agreed_until: %s, vouchers: ["
    )
    + VOUCHER
    + "]}}\n"
)
EDGES = {
    "opened on the last day": "dispute: {opened_at: 2199-12-31T10:00:00Z}\n",
    "paid before the first day": "dispute: {opened_at: 1971-01-02T00:00:00Z}\n",
    "opened on the first day": "dispute: {opened_at: 1971-01-01T00:00:00Z}\norder: {}\n",
    "confirmed after the last day": "dispute: {opened_at: 2199-12-30T10:00:00Z}\n"
    "steps: [{at: +1h, do: choose_option, with: {option: out_of_stock_refund}}, {at: +20h, do: "
    "confirm_agreement}]\n",
    "evidence after the last day": "dispute: {opened_at: 2199-12-30T10:00:00Z}\n"
    "policy: {evidence: {hours: 99}}\n"
    "steps: [{at: +1h, do: choose_option, with: {option: prove_no_fault}}]\n",
    "grace after the last day": (
        "dispute: {opened_at: 2150-01-01T00:00:00Z}\npolicy: {scan_grace: 36500d}\n"
    )
    + LATE % "2150-01-02T00:00:00Z",
    "promise on the last day": HEAD
    + "policy: {max_promise: null}\n"
    + LATE % "2199-12-31T23:00:00Z",
    "extended to the last day": HEAD
    + (
        "steps: [{at: +1h, do: extend_deadline, with: {until: 2199-12-31T23:00:00Z, rationale: "
        "x}}]\n"
    ),
}


@pytest.mark.parametrize("text", EDGES.values(), ids=list(EDGES))
def test_at_the_edge_of_the_known_years_a_file_is_refused_or_its_history_reads_back(
    text: str,
) -> None:
    try:
        result = run_scenario(parsed(text))
    except InputError as fault:
        assert fault.message  # noqa: PT017 -- refusing is one of two right answers
        return
    stream = io.StringIO()
    write_records(stream, ((event, result.scenario.opening.policy) for event in result.events))
    assert tuple(read_back(stream.getvalue()).events) == result.events


# ---- any content is read or refused --------------------------------------------------------------


@cache
def seeds() -> tuple[object, ...]:
    return tuple(read_yaml(file.read_bytes(), str(file)).value for file in SEED_FILES)


WORDS = sorted(
    {
        word
        for words in (Deadline, CommandType, Option, Outcome, RefusalCode, Role, StateName)
        for word in words
    }
)
FIELDS = [
    *(
        "title",
        "rules",
        "policy",
        "dispute",
        "order",
        "steps",
        "expect",
        "at",
        "do",
        "by",
        "key",
        "with",
        "state",
        "refused",
        "error",
    ),
    *(
        "option",
        "agreed_until",
        "vouchers",
        "until",
        "deadline",
        "statement",
        "rationale",
        "note",
        "shipment",
        "refund",
        "calendar",
        "<<",
    ),
]


class Plain(str):
    """A text that is written without quotes."""

    __slots__ = ()


def junk() -> SearchStrategy[object]:
    plain = st.sampled_from(
        [
            *(
                "+1h",
                "+0s",
                "+99999d",
                "+1h30m",
                "2023-03-28T12:00:00+08:00",
                "2023-03-28",
                "9999-12-31T23:59:59Z",
                "2023-03-28T12:00:00",
            ),
            *(
                "99.90",
                "0012",
                "no",
                "~",
                ".nan",
                ".inf",
                "09:00",
                "0x10",
                "1_000",
                "&a x",
                "*a",
                "!!python/name:os.getcwd ''",
                "{",
                "]",
                "|",
            ),
            "9" * 100,
        ]
    ).map(Plain)
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(-(10**20), 10**20)
        | st.sampled_from(WORDS)
        | st.text(max_size=6)
        | plain
    )
    return st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=5,
    )


def spelt(value: object) -> str:
    """Write a value as YAML in one line: JSON, but instants and dates without quotes."""
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(
                f"{spelt(name)}: {spelt(member)}"
                for name, member in cast("Mapping[object, object]", value).items()
            )
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(spelt(member) for member in cast("list[object]", value)) + "]"
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Plain) else json.dumps(value)


@st.composite
def mutated(draw: DrawFn) -> str:
    """Make a sound scenario with some values replaced, renamed, moved or taken away."""
    content: Any = draw(st.sampled_from(seeds()))
    for _ in range(draw(st.integers(1, 3))):
        content = draw(changed(content))
    return (
        "\n".join(f"{spelt(name)}: {spelt(member)}" for name, member in content.items())
        if isinstance(content, dict)
        else spelt(content)
    )


@st.composite
def changed(draw: DrawFn, value: Any, depth: int = 0) -> Any:  # noqa: ANN401 -- content of a file, of any shape
    if not isinstance(value, dict | list) or not value or (depth and draw(st.integers(0, 5)) == 0):
        return draw(junk())
    members = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    at = draw(st.integers(0, len(members) - 1))
    before, (name, member), after = members[:at], members[at], members[at + 1 :]
    new: dict[str, list[tuple[Any, Any]]] = {
        "down": [*before, (name, draw(changed(member, depth + 1))), *after],
        "out": [*before, *after],
        "rename": [*before, (draw(st.sampled_from(FIELDS)), member), *after],
        "add": [*before, (name, member), (draw(st.sampled_from(FIELDS)), draw(junk())), *after],
        "move": [(name, member), *after, *before],
    }
    found = new[draw(st.sampled_from(["down", "down", "down", *new]))]
    return dict(found) if isinstance(value, dict) else [member for _, member in found]


def reads_or_refuses(text: str) -> bool:
    try:
        scenario = parsed(text)
    except InputError as fault:
        assert fault.file == FILE  # noqa: PT017 -- refusing is one of two right answers
        return False
    with suppress(InputError):  # working hours that never end, say, show only now
        run_scenario(scenario)
    return True


@examples(200)
@given(mutated())
def test_a_file_that_was_tampered_with_is_run_or_refused(text: str) -> None:
    reads_or_refuses(text)


@examples(150)
@given(st.data())
def test_a_file_in_which_somebody_mistyped_is_run_or_refused(data: DataObject) -> None:
    text = data.draw(st.sampled_from(SEED_FILES)).read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 5)))
        text = (
            text[:start]
            + data.draw(st.text(st.sampled_from("\n\t -:{}[],'\"#|>&*!%@`0+eW号x"), max_size=3))
            + text[end:]
        )
    reads_or_refuses(text)


@pytest.mark.parametrize("number", range(len(SEED_FILES)), ids=[file.name for file in SEED_FILES])
def test_the_seeds_of_these_tests_are_sound(number: int) -> None:
    content = cast("dict[str, object]", seeds()[number])
    assert reads_or_refuses(
        "\n".join(f"{spelt(name)}: {spelt(member)}" for name, member in content.items())
    )


# ---- instants in another spelling ----------------------------------------------------------------

SPELT = """\
dispute: {opened_at: 2023-03-28T10:00:00Z}
order: {paid_at: "2023-03-25T09:00:00+08:00",
        refund: {status: completed, completed_at: 2023-03-28T10:30:00Z}}
steps:
  - {at: 2023-03-28T11:00:00Z, order: {shipment: {shipped_at: 2023-03-28T10:40:00.5Z, waybill: W1}}}
  - {at: "2023-03-28T12:00:00Z", do: choose_option,
     with: {option: ship_by_agreed_date, agreed_until: 2023-03-29T12:00:00Z}}
  - {at: 2023-03-28T13:00:00Z, do: extend_deadline,
     with: {until: 2023-03-30T12:00:00Z, rationale: x}}
"""


def test_lower_case_t_and_z_are_read_in_every_instant_and_recorded_in_upper_case() -> None:
    small = re.sub(
        r"(\d\d)T(\d\d:\d\d:\d\d(?:\.\d)?)(Z?)",
        lambda found: f"{found[1]}t{found[2]}{found[3].lower()}",
        SPELT,
    )
    assert small.count("t1") + small.count("t0") == SPELT.count("T1") + SPELT.count("T0") == 9
    assert parsed(small) == parsed(SPELT)
    assert [event.hash for event in run_scenario(parsed(small)).events] == [
        event.hash for event in run_scenario(parsed(SPELT)).events
    ]
