"""The transitions of rule version `parallel`, written a second time, to test the chart against.

Like `oracle_2023_03`, from which it imports only the three results: plain ifs that follow the rules
page, region by region, and nothing from the package. A configuration is `resolved`, `penalized`, or
the leaves of both regions, separated by a comma.

In a region, rules of 2023-03 apply to that leaf. Where they would penalize, the region fails: the
first one waits, and when the other fails too the dispute is penalized, with the heavier liability.
"""

from dataclasses import dataclass

from tests.oracle_2023_03 import Fires, Refuses, Unchanged

SETTLEMENT = ("proposing", "awaiting_confirmation", "awaiting_shipment", "settlement_failed")
EVIDENCE = ("awaiting_evidence", "under_review", "evidence_failed")

# At most one region has failed while the dispute is live.
CONFIGURATIONS = (
    *(
        f"{one},{other}"
        for one in SETTLEMENT
        for other in EVIDENCE
        if (one, other) != ("settlement_failed", "evidence_failed")
    ),
    "resolved",
    "penalized",
)

HEAVIEST_FIRST = (
    "at_fault",
    "breach_of_promise",
    "out_of_stock",
    "promise_missed",
    "no_response",
    "evidence_overdue",
)

# For what a region can have failed.
FAILS = {
    "settlement_failed": ("breach_of_promise", "out_of_stock", "promise_missed", "no_response"),
    "evidence_failed": ("at_fault", "evidence_overdue"),
}

_VOUCHER_LIMITS = frozenset({"voucher_too_large", "voucher_media_type", "too_many_vouchers"})
_CHOICES = {
    "consumer_cancels": (
        "settled_by_cancellation",
        frozenset({"no_cancel_request_or_refund"}) | _VOUCHER_LIMITS,
    ),
    "already_shipped": (
        "settled_by_shipment",
        frozenset({"not_shipped", "no_pickup_scan", "pickup_not_valid"}) | _VOUCHER_LIMITS,
    ),
    "out_of_stock_refund": ("settled_by_out_of_stock_refund", _VOUCHER_LIMITS),
}
_AGREED = (
    frozenset(
        {"promise_missing", "promise_not_in_future", "promise_too_far", "agreement_voucher_missing"}
    )
    | _VOUCHER_LIMITS
)
_PROVEN = (
    frozenset(
        {
            "reason_unknown",
            "voucher_missing",
            "voucher_not_accepted",
            "statement_missing",
            "statement_too_long",
        }
    )
    | _VOUCHER_LIMITS
)
_RATIONALE = frozenset({"rationale_missing"})
_EXTENSION = frozenset({"rationale_missing", "deadline_not_later"})


@dataclass(frozen=True)
class Seen:
    """The facts at the time of the event; see also `oracle_2023_03.Seen`."""

    option: str | None
    confirmation: str
    silence: str
    evidence: str
    fulfilment: str
    extends: str | None
    """The deadline that an extension names, if it is set."""
    failed: str | None
    """For what the other region has failed; None where neither has."""
    actor_fits: bool
    settlement_in_time: bool
    evidence_in_time: bool
    either_in_time: bool
    """Not every running region's deadline has passed."""
    window_open: bool
    expired: bool
    unmet: frozenset[str]


@dataclass(frozen=True)
class _Row:
    fires: Fires
    in_time: bool
    """By the deadline of its own region; for an expiry, that it has passed."""
    requires: frozenset[str] = frozenset()


def expected(configuration: str, event: str, seen: Seen) -> Fires | Refuses | Unchanged:
    """Return the expected result of an event in a configuration."""
    row = _row(configuration, event, seen)
    if not seen.actor_fits:
        return _alone("wrong_actor")
    if event == "observe_order":
        return row.fires if row is not None and row.in_time else Unchanged()
    if row is None and "," not in configuration:
        return _alone("dispute_closed")
    if event == "choose_option" and seen.option == "prove_no_fault":
        return _alone("option_not_offered")
    if row is None:
        # After a choice, another one is `option_already_chosen`; other tests distinguish the two.
        return _alone("not_in_this_state")
    if not row.in_time:
        return _alone("deadline_not_passed" if event.endswith("_expired") else "deadline_passed")
    unmet = row.requires & seen.unmet
    return Refuses(unmet) if unmet else row.fires


def requirements(configuration: str, event: str, seen: Seen) -> frozenset[str]:
    """Return the codes of all requirements of the selected row."""
    row = _row(configuration, event, seen)
    return frozenset() if row is None else row.requires


def _alone(code: str) -> Refuses:
    return Refuses(frozenset({code}))


def _row(configuration: str, event: str, seen: Seen) -> _Row | None:
    if configuration == "penalized" and event == "annul":
        return _Row(
            Fires("resolved", "annulled", "penalty_annulled"), in_time=True, requires=_RATIONALE
        )
    if "," not in configuration:
        return None
    if event == "withdraw":
        return _Row(_resolved("withdrawn"), seen.either_in_time)
    settlement, evidence = configuration.split(",")
    return _settlement(settlement, evidence, event, seen) or _evidence(
        settlement, evidence, event, seen
    )


