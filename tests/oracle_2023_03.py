"""The transitions of rule version 2023-03, written a second time, to test the chart against.

The package defines the rules of a dispute as a chart that an engine runs. This file defines the
same rules again, as plain ifs that follow the transition table of the rules page row by row. It
shares nothing with the package: no import, no constant, no vocabulary. A mistake in the chart, in a
guard or in the engine would be repeated by every test that is derived from them; here it is a
difference. A change of a rule has to be made in both files, on purpose.

The oracle has no orders, vouchers or clocks, but the facts that they show at the time of the event
(`Seen`). Its result is the transition that must fire (`Fires`), the expected refusal codes
(`Refuses`), or `Unchanged`. For unreachable combinations (an option that does not lead to the
state, for example) the result is that of the table, or a ValueError where the table has none.
"""

from dataclasses import dataclass

LEAVES: tuple[str, ...] = (
    "opened",
    "awaiting_confirmation",
    "awaiting_shipment",
    "denial_under_review",
    "awaiting_evidence",
    "under_review",
    "resolved",
    "penalized",
)

# Every event but open_dispute, in the order in which the table first names them.
EVENTS: tuple[str, ...] = (
    "choose_option",
    "response_expired",
    "confirm_agreement",
    "deny_agreement",
    "confirmation_expired",
    "observe_order",
    "promise_expired",
    "submit_evidence",
    "evidence_expired",
    "request_evidence",
    "rule_no_fault",
    "rule_at_fault",
    "extend_deadline",
    "withdraw",
    "annul",
)


@dataclass(frozen=True)
class Seen:
    """The facts at the time of the event, as plain strings and booleans."""

    option: str | None
    """For choose_option the option that the command names; otherwise the one chosen earlier."""
    confirmation: str
    """Policy: 'asked' | 'off'."""
    denial: str
    """Policy: 'penalize' | 'review'."""
    silence: str
    """Policy: 'consent' | 'denial'."""
    evidence: str
    """'none' (nothing submitted so far) | 'standing' (there is an earlier submission)."""
    fulfilment: str
    """'kept' (promise_kept) | 'refunded' (refunded, not promise_kept) | 'neither'."""
    extends: str | None
    """For extend_deadline: the deadline to extend, if it is set in this dispute.

    One of 'response', 'confirmation', 'promise', 'evidence': the deadline in the command, or
    without one, the running deadline or the promise. None if that deadline is not set.
    """
    actor_fits: bool
    """Role and id fit the event."""
    in_time: bool
    """The running deadline of the state has not passed, or there is none."""
    window_open: bool
    """The confirmation deadline has not passed, or consent ended it.

    Only matters in awaiting_shipment, for confirm_agreement and deny_agreement.
    """
    expired: bool
    """For the '..._expired' events: that deadline is set and has passed."""
    unmet: frozenset[str]
    """The refusal codes of all failing requirements, also those that the selected row lacks."""


@dataclass(frozen=True)
class Fires:
    """A transition fires: its target leaf, the outcome (if any), the type of the event."""

    target: str
    outcome: str | None
    event_type: str


@dataclass(frozen=True)
class Refuses:
    """The command is refused with exactly these codes."""

    codes: frozenset[str]


@dataclass(frozen=True)
class Unchanged:
    """No error and no event."""


@dataclass(frozen=True)
class _Row:
    """The selected row of the table: its effect, and its requirements."""

    fires: Fires
    requires: frozenset[str] = frozenset()


# Limits on vouchers, for every command that carries any.
_VOUCHER_LIMITS = frozenset({"voucher_too_large", "voucher_media_type", "too_many_vouchers"})

_CANCEL_OR_REFUND = frozenset({"no_cancel_request_or_refund"})
_SHIPPED = frozenset({"not_shipped"})
_PICKED_UP = frozenset({"no_pickup_scan", "pickup_not_valid"})  # one or the other
_PROMISE = frozenset({"promise_missing", "promise_not_in_future", "promise_too_far"})
_AGREEMENT_VOUCHER = frozenset({"agreement_voucher_missing"})
_NOT_CONFIRMED_BEFORE = frozenset({"already_confirmed"})
_EVIDENCE = frozenset(
    {
        "reason_unknown",
        "voucher_missing",
        "voucher_not_accepted",
        "statement_missing",
        "statement_too_long",
    }
)
_ROUNDS_LEFT = frozenset({"no_rounds_left"})
_RATIONALE = frozenset({"rationale_missing"})
_LATER = frozenset({"deadline_not_later"})

