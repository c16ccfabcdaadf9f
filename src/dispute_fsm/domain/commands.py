"""What can be asked of a dispute: one class per command, with who asks and what the command says.

What a command says is declared once and exists in two forms. In the command the personal values
(note, statement, rationale, a voucher's file name and address) are plain texts; in the payload of
an audit event they are commitments.
"""

# pyright: reportIncompatibleVariableOverride=false
# Commands and payloads are frozen, so a member may mean something narrower than in their base.

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, NamedTuple, Self, TypeAlias, TypeVar, get_args

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    EventType,
    Option,
    RefusalCode,
    Role,
    VoucherKind,
)
from dispute_fsm.domain.messages import Message
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.rollout import RolloutDecision
from dispute_fsm.domain.scalars import (
    MAX_TEXT,
    FrozenMap,
    GivenIdentifier,
    Identifier,
    Instant,
    Named,
    ReasonId,
    Recorded,
    Series,
    Strict,
    Text,
    Whole,
    format_instant,
    made,
    visible,
    written,
)

DEFAULT_VERSION = "2023-03"
"""The rule version of an opening that names none. A newer version does not move it."""

PERSONAL = frozenset({"note", "statement", "rationale", "file_name", "uri"})
"""The members of a payload that are a person's: hashed only as commitments, erasable."""

Sha256 = Annotated[str, written("[0-9a-f]{64}", "a SHA-256: 64 digits of lower-case hex")]
"""A SHA-256 digest in lower-case hex."""


class Commitment(Strict):
    """Stands for a personal value in the hashed part of an event.

    `commitment` is the SHA-256 hex of the salt's bytes followed by the value's UTF-8; `length`
    counts code points and is 0 for a blank value, so that rules about length can be judged again
    after the value was erased.
    """

    commitment: Sha256
    length: Annotated[int, Field(ge=0, le=MAX_TEXT)]


# ---- who asks ------------------------------------------------------------------------------------


class Actor(Recorded):
    """Who asks: a role, and the id within it."""

    role: Named[Role]
    id: Identifier

    def __str__(self) -> str:
        return f"{self.role.value} {self.id}"

    def __repr__(self) -> str:
        return f"Actor({self})"


def _visible(actor: Actor) -> Actor:
    visible(actor.id)
    return actor


GivenActor = Annotated[Actor, AfterValidator(_visible)]
"""Who asks, as somebody hands it in: the id is not blank."""


def merchant(merchant_id: str) -> Actor:
    """Make a merchant, by the host's id. Raises pydantic's `ValidationError` for an invalid id."""
    return Actor(role=Role.MERCHANT, id=merchant_id)


def consumer(consumer_id: str) -> Actor:
    """Make a consumer. Raises as `merchant` does."""
    return Actor(role=Role.CONSUMER, id=consumer_id)


def adjudicator(adjudicator_id: str) -> Actor:
    """Make an adjudicator of the platform. Raises as `merchant` does."""
    return Actor(role=Role.ADJUDICATOR, id=adjudicator_id)


SYSTEM = Actor(role=Role.SYSTEM, id="system")
"""The system itself, which acts on deadlines and looks at orders."""


# ---- what is said, in either form ----------------------------------------------------------------
# A base declares all members, in their order; the two forms narrow its personal values.

V = TypeVar("V", bound=Strict)
_Vouchers = Annotated[Series[V], Field(max_length=1_000)]


class _Voucher(Strict):
    kind: Named[VoucherKind]
    file_name: Text | Commitment | None = None
    media_type: Identifier
    size: Whole
    sha256: Sha256
    uri: Text | Commitment | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kind.value}, {self.media_type}, {self.size} bytes)"


class Voucher(_Voucher):
    """A voucher's metadata; the file itself stays with the host."""

    file_name: Text | None = None
    uri: Text | None = None


class RecordedVoucher(_Voucher):
    """A voucher as it is recorded."""

    file_name: Commitment | None = None
    uri: Commitment | None = None


class _Choice(Strict):
    option: Named[Option]
    agreed_until: Instant | None = None
    vouchers: _Vouchers[_Voucher] = ()
    note: Text | Commitment | None = None

    @field_validator("agreed_until")
    @classmethod
    def _only_where_it_means_something(
        cls, agreed_until: datetime | None, info: ValidationInfo
    ) -> datetime | None:
        if agreed_until is not None and info.data.get("option") is not Option.SHIP_BY_AGREED_DATE:
            msg = f"agreed_until goes with the option {Option.SHIP_BY_AGREED_DATE.value} only"
            raise ValueError(msg)
        return agreed_until


