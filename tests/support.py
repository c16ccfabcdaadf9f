"""Builders that tests share: orders, facts, commands, and disputes in any state, given a few words.

Whatever a test does not name here is as in the default: the default policy, an order that was paid
three days before, the dispute's own merchant and consumer. Nothing is random, nothing looks at a
clock.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from dispute_fsm.decider.decide import decide, open_dispute
from dispute_fsm.decider.decisions import Accepted, Decision, Refused
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evaluate import needs_facts
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.decider.hash_chain import Stamp
from dispute_fsm.domain.commands import (
    COMMAND_CLASSES,
    DEFAULT_VERSION,
    SYSTEM,
    Actor,
    Command,
    OpenDispute,
    Voucher,
    adjudicator,
    consumer,
    merchant,
)
from dispute_fsm.domain.enums import (
    LIABILITIES,
    CommandType,
    Option,
    Outcome,
    RefusalCode,
    Role,
    StateName,
)
from dispute_fsm.domain.events import AuditEvent, DisputeOpened
from dispute_fsm.domain.facts import Order, OrderFacts
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.history.reader import read_steps
from dispute_fsm.rules.registry import rule_version
from dispute_fsm.scenarios.reader import SUFFIX, parse_scenario, read_scenario
from dispute_fsm.scenarios.runner import ScenarioResult, run_scenario
from tests import oracle_words

MERCHANT, CONSUMER = "M-1", "C-1"
"""The dispute's own merchant and consumer."""

OPENED_AT = datetime(2023, 3, 28, 2, tzinfo=UTC)
"""A Tuesday, ten in the morning in Shanghai: when disputes open that name no other moment."""

SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)
AGREED = OPENED_AT + 3 * DAY
"""Until when goods are promised, where nothing else is said."""

OWN = {
    Role.MERCHANT: merchant(MERCHANT),
    Role.CONSUMER: consumer(CONSUMER),
    Role.ADJUDICATOR: adjudicator("J-1"),
    Role.SYSTEM: SYSTEM,
}
"""The actor of each role whose business this dispute is."""

WHOSE = {CommandType(name): Role(sent.by) for name, sent in oracle_words.COMMANDS.items()}
"""Whose event it is, by hand and not read off the chart."""

WHOSE_ORDER: dict[str, Any] = {
    "dispute_id": "D-1",
    "order_id": "O-1",
    "merchant_id": MERCHANT,
    "consumer_id": CONSUMER,
}
"""Whose dispute is opened, about which order."""

COMMANDS = tuple(event for event in CommandType if event is not CommandType.OPEN_DISPUTE)
"""Every event that can be asked of a dispute that stands."""


def commands_of(rules: str) -> tuple[CommandType, ...]:
    """Return the commands of a rule version, without the opening."""
    known = rule_version(rules).table.actors
    return tuple(event for event in CommandType if event in known)


def liabilities_of(rules: str) -> tuple[Outcome, ...]:
    """Return the liabilities of a rule version, the weightiest first."""
    known = rule_version(rules).outcomes
    return tuple(outcome for outcome in LIABILITIES if outcome in known)


# ---- orders and facts ----------------------------------------------------------------------------


def order(**changes: object) -> Order:
    """Make an order that was paid three days before the opening; `changes` are laid over it."""
    return Order.model_validate({"paid_at": OPENED_AT - 3 * DAY, **changes})


def shipment(at: datetime = OPENED_AT - HOUR, waybill: str | None = "W1") -> dict[str, object]:
    """Make a shipment."""
    return {"shipped_at": at, "carrier": "JDL", "waybill": waybill}


def pickup(
    at: datetime = OPENED_AT - HOUR, waybill: str | None = "W1", kind: str = "picked_up"
) -> dict[str, object]:
    """Make a carrier's record."""
    return {"scanned_at": at, "waybill": waybill, "kind": kind}


