"""The words of every rule version, written a second time by hand, as the oracles are.

Programs compare ids, and some labels are the announcement's, to the letter. So a word that the
package gains, loses or changes has to be changed here too, on purpose. This file shares nothing
with the package; a new version adds an entry to `WORDS`, to `BASE` where it only adds to another
version, and its commands to `COMMANDS`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Sent(NamedTuple):
    """A command: who usually sends it, what it says, and the event that records it.

    `says` has an example of each member that the command or a state requires, and None for the
    others. `records` is the event while the dispute goes on, `closes` the one that closes it
    instead of the closed state's own.
    """

    by: str
    says: Mapping[str, object]
    records: str | None = None
    closes: str | None = None


_NOTHING: Mapping[str, object] = {}
_RATIONALE = {"rationale": "as the files show"}
_CHOICE = {"option": "prove_no_fault", "agreed_until": None, "vouchers": None, "note": None}
_EVIDENCE = {"reason": None, "vouchers": None, "statement": None}
_EXTENSION = {"until": "2023-03-29T10:00:00Z", **_RATIONALE, "deadline": None}

COMMANDS: Mapping[str, Sent] = {
    "open_dispute": Sent("consumer", {"rollout": None}, "dispute_opened"),
    "choose_option": Sent("merchant", _CHOICE, "option_chosen"),
    "response_expired": Sent("system", _NOTHING),
    "confirm_agreement": Sent("consumer", _NOTHING, "agreement_confirmed"),
    "deny_agreement": Sent("consumer", _NOTHING, "agreement_denied"),
    "confirmation_expired": Sent("system", _NOTHING, "agreement_denied"),
    "observe_order": Sent("system", _NOTHING),
    "promise_expired": Sent("system", _NOTHING),
    "submit_evidence": Sent("merchant", _EVIDENCE, "evidence_submitted"),
    "evidence_expired": Sent("system", _NOTHING, "evidence_overdue"),
    "request_evidence": Sent("adjudicator", {"note": None}, "evidence_requested"),
    "rule_no_fault": Sent("adjudicator", _RATIONALE, "agreement_upheld"),
    "rule_at_fault": Sent("adjudicator", _RATIONALE),
    "extend_deadline": Sent("adjudicator", _EXTENSION, "deadline_extended"),
    "withdraw": Sent("consumer", _NOTHING),
    "annul": Sent("adjudicator", _RATIONALE, closes="penalty_annulled"),
    "appeal": Sent("merchant", _RATIONALE, "penalty_appealed"),
    "appeal_expired": Sent("system", _NOTHING, "penalty_final"),
    "uphold_penalty": Sent("adjudicator", _RATIONALE, closes="penalty_upheld"),
    "overturn_penalty": Sent("adjudicator", _RATIONALE, closes="penalty_overturned"),
}
"""Every command; written out from the rules page, not read off the chart."""

REQUIRED: Mapping[str, frozenset[str]] = {
    "choose_option": frozenset({"option"}),
    "extend_deadline": frozenset({"until"}),
}
"""What a command cannot leave out."""

CLOSING = frozenset(
    {
        "dispute_resolved",
        "dispute_penalized",
        "penalty_annulled",
        "penalty_appealed",
        "penalty_final",
        "penalty_upheld",
        "penalty_overturned",
    }
)
"""The events that always have an outcome."""

BASE: Mapping[str, str] = {"extended": "2023-03"}
"""A version that only adds to another one: the scenarios of that one have the same end under it."""

POLICY_FIELDS: Mapping[str, Mapping[str, object]] = {"extended": {"appeal": {"hours": 48}}}
"""The policy fields that only one version has, with their defaults."""

Labels = Mapping[str, str | None]
"""Ids with their Chinese labels; None where any label will do."""


def _ids(text: str) -> Labels:
    return dict.fromkeys(text.split())


WORDS: Mapping[str, Mapping[str, Labels]] = {
    "2023-03": {
        "Option": {
            "consumer_cancels": "已协商一致，消费者取消订单",
            "already_shipped": "已协商一致，已发货并有物流揽件信息",
            "ship_by_agreed_date": "已协商一致，协商日期前发货且物流揽件",
            "out_of_stock_refund": "缺货/无货达成一致退款",
            "prove_no_fault": "需举证后依据规则判责",
        },
        "StateName": {
            "opened": "待商家选择方案",
            "option_chosen": "已选择方案",
            "settling": "和解中",
            "awaiting_confirmation": "待消费者确认",
            "awaiting_shipment": "待商家按协商日期发货",
            "denial_under_review": "待平台核实协商",
            "contesting": "举证判责中",
            "awaiting_evidence": "待商家举证",
            "under_review": "待平台判责",
            "resolved": "已解决",
            "penalized": "已判责",
        },
        "Deadline": _ids("response confirmation promise evidence"),
        "CommandType": _ids(
            """
            open_dispute choose_option response_expired confirm_agreement deny_agreement
            confirmation_expired observe_order promise_expired submit_evidence evidence_expired
            request_evidence rule_no_fault rule_at_fault extend_deadline withdraw annul
            """
        ),
        "EventType": _ids(
            """
            dispute_opened option_chosen agreement_confirmed agreement_denied agreement_upheld
            evidence_submitted evidence_requested evidence_overdue deadline_extended
            dispute_resolved dispute_penalized penalty_annulled refused
            """
        ),
        "Outcome": {
            **_ids(
                """
                settled_by_cancellation settled_by_shipment settled_by_agreed_shipment
                settled_by_out_of_stock_refund no_fault withdrawn annulled
                """
            ),
            "breach_of_promise": "违背承诺",
            "out_of_stock": "缺货/无货",
            "promise_missed": "未在协商日期前发货",
            "at_fault": "判定商家有责",
            "no_response": "逾期未响应",
            "evidence_overdue": "逾期未举证",
        },
        "RefusalCode": _ids(
            """
            no_cancel_request_or_refund not_shipped no_pickup_scan pickup_not_valid promise_missing
            promise_not_in_future promise_too_far agreement_voucher_missing option_already_chosen
            deadline_passed deadline_not_passed deadline_not_later already_confirmed reason_unknown
            voucher_missing voucher_not_accepted voucher_too_large voucher_media_type
            too_many_vouchers statement_missing statement_too_long rationale_missing no_rounds_left
            order_not_found dispute_exists option_not_offered wrong_actor not_in_this_state
            dispute_closed key_reused
            """
        ),
    },
    "parallel": {
        "StateName": _ids(
            "disputing settlement evidence proposing settlement_failed evidence_failed"
        ),
        "EventType": _ids("settlement_failed evidence_failed"),
    },
    "extended": {
        "Option": {"partial_refund": "已协商一致，部分退款"},
        "StateName": {"appeal_under_review": "待平台复核申诉"},
        "Deadline": {"appeal": "商家申诉时限"},
        "CommandType": {
            "appeal": "提出申诉",
            "appeal_expired": "申诉时限届满",
            "uphold_penalty": "维持判责",
            "overturn_penalty": "撤销原判",
        },
        "EventType": {
            "penalty_appealed": "商家已提出申诉",
            "penalty_final": "申诉时限届满，判责生效",
            "penalty_upheld": "申诉不成立，维持判责",
            "penalty_overturned": "申诉成立，判责已撤销",
        },
        "Outcome": {
            "settled_by_partial_refund": "协商一致，已部分退款",
            "overturned": "申诉成立，撤销判责",
        },
        "RefusalCode": {
            "no_partial_refund": "订单系统中没有已完成的部分退款",
            "already_appealed": "本次判责已申诉过，不可再次申诉",
        },
    },
}
"""What each version has that 2023-03 has not, by the name of the enumeration."""

LIABILITIES = (
    "at_fault",
    "breach_of_promise",
    "out_of_stock",
    "promise_missed",
    "no_response",
    "evidence_overdue",
)
"""The outcomes of a penalized dispute, the weightiest first."""


def example(command: str) -> dict[str, Any]:
    """Return what a command has to say."""
    return {name: said for name, said in COMMANDS[command].says.items() if said is not None}


def words(kind: str) -> dict[str, str | None]:
    """Return the words of all versions that are of one kind."""
    return {name: zh for version in WORDS.values() for name, zh in version.get(kind, {}).items()}


def words_of(version: str, kind: str) -> set[str]:
    """Return the words of a version that are of one kind, with those of 2023-03."""
    return {*WORDS["2023-03"].get(kind, {}), *WORDS[version].get(kind, {})}
