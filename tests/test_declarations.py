"""What is declared once: a declaration that is left out is an error that names it.

It comes at import, or when the first version is compiled whose chart needs it.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import cast

import pytest
from msgspec import structs

import dispute_fsm
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.domain import commands, deadlines, events
from dispute_fsm.domain.commands import (
    COMMAND_CLASSES,
    EXPIRIES,
    PAYLOAD_CLASSES,
    QUIET,
    SYSTEM,
    Annul,
    Appeal,
    ChoicePayload,
    Command,
    ExtensionPayload,
    Memory,
    Payload,
    RecordedCommand,
    RulingPayload,
    Withdraw,
    remembered,
)
from dispute_fsm.domain.deadlines import TERMS
from dispute_fsm.domain.enums import CommandType, Deadline, EventType, Option, RefusalCode
from dispute_fsm.domain.policy import DEFAULT_POLICY, TERM_FIELDS, VERSION_FIELDS, Term
from dispute_fsm.machine.chart import CommandRule
from dispute_fsm.rules.case import Case
from dispute_fsm.rules.version import VOCABULARY
from tests import oracle_words
from tests.support import AGREED, WHOSE

PACKAGE = Path(dispute_fsm.__file__).parent
COMMANDS, EVENTS = "domain/commands.py", "domain/events.py"
E, T = CommandType, EventType

# ---- left out ------------------------------------------------------------------------------------

LEFT_OUT: dict[str, tuple[str, str, str, str]] = {
    "the class of a command": (
        COMMANDS,
        "    | Annul\n",
        "",
        "TypeError: AnyCommand has no class for the command annul",
    ),
    "its payload": (
        COMMANDS,
        "    payload = RulingPayload\n    records_end = EventType.PENALTY_ANNULLED\n",
        "    records_end = EventType.PENALTY_ANNULLED\n",
        "TypeError: Annul says rationale, but Payload records nothing",
    ),
    "what its payload records": (
        COMMANDS,
        "    payload = RulingPayload\n    records_end = EventType.PENALTY_ANNULLED\n",
        "    payload = RequestPayload\n    records_end = EventType.PENALTY_ANNULLED\n",
        "TypeError: Annul says rationale, but RequestPayload records note",
    ),
    "its roles": (
        COMMANDS,
        "    type = CommandType.ANNUL\n    roles = (Role.ADJUDICATOR,)\n",
        "    type = CommandType.ANNUL\n",
        "TypeError: Annul declares no roles",
    ),
    "that its roles are those of the chart": (
        COMMANDS,
        "    type = CommandType.ANNUL\n    roles = (Role.ADJUDICATOR,)\n",
        "    type = CommandType.ANNUL\n    roles = (Role.CONSUMER,)\n",
        (
            "ChartError: RulesParallel: annul: by the adjudicator in the chart, "
            "by the consumer as declared in Annul"
        ),
    ),
    "the event that records it": (
        COMMANDS,
        "    records = EventType.EVIDENCE_SUBMITTED\n",
        "",
        (
            "ChartError: RulesParallel: disputing.settlement.proposing,"
            "disputing.evidence.awaiting_evidence on submit_evidence: neither the command nor the "
            "state that it enters says as what it is recorded"
        ),
    ),
    "the class of an event": (
        EVENTS,
        "    | PenaltyAnnulled\n",
        "",
        "TypeError: AnyEvent has no class for the event penalty_annulled",
    ),
    "the term of a deadline": (
        "domain/policy.py",
        "    appeal: Term | None = None\n",
        "",
        "TypeError: Policy has no field appeal, the term of the appeal deadline",
    ),
    "the commands that meet a deadline": (
        COMMANDS,
        "    meets = Deadline.EVIDENCE\n",
        "",
        "TypeError: no command meets the evidence deadline",
    ),
    "the text for a command that is accepted once": (
        COMMANDS,
        '        Message("此前未申诉过", "no appeal was accepted before"),\n',
        "",
        "TypeError: OnceOnly.__new__() missing 1 required positional argument: 'text'",
    ),
}


USE = """
import dispute_fsm.public, dispute_fsm.events, dispute_fsm.history.timeline_text
from dispute_fsm.rules.registry import VERSIONS