PAID = order()
SHIPPED = order(shipment=shipment())
PICKED_UP = order(shipment=shipment(), pickup=pickup())
CANCELLING = order(cancel_request={"status": "submitted"})
REFUNDED = order(refund={"status": "completed"})
PARTLY_REFUNDED = order(refund={"status": "completed", "scope": "partial"})
CLAIMABLE = order(
    cancel_request={"status": "submitted"},
    refund={"status": "completed", "scope": "partial"},
    shipment=shipment(),
    pickup=pickup(),
)
"""Shows what every option asks for."""

KEPT = order(shipment=shipment(AGREED - DAY), pickup=pickup(AGREED - DAY))
"""Keeps a promise of `AGREED`, once that day has come."""

ORDERS = {
    "paid": PAID,
    "shipped": SHIPPED,
    "picked up": PICKED_UP,
    "cancelling": CANCELLING,
    "refunded": REFUNDED,
    "partly refunded": PARTLY_REFUNDED,
    "kept": KEPT,
}


def seen(shown: Order, at: datetime, order_id: str = "O-1") -> OrderFacts:
    """Give the facts that one look at an order finds."""
    return OrderFacts.model_validate(
        {**dict(shown), "order_id": order_id, "asked": "test", "observed_at": at, "revision": "1"}
    )


# ---- policies, openings and commands -------------------------------------------------------------


def over(**changes: object) -> Policy:
    """Lay changes over the default policy."""
    return DEFAULT_POLICY.lay_over(changes)


def stamp(dispute_id: str = "D-1", seq: int = 1) -> Stamp:
    """Derive a stamp from the dispute's id and the event's seq alone."""
    return Stamp(
        event_id=f"{dispute_id}/{seq}",
        recorded_at=OPENED_AT,
        seed=f"{dispute_id}/{seq}".encode(),
        correlation_id=f"c-{seq}",
    )


def opening(policy: Policy = DEFAULT_POLICY, **changes: Any) -> OpenDispute:  # noqa: ANN401 -- any field of the opening
    """Make the consumer's request to open `D-1` about order `O-1`."""
    return OpenDispute(**{**WHOSE_ORDER, "policy": policy, **changes})


def opened_event(
    policy: Policy = DEFAULT_POLICY,
    at: datetime = OPENED_AT,
    **changes: Any,  # noqa: ANN401 -- any field of the opening
) -> DisputeOpened:
    """Make the event of an opening."""
    request = opening(policy, **changes)
    decision = open_dispute(
        None, request, seen(PAID, at, request.order_id), at, stamp=stamp(request.dispute_id)
    )
    assert isinstance(decision, Accepted)
    assert isinstance(decision.event, DisputeOpened)
    return decision.event


def opened(policy: Policy = DEFAULT_POLICY, at: datetime = OPENED_AT, **changes: Any) -> Dispute:  # noqa: ANN401 -- as above
    """Make a dispute that has just opened."""
    version = rule_version(changes.get("rules", DEFAULT_VERSION))
    return begin(opened_event(policy, at, **changes), version.policy(policy))


def voucher(n: int = 1, kind: str = "chat_screenshot", **changes: object) -> Voucher:
    """Make the n-th voucher, a different file for each n."""
    members = {
        "kind": kind,
        "file_name": f"{n}.png",
        "media_type": "image/png",
        "size": 1_000,
        "sha256": f"{n:064x}",
        "uri": f"s3://{n}",
    }
    return Voucher.model_validate({**members, **changes})


def required(event: CommandType) -> dict[str, Any]:
    """Return an example of each member that a command cannot leave out."""
    example = oracle_words.example(event.value)
    return {name: example[name] for name in oracle_words.REQUIRED.get(event.value, ())}