class _Evidence(Strict):
    reason: ReasonId | None = None
    vouchers: _Vouchers[_Voucher] = ()
    statement: Text | Commitment | None = None


class _Extension(Strict):
    until: Instant
    rationale: Text | Commitment | None = None
    deadline: Named[Deadline] | None = None


# ---- as it is recorded ---------------------------------------------------------------------------


class Payload(Strict):
    """What an event records of a command beyond who and when; this base records nothing more."""

    # One of a host's subclass is validated again: the members that it adds are not recorded.
    model_config = ConfigDict(revalidate_instances="subclass-instances")


class OpeningPayload(Payload):
    """An opening; `rollout` is the decision of a gradual release on its rules, where there was one.

    Without one nothing is written, so that such an opening is recorded as it always was.
    """

    rollout: Annotated[
        RolloutDecision | None, Field(exclude_if=lambda rollout: rollout is None)
    ] = None


class ChoicePayload(Payload, _Choice):
    """The merchant's one response, as it is recorded."""

    vouchers: _Vouchers[RecordedVoucher] = ()
    note: Commitment | None = None


class EvidencePayload(Payload, _Evidence):
    """The merchant's evidence, as it is recorded."""

    vouchers: _Vouchers[RecordedVoucher] = ()
    statement: Commitment | None = None


class RequestPayload(Payload):
    """What the adjudicator asks more evidence for, as it is recorded."""

    note: Commitment | None = None


class RulingPayload(Payload):
    """The rationale of a ruling or an annulment, as it is recorded."""

    rationale: Commitment | None = None


class ExtensionPayload(Payload, _Extension):
    """An extension, as it is recorded."""

    rationale: Commitment | None = None


# ---- as it is asked ------------------------------------------------------------------------------


class Memory(NamedTuple):
    """What later guards remember of the accepted commands of a dispute.

    `confirmed`: by the consumer, or by the adjudicator who upheld the agreement. `submissions`
    counts the evidence handed in, `extra_rounds` the adjudicator's further requests. `once` are the
    accepted commands that are accepted once.
    """

    option: Option | None = None
    agreed_until: datetime | None = None
    confirmed: bool = False
    submissions: int = 0
    extra_rounds: int = 0
    once: frozenset[CommandType] = frozenset()


NOTHING_REMEMBERED = Memory()


class OnceOnly(NamedTuple):
    """What a command that is accepted once meets from then on, in any state.

    The check refuses it with this code and is recorded under this name; `text` says what it checks.
    """

    code: RefusalCode
    check: str
    text: Message


_PayloadClass: TypeAlias = type[Payload]


class RecordedCommand(NamedTuple):
    """An accepted command as its event records it.

    `moved` are the deadlines that it started or moved. `payload` is None in a search of the chart.
    """

    type: EventType
    payload: Any = None
    moved: frozenset[Deadline] = frozenset()


class Command(Strict):
    """One request to one dispute; each type of command is a class of its own.

    `key` is the idempotency key: once a command with it is accepted, the same key with the same
    content (type, actor and what it says) is answered as the first time, with other content it is
    refused.

    A class declares all that the rest of the package knows of its command. To add one: a member of
    `CommandType`, a class here, and its transitions in a chart.
    """

    type: ClassVar[CommandType]
    """Which command it is."""
    roles: ClassVar[tuple[Role, ...]]
    """Who may send it, the usual sender first; the charts have to agree."""
    payload: ClassVar[_PayloadClass] = Payload
    """What its event records of it beyond who and when."""
    records: ClassVar[EventType | None] = None
    """The event that records it while the dispute goes on; None where it always closes or fails."""
    records_end: ClassVar[EventType | None] = None
    """The event that records it where it closes the dispute, instead of the closed state's."""
    meets: ClassVar[Deadline | None] = None
    """The deadline that asks a person for it; a promise is met by the order's facts instead."""
    once: ClassVar[OnceOnly | None] = None
    """For a command that is accepted once: what it meets from then on."""
    quiet: ClassVar[bool] = False
    """Whether it is no error where it changes nothing: nobody asked for anything."""

    @staticmethod
    def remember(memory: Memory, recorded: RecordedCommand) -> Memory:  # noqa: ARG004 -- by default nothing new
        """Return what later guards remember, once the command was accepted and recorded so."""
        return memory

    by: GivenActor
    key: GivenIdentifier | None = None

    def __repr__(self) -> str:
        said = {name: value for name, value in vars(self).items() if name not in {"by", "policy"}}
        by = vars(self).get(
            "by"
        )  # one that is read back from a record may lack some of its members
        return f"{type(self).__name__}({', '.join([f'by {by}', *_said(said)])})"

    def __str__(self) -> str:
        return repr(self)