def _settlement(leaf: str, beside: str, event: str, seen: Seen) -> _Row | None:
    def goes_on(to: str, event_type: str) -> Fires:
        return Fires(f"{to},{beside}", None, event_type)

    def fails(liability: str) -> Fires:
        if beside == "evidence_failed":
            return _both_failed(liability, seen)
        return goes_on("settlement_failed", "settlement_failed")

    if leaf == "proposing" and event == "choose_option" and seen.option == "ship_by_agreed_date":
        return _Row(goes_on("awaiting_shipment", "option_chosen"), seen.settlement_in_time, _AGREED)
    if leaf == "proposing" and event == "choose_option" and seen.option in _CHOICES:
        outcome, requires = _CHOICES[seen.option]
        at_once = seen.confirmation == "off"
        fires = _resolved(outcome) if at_once else goes_on("awaiting_confirmation", "option_chosen")
        return _Row(fires, seen.settlement_in_time, requires)
    if leaf == "proposing" and event == "response_expired":
        return _Row(fails("no_response"), seen.expired)

    if leaf == "awaiting_confirmation" and event in (
        "confirm_agreement",
        "deny_agreement",
        "confirmation_expired",
    ):
        agreed = _resolved(_CHOICES[str(seen.option)][0])
        denied = fails(
            "out_of_stock" if seen.option == "out_of_stock_refund" else "breach_of_promise"
        )
        if event == "confirmation_expired":
            return _Row(agreed if seen.silence == "consent" else denied, seen.expired)
        if event == "confirm_agreement":
            return _Row(agreed, seen.settlement_in_time)
        once = (
            frozenset({"already_confirmed"})
            if seen.option != "out_of_stock_refund"
            else frozenset[str]()
        )
        return _Row(denied, seen.settlement_in_time, once)

    if (
        leaf == "awaiting_shipment"
        and event in ("confirm_agreement", "deny_agreement")
        and seen.confirmation == "asked"
    ):
        fires = (
            goes_on(leaf, "agreement_confirmed")
            if event == "confirm_agreement"
            else fails("breach_of_promise")
        )
        return _Row(
            fires, seen.settlement_in_time and seen.window_open, frozenset({"already_confirmed"})
        )
    if leaf == "awaiting_shipment" and event in ("observe_order", "promise_expired"):
        in_time = seen.settlement_in_time if event == "observe_order" else seen.expired
        if seen.fulfilment == "kept":
            return _Row(_resolved("settled_by_agreed_shipment"), in_time)
        if seen.fulfilment == "refunded":
            return _Row(_resolved("settled_by_cancellation"), in_time)
        return None if event == "observe_order" else _Row(fails("promise_missed"), in_time)

    runs = {
        "proposing": "response",
        "awaiting_confirmation": "confirmation",
        "awaiting_shipment": "promise",
    }.get(leaf)
    if event == "extend_deadline" and runs is not None and seen.extends == runs:
        return _Row(goes_on(leaf, "deadline_extended"), seen.settlement_in_time, _EXTENSION)
    return None


def _evidence(beside: str, leaf: str, event: str, seen: Seen) -> _Row | None:
    def goes_on(to: str, event_type: str) -> Fires:
        return Fires(f"{beside},{to}", None, event_type)

    def fails(liability: str) -> Fires:
        if beside == "settlement_failed":
            return _both_failed(liability, seen)
        return goes_on("evidence_failed", "evidence_failed")

    if leaf == "awaiting_evidence" and event == "submit_evidence":
        return _Row(goes_on("under_review", "evidence_submitted"), seen.evidence_in_time, _PROVEN)
    if leaf == "awaiting_evidence" and event == "evidence_expired":
        earlier = seen.evidence == "standing"
        return _Row(
            goes_on("under_review", "evidence_overdue") if earlier else fails("evidence_overdue"),
            seen.expired,
        )
    if leaf == "awaiting_evidence" and event == "extend_deadline" and seen.extends == "evidence":
        return _Row(goes_on(leaf, "deadline_extended"), seen.evidence_in_time, _EXTENSION)
    # A review has no deadline: nothing in it is late.
    if leaf == "under_review" and event == "request_evidence":
        return _Row(
            goes_on("awaiting_evidence", "evidence_requested"),
            in_time=True,
            requires=frozenset({"no_rounds_left"}),
        )
    if leaf == "under_review" and event == "rule_no_fault":
        return _Row(_resolved("no_fault"), in_time=True, requires=_RATIONALE)
    if leaf == "under_review" and event == "rule_at_fault":
        return _Row(fails("at_fault"), in_time=True, requires=_RATIONALE)
    return None


def _resolved(outcome: str) -> Fires:
    return Fires("resolved", outcome, "dispute_resolved")


def _both_failed(liability: str, seen: Seen) -> Fires:
    heavier = next(one for one in HEAVIEST_FIRST if one in (liability, seen.failed))
    return Fires("penalized", heavier, "dispute_penalized")