def command(
    event: CommandType, by: Actor | None = None, key: str | None = None, **payload: object
) -> Command:
    """Make a command, by the actor whose event it is unless another is named.

    It says what it cannot leave out, and the payload.
    """
    opens = WHOSE_ORDER if event is CommandType.OPEN_DISPUTE else {}
    return COMMAND_CLASSES[event].model_validate(
        {"by": by or OWN[WHOSE[event]], "key": key, **opens, **required(event), **payload}
    )


def choose(
    option: Option,
    *,
    key: str | None = None,
    by: Actor | None = None,
    **payload: Any,  # noqa: ANN401 -- any payload
) -> Command:
    """Make the merchant's choice, with what the option requires unless it is in the payload."""
    if option is Option.SHIP_BY_AGREED_DATE:
        payload = {"agreed_until": AGREED, "vouchers": [voucher()], **payload}
    return command(CommandType.CHOOSE_OPTION, by, key, option=option, **payload)


def submission(*, key: str | None = None, **payload: Any) -> Command:  # noqa: ANN401 -- any payload
    """Make a submission that is complete unless the payload says otherwise."""
    members = {
        "reason": "carrier_fault",
        "vouchers": [voucher(kind="carrier_certificate")],
        "statement": "the carrier was late",
    }
    return command(CommandType.SUBMIT_EVIDENCE, None, key, **{**members, **payload})


def extension(until: datetime, *, key: str | None = None, **payload: object) -> Command:
    """Make an extension, with a rationale."""
    return command(
        CommandType.EXTEND_DEADLINE,
        None,
        key,
        **{"until": until, "rationale": "a flood", **payload},
    )


def ruling(event: CommandType, *, key: str | None = None, **payload: object) -> Command:
    """Make a ruling, an annulment or an appeal, with a rationale."""
    return command(event, None, key, **{"rationale": "as the files show", **payload})


def well_formed(dispute: Dispute, event: CommandType) -> Command:
    """Make a command whose payload has everything that any state could ask of it."""
    match event:
        case CommandType.CHOOSE_OPTION:
            return choose(Option.OUT_OF_STOCK_REFUND)
        case CommandType.SUBMIT_EVIDENCE:
            return submission()
        case CommandType.EXTEND_DEADLINE:
            return extension(max([dispute.last_at, *dispute.deadlines.values()]) + DAY)
        case _:
            return command(event, **oracle_words.example(event.value))


# ---- disputes ------------------------------------------------------------------------------------


def moment(dispute: Dispute, asked: Command) -> datetime:
    """Return an instant for a command: a minute after the last event; for an expiry, due + 1 s."""
    deadline = asked.type.expires
    due = None if deadline is None else dispute.deadlines.get(deadline)
    return dispute.last_at + MINUTE if due is None else max(due + SECOND, dispute.last_at)


def decided(
    dispute: Dispute, asked: Command, at: datetime | None = None, shown: Order | None = CLAIMABLE
) -> Decision:
    """Decide a command as `Disputes` would: facts only where they are needed, a derived stamp."""
    now = moment(dispute, asked) if at is None else at
    facts = (
        seen(shown, now, dispute.order_id)
        if shown is not None and needs_facts(dispute, asked, now)
        else None
    )
    return decide(dispute, asked, facts, now, stamp=stamp(dispute.dispute_id, dispute.seq + 1))


def happens(
    dispute: Dispute, asked: Command, at: datetime | None = None, shown: Order = CLAIMABLE
) -> AuditEvent:
    """Give the event of a command that must be accepted."""
    decision = decided(dispute, asked, at, shown)
    assert isinstance(decision, Accepted), decision
    return decision.event


def after(
    dispute: Dispute, asked: Command, at: datetime | None = None, shown: Order = CLAIMABLE
) -> Dispute:
    """Give the dispute after a command that must be accepted."""
    return evolve(dispute, happens(dispute, asked, at, shown))


def play(dispute: Dispute, *asked: Command, shown: Order = CLAIMABLE) -> Dispute:
    """Send commands to a dispute in turn, each at its `moment`; all must be accepted."""
    for each in asked:
        dispute = after(dispute, each, shown=shown)
    return dispute