def _said(members: Mapping[str, Any]) -> Iterator[str]:
    """Tell what a command says, in few words: of a person's words only how many there are."""
    for name, value in members.items():
        if value is None or value == ():
            continue
        if name in PERSONAL:
            yield f"{name} of {len(value)} characters"
        elif name == "vouchers":
            yield f"vouchers={len(value)}"
        else:
            yield f"{name}={format_instant(value) if isinstance(value, datetime) else value}"


def _rules(given: dict[str, Any]) -> str:
    rollout: RolloutDecision | None = given["rollout"]
    return DEFAULT_VERSION if rollout is None else rollout.version


class _Opening(
    Strict
):  # a class of its own, so that these are read before `by`, whose default is the consumer
    dispute_id: GivenIdentifier
    order_id: GivenIdentifier
    merchant_id: GivenIdentifier
    consumer_id: GivenIdentifier
    rollout: RolloutDecision | None = None
    rules: GivenIdentifier = Field(default_factory=_rules)
    policy: Policy = DEFAULT_POLICY


class OpenDispute(Command, _Opening):
    """Open a dispute: whose, about which order, under which rule version and policy.

    By the consumer it names, unless `by` says otherwise. `rollout` is the decision of a gradual
    release, where one chose the rule version; without one it is `DEFAULT_VERSION`, unless `rules`
    names another.
    """

    type = CommandType.OPEN_DISPUTE
    roles = (Role.CONSUMER, Role.SYSTEM)
    payload = OpeningPayload
    records = EventType.DISPUTE_OPENED
    by: GivenActor = Field(default_factory=lambda given: consumer(given["consumer_id"]))

    @model_validator(mode="after")
    def _as_the_rollout_decided(self) -> Self:
        if self.rollout is not None and self.rollout.version != self.rules:
            raise ValueError(
                f"the rollout decided on {self.rollout.version}, the opening names {self.rules}"
            )
        return self


class _Request(Strict):
    note: Text | None = None


class _Ruling(Strict):
    rationale: Text | None = None


class ChooseOption(Command, _Choice):
    """The merchant's one response. `agreed_until` goes with `ship_by_agreed_date` only."""

    type = CommandType.CHOOSE_OPTION
    roles = (Role.MERCHANT,)
    meets = Deadline.RESPONSE
    payload = ChoicePayload
    records = EventType.OPTION_CHOSEN
    vouchers: _Vouchers[Voucher] = ()
    note: Text | None = None

    @staticmethod
    def remember(memory: Memory, recorded: RecordedCommand) -> Memory:
        """Remember the option and the agreed instant."""
        chosen = recorded.payload
        if chosen is None:
            return memory
        return memory._replace(option=chosen.option, agreed_until=chosen.agreed_until)


class ConfirmAgreement(Command):
    """The consumer confirms that an agreement was made."""

    type = CommandType.CONFIRM_AGREEMENT
    roles = (Role.CONSUMER,)
    meets = Deadline.CONFIRMATION
    records = EventType.AGREEMENT_CONFIRMED

    @staticmethod
    def remember(memory: Memory, recorded: RecordedCommand) -> Memory:
        """Remember that the agreement is confirmed, where the dispute goes on."""
        return memory._replace(
            confirmed=memory.confirmed or recorded.type is EventType.AGREEMENT_CONFIRMED
        )


class DenyAgreement(Command):
    """The consumer denies that an agreement was made."""

    type = CommandType.DENY_AGREEMENT
    roles = (Role.CONSUMER,)
    meets = Deadline.CONFIRMATION
    records = EventType.AGREEMENT_DENIED


class ObserveOrder(Command):
    """Look at the order once more, because it may have been shipped or refunded."""

    type = CommandType.OBSERVE_ORDER
    roles = (Role.SYSTEM,)
    quiet = True
    by: GivenActor = SYSTEM