ALL_REQUIREMENTS = (
    _VOUCHER_LIMITS
    | _CANCEL_OR_REFUND
    | _SHIPPED
    | _PICKED_UP
    | _PROMISE
    | _AGREEMENT_VOUCHER
    | _NOT_CONFIRMED_BEFORE
    | _EVIDENCE
    | _ROUNDS_LEFT
    | _RATIONALE
    | _LATER
)


def expected(leaf: str, event: str, seen: Seen) -> Fires | Refuses | Unchanged:
    """Return the expected result of an event in a leaf."""
    _check(leaf, event, seen)
    row = _row(leaf, event, seen)

    # The refusals that come alone, the first that applies.
    # (option_not_offered is not among them: this version offers every option.)
    if not seen.actor_fits:
        return _alone("wrong_actor")

    if event == "observe_order":
        # Never refused to the system: in a state without effect, and after the running deadline,
        # it changes nothing.
        if row is None or _late(leaf, seen):
            return Unchanged()
        return row.fires

    if leaf in ("resolved", "penalized") and row is None:
        return _alone("dispute_closed")

    if event == "choose_option" and leaf != "opened":
        return _alone("option_already_chosen")

    if row is None:
        return _alone("not_in_this_state")

    if event in ("response_expired", "confirmation_expired", "promise_expired", "evidence_expired"):
        # An expiry is never late; it only can be early.
        if not seen.expired:
            return _alone("deadline_not_passed")
    else:
        if _late(leaf, seen):
            return _alone("deadline_passed")
        # While the promise runs, the confirmation deadline closes only the consumer's window.
        if (
            leaf == "awaiting_shipment"
            and event in ("confirm_agreement", "deny_agreement")
            and not seen.window_open
        ):
            return _alone("deadline_passed")

    # The refusals that come together: all failing requirements of the selected row.
    unmet = row.requires & seen.unmet
    if unmet:
        return Refuses(unmet)
    return row.fires


def requirements(leaf: str, event: str, seen: Seen) -> frozenset[str]:
    """Return the codes of all requirements of the selected row; empty without one.

    State, event, option, policy and facts select the row; the actor and the time do not.
    """
    _check(leaf, event, seen)
    row = _row(leaf, event, seen)
    return frozenset() if row is None else row.requires


def _alone(code: str) -> Refuses:
    return Refuses(frozenset({code}))


def _late(leaf: str, seen: Seen) -> bool:
    """Whether the running deadline of the state has passed; only four states have one."""
    if leaf in ("opened", "awaiting_confirmation", "awaiting_shipment", "awaiting_evidence"):
        return not seen.in_time
    return False


