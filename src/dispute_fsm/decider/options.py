"""The merchant's options now: open or closed, why, what would open them, and what follows.

Nothing here knows an option by name: each is put before the chart as a command without further
payload, and what choosing leads to is read off the rows behind it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evaluate import case_of, check_facts, evaluate_case, hinted
from dispute_fsm.domain.commands import COMMAND_CLASSES, Actor, ChooseOption
from dispute_fsm.domain.deadlines import due_instant, term_of
from dispute_fsm.domain.enums import CommandType, Deadline, Lang, Option, Outcome, Role, StateName
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import EvidenceReason, Policy, Term
from dispute_fsm.domain.reasons import PayloadUnlock, Reason
from dispute_fsm.domain.working_time import Count, count
from dispute_fsm.errors import FactsNeededError
from dispute_fsm.machine.guard import Dimension, Selector
from dispute_fsm.rules.case import Case, DisputeTable, DisputeTransition

_OTHERS = frozenset({Role.CONSUMER, Role.SYSTEM})
_MERCHANTS = frozenset(
    {of.meets for of in COMMAND_CLASSES.values() if of.roles[0] is Role.MERCHANT and of.meets}
)
"""The deadlines for an act of the merchant."""


@dataclass(frozen=True, slots=True)
class StartedDeadline:
    """A deadline that choosing would start, when it would be due, and the count of working hours.

    `due` is None for the promise, which depends on the agreed instant; `latest` is then the last
    due instant allowed (None: no limit).
    """

    deadline: Deadline
    due: datetime | None
    latest: datetime | None = None
    count: Count | None = None


@dataclass(frozen=True, slots=True)
class ShorterTime:
    """The merchant has less time for the next act after the choice than for the choice itself.

    `deadline` asks for the choice, `due` and `left` are None where it does not run. `begins` is the
    deadline for the next act, with its term.
    """

    deadline: Deadline
    due: datetime | None
    left: timedelta | None
    begins: StartedDeadline
    term: Term


@dataclass(frozen=True, slots=True)
class GivenFact:
    """What the order system has to show: the answer to this question is one of `accepts`."""

    question: str
    accepts: tuple[str, ...]
    zh: str
    en: str

    def label(self, lang: Lang) -> str:
        """Return it in words."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Consequence:
    """What others may do after the choice: who, which command, where it leads, with what outcome.

    `given` is what the order system has to show for it, where that decides.
    """

    event: CommandType
    role: Role
    state: StateName
    outcome: Outcome | None
    given: tuple[GivenFact, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What choosing commits the merchant to. It cannot be taken back.

    `settles` is the outcome where the choice itself ends the dispute; `reasons` is the evidence
    catalogue (what each reason prompts for) where evidence comes next. `shorter` warns where an
    early choice shortens the merchant's own time.
    """

    state: StateName
    settles: Outcome | None
    deadlines: tuple[StartedDeadline, ...]
    consequences: tuple[Consequence, ...]
    reasons: tuple[tuple[str, EvidenceReason], ...]
    shorter: ShorterTime | None = None
    irrevocable: Literal[True] = True


@dataclass(frozen=True, slots=True)
class OptionView:
    """One option as it stands.

    `open` is None where the order system would have to be asked and was not. `reasons` say why it
    is closed; `needs` what the command has to bring beside the option's name; `link` leads to the
    order page (去订单详情页) where that helps.
    """

    option: Option
    open: bool | None
    reasons: tuple[Reason, ...]
    needs: tuple[Reason, ...]
    link: str | None
    preview: Preview | None


def options(dispute: Dispute, facts: OrderFacts | None, now: datetime) -> tuple[OptionView, ...]:
    """Return all options of the dispute's rule version, in the announcement's order.

    Facts may be older than a command could use: what is shown is how things stood at their
    `observed_at`. Without facts (None: nobody asked, or the order system cannot answer) an option
    that depends on them is neither open nor closed but unknown. Raises `StaleFactsError` for facts
    of another order, or dated after `now`.
    """
    check_facts(facts, dispute.order_id, None, now)
    offered = dispute.rules.options
    merchant = Actor(role=Role.MERCHANT, id=dispute.merchant_id)
    # Not validated, because the id of a recorded dispute may be blank.
    choice = ChooseOption.model_construct(by=merchant, option=offered[0])
    started = _Started(dispute.policy, now)
    return tuple(
        _view(
            dispute,
            case_of(dispute, choice.model_copy(update={"option": option}), facts, now),
            option,
            started,
        )
        for option in offered
    )


def _view(dispute: Dispute, case: Case, option: Option, started: "_Started") -> OptionView:
    preview = _preview(dispute, case, option, started)
    try:
        evaluation = evaluate_case(dispute, case)
    except FactsNeededError:
        return OptionView(option, None, (), (), None, preview)
    against = hinted(dispute, evaluation)
    needs = tuple(reason for reason in against if isinstance(reason.unlock, PayloadUnlock))
    reasons = tuple(reason for reason in against if reason not in needs)
    link = next((reason.link for reason in reasons if reason.link), None)
    return OptionView(option, not reasons, reasons, needs, link, preview)


def _preview(dispute: Dispute, case: Case, option: Option, started: "_Started") -> Preview | None:
    table = dispute.rules.table
    rows = table.select(dispute.path, CommandType.CHOOSE_OPTION, case)
    if not rows:
        return None
    row = rows[0]
    proves = (row.target, CommandType.SUBMIT_EVIDENCE) in table.transitions and (
        row.source,
        CommandType.SUBMIT_EVIDENCE,
    ) not in table.transitions
    begun = [begins for deadline in row.rule.starts if (begins := started[deadline]) is not None]
    _, questions = _acts_of_others(table, row.target)
    # The case is that of the choice itself: what others may do depends on the same answers.
    answers = tuple([question.answer(case) for question in questions])
    return Preview(
        state=_leads_to(table, row),
        settles=row.outcome(option),
        deadlines=tuple(begun),
        consequences=_consequences(
            table, row.target, option, frozenset({begins.deadline for begins in begun}), answers
        ),
        reasons=tuple(case.policy.evidence_reasons.items()) if proves else (),
        shorter=_shorter(dispute, begun, case),
    )


def _shorter(dispute: Dispute, begun: Sequence[StartedDeadline], case: Case) -> ShorterTime | None:
    """Tell whether a deadline begins for the merchant that is due before the one that runs now."""
    asks = Deadline.RESPONSE
    due = dispute.running.get(asks)
    for begins in begun:
        term = term_of(begins.deadline, case.policy)
        if term is None or begins.due is None or begins.deadline not in _MERCHANTS:
            continue
        if due is None or begins.due < due:
            left = None if due is None else due - case.now
            return ShorterTime(asks, due, left, begins, term)
    return None


@lru_cache
def _acts_of_others(
    table: DisputeTable, path: str
) -> tuple[tuple[DisputeTransition, ...], tuple[Dimension, ...]]:
    """Return what the consumer and the deadlines may do next, and the questions that it takes.

    A withdrawal goes without saying.
    """
    rows = tuple(
        row
        for command, rows in table.leaving(path).items()
        for row in rows
        if row.rule.by.roles[0] in _OTHERS and command is not CommandType.WITHDRAW
    )
    return rows, tuple(dict.fromkeys(one.dimension for row in rows for one in row.when))


@lru_cache(maxsize=1_024)
def _consequences(
    table: DisputeTable,
    path: str,
    option: Option,
    running: frozenset[Deadline],
    answers: tuple[str, ...],
) -> tuple[Consequence, ...]:
    """List what others may do next; it is settled by the answers, so it is the same each time."""
    rows, questions = _acts_of_others(table, path)
    given = dict(zip(questions, answers, strict=True))
    return tuple(
        Consequence(
            row.event,
            row.rule.by.roles[0],
            _leads_to(table, row),
            row.outcome(option),
            tuple(map(_given, row.when_facts)),
        )
        for row in rows
        if (row.rule.expires is None or row.rule.expires in running) and row.is_for(given)
    )


def _given(selector: Selector) -> GivenFact:
    return GivenFact(
        selector.dimension.name, tuple(sorted(selector.accepts)), selector.zh, selector.en
    )


def _leads_to(table: DisputeTable, row: DisputeTransition) -> StateName:
    """Return the leaf that a transition enters; other regions stay in theirs."""
    before, after = (table.configurations[path] for path in (row.source, row.target))
    return next((state for state in after.states if state not in before.states), after.state)


class _Started(dict[Deadline, StartedDeadline | None]):
    """The deadlines that begin now, by policy: the same for all options, and counted once."""

    def __init__(self, policy: Policy, now: datetime) -> None:
        self._policy, self._now = policy, now

    def __missing__(self, deadline: Deadline) -> StartedDeadline | None:
        self[deadline] = started = self._start(deadline)
        return started

    def _start(self, deadline: Deadline) -> StartedDeadline | None:
        policy, now = self._policy, self._now
        if deadline is Deadline.PROMISE:
            longest = policy.max_promise
            latest = None if longest is None else due_instant(deadline, policy, now, now + longest)
            return StartedDeadline(deadline, None, latest=latest)
        term = term_of(deadline, policy)
        if term is None:
            return None
        if term.working_hours is None:
            return StartedDeadline(deadline, due_instant(deadline, policy, now))
        counted = count(term.working_hours, now, policy.calendar)
        return StartedDeadline(deadline, counted.due, count=counted)
