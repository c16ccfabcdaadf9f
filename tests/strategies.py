"""All Hypothesis strategies of the project, so that every test generates the same kinds of data.

All generated data is valid: the package's own models have accepted it. Invalid data is written out
in the tests themselves. Give a strategy few and close instants: rules change at equal and adjacent
times.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from unicodedata import category

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from dispute_fsm.domain.commands import COMMAND_CLASSES, PAYLOAD_CLASSES, Actor, Command, Voucher
from dispute_fsm.domain.enums import (
    CancelStatus,
    CommandType,
    Deadline,
    Denial,
    Option,
    PickupKind,
    RefundScope,
    RefundStatus,
    Role,
    Silence,
    VoucherKind,
)
from dispute_fsm.domain.facts import CancelRequest, Order, OrderFacts, Pickup, Refund, Shipment
from dispute_fsm.domain.policy import DEFAULT_POLICY, TERM_FIELDS, Policy
from dispute_fsm.domain.scalars import MAX_INTEGER
from tests.support import required

MERCHANT, CONSUMER = "M-1", "C-1"
"""The dispute's own merchant and consumer, in tests that need no others."""

FIRST, LAST = datetime(1971, 1, 2, tzinfo=UTC), datetime(2199, 12, 30, tzinfo=UTC)
"""A day in the years of an instant, with a margin for the clock of every zone."""

NOW = datetime(2023, 3, 28, 2, tzinfo=UTC)
"""A Tuesday, ten in the morning in Shanghai: the moment around which examples lie by default."""

LONGEST = timedelta(days=36_500)
SECOND = timedelta(seconds=1)

# ---- texts and numbers ---------------------------------------------------------------------------

BLANK = " \t\n\r\u00a0\u2003\u3000"
"""Characters of which a blank text may consist, the ideographic space among them."""


def blanks(*, max_size: int = 20) -> SearchStrategy[str]:
    """Texts that say nothing: empty, or white space only."""
    return st.text(BLANK, max_size=max_size)


def texts(*, max_size: int = 40) -> SearchStrategy[str]:
    """Texts of any characters: UTF-8, CJK, astral (two UTF-16 units each), and blank texts."""
    return st.one_of(
        st.text(st.characters(codec="utf-8"), max_size=max_size),
        st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=max_size),
        st.text(st.characters(codec="utf-8", min_codepoint=0x1_0000), max_size=max_size),
        blanks(max_size=max_size),
    )


def identifiers(*, max_size: int = 40) -> SearchStrategy[str]:
    """Ids as other systems give them: one line, never blank, of any characters but controls."""
    one_line = st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"])
    named = st.text(one_line, min_size=1, max_size=max_size).filter(
        lambda text: any(category(sign) not in {"Zs", "Cf"} for sign in text)
    )
    return st.one_of(st.from_regex(r"[A-Z]{1,3}-?[0-9]{1,12}", fullmatch=True), named)


def wholes(most: int = MAX_INTEGER) -> SearchStrategy[int]:
    """Whole numbers that every JSON reader keeps exact."""
    return st.integers(min_value=0, max_value=most)


def json_values() -> SearchStrategy[object]:
    """Values of a record: strings, 53-bit integers, booleans, null, lists, mappings."""
    scalars = st.one_of(st.none(), st.booleans(), st.integers(-MAX_INTEGER, MAX_INTEGER), texts())
    keys = st.text(st.characters(codec="ascii"), max_size=8)
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)
        ),
        max_leaves=12,
    )


# ---- time ----------------------------------------------------------------------------------------