list(VERSIONS.values())
"""
"""Import what declares something, and compile each chart, which is done at its first use."""


@pytest.mark.parametrize(("file", "old", "new", "error"), LEFT_OUT.values(), ids=list(LEFT_OUT))
def test_what_is_left_out_is_an_error_that_names_it_before_anything_is_decided(
    file: str, old: str, new: str, error: str, tmp_path: Path
) -> None:
    copy = tmp_path / "dispute_fsm"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    source = (copy / file).read_text("utf-8")
    assert source.count(old) == 1
    (copy / file).write_text(source.replace(old, new), "utf-8")
    ran = subprocess.run(  # noqa: S603 -- our own
        [sys.executable, "-c", USE],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert str(copy) in ran.stderr
    assert ran.stderr.splitlines()[-1].removeprefix("dispute_fsm.errors.") == error


def test_the_payload_of_a_command_records_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Annul, "payload", Payload)
    with pytest.raises(TypeError, match=r"^Annul says rationale, but Payload records nothing$"):
        commands._declared(E.ANNUL)  # noqa: SLF001 -- at import it is too late for a test
    monkeypatch.setattr(Withdraw, "payload", RulingPayload)
    with pytest.raises(TypeError, match=r"^Withdraw says nothing, but RulingPayload records rati"):
        commands._declared(E.WITHDRAW)  # noqa: SLF001 -- at import it is too late for a test
    monkeypatch.delattr(Withdraw, "roles")
    with pytest.raises(TypeError, match=r"^Withdraw declares no roles$"):
        commands._declared(E.WITHDRAW)  # noqa: SLF001 -- at import it is too late for a test


def test_every_command_and_every_event_has_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(cast("dict[CommandType, object]", commands._CLASSES), E.ANNUL)  # noqa: SLF001 -- at import it is too late for a test
    with pytest.raises(TypeError, match=r"^AnyCommand has no class for the command annul$"):
        commands._declared(E.ANNUL)  # noqa: SLF001 -- as above
    monkeypatch.delitem(cast("dict[str, object]", events._CLASSES), "penalty_annulled")  # noqa: SLF001 -- as above
    with pytest.raises(TypeError, match=r"^AnyEvent has no class for the event penalty_annulled$"):
        events._declared(T.PENALTY_ANNULLED)  # noqa: SLF001 -- as above


def test_every_deadline_is_met_by_a_command_and_has_a_term(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [of for of in COMMAND_CLASSES.values() if of.meets is not Deadline.EVIDENCE]
    with pytest.raises(TypeError, match=r"^no command meets the evidence deadline$"):
        commands._check_every_deadline_is_met(others)  # noqa: SLF001 -- at import it is too late for a test
    monkeypatch.setattr(deadlines, "TERM_FIELDS", TERM_FIELDS - {"evidence"})
    with pytest.raises(TypeError, match=r"^Policy has no field evidence, the term of the evidence"):
        deadlines._term(Deadline.EVIDENCE)  # noqa: SLF001 -- at import it is too late for a test


# ---- read by everybody else ----------------------------------------------------------------------


def test_the_vocabulary_of_charts_is_what_the_classes_declare() -> None:
    assert set(VOCABULARY.commands) == set(E) - {E.OPEN_DISPUTE}
    for name, rule in VOCABULARY.commands.items():
        declared = COMMAND_CLASSES[name]
        assert rule == CommandRule(
            records=declared.records,
            records_end=declared.records_end,
            expires=name.expires,
            quiet=declared.quiet,
        )
        sent = oracle_words.COMMANDS[name]
        assert (rule.records, rule.records_end) == (sent.records, sent.closes)
    assert {name for name, rule in VOCABULARY.commands.items() if rule.quiet} == QUIET
    assert {E.OBSERVE_ORDER} == QUIET


def test_the_usual_sender_of_a_command_is_the_first_of_its_roles() -> None:
    assert {name: of.roles[0] for name, of in COMMAND_CLASSES.items()} == WHOSE
    assert {name for name, of in COMMAND_CLASSES.items() if len(of.roles) > 1} == {E.OPEN_DISPUTE}


def test_every_deadline_has_a_term_in_the_policy_but_the_promise() -> None:
    assert list(TERMS) == list(EXPIRIES) == list(Deadline)
    assert {deadline.value for deadline, term in TERMS.items() if term is not None} == TERM_FIELDS
    changed = DEFAULT_POLICY.lay_over(
        {name: {"hours": hours} for hours, name in enumerate(sorted(TERM_FIELDS), 1)}
    )
    for deadline, term in TERMS.items():
        assert term is None or term(changed) == getattr(changed, deadline.value) != Term(hours=24)
    fields = oracle_words.POLICY_FIELDS.values()
    assert {name for of_version in fields for name in of_version} == VERSION_FIELDS


# ---- remembered ----------------------------------------------------------------------------------


def test_guards_and_disputes_have_all_that_is_remembered() -> None:
    for declared in (structs.fields(Case), fields(Dispute)):
        memory = next(field for field in declared if field.name == "memory")
        assert (memory.type, memory.default) == (Memory, Memory())


BEFORE = Memory(option=Option.ALREADY_SHIPPED, agreed_until=AGREED, submissions=2, extra_rounds=1)
CHOSEN = ChoicePayload(option=Option.OUT_OF_STOCK_REFUND)
UNTIL = ExtensionPayload(until=AGREED.replace(year=2024))
PROMISE, CONFIRMATION = frozenset({Deadline.PROMISE}), frozenset({Deadline.CONFIRMATION})


@pytest.mark.parametrize(
    ("command", "recorded", "changes"),
    [
        (
            E.CHOOSE_OPTION,
            RecordedCommand(T.OPTION_CHOSEN, CHOSEN),
            {"option": Option.OUT_OF_STOCK_REFUND, "agreed_until": None},
        ),
        (E.CHOOSE_OPTION, RecordedCommand(T.OPTION_CHOSEN), {}),
        (
            E.CONFIRM_AGREEMENT,
            RecordedCommand(T.AGREEMENT_CONFIRMED, Payload()),
            {"confirmed": True},
        ),
        (E.CONFIRM_AGREEMENT, RecordedCommand(T.DISPUTE_RESOLVED, Payload()), {}),
        (E.RULE_NO_FAULT, RecordedCommand(T.AGREEMENT_UPHELD), {"confirmed": True}),
        (E.RULE_NO_FAULT, RecordedCommand(T.DISPUTE_RESOLVED), {}),
        (E.SUBMIT_EVIDENCE, RecordedCommand(T.EVIDENCE_SUBMITTED), {"submissions": 3}),
        (E.REQUEST_EVIDENCE, RecordedCommand(T.EVIDENCE_REQUESTED), {"extra_rounds": 2}),
        (
            E.EXTEND_DEADLINE,
            RecordedCommand(T.DEADLINE_EXTENDED, UNTIL, PROMISE),
            {"agreed_until": UNTIL.until},
        ),
        (E.EXTEND_DEADLINE, RecordedCommand(T.DEADLINE_EXTENDED, UNTIL, CONFIRMATION), {}),
        (E.EXTEND_DEADLINE, RecordedCommand(T.DEADLINE_EXTENDED, None, PROMISE), {}),
        (E.APPEAL, RecordedCommand(T.PENALTY_APPEALED), {"once": frozenset({E.APPEAL})}),
    ],
)
def test_a_command_says_what_later_guards_remember_of_it(
    command: CommandType, recorded: RecordedCommand, changes: dict[str, object]
) -> None:
    assert remembered(BEFORE, command, recorded) == BEFORE._replace(**changes)  # type: ignore[arg-type]  # by name
    confirmed = BEFORE._replace(confirmed=True)
    assert remembered(confirmed, command, recorded).confirmed, "what is confirmed stays so"


def test_of_every_other_command_nothing_is_remembered() -> None:
    remembering = {
        name
        for name, of in COMMAND_CLASSES.items()
        if of.remember is not Command.remember or of.once is not None
    }
    assert remembering == {
        E.CHOOSE_OPTION,
        E.CONFIRM_AGREEMENT,
        E.RULE_NO_FAULT,
        E.SUBMIT_EVIDENCE,
        E.REQUEST_EVIDENCE,
        E.EXTEND_DEADLINE,
        E.APPEAL,
    }
    recorded = RecordedCommand(T.DISPUTE_RESOLVED)
    for name in set(E) - remembering:
        assert remembered(BEFORE, name, recorded) == BEFORE


def test_only_an_appeal_is_accepted_once() -> None:
    assert [name for name, of in COMMAND_CLASSES.items() if of.once is not None] == [E.APPEAL]
    assert Appeal.once is not None
    assert Appeal.once[:2] == (RefusalCode.ALREADY_APPEALED, "not_appealed")


def test_what_an_event_records_of_each_command_is_what_the_class_declares() -> None:
    assert dict(PAYLOAD_CLASSES) == {name: of.payload for name, of in COMMAND_CLASSES.items()}
    for deadline, expiry in EXPIRIES.items():
        assert (expiry.type, expiry.by) == (deadline.expiry, SYSTEM)