class SubmitEvidence(Command, _Evidence):
    """The merchant's evidence: a reason of the catalogue, the vouchers it asks for, a statement."""

    type = CommandType.SUBMIT_EVIDENCE
    roles = (Role.MERCHANT,)
    meets = Deadline.EVIDENCE
    payload = EvidencePayload
    records = EventType.EVIDENCE_SUBMITTED
    vouchers: _Vouchers[Voucher] = ()
    statement: Text | None = None

    @staticmethod
    def remember(memory: Memory, recorded: RecordedCommand) -> Memory:  # noqa: ARG004 -- each counts
        """Count the submission."""
        return memory._replace(submissions=memory.submissions + 1)


class RequestEvidence(Command, _Request):
    """The adjudicator asks for more; the note says what for."""

    type = CommandType.REQUEST_EVIDENCE
    roles = (Role.ADJUDICATOR,)
    payload = RequestPayload
    records = EventType.EVIDENCE_REQUESTED

    @staticmethod
    def remember(memory: Memory, recorded: RecordedCommand) -> Memory:  # noqa: ARG004 -- each counts
        """Count the request."""
        return memory._replace(extra_rounds=memory.extra_rounds + 1)


class RuleNoFault(Command, _Ruling):
    """The adjudicator rules: no fault, or that an agreement was made; `rationale` says why."""

    type = CommandType.RULE_NO_FAULT
    roles = (Role.ADJUDICATOR,)
    payload = RulingPayload
    records = EventType.AGREEMENT_UPHELD

    @staticmethod
    def remember(memory: Memory, recorded: RecordedCommand) -> Memory:
        """Remember that the agreement is confirmed, where the dispute goes on."""
        return memory._replace(
            confirmed=memory.confirmed or recorded.type is EventType.AGREEMENT_UPHELD
        )


class RuleAtFault(Command, _Ruling):
    """The adjudicator rules: at fault, or that no agreement was made; `rationale` says why."""

    type = CommandType.RULE_AT_FAULT
    roles = (Role.ADJUDICATOR,)
    payload = RulingPayload


class ExtendDeadline(Command, _Extension):
    """Move a deadline, which `deadline` may name, to `until`; a promise to that agreed instant."""

    type = CommandType.EXTEND_DEADLINE
    roles = (Role.ADJUDICATOR,)
    payload = ExtensionPayload
    records = EventType.DEADLINE_EXTENDED
    rationale: Text | None = None

    @staticmethod
    def remember(memory: Memory, recorded: RecordedCommand) -> Memory:
        """Remember the new agreed instant, where it is the promise that was extended."""
        extension = recorded.payload
        if extension is None or Deadline.PROMISE not in recorded.moved:
            return memory
        return memory._replace(agreed_until=extension.until)


class Withdraw(Command):
    """The consumer withdraws the dispute."""

    type = CommandType.WITHDRAW
    roles = (Role.CONSUMER,)


class Annul(Command, _Ruling):
    """The adjudicator annuls a penalty; `rationale` says why."""

    type = CommandType.ANNUL
    roles = (Role.ADJUDICATOR,)
    payload = RulingPayload
    records_end = EventType.PENALTY_ANNULLED


class Appeal(Command, _Ruling):
    """The merchant appeals against a penalty, once; `rationale` says why."""

    type = CommandType.APPEAL
    roles = (Role.MERCHANT,)
    payload = RulingPayload
    records = EventType.PENALTY_APPEALED
    meets = Deadline.APPEAL
    once = OnceOnly(
        RefusalCode.ALREADY_APPEALED,
        "not_appealed",
        Message("此前未申诉过", "no appeal was accepted before"),
    )


class UpholdPenalty(Command, _Ruling):
    """The adjudicator upholds a penalty that was appealed; `rationale` says why."""

    type = CommandType.UPHOLD_PENALTY
    roles = (Role.ADJUDICATOR,)
    payload = RulingPayload
    records_end = EventType.PENALTY_UPHELD


class OverturnPenalty(Command, _Ruling):
    """The adjudicator overturns a penalty that was appealed; `rationale` says why."""

    type = CommandType.OVERTURN_PENALTY
    roles = (Role.ADJUDICATOR,)
    payload = RulingPayload
    records_end = EventType.PENALTY_OVERTURNED


class ExpireResponse(Command):
    """Act on the response deadline, which has passed."""

    type = CommandType.RESPONSE_EXPIRED
    roles = (Role.SYSTEM,)
    by: GivenActor = SYSTEM


class ExpireConfirmation(Command):
    """Act on the confirmation deadline, which has passed."""

    type = CommandType.CONFIRMATION_EXPIRED
    roles = (Role.SYSTEM,)
    records = EventType.AGREEMENT_DENIED
    by: GivenActor = SYSTEM