def refused(
    dispute: Dispute, asked: Command, at: datetime | None = None, shown: Order | None = CLAIMABLE
) -> set[RefusalCode]:
    """Give the codes of a command that must be refused, each once."""
    decision = decided(dispute, asked, at, shown)
    assert isinstance(decision, Refused), decision
    assert len(set(decision.codes)) == len(decision.codes)
    return set(decision.codes)


def in_state(
    state: StateName,
    policy: Policy = DEFAULT_POLICY,
    option: Option | None = None,
    *,
    confirmed: bool = False,
    submitted: bool = False,
    rules: str = DEFAULT_VERSION,
) -> Dispute:
    """Make a dispute in a state that is reachable under the policy and the rules.

    Denials go to review if the state requires it. `option` is the settlement that was chosen;
    `confirmed` means that the consumer has consented already, `submitted` that there is an earlier
    submission.
    """
    if state is StateName.DENIAL_UNDER_REVIEW:
        policy = policy.lay_over({"denial": "review"})
    settle = option or (
        Option.SHIP_BY_AGREED_DATE
        if state is StateName.AWAITING_SHIPMENT
        else Option.CONSUMER_CANCELS
    )
    contest = (choose(Option.PROVE_NO_FAULT), submission())
    ways: dict[StateName, tuple[Command, ...]] = {
        StateName.OPENED: (),
        StateName.AWAITING_CONFIRMATION: (choose(settle),),
        StateName.AWAITING_SHIPMENT: (
            choose(settle),
            *([command(CommandType.CONFIRM_AGREEMENT)] if confirmed else []),
        ),
        StateName.DENIAL_UNDER_REVIEW: (choose(settle), command(CommandType.DENY_AGREEMENT)),
        StateName.AWAITING_EVIDENCE: (*contest, command(CommandType.REQUEST_EVIDENCE))
        if submitted
        else contest[:1],
        StateName.UNDER_REVIEW: contest,
        StateName.RESOLVED: (command(CommandType.WITHDRAW),),
        StateName.PENALIZED: (*contest, ruling(CommandType.RULE_AT_FAULT)),
        StateName.APPEAL_UNDER_REVIEW: (
            *contest,
            ruling(CommandType.RULE_AT_FAULT),
            ruling(CommandType.APPEAL),
        ),
    }
    dispute = play(opened(policy, rules=rules), *ways[state])
    assert dispute.state is state
    return dispute


LEAVES = (
    StateName.OPENED,
    StateName.AWAITING_CONFIRMATION,
    StateName.AWAITING_SHIPMENT,
    StateName.DENIAL_UNDER_REVIEW,
    StateName.AWAITING_EVIDENCE,
    StateName.UNDER_REVIEW,
    StateName.RESOLVED,
    StateName.PENALIZED,
)
"""Every state that a dispute of version 2023-03 can be in."""