def _row(leaf: str, event: str, seen: Seen) -> _Row | None:
    """Return the row of the table for any actor and time; None without one."""
    # opened | choose_option consumer_cancels | cancel_requested_or_refunded
    if leaf == "opened" and event == "choose_option" and seen.option == "consumer_cancels":
        requires = _CANCEL_OR_REFUND | _VOUCHER_LIMITS
        if seen.confirmation == "off":
            return _Row(_resolved("settled_by_cancellation"), requires)
        return _Row(Fires("awaiting_confirmation", None, "option_chosen"), requires)

    # opened | choose_option already_shipped | shipped; picked_up
    if leaf == "opened" and event == "choose_option" and seen.option == "already_shipped":
        requires = _SHIPPED | _PICKED_UP | _VOUCHER_LIMITS
        if seen.confirmation == "off":
            return _Row(_resolved("settled_by_shipment"), requires)
        return _Row(Fires("awaiting_confirmation", None, "option_chosen"), requires)

    # opened | choose_option ship_by_agreed_date | promise given, in the future, not too far;
    # agreement voucher
    if leaf == "opened" and event == "choose_option" and seen.option == "ship_by_agreed_date":
        requires = _PROMISE | _AGREEMENT_VOUCHER | _VOUCHER_LIMITS
        return _Row(Fires("awaiting_shipment", None, "option_chosen"), requires)

    # opened | choose_option out_of_stock_refund | (nothing)
    if leaf == "opened" and event == "choose_option" and seen.option == "out_of_stock_refund":
        requires = _VOUCHER_LIMITS
        if seen.confirmation == "off":
            return _Row(_resolved("settled_by_out_of_stock_refund"), requires)
        return _Row(Fires("awaiting_confirmation", None, "option_chosen"), requires)

    # opened | choose_option prove_no_fault | (nothing)
    if leaf == "opened" and event == "choose_option" and seen.option == "prove_no_fault":
        return _Row(Fires("awaiting_evidence", None, "option_chosen"), _VOUCHER_LIMITS)

    if leaf == "opened" and event == "choose_option":
        raise ValueError(f"not an option of this version: {seen.option!r}")

    # opened | response_expired | response deadline passed
    if leaf == "opened" and event == "response_expired":
        return _Row(_penalized("no_response"))

    # awaiting_confirmation | confirm_agreement | (nothing)
    if leaf == "awaiting_confirmation" and event == "confirm_agreement":
        return _Row(_resolved(_settlement(seen.option)))

    # awaiting_confirmation | deny_agreement on out_of_stock_refund | (nothing)
    if (
        leaf == "awaiting_confirmation"
        and event == "deny_agreement"
        and seen.option == "out_of_stock_refund"
    ):
        return _Row(_penalized("out_of_stock"))

    # awaiting_confirmation, awaiting_shipment | deny_agreement on the others | not confirmed
    # before; confirmation deadline not passed (a refusal that comes alone, see expected)
    if leaf == "awaiting_confirmation" and event == "deny_agreement":
        return _Row(_denied(seen), _NOT_CONFIRMED_BEFORE)
    if leaf == "awaiting_shipment" and event == "deny_agreement":
        if seen.confirmation == "off":  # nobody is asked: the state does not offer it
            return None
        return _Row(_denied(seen), _NOT_CONFIRMED_BEFORE)

    # awaiting_confirmation | confirmation_expired | confirmation deadline passed
    if leaf == "awaiting_confirmation" and event == "confirmation_expired":
        if seen.silence == "consent":
            return _Row(_resolved(_settlement(seen.option)))
        if seen.option == "out_of_stock_refund":  # as a denial: the denial's own two rows
            return _Row(_penalized("out_of_stock"))
        return _Row(_denied(seen))

    # awaiting_shipment | confirm_agreement | not confirmed before; confirmation deadline not passed
    # (a refusal that comes alone, see expected)
    if leaf == "awaiting_shipment" and event == "confirm_agreement":
        if seen.confirmation == "off":  # nobody is asked: the state does not offer it
            return None
        return _Row(Fires("awaiting_shipment", None, "agreement_confirmed"), _NOT_CONFIRMED_BEFORE)

    # awaiting_shipment | observe_order | promise_kept
    if leaf == "awaiting_shipment" and event == "observe_order" and seen.fulfilment == "kept":
        return _Row(_resolved("settled_by_agreed_shipment"))

    # awaiting_shipment | observe_order | refunded, not promise_kept
    if leaf == "awaiting_shipment" and event == "observe_order" and seen.fulfilment == "refunded":
        return _Row(_resolved("settled_by_cancellation"))

    # awaiting_shipment | promise_expired | promise + scan_grace passed; promise_kept
    if leaf == "awaiting_shipment" and event == "promise_expired" and seen.fulfilment == "kept":
        return _Row(_resolved("settled_by_agreed_shipment"))

    # awaiting_shipment | promise_expired | passed; refunded, not kept
    if leaf == "awaiting_shipment" and event == "promise_expired" and seen.fulfilment == "refunded":
        return _Row(_resolved("settled_by_cancellation"))

    # awaiting_shipment | promise_expired | passed; neither
    if leaf == "awaiting_shipment" and event == "promise_expired" and seen.fulfilment == "neither":
        return _Row(_penalized("promise_missed"))

    # awaiting_evidence | submit_evidence | reason known; every prompted voucher there and
    # acceptable; statement
    if leaf == "awaiting_evidence" and event == "submit_evidence":
        return _Row(Fires("under_review", None, "evidence_submitted"), _EVIDENCE | _VOUCHER_LIMITS)

    # awaiting_evidence | evidence_expired | evidence deadline passed; nothing submitted so far
    if leaf == "awaiting_evidence" and event == "evidence_expired" and seen.evidence == "none":
        return _Row(_penalized("evidence_overdue"))

    # awaiting_evidence | evidence_expired | passed; there is an earlier submission
    if leaf == "awaiting_evidence" and event == "evidence_expired" and seen.evidence == "standing":
        return _Row(Fires("under_review", None, "evidence_overdue"))

    # under_review | request_evidence | rounds left
    if leaf == "under_review" and event == "request_evidence":
        return _Row(Fires("awaiting_evidence", None, "evidence_requested"), _ROUNDS_LEFT)

    # under_review | rule_no_fault | rationale
    if leaf == "under_review" and event == "rule_no_fault":
        return _Row(_resolved("no_fault"), _RATIONALE)

    # under_review | rule_at_fault | rationale
    if leaf == "under_review" and event == "rule_at_fault":
        return _Row(_penalized("at_fault"), _RATIONALE)

    # denial_under_review | rule_no_fault on ship_by_agreed_date | rationale
    if (
        leaf == "denial_under_review"
        and event == "rule_no_fault"
        and seen.option == "ship_by_agreed_date"
    ):
        return _Row(Fires("awaiting_shipment", None, "agreement_upheld"), _RATIONALE)

    # denial_under_review | rule_no_fault on the others | rationale
    if leaf == "denial_under_review" and event == "rule_no_fault":
        return _Row(_resolved(_settlement(seen.option)), _RATIONALE)

    # denial_under_review | rule_at_fault | rationale
    if leaf == "denial_under_review" and event == "rule_at_fault":
        return _Row(_penalized("breach_of_promise"), _RATIONALE)

    # live, with a running deadline, or in denial_under_review with a promise |
    # extend_deadline | rationale; `until` later than it was
    if event == "extend_deadline" and (leaf, seen.extends) in (
        ("opened", "response"),
        ("awaiting_confirmation", "confirmation"),
        ("awaiting_shipment", "promise"),
        ("awaiting_evidence", "evidence"),
        ("denial_under_review", "promise"),
    ):
        return _Row(Fires(leaf, None, "deadline_extended"), _RATIONALE | _LATER)

    # live | withdraw | (nothing)
    if event == "withdraw" and leaf not in ("resolved", "penalized"):
        return _Row(_resolved("withdrawn"))

    # penalized | annul | rationale
    if leaf == "penalized" and event == "annul":
        return _Row(Fires("resolved", "annulled", "penalty_annulled"), _RATIONALE)

    return None