class ExpirePromise(Command):
    """Act on the promise deadline, which has passed."""

    type = CommandType.PROMISE_EXPIRED
    roles = (Role.SYSTEM,)
    by: GivenActor = SYSTEM


class ExpireEvidence(Command):
    """Act on the evidence deadline, which has passed."""

    type = CommandType.EVIDENCE_EXPIRED
    roles = (Role.SYSTEM,)
    records = EventType.EVIDENCE_OVERDUE
    by: GivenActor = SYSTEM


class ExpireAppeal(Command):
    """Act on the appeal deadline, which has passed: the penalty is final."""

    type = CommandType.APPEAL_EXPIRED
    roles = (Role.SYSTEM,)
    records = EventType.PENALTY_FINAL
    by: GivenActor = SYSTEM


AnyCommand = (
    OpenDispute
    | ChooseOption
    | ConfirmAgreement
    | DenyAgreement
    | ObserveOrder
    | SubmitEvidence
    | RequestEvidence
    | RuleNoFault
    | RuleAtFault
    | ExtendDeadline
    | Withdraw
    | Annul
    | ExpireResponse
    | ExpireConfirmation
    | ExpirePromise
    | ExpireEvidence
    | Appeal
    | ExpireAppeal
    | UpholdPenalty
    | OverturnPenalty
)
"""Any command, told apart by its class."""


# ---- by type -------------------------------------------------------------------------------------

_CLASSES: Mapping[CommandType, type[Command]] = {one.type: one for one in get_args(AnyCommand)}


def _declared(name: CommandType) -> type[Command]:
    """Return the class of a command.

    Raises `TypeError` where there is none, or where it leaves out roles or a payload. An opening is
    different: most of its members are members of its event.
    """
    of = _CLASSES.get(name)
    if of is None:
        raise TypeError(f"AnyCommand has no class for the command {name.value}")
    if not hasattr(of, "roles"):
        raise TypeError(f"{of.__name__} declares no roles")
    members, recorded = of.model_fields.keys() - Command.model_fields, of.payload.model_fields
    if members != recorded.keys() and name is not CommandType.OPEN_DISPUTE:
        raise TypeError(
            f"{of.__name__} says {', '.join(sorted(members)) or 'nothing'}, but "
            f"{of.payload.__name__} records {', '.join(sorted(recorded)) or 'nothing'}"
        )
    return of


COMMAND_CLASSES: Mapping[CommandType, type[Command]] = FrozenMap(
    {name: _declared(name) for name in CommandType}
)
"""The class of each type of command."""

QUIET = frozenset(name for name, of in COMMAND_CLASSES.items() if of.quiet)
"""The commands that are no error where they change nothing."""

PAYLOAD_CLASSES: Mapping[CommandType, type[Payload]] = FrozenMap(
    {name: of.payload for name, of in COMMAND_CLASSES.items()}
)
"""What an event records of each type of command."""

EXPIRIES: Mapping[Deadline, Command] = FrozenMap(
    {
        deadline: made(COMMAND_CLASSES[deadline.expiry], {"by": SYSTEM, "key": None})
        for deadline in Deadline
    }
)
"""The command by which the system acts on each deadline once it has passed."""


def _check_every_deadline_is_met(classes: Iterable[type[Command]]) -> None:
    """Raise `TypeError` where no command meets a deadline; the order's facts meet a promise."""
    if unmet := set(Deadline) - {Deadline.PROMISE, *(of.meets for of in classes)}:
        raise TypeError(f"no command meets the {min(unmet).en}")


_check_every_deadline_is_met(COMMAND_CLASSES.values())


def remembered(memory: Memory, command: CommandType, recorded: RecordedCommand) -> Memory:
    """Return what later guards remember after the command, as its class declares it."""
    of = COMMAND_CLASSES[command]
    if of.once is not None:
        memory = memory._replace(once=memory.once | {command})
    return of.remember(memory, recorded)


def content(command: Command) -> dict[str, Any]:
    """Return what a command says beyond who and under which key, by the names of its payload."""
    recorded = PAYLOAD_CLASSES[command.type].__pydantic_fields__
    return {name: getattr(command, name) for name in recorded}


def content_as_json(command: Command) -> dict[str, Any]:
    """Return the same in plain values, as JSON holds them."""
    return command.model_dump(mode="json", include=set(PAYLOAD_CLASSES[command.type].model_fields))
