"""The policy: everything that a marketplace can configure without changing the rules.

A policy is complete: no defaults are filled in when a record is read, so that a dispute keeps the
policy that it was opened under. `digest` identifies it by content. `lay_over` makes a policy from
another one and the changes.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Self, cast
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from dispute_fsm.domain.canonical_json import digest
from dispute_fsm.domain.enums import Denial, Lang, Silence, VoucherKind
from dispute_fsm.domain.scalars import (
    Duration,
    FrozenMap,
    Named,
    ReasonId,
    Series,
    Strict,
    Text,
    Whole,
    written,
)
from dispute_fsm.domain.working_time import DEFAULT_CALENDAR, CalendarPolicy
from dispute_fsm.errors import InputError

_MOST_WORKING_DAYS = 1_000


class Term(Strict):
    """How long a deadline runs: either plain hours, or working hours by the policy's calendar."""

    hours: Annotated[int, Field(ge=1, le=87_600)] | None = None
    working_hours: Annotated[int, Field(ge=1, le=2_000)] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1 or (self.hours is None and self.working_hours is None):
            raise ValueError("give either hours or working_hours, as an integer")
        return self

    @model_serializer
    def _without_none(self) -> dict[str, int]:
        members = {"hours": self.hours, "working_hours": self.working_hours}
        return {name: value for name, value in members.items() if value is not None}


class Bilingual(Strict):
    """A text in both languages."""

    zh: Text
    en: Text

    def label(self, lang: Lang) -> str:
        """Return the text in the language asked for."""
        return self.zh if lang == "zh" else self.en


class Prompt(Strict):
    """A voucher that a reason requires: its kind, how many at least, and what it must show."""

    kind: Named[VoucherKind]
    at_least: Annotated[int, Field(ge=1, le=100)]
    shows: Text | Bilingual

    def shows_label(self, lang: Lang) -> str:
        """Return what the voucher must show, in this language if it is given in both."""
        return self.shows if isinstance(self.shows, str) else self.shows.label(lang)


class EvidenceReason(Strict):
    """A reason in the evidence catalogue: the vouchers that it requires, and those not accepted."""

    label: Bilingual
    prompts: Series[Prompt]
    not_accepted: Series[Named[VoucherKind]]
    statement: bool

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        kinds = [prompt.kind for prompt in self.prompts]
        if len(set(kinds)) < len(kinds):
            raise ValueError("duplicate voucher kind in prompts: write the number in at_least")
        if refused := sorted(set(kinds) & set(self.not_accepted)):
            raise ValueError(f"{refused[0].value} is both in prompts and in not_accepted")
        return self


class VoucherLimits(Strict):
    """Limits for vouchers: formats, bytes (each and together), number; statement: code points."""

    media_types: Annotated[Series[Text], Field(min_length=1)]
    max_bytes: Whole
    max_bytes_together: Whole
    max_count: Whole
    max_statement: Whole


OrderUrl = Annotated[
    Text,
    written(
        r"https?://[^\s\x1c-\x1f{}]+\{order_id\}[^\s\x1c-\x1f{}]*",
        "an http(s) URL with {order_id} in it, and no other braces",
    ),
]
"""The URL of the order page (去订单详情页), as a template."""

Reasons = Annotated[
    Mapping[ReasonId, EvidenceReason],
    AfterValidator(FrozenMap),
    PlainSerializer(dict, return_type=dict[str, EvidenceReason]),
]


class Policy(Strict):
    """Everything that can be configured. `None` disables a deadline, `max_promise` or the link.

    A field with a default is a rule version's own: it is recorded where it is given, and given only
    to disputes under that version.
    """

    response: Term | None
    confirmation: Term | None
    evidence: Term | None
    appeal: Term | None = None
    max_promise: Duration | None
    scan_grace: Duration
    max_facts_age: Duration
    silence: Named[Silence]
    denial: Named[Denial]
    extra_evidence_rounds: Whole
    max_recorded_refusals: Whole
    order_url: OrderUrl | None
    calendar: CalendarPolicy
    evidence_reasons: Reasons
    voucher_limits: VoucherLimits

    @model_validator(mode="after")
    def _working_time_ends(self) -> Self:
        day = self.calendar.day
        minutes = (day.closes.hour - day.opens.hour) * 60 + day.closes.minute - day.opens.minute
        for name in TERM_FIELDS:
            term: Term | None = getattr(self, name)
            if (
                term is not None
                and term.working_hours is not None
                and term.working_hours * 60 > minutes * _MOST_WORKING_DAYS
            ):
                raise ValueError(
                    f"{name}: {term.working_hours} working hours are more than "
                    f"{_MOST_WORKING_DAYS} days of {minutes} minutes"
                )
        return self

    def __eq__(self, other: object) -> bool:
        """Compare by content: a field that was not given differs from one that is null."""
        return isinstance(other, Policy) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def record(self) -> dict[str, Any]:
        """The policy as it is recorded in a history file: plain JSON, complete."""
        return self.model_dump(mode="json", by_alias=True)

    @model_serializer(mode="wrap")
    def _as_given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a rule version's field that was not given, so that it is read back so."""
        absent = VERSION_FIELDS - self.model_fields_set
        members: dict[str, Any] = serialize(self)
        return {name: value for name, value in members.items() if name not in absent}

    @cached_property
    def digest(self) -> str:
        """SHA-256, in lower-case hex, of the RFC 8785 canonical form: the id of its content."""
        return digest(self.record)

    def order_link(self, order_id: str) -> str | None:
        """Return the URL of the order page (去订单详情页), or None if the policy has none."""
        url = self.order_url
        return None if url is None else url.replace("{order_id}", quote(order_id, safe=""))

    def lay_over(self, changes: Mapping[str, object]) -> Self:
        """Make a policy that differs from this one in the given fields.

        Mappings are merged key by key; deadline terms and lists are replaced as a whole; `None`
        disables `response`, `confirmation`, `evidence`, `appeal`, `max_promise` and `order_url`,
        and removes a single evidence reason.

        Raises `InputError` if a reason to be removed does not exist, pydantic's `ValidationError`
        for every other error.
        """
        return type(self).model_validate(_merge(self.record, changes, ()))