def instants(first: datetime = FIRST, last: datetime = LAST) -> SearchStrategy[datetime]:
    """Instants in UTC, whole seconds as often as not."""
    seconds = st.integers(0, (last - first) // SECOND).map(lambda n: first + n * SECOND)
    finer = st.integers(0, (last - first) // timedelta(microseconds=1)).map(
        lambda n: first + timedelta(microseconds=n)
    )
    return st.one_of(seconds, finer)


def near(*anchors: datetime) -> SearchStrategy[datetime]:
    """Instants at, just before, just after and some hours around any of the anchors."""
    apart = [timedelta(0), timedelta(microseconds=1), SECOND, timedelta(hours=1), timedelta(days=2)]
    return st.builds(
        lambda anchor, step, sign: anchor + sign * step,
        st.sampled_from(anchors),
        st.sampled_from(apart),
        st.sampled_from([1, -1]),
    )


def offsets() -> SearchStrategy[timezone]:
    """Offsets from UTC in whole minutes, as RFC 3339 can write them."""
    return st.integers(-23 * 60 - 59, 23 * 60 + 59).map(
        lambda minutes: timezone(timedelta(minutes=minutes))
    )


def spelt(instant: datetime) -> SearchStrategy[str]:
    """Every way to write an instant in RFC 3339: any offset, `T`, `t` or a space, `Z` or `z`."""

    def write(offset: timezone, separator: str, zulu: str) -> str:
        text = instant.astimezone(offset).isoformat(separator)
        return text.replace("+00:00", zulu) if zulu else text

    return st.builds(
        write, offsets() | st.just(UTC), st.sampled_from("Tt "), st.sampled_from(["", "Z", "z"])
    )


def durations(longest: timedelta = LONGEST) -> SearchStrategy[timedelta]:
    """Durations in whole seconds, round ones as often as not."""
    most = longest // SECOND
    round_ones = st.builds(
        lambda n, size: min(n * size, most),
        st.integers(0, 100),
        st.sampled_from([1, 60, 3_600, 86_400]),
    )
    return st.one_of(round_ones, st.integers(0, most)).map(lambda n: timedelta(seconds=n))


# ---- actors and vouchers -------------------------------------------------------------------------


def actors(
    roles: Iterable[Role] = Role, *, ids: Sequence[str] = (MERCHANT, CONSUMER, "X-9")
) -> SearchStrategy[Actor]:
    """Actors of any role, right and wrong: the dispute's own ids, somebody else's, or any."""
    return st.builds(
        Actor, role=st.sampled_from(list(roles)), id=st.sampled_from(list(ids)) | identifiers()
    )


def own_actor(role: Role) -> Actor:
    """Give the actor of this role that fits the dispute of `MERCHANT` and `CONSUMER`."""
    return Actor(
        role=role,
        id={Role.MERCHANT: MERCHANT, Role.CONSUMER: CONSUMER}.get(role, f"{role.value}-1"),
    )


def sha256s() -> SearchStrategy[str]:
    """Digests, often the same ones again."""
    return st.sampled_from([digit * 64 for digit in "0ab"]) | st.binary(
        min_size=32, max_size=32
    ).map(bytes.hex)


def vouchers(
    policy: Policy = DEFAULT_POLICY, kinds: Iterable[VoucherKind] = VoucherKind
) -> SearchStrategy[Voucher]:
    """Vouchers of all kinds, within the policy's limits, at them and beyond them."""
    limits = policy.voucher_limits
    edges = [
        n for limit in (limits.max_bytes, limits.max_bytes_together) for n in (limit, limit + 1)
    ]
    return st.builds(
        dict[str, object],
        kind=st.sampled_from(list(kinds)),
        file_name=st.none() | texts(),
        media_type=st.sampled_from([*limits.media_types, "text/plain"]) | identifiers(),
        size=st.sampled_from([0, 1, *edges]) | wholes(),
        sha256=sha256s(),
        uri=st.none() | texts(),
    ).map(Voucher.model_validate)


def voucher_tuples(
    policy: Policy = DEFAULT_POLICY, *, max_size: int = 5
) -> SearchStrategy[tuple[Voucher, ...]]:
    """Vouchers of one command, with repetitions."""
    return st.lists(vouchers(policy), max_size=max_size).map(tuple)


# ---- the order system's facts --------------------------------------------------------------------

WAYBILLS = ("W1", "W2", None)


def orders(times: SearchStrategy[datetime] | None = None) -> SearchStrategy[Order]:
    """Orders of every shape, their times close to each other."""
    maybe_at = st.none() | (near(NOW) if times is None else times)
    waybills = st.sampled_from(WAYBILLS)
    cancel_requests = st.builds(
        CancelRequest, submitted_at=maybe_at, status=st.sampled_from(CancelStatus)
    )
    refunds = st.builds(
        Refund,
        status=st.sampled_from(RefundStatus),
        completed_at=maybe_at,
        scope=st.sampled_from(RefundScope),
        amount=st.sampled_from([None, "0", "99.90", "0.0001"]),
        currency=st.sampled_from([None, "CNY", "USD"]),
    )
    shipments = st.builds(
        Shipment, shipped_at=maybe_at, carrier=st.none() | identifiers(), waybill=waybills
    )
    pickups = st.builds(
        Pickup, scanned_at=maybe_at, waybill=waybills, kind=st.sampled_from(PickupKind)
    )
    return st.builds(
        Order,
        paid_at=maybe_at,
        cancel_request=st.none() | cancel_requests,
        refund=st.none() | refunds,
        shipment=st.none() | shipments,
        pickup=st.none() | pickups,
    )


def seen(
    order: Order, observed_at: datetime, order_id: str = "O-1", revision: str = "1"
) -> OrderFacts:
    """Give the facts that one look at this order finds."""
    named = {
        "order_id": order_id,
        "asked": "memory",
        "observed_at": observed_at,
        "revision": revision,
    }
    return OrderFacts.model_validate({**dict(order), **named})


def order_facts(
    observed_at: datetime = NOW, times: SearchStrategy[datetime] | None = None
) -> SearchStrategy[OrderFacts]:
    """Facts that one look finds, with times before, at and after the look."""
    return orders(near(observed_at) if times is None else times).map(
        lambda order: seen(order, observed_at)
    )


# ---- policies ------------------------------------------------------------------------------------


def _terms() -> SearchStrategy[Mapping[str, int] | None]:
    plain = st.fixed_dictionaries({"hours": st.integers(1, 87_600)})
    working = st.fixed_dictionaries({"working_hours": st.integers(1, 100)})
    return st.none() | plain | working


@st.composite
def _calendars(draw: DrawFn) -> dict[str, object]:
    opens = draw(st.integers(0, 24 * 60 - 31))
    closes = draw(
        st.integers(opens + 30, 24 * 60 - 1)
    )  # long enough for every term that is drawn to end within years
    days = draw(st.lists(st.dates(date(2023, 1, 1), date(2023, 12, 31)), max_size=6, unique=True))
    split = draw(st.integers(0, len(days)))
    clock = "{:02}:{:02}".format
    return {
        "zone": draw(st.sampled_from(["Asia/Shanghai", "UTC", "America/New_York"])),
        "country": draw(st.sampled_from(["CN", "DE"])),
        "day": {"from": clock(*divmod(opens, 60)), "to": clock(*divmod(closes, 60))},
        "holidays": [day.isoformat() for day in days[:split]],
        "workdays": [day.isoformat() for day in days[split:]],
    }


@st.composite
def _reasons(draw: DrawFn) -> dict[str, object]:
    gone = draw(st.sets(st.sampled_from(list(DEFAULT_POLICY.evidence_reasons)), max_size=3))
    kinds = draw(st.permutations([kind.value for kind in VoucherKind]))
    prompted = draw(st.integers(0, 3))
    added = {
        "label": {"zh": draw(texts()), "en": draw(texts())},
        "prompts": [
            {
                "kind": kind,
                "at_least": draw(st.integers(1, 3)),
                "shows": draw(texts() | st.fixed_dictionaries({"zh": texts(), "en": texts()})),
            }
            for kind in kinds[:prompted]
        ],
        "not_accepted": kinds[prompted : prompted + draw(st.integers(0, 2))],
        "statement": draw(st.booleans()),
    }
    new = draw(st.sampled_from(["", "added"]))
    return {**dict.fromkeys(gone), **({new: added} if new else {})}


def policy_changes() -> SearchStrategy[dict[str, object]]:
    """Differences from the default policy, as a policy file may hold them: any of the fields."""
    return st.fixed_dictionaries(
        {},
        optional={
            **{name: _terms() for name in sorted(TERM_FIELDS)},
            "max_promise": st.none() | durations().map(_spell),
            "scan_grace": durations(timedelta(days=30)).map(_spell),
            "max_facts_age": durations(timedelta(days=1)).map(_spell),
            "silence": st.sampled_from([word.value for word in Silence]),
            "denial": st.sampled_from([word.value for word in Denial]),
            "extra_evidence_rounds": st.integers(0, 3),
            "max_recorded_refusals": st.integers(0, 3) | wholes(),
            "order_url": st.sampled_from(
                [
                    None,
                    "http://shop.test/{order_id}",
                    "https://shop.test/o?id={order_id}&tab=ship#top",
                ]
            ),
            "calendar": _calendars(),
            "evidence_reasons": _reasons(),
            "voucher_limits": st.fixed_dictionaries(
                {},
                optional={
                    "media_types": st.lists(
                        st.sampled_from(["image/png", "image/webp", "application/pdf"]),
                        min_size=1,
                        unique=True,
                    ),
                    "max_bytes": st.integers(0, 10) | wholes(),
                    "max_bytes_together": st.integers(0, 20) | wholes(),
                    "max_count": st.integers(0, 3) | wholes(),
                    "max_statement": st.integers(0, 10) | wholes(),
                },
            ),
        },
    )


def policies() -> SearchStrategy[Policy]:
    """Policies of every sort, made as people make them: laid over the default."""
    return policy_changes().map(DEFAULT_POLICY.lay_over)


def _spell(length: timedelta) -> str:
    return f"{length.days}d{length.seconds}s"


# ---- commands ------------------------------------------------------------------------------------


def commands(
    events: Iterable[CommandType] = CommandType,
    policy: Policy = DEFAULT_POLICY,
    *,
    by: SearchStrategy[Actor] | None = None,
    times: SearchStrategy[datetime] | None = None,
) -> SearchStrategy[Command]:
    """Commands of any type, by right and wrong actors, with a key (often the same) or without."""
    keys = st.sampled_from([None, "k-1", "k-2"]) | identifiers()
    who = st.fixed_dictionaries({"by": actors() if by is None else by, "key": keys})
    return st.sampled_from(list(events)).flatmap(
        lambda event: st.builds(
            lambda sent, said: COMMAND_CLASSES[event].model_validate({**sent, **said}),
            who,
            _said(event, policy, times),
        )
    )


def _said(
    event: CommandType, policy: Policy, times: SearchStrategy[datetime] | None
) -> SearchStrategy[Mapping[str, object]]:
    """Generate payloads for a type of command; optional members are sometimes left out."""
    at, said = near(NOW + timedelta(days=1)) if times is None else times, st.none() | texts()
    match event:
        case CommandType.CHOOSE_OPTION:
            common = {"vouchers": voucher_tuples(policy), "note": said}
            dated = st.fixed_dictionaries(
                {"option": st.just(Option.SHIP_BY_AGREED_DATE)},
                optional={"agreed_until": st.none() | at, **common},
            )
            return dated | st.fixed_dictionaries(
                {"option": st.sampled_from(Option)}, optional=common
            )
        case CommandType.SUBMIT_EVIDENCE:
            reasons = st.sampled_from([None, *policy.evidence_reasons]) | st.from_regex(
                r"[!-~]{1,64}", fullmatch=True
            )
            return st.fixed_dictionaries(
                {},
                optional={"reason": reasons, "vouchers": voucher_tuples(policy), "statement": said},
            )
        case CommandType.EXTEND_DEADLINE:
            return st.fixed_dictionaries(
                {"until": at},
                optional={"rationale": said, "deadline": st.none() | st.sampled_from(Deadline)},
            )
        case CommandType.OPEN_DISPUTE:
            return st.just(
                {"dispute_id": "D-1", "order_id": "O-1", "merchant_id": "M-1", "consumer_id": "C-1"}
            )
        case _:
            said_always = {name: st.just(value) for name, value in required(event).items()}
            others = PAYLOAD_CLASSES[event].model_fields.keys() - said_always
            return st.fixed_dictionaries(said_always, optional=dict.fromkeys(others, said))