def situations(policy: Policy = DEFAULT_POLICY, rules: str = DEFAULT_VERSION) -> dict[str, Dispute]:
    """Make a dispute in each reachable state and variant (by option, confirmed, submitted)."""
    version = rule_version(rules)
    claims = tuple(
        option
        for option in (Option.CONSUMER_CANCELS, Option.ALREADY_SHIPPED, Option.PARTIAL_REFUND)
        if option in version.options
    )
    made = {
        state.value: in_state(state, policy, rules=rules)
        for state in LEAVES
        if state not in _ASKED or policy.confirmation is not None
    }
    if policy.confirmation is not None:
        for option in (*claims, Option.OUT_OF_STOCK_REFUND):
            made[f"awaiting_confirmation by {option.value}"] = in_state(
                StateName.AWAITING_CONFIRMATION, policy, option, rules=rules
            )
        for option in (*claims, Option.SHIP_BY_AGREED_DATE):
            made[f"denial_under_review by {option.value}"] = in_state(
                StateName.DENIAL_UNDER_REVIEW, policy, option, rules=rules
            )
        made["awaiting_shipment, confirmed"] = in_state(
            StateName.AWAITING_SHIPMENT, policy, confirmed=True, rules=rules
        )
        upheld = ruling(CommandType.RULE_NO_FAULT)
        made["awaiting_shipment, upheld"] = play(
            made["denial_under_review by ship_by_agreed_date"], upheld
        )
    if policy.extra_evidence_rounds:
        made["awaiting_evidence, submitted"] = in_state(
            StateName.AWAITING_EVIDENCE, policy, submitted=True, rules=rules
        )
        made["under_review, a round used"] = play(
            made["awaiting_evidence, submitted"], submission()
        )
    if made["penalized"].running:
        appealed = in_state(StateName.APPEAL_UNDER_REVIEW, policy, rules=rules)
        made |= {
            "appeal_under_review": appealed,
            "penalized, final": play(made["penalized"], command(CommandType.APPEAL_EXPIRED)),
            "penalized, upheld": play(appealed, ruling(CommandType.UPHOLD_PENALTY)),
            "resolved, overturned": play(appealed, ruling(CommandType.OVERTURN_PENALTY)),
        }
    return made


def all_situations(policy: Policy = DEFAULT_POLICY) -> dict[str, Dispute]:
    """Make the situations of 2023-03 and those of extended, which has all of them and more."""
    extended = situations(policy, "extended")
    return situations(policy) | {f"extended: {name}": extended[name] for name in extended}


_ASKED = {StateName.AWAITING_CONFIRMATION, StateName.DENIAL_UNDER_REVIEW}


def moments(dispute: Dispute) -> tuple[datetime, ...]:
    """Return the instants that matter: now, and just before, at and just after every deadline."""
    tick = timedelta(microseconds=1)
    around = {
        due + step
        for due in dispute.deadlines.values()
        for step in (-tick, timedelta(0), tick, SECOND)
    }
    return tuple(
        sorted(
            {
                dispute.last_at,
                dispute.last_at + MINUTE,
                *(at for at in around if at >= dispute.last_at),
            }
        )
    )


# ---- the scenarios at hand -----------------------------------------------------------------------

ROOT = Path(__file__).parent.parent
CORPUS = tuple(
    path
    for folder in (
        ROOT / "examples",
        *(
            ROOT / "tests" / "scenarios" / name
            for name in ("boundaries", "codes", "doubtful", *oracle_words.BASE, "rows")
        ),
    )
    for path in sorted(folder.glob(f"*{SUFFIX}"))
)
"""Every scenario file that can be read: realistic histories of every sort."""


@cache
def ran(path: Path) -> ScenarioResult:
    """Run a scenario file, once."""
    return run_scenario(read_scenario(path))


@cache
def corpus_events() -> tuple[AuditEvent, ...]:
    """Give every event of every scenario."""
    return tuple(event for path in CORPUS for event in ran(path).events)


# ---- histories -----------------------------------------------------------------------------------


class ReadBack(NamedTuple):
    """The content of a history: its events, each dispute at the end, and the named policies."""

    events: list[AuditEvent]
    disputes: dict[str, Dispute]
    policies: dict[str, Policy]


def read_back(content: str | bytes, file: str = "x.history.jsonl") -> ReadBack:
    """Read a history, every line of which has to be sound."""
    found = list(
        read_steps(BytesIO(content.encode() if isinstance(content, str) else content), file)
    )
    return ReadBack(
        [step.event for step in found],
        {step.after.dispute_id: step.after for step in found},
        {step.policy.digest: step.policy for step in found},
    )


def recorded_history(path: Path, text: str) -> Path:
    """Run a scenario and write its history."""
    result = run_scenario(parse_scenario(text, "x.dispute.yaml"))
    write_history(path, [(event, result.scenario.opening.policy) for event in result.events])
    return path