def _resolved(outcome: str) -> Fires:
    return Fires("resolved", outcome, "dispute_resolved")


def _penalized(outcome: str) -> Fires:
    return Fires("penalized", outcome, "dispute_penalized")


def _denied(seen: Seen) -> Fires:
    """Return the effect of a denial, except of out_of_stock_refund: by the policy `denial`."""
    if seen.denial == "penalize":
        return _penalized("breach_of_promise")
    return Fires("denial_under_review", None, "agreement_denied")


def _settlement(option: str | None) -> str:
    """Return the outcome that the table calls the settlement of the option."""
    if option == "consumer_cancels":
        return "settled_by_cancellation"
    if option == "already_shipped":
        return "settled_by_shipment"
    if option == "ship_by_agreed_date":
        return "settled_by_agreed_shipment"
    if option == "out_of_stock_refund":
        return "settled_by_out_of_stock_refund"
    raise ValueError(f"no settlement option: {option!r}")


def _check(leaf: str, event: str, seen: Seen) -> None:
    """Refuse unknown names: they are a mistake of the caller, not a state of the dispute."""
    names: tuple[tuple[str | None, tuple[str | None, ...]], ...] = (
        (leaf, LEAVES),
        (event, EVENTS),
        (seen.confirmation, ("asked", "off")),
        (seen.denial, ("penalize", "review")),
        (seen.silence, ("consent", "denial")),
        (seen.evidence, ("none", "standing")),
        (seen.fulfilment, ("kept", "refunded", "neither")),
        (seen.extends, (None, "response", "confirmation", "promise", "evidence")),
    )
    for name, known in names:
        if name not in known:
            raise ValueError(f"{name!r} is none of {known}")
    if not seen.unmet <= ALL_REQUIREMENTS:
        raise ValueError(f"no requirement codes: {sorted(seen.unmet - ALL_REQUIREMENTS)}")