TERM_FIELDS = frozenset(
    name for name, field in Policy.model_fields.items() if field.annotation == Term | None
)
"""The fields that say how long a deadline runs."""

VERSION_FIELDS = frozenset(
    name for name, field in Policy.model_fields.items() if not field.is_required()
)
"""The fields that only some rule versions have."""


def _merge(
    base: dict[str, Any], changes: Mapping[str, object], path: tuple[str, ...]
) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        here = (*path, key)
        if path == ("evidence_reasons",) and value is None:
            if merged.pop(key, None) is None:
                raise InputError("unknown reason to remove", field=".".join(map(str, here)))
        elif (
            isinstance(value, Mapping)
            and isinstance(merged.get(key), dict)
            and (path or key not in TERM_FIELDS)
        ):
            merged[key] = _merge(merged[key], cast("Mapping[str, object]", value), here)
        else:
            merged[key] = value
    return merged


def _reason(
    zh: str, en: str, *prompts: dict[str, object], not_accepted: tuple[VoucherKind, ...] = ()
) -> dict[str, object]:
    return {
        "label": {"zh": zh, "en": en},
        "prompts": prompts,
        "not_accepted": not_accepted,
        "statement": True,
    }


def _prompt(kind: VoucherKind, zh: str, en: str, at_least: int = 1) -> dict[str, object]:
    return {"kind": kind, "at_least": at_least, "shows": {"zh": zh, "en": en}}


_CHAT, _DOCUMENT, _PAGE = (
    VoucherKind.CHAT_SCREENSHOT,
    VoucherKind.OFFICIAL_DOCUMENT,
    VoucherKind.ORDER_PAGE,
)

_REASONS = {
    "consumer_agreed_later": _reason(
        "消费者同意延后发货",
        "the consumer agreed to a later shipment",
        _prompt(_CHAT, "消费者同意延后", "the consumer's consent"),
    ),
    "consumer_requested_hold": _reason(
        "消费者要求暂缓发货",
        "the consumer asked to hold the shipment",
        _prompt(_CHAT, "消费者的暂缓要求", "the consumer's request"),
    ),
    "consumer_unresponsive": _reason(
        "无法联系消费者",
        "the consumer could not be reached",
        _prompt(_CHAT, "两次不同时间的联系记录", "two attempts to reach the consumer", at_least=2),
    ),
    "presale_or_custom_promise": _reason(
        "预售或定制商品，未到承诺时间",
        "pre-sale or custom goods, not due yet",
        _prompt(_PAGE, "页面公示的发货时间", "the shipping date that the page promised"),
    ),
    "force_majeure": _reason(
        "不可抗力",
        "force majeure",
        _prompt(_DOCUMENT, "主管部门的通知或证明", "the authority's notice"),
        not_accepted=(_CHAT,),
    ),
    "public_holiday": _reason(
        "法定节假日",
        "public holiday",
        _prompt(_DOCUMENT, "节假日安排或停运公告", "the holiday or carrier closure notice"),
    ),
    "platform_fault": _reason(
        "平台系统故障",
        "fault of the platform",
        _prompt(_PAGE, "显示故障的页面", "the page that shows the fault"),
    ),
    "carrier_fault": _reason(
        "物流公司原因",
        "fault of the carrier",
        _prompt(
            VoucherKind.CARRIER_CERTIFICATE,
            "物流公司盖章的说明",
            "the carrier's stamped statement",
        ),
    ),
    "shipped_and_picked_up": _reason(
        "已发货且已揽件",
        "shipped and picked up",
        _prompt(
            VoucherKind.WAYBILL_TRACE, "运单号与揽件时间", "the waybill and the time of pickup"
        ),
    ),
    "customs_clearance": _reason(
        "清关原因",
        "customs clearance",
        _prompt(_DOCUMENT, "海关出具的文件", "the customs document"),
        _prompt(VoucherKind.WAYBILL_TRACE, "包裹停留在清关环节", "the parcel held at customs"),
    ),
}

_MIB = 1024 * 1024

DEFAULT_POLICY = Policy.model_validate(
    {
        "response": {"hours": 24},
        "confirmation": {"hours": 24},
        "evidence": {"working_hours": 4},
        "max_promise": "15d",
        "scan_grace": "6h",
        "max_facts_age": "5m",
        "silence": Silence.CONSENT,
        "denial": Denial.PENALIZE,
        "extra_evidence_rounds": 1,
        "max_recorded_refusals": 50,
        "order_url": "https://shop.example/orders/{order_id}",
        "calendar": DEFAULT_CALENDAR,
        "evidence_reasons": _REASONS,
        "voucher_limits": {
            "media_types": ["image/jpeg", "image/png", "image/gif", "application/pdf", "video/mp4"],
            "max_bytes": 10 * _MIB,
            "max_bytes_together": 50 * _MIB,
            "max_count": 20,
            "max_statement": 500,
        },
    }
)
"""The default policy: assumptions where the announcement is silent; the README lists them."""

DEFAULT_REASONS = DEFAULT_POLICY.evidence_reasons
"""The default evidence catalogue: our assumption, modelled on comparable marketplaces."""
