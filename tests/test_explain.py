"""Why a dispute ended so: what is said of planted cases, and of every recorded dispute.

The sentences of the named cases were thought out from the rules. The recorded and synthetic
disputes check the explanation against what was recorded next.
"""

import json
import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from html import escape
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

import dispute_fsm
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.domain.commands import COMMAND_CLASSES
from dispute_fsm.domain.enums import CommandType, Deadline, EventType, Lang, RefusalCode, Role
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.explain.explanation import explain_dispute
from dispute_fsm.explain.explanation_text import sentences
from dispute_fsm.explain.messages import ACTS, CAN, NEVER, SUBMITTED
from dispute_fsm.explain.values import (
    Clause,
    Explanation,
    FactMargin,
    Forecast,
    Lack,
    LateAct,
    Margin,
    NoAttempt,
    Shortfall,
)
from dispute_fsm.history.generate import generate
from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.runner import run_scenario
from tests import command_line
from tests.histories.corpus import ERASED, FILES, MANY, disputes, named
from tests.sampling import few
from tests.support import ROOT

LANGS: tuple[Lang, ...] = ("zh", "en")
SECOND = timedelta(seconds=1)

Recorded = tuple[Dispute, Sequence[AuditEvent]]


@cache
def happened(steps: str, rules: str = "2023-03", policy: str = "") -> Recorded:
    """Let a dispute of 2023-03-28, ten in the morning in Shanghai, take its course."""
    result = run_scenario(
        parse_scenario(
            f'rules: "{rules}"\npolicy: {{{policy}}}\n'
            f"dispute: {{opened_at: 2023-03-28T10:00:00+08:00}}\nsteps:\n{steps}",
            "x.dispute.yaml",
        )
    )
    assert result.dispute is not None
    return result.dispute, result.events


def explained(steps: str, rules: str = "2023-03", policy: str = "") -> Explanation:
    return explain_dispute(*happened(steps, rules, policy))


def voucher(kind: str, number: int = 1, media_type: str = "image/png", size: int = 1) -> str:
    return f"{{kind: {kind}, media_type: {media_type}, size: {size}, sha256: a{number:063x}}}"


def evidence(at: str, reason: str, *vouchers: str) -> str:
    listed = ", ".join(vouchers)
    return (
        f"  - {{at: {at}, do: submit_evidence, with: {{reason: {reason}, vouchers: [{listed}], "
        "statement: 情况属实}}\n"
    )


CHOOSE = "  - {at: +1h, do: choose_option, with: {option: OPTION}}\n"
PROVES = CHOOSE.replace("OPTION", "prove_no_fault")
NO_STOCK = CHOOSE.replace("OPTION", "out_of_stock_refund")
PROMISES = (
    "  - {at: +1h, do: choose_option, with: {option: ship_by_agreed_date, "
    f"agreed_until: 2023-03-30T18:00:00+08:00, vouchers: [{voucher('chat_screenshot')}]}}}}\n"
)
SWEPT = "  - {at: +5d, do: sweep}\n"


def order(at: str, shipped: str, scanned: str, seen: str = "") -> str:
    return (
        f"  - {{at: {at}, order: {{shipment: {{shipped_at: 2023-03-{shipped}+08:00, waybill: W}}, "
        f"pickup: {{scanned_at: 2023-03-{scanned}+08:00, waybill: W, kind: picked_up}}}}}}\n{seen}"
    )


# ---- named cases ---------------------------------------------------------------------------------

BY_ANNULMENT = (
    "现在只有平台判责专员写明理由撤销判责，才能改变结果。",
    "Only the adjudicator can change this now, by annulling the penalty with a rationale.",
)
FINAL = ("结果已定，不能再改变。", "This is final, and nothing can change it.")
DAY = "evidence: {hours: 24}"
LATE = "  - {at: +24h1s, do: sweep}\n"


class Case(NamedTuple):
    """A planted dispute, and its second and third sentence in Chinese and English."""

    steps: str
    margin: tuple[str, str]
    remedy: tuple[str, str] = BY_ANNULMENT
    rules: str = "2023-03"
    policy: str = ""


CASES = {
    "a response one second late": Case(
        NO_STOCK.replace("+1h", "+24h1s") + LATE,
        (
            "选择“缺货/无货达成一致退款”于 10:00:01 提交，晚 1 秒（依据本系统约定 A-inclusive）。",
            (
                'The choice of "out of stock: refund agreed" came at 10:00:01, 1 second late '
                "(assumption A-inclusive)."
            ),
        ),
    ),
    "a response after the sweep": Case(
        LATE + NO_STOCK.replace("+1h", "+26h3m"),
        (
            (
                "选择“缺货/无货达成一致退款”于 12:03:00 提交，晚 2 小时 3 分钟"
                "（依据本系统约定 A-inclusive）。"
            ),
            (
                'The choice of "out of stock: refund agreed" came at 12:03:00, 2 hours 3 minutes '
                "late (assumption A-inclusive)."
            ),
        ),
    ),
    "a scan one second late": Case(
        PROMISES + order("+2d", "30T12:00:00", "30T18:00:01") + SWEPT,
        (
            "揽件时间 2023-03-30 18:00:01，比约定时间 18:00:00 晚 1 秒。",
            (
                "The pickup scan is dated 2023-03-30 18:00:01; the agreed time was 18:00:00, so "
                "it was 1 second late."
            ),
        ),
    ),
    "a shipment one second late": Case(
        PROMISES + order("+2d", "30T18:00:01", "30T18:00:00") + SWEPT,
        (
            "发货时间 2023-03-30 18:00:01，比约定时间 18:00:00 晚 1 秒。",
            (
                "The shipment is dated 2023-03-30 18:00:01; the agreed time was 18:00:00, so it "
                "was 1 second late."
            ),
        ),
    ),
    "a scan at the agreed second": Case(
        PROMISES + order("+2d", "30T12:00:00", "30T18:00:00") + SWEPT,
        (
            "揽件时间恰为约定时间 2023-03-30 18:00:00，视为按时。",
            (
                "The pickup scan is dated exactly at the agreed time 2023-03-30 18:00:00, which "
                "is in time."
            ),
        ),
        FINAL,
    ),
    "a scan well in time": Case(
        PROMISES + order("+2d", "30T12:00:00", "30T17:00:00") + SWEPT,
        (
            "揽件时间 2023-03-30 17:00:00，比约定时间 18:00:00 早 1 小时。",
            (
                "The pickup scan is dated 2023-03-30 17:00:00; the agreed time was 18:00:00, so 1 "
                "hour were left."
            ),
        ),
        FINAL,
    ),
    "evidence one second late": Case(
        PROVES + evidence("+25h1s", "carrier_fault", voucher("carrier_certificate")) + SWEPT,
        (
            "举证于 2023-03-29 11:00:01 提交，晚 1 秒（依据本系统约定 A-inclusive）。",
            "The evidence came at 2023-03-29 11:00:01, 1 second late (assumption A-inclusive).",
        ),
        policy=DAY,
    ),
    "one voucher short": Case(
        PROVES + evidence("+2h", "consumer_unresponsive", voucher("chat_screenshot")) + SWEPT,
        (
            (
                "最接近的一次尝试：2023-03-28 12:00:00 举证，未被受理：差 1 份聊天截图"
                "（依据公告 S-evidence）。"
            ),
            (
                "The nearest attempt was the evidence, sent at 2023-03-28 12:00:00 and refused: "
                '1 voucher of the kind "chat screenshot" missing (announcement S-evidence).'
            ),
        ),
        policy=DAY,
    ),
    "one voucher short, and a wrong format": Case(
        PROVES + evidence("+2h", "platform_fault", voucher("photo", 1, "image/heic")) + SWEPT,
        (
            (
                "最接近的一次尝试：2023-03-28 12:00:00 举证，未被受理：差 1 份订单或商品页面"
                "（依据公告 S-evidence），且图片格式不受支持（依据本系统约定 A-voucher-limits）。"
            ),
            (
                "The nearest attempt was the evidence, sent at 2023-03-28 12:00:00 and refused: 1 "
                'voucher of the kind "order or product page" missing (announcement S-evidence), '
                "and the picture's format is not supported (assumption A-voucher-limits)."
            ),
        ),
        policy=DAY,
    ),
    "one byte too large, and a film": Case(
        PROVES
        + evidence("+2h", "platform_fault", voucher("order_page", 1, "video/webm", 10_485_761))
        + SWEPT,
        (
            (
                "最接近的一次尝试：2023-03-28 12:00:00 举证，未被受理：凭证文件超出上限 1 字节"
                "（依据本系统约定 A-voucher-limits），且视频格式不受支持。"
            ),
            (
                "The nearest attempt was the evidence, sent at 2023-03-28 12:00:00 and refused: "
                "the vouchers are 1 byte too large (assumption A-voucher-limits), and the video's "
                "format is not supported."
            ),
        ),
        policy=DAY,
    ),
    "a fact dated after the look": Case(
        order("+1h", "28T09:00:00", "28T15:00:00")
        + CHOOSE.replace("OPTION", "already_shipped").replace("+1h", "+2h")
        + SWEPT,
        (
            (
                "最接近的一次尝试：2023-03-28 12:00:00 选择“已协商一致，已发货并有物流揽件信息”，"
                "未被受理：揽件时间 2023-03-28 15:00:00 晚于查询时间 12:00:00，当时尚不计入"
                "（依据公告 S-pickup）。"
            ),
            (
                'The nearest attempt was the choice of "agreed: shipped, and the carrier has '
                'picked up", sent at 2023-03-28 12:00:00 and refused: the pickup scan, 2023-03-28 '
                "15:00:00, lies after the query, 12:00:00, and did not count yet (announcement "
                "S-pickup)."
            ),
        ),
    ),
    "a promise, with a scan dated after the look": Case(
        PROMISES + order("+2d", "30T12:00:00", "31T18:00:01") + "  - {at: +62h1s, do: sweep}\n",
        (
            "当时订单数据显示：揽件时间 2023-03-31 18:00:01 晚于查询时间 00:00:01，当时尚不计入。",
            (
                "The order showed: the pickup scan, 2023-03-31 18:00:01, lies after the query, "
                "00:00:01, and did not count yet."
            ),
        ),
    ),
    "a promise of which nothing came": Case(
        PROMISES + SWEPT,
        (
            "当时订单数据显示：订单系统中尚无发货记录，且没有物流揽件记录。",
            (
                "The order showed: the order system shows no shipment yet, and there is no pickup "
                "record from the carrier."
            ),
        ),
    ),
    "a denial, not in the merchant's hands": Case(
        NO_STOCK + "  - {at: +2h, do: deny_agreement}\n",
        (
            "这由消费者决定，不在商家掌握之中，没有差距可言。",
            (
                "This was for the consumer to decide and not in the merchant's hands; there is no "
                "margin to name."
            ),
        ),
    ),
    "a confirmation one second late": Case(
        NO_STOCK + "  - {at: +25h1s, do: confirm_agreement}\n" + SWEPT,
        (
            "消费者的确认于 2023-03-29 11:00:01 提交，晚 1 秒（依据本系统约定 A-inclusive）。",
            (
                "The consumer's confirmation came at 2023-03-29 11:00:01, 1 second late "
                "(assumption A-inclusive)."
            ),
        ),
        policy="silence: denial",
    ),
    "a denial one second late": Case(
        NO_STOCK + "  - {at: +25h1s, do: deny_agreement}\n" + SWEPT,
        (
            "消费者的否认于 2023-03-29 11:00:01 提交，晚 1 秒（依据本系统约定 A-inclusive）。",
            (
                "The consumer's denial came at 2023-03-29 11:00:01, 1 second late "
                "(assumption A-inclusive)."
            ),
        ),
        FINAL,
    ),
    "both regions failed, one by a second": Case(
        NO_STOCK.replace("+1h", "+24h1s") + "  - {at: +24h2s, do: sweep}\n",
        (
            "选择“缺货/无货达成一致退款”于 10:00:01 提交，晚 1 秒（依据本系统约定 A-own-region）。",
            (
                'The choice of "out of stock: refund agreed" came at 10:00:01, 1 second late '
                "(assumption A-own-region)."
            ),
        ),
        rules="parallel",
        policy=DAY,
    ),
    "nothing was ever handed in": Case(
        SWEPT,
        (
            "没有差距可言：商家从未选择方案。",
            "There is no margin to name: the merchant never chose an option.",
        ),
    ),
    "refusals are not recorded": Case(
        SWEPT,
        (
            "没有差距可言：记录中没有商家选择方案的请求，但被拒绝的请求只留存有限条数。",
            (
                "There is no margin to name: no record says that the merchant chose an option, but "
                "only a number of refused requests is recorded."
            ),
        ),
        policy="max_recorded_refusals: 0",
    ),
    "an appeal is possible": Case(
        LATE,
        (
            "没有差距可言：商家从未选择方案。",
            "There is no margin to name: the merchant never chose an option.",
        ),
        (
            (
                "商家可写明理由提出申诉，最晚 2023-03-31 10:00:01；"
                "此外只有平台判责专员写明理由撤销判责，才能改变结果。"
            ),
            (
                "The merchant can appeal with a rationale, until 2023-03-31 10:00:01; beyond that "
                "only the adjudicator can change it, by annulling the penalty with a rationale."
            ),
        ),
        rules="extended",
    ),
    "an appeal is reviewed": Case(
        LATE + "  - {at: +25h, do: appeal, with: {rationale: 冤枉}}\n",
        (
            "没有差距可言：商家从未选择方案。",
            "There is no margin to name: the merchant never chose an option.",
        ),
        (
            "接下来由平台判责专员维持判责或撤销原判，没有时限。",
            (
                "Next, the adjudicator can uphold the penalty or overturn the penalty, without a "
                "limit."
            ),
        ),
        rules="extended",
    ),
    "withdrawn": Case(
        "  - {at: +1h, do: withdraw}\n",
        ("没有人因此承担责任。", "Nobody bears a liability for it."),
        FINAL,
    ),
    "annulled": Case(
        SWEPT + "  - {at: +6d, do: annul, with: {rationale: 误判}}\n",
        (
            "判责已不成立，商家不再承担责任。",
            "The penalty no longer stands, and the merchant bears no liability.",
        ),
        FINAL,
    ),
    "refunded while waiting": Case(
        PROMISES
        + "  - {at: +2d, order: {refund: {status: completed}}}\n"
        + "  - {at: +2d, do: observe_order}\n",
        (
            "这由订单数据决定，没有差距可言。",
            "This was decided by what the order showed; there is no margin to name.",
        ),
        FINAL,
    ),
}
"""By what they are about."""


@pytest.mark.parametrize("name", CASES)
def test_a_named_case_says_how_near_it_was_and_what_can_still_be_done(name: str) -> None:
    case = CASES[name]
    explanation = explained(case.steps, case.rules, case.policy)
    for lang, margin, remedy in zip(LANGS, case.margin, case.remedy, strict=True):
        assert sentences(explanation, lang)[1:] == (margin, remedy)


def test_the_first_sentence_says_who_left_what_until_when() -> None:
    explanation = explained(*_arguments("a response one second late"))
    assert [sentences(explanation, lang)[0] for lang in LANGS] == [
        (
            "商家到响应截止 2023-03-29 10:00:00 仍未选定方案，10:00:01 判为“逾期未响应”"
            "（依据本系统约定 A-no-response）。"
        ),
        (
            "The merchant had chosen no option by the response deadline, 2023-03-29 10:00:00; at "
            '10:00:01 this was judged "no response in time" (assumption A-no-response).'
        ),
    ]


def test_both_regions_are_named_with_their_times_and_the_weightier_liability() -> None:
    explanation = explained(*_arguments("both regions failed, one by a second"))
    assert [sentences(explanation, lang)[0] for lang in LANGS] == [
        (
            "商家到响应截止 2023-03-29 10:00:00 仍未选定方案，10:00:02 "
            "该路径判为“逾期未响应”（依据本系统约定 A-no-response）；商家到举证截止 2023-03-29 "
            "10:00:00 仍未提交所需举证，10:00:02 该路径判为“逾期未举证”（依据本系统约定 "
            "A-evidence-overdue）；两条路径均未成立，责任取较重者，判为“逾期未响应”。"
        ),
        (
            "The merchant had chosen no option by the response deadline, 2023-03-29 10:00:00; at "
            '10:00:02 this side was judged "no response in time" (assumption A-no-response); the '
            "merchant had not handed in the evidence by the evidence deadline, 2023-03-29 "
            '10:00:00; at 10:00:02 this side was judged "no evidence in time" (assumption '
            'A-evidence-overdue); both sides failed, and the weightier liability counts: "no '
            'response in time".'
        ),
    ]


def test_each_region_has_its_own_liability() -> None:
    explanation = explained(NO_STOCK + SWEPT, "parallel", f"silence: denial, {DAY}")
    assert [one.outcome for one in explanation.happened] == ["evidence_overdue", "out_of_stock"]
    assert explanation.outcome == "out_of_stock"


def test_of_two_omissions_that_of_who_lost_is_named() -> None:
    margin = explained(
        NO_STOCK + SWEPT, "parallel", "silence: denial, evidence: {hours: 48}"
    ).margin
    assert isinstance(margin, NoAttempt)
    assert margin.role is Role.MERCHANT


def test_an_annulled_penalty_of_two_regions_was_judged_before_it_was_annulled() -> None:
    steps = SWEPT + "  - {at: +6d, do: annul, with: {rationale: 误判}}\n"
    first = sentences(explained(steps, "parallel"), "zh")[0]
    assert first.endswith(
        "责任取较重者，判为“逾期未响应”；平台判责专员于 2023-04-03 10:00:00 撤销判责"
        "（依据本系统约定 A-annul）。"
    )


def _arguments(name: str) -> tuple[str, str, str]:
    case = CASES[name]
    return case.steps, case.rules, case.policy


# ---- live disputes -------------------------------------------------------------------------------

SUBMITTED_ONE = PROVES + evidence("+2h", "carrier_fault", voucher("carrier_certificate"))
DENIED = PROMISES + "  - {at: +2h, do: deny_agreement}\n"
LOOKED = "  - {at: +1h, order: {}}\n"
LIVE = {
    "opened": (
        LOOKED,
        "2023-03",
        "",
        "若无人操作，2023-03-29 10:00:00 之后判为“逾期未响应”（依据本系统约定 A-no-response）。",
        "接下来由商家选择方案，最晚 2023-03-29 10:00:00。",
    ),
    "opened, late": (
        NO_STOCK.replace("+1h", "+24h1s"),
        "2023-03",
        "",
        "若无人操作，2023-03-29 10:00:00 之后判为“逾期未响应”（依据本系统约定 A-no-response）。",
        "时限已过，只待系统处理。",
    ),
    "opened, without a deadline": (
        LOOKED,
        "2023-03",
        "response: null",
        "若无人操作，纠纷一直等待商家。",
        "接下来由商家选择方案，没有时限。",
    ),
    "awaiting_confirmation": (
        NO_STOCK,
        "2023-03",
        "",
        (
            "若无人操作，2023-03-29 11:00:00 之后纠纷以“缺货/无货，已协商退款”结束"
            "（依据本系统约定 A-silence）。"
        ),
        "接下来由消费者确认或否认，最晚 2023-03-29 11:00:00。",
    ),
    "awaiting_shipment": (
        PROMISES,
        "2023-03",
        "",
        (
            "若无人操作，且订单数据与最近一次查询时相同，2023-03-31 00:00:00 之后判为"
            "“未在协商日期前发货”（依据公告 S-missed）。"
        ),
        (
            "接下来由消费者确认或否认，最晚 2023-03-29 11:00:00；商家须发货并由物流揽件，最晚 "
            "2023-03-30 18:00:00。"
        ),
    ),
    "awaiting_shipment, after the agreed date": (
        PROMISES + "  - {at: +57h, do: confirm_agreement}\n",
        "2023-03",
        "",
        (
            "若无人操作，且订单数据与最近一次查询时相同，2023-03-31 00:00:00 之后判为"
            "“未在协商日期前发货”（依据公告 S-missed）。"
        ),
        "时限已过，只待系统处理。",
    ),
    "denial_under_review": (
        DENIED,
        "2023-03",
        "denial: review",
        "若无人操作，纠纷一直等待平台判责专员。",
        "接下来由平台判责专员作出无责判定或作出有责判定，没有时限。",
    ),
    "awaiting_evidence": (
        PROVES,
        "2023-03",
        DAY,
        (
            "若无人操作，2023-03-29 11:00:00 之后判为“逾期未举证”"
            "（依据本系统约定 A-evidence-overdue）。"
        ),
        "接下来由商家提交举证，最晚 2023-03-29 11:00:00。",
    ),
    "awaiting_evidence again": (
        SUBMITTED_ONE + "  - {at: +3h, do: request_evidence}\n",
        "2023-03",
        DAY,
        (
            "若无人操作，2023-03-29 13:00:00 之后转为“待平台判责”"
            "（依据本系统约定 A-late-supplement），此后一直等待平台判责专员。"
        ),
        "接下来由商家提交举证，最晚 2023-03-29 13:00:00。",
    ),
    "under_review": (
        SUBMITTED_ONE,
        "2023-03",
        "",
        "若无人操作，纠纷一直等待平台判责专员。",
        "接下来由平台判责专员要求补充举证、作出无责判定或作出有责判定，没有时限。",
    ),
    "both regions": (
        LOOKED,
        "parallel",
        "evidence: {hours: 25}",
        (
            "若无人操作，2023-03-29 10:00:00 之后该路径判为“逾期未响应”"
            "（依据本系统约定 A-no-response），11:00:00 之后两条路径均不成立，责任取较重者，判为"
            "“逾期未响应”（依据本系统约定 A-evidence-overdue）。"
        ),
        "接下来由商家选择方案，最晚 2023-03-29 10:00:00；商家可提交举证，最晚 11:00:00。",
    ),
    "one region": (
        "  - {at: +5h, do: sweep}\n",
        "parallel",
        "",
        (
            "若无人操作，2023-03-29 10:00:00 之后两条路径均不成立，责任取较重者，判为“逾期未响应”"
            "（依据本系统约定 A-no-response）。"
        ),
        "接下来由商家选择方案，最晚 2023-03-29 10:00:00。",
    ),
}


@pytest.mark.parametrize("name", LIVE)
def test_of_a_live_dispute_it_says_what_silence_leads_to_and_who_is_next(name: str) -> None:
    steps, rules, policy, margin, remedy = LIVE[name]
    explanation = explained(steps, rules, policy)
    assert isinstance(explanation.margin, Forecast)
    assert explanation.lost is None
    assert sentences(explanation, "zh")[1:] == (margin, remedy)


def test_in_english_the_same_is_said_of_a_live_dispute() -> None:
    explanation = explained(PROMISES)
    assert sentences(explanation, "en") == (
        (
            'The merchant chose "agreed: ship and pickup before an agreed date" at 2023-03-28 '
            '11:00:00; it is now "waiting for shipment by the agreed date" (announcement '
            "S-promise)."
        ),
        (
            "If nobody acts, and the order stays as it was when last looked at, after 2023-03-31 "
            '00:00:00 it is judged "agreed date missed" (announcement S-missed).'
        ),
        (
            "Next, the consumer can confirm it or deny it, until 2023-03-29 11:00:00; the "
            "merchant has to ship and have it picked up by 2023-03-30 18:00:00."
        ),
    )


def test_what_the_order_showed_last_is_supposed_to_stay() -> None:
    explanation = explained(
        order("+30m", "28T09:00:00", "28T09:30:00") + PROMISES + "  - {at: +2h, do: annul}\n"
    )
    # The order was looked at when the dispute was opened, before it was shipped.
    assert isinstance(explanation.margin, Forecast)
    assert explanation.margin.on_facts
    assert [step.outcome for step in explanation.margin.steps] == ["promise_missed"]


def test_what_depends_on_facts_that_nobody_has_is_said_to_depend_on_the_order() -> None:
    dispute, events = happened(PROMISES)
    unseen = [event.model_copy(update={"facts": None}) for event in events]
    explanation = explain_dispute(dispute, unseen)
    assert isinstance(explanation.margin, Forecast)
    assert explanation.margin.open_end
    assert "取决于届时的订单数据" in sentences(explanation, "zh")[1]
    assert "depends on the order" in sentences(explanation, "en")[1]


# ---- the nearest attempt -------------------------------------------------------------------------


def test_of_late_attempts_the_least_late_counts_and_before_any_that_was_in_time() -> None:
    tries = [
        CHOOSE.replace("OPTION", "already_shipped"),
        NO_STOCK.replace("+1h", "+24h5s"),
        NO_STOCK.replace("+1h", "+24h7s"),
    ]
    margin = explained("".join(tries) + SWEPT).margin
    assert isinstance(margin, LateAct)
    assert (margin.seq, margin.by) == (3, 5 * SECOND)


def test_of_refused_attempts_the_one_with_the_fewest_reasons_counts_then_the_latest() -> None:
    chat, page = voucher("chat_screenshot"), voucher("order_page", 1, "text/plain")
    tries = [
        evidence("+2h", "consumer_unresponsive", voucher("photo", 1, "text/plain")),  # two reasons
        evidence("+3h", "consumer_unresponsive", chat),
        evidence("+4h", "platform_fault", page),
        evidence("+5h", "consumer_unresponsive", voucher("photo", 1, "text/plain")),
    ]
    margin = explained(PROVES + "".join(tries) + SWEPT, policy=DAY).margin
    assert isinstance(margin, Shortfall)
    assert margin.seq == 5
    assert [lack.code for lack in margin.lacks] == [RefusalCode.VOUCHER_MEDIA_TYPE]


def test_an_attempt_before_the_deadline_began_and_one_of_another_merchant_do_not_count() -> None:
    tries = [
        evidence("+30m", "carrier_fault"),
        PROVES,
        evidence("+2h", "carrier_fault").replace(
            "do: submit_evidence", "do: submit_evidence, by: {role: merchant, id: M-2}"
        ),
    ]
    margin = explained("".join(tries) + SWEPT, policy=DAY).margin
    assert isinstance(margin, NoAttempt)
    assert margin.complete


def test_a_refusal_without_checks_is_still_a_reason() -> None:
    dispute, events = happened(CHOOSE.replace("OPTION", "already_shipped") + SWEPT)
    bare = [
        event.model_copy(update={"checks": ()}) if event.type is EventType.REFUSED else event
        for event in events
    ]
    margin = explain_dispute(dispute, bare).margin
    assert isinstance(margin, Shortfall)
    assert [(lack.code, lack.guard) for lack in margin.lacks] == [
        (RefusalCode.NOT_SHIPPED, None),
        (RefusalCode.NO_PICKUP_SCAN, None),
    ]


def test_less_than_a_second_late_is_not_rounded() -> None:
    late = NO_STOCK.replace("+1h", "2023-03-29T10:00:00.250000+08:00")
    explanation = explained(late + LATE)
    assert "晚 0.25 秒" in sentences(explanation, "zh")[1]
    assert "0.25 seconds late" in sentences(explanation, "en")[1]
    assert explanation.model_dump(mode="json")["margin"]["by"] == "0.25s"


# ---- every dispute -------------------------------------------------------------------------------

CORPUS = {
    f"{named(path)} {name}": recorded for path in FILES for name, recorded in disputes(path).items()
}
EVERY = pytest.mark.parametrize(
    "recorded", few(((recorded,) for recorded in CORPUS.values()), 30), ids=CORPUS
)
CLAUSE = re.compile(r"\b[SA]-[a-z-]+")


@cache
def clauses(rules: str) -> frozenset[str]:
    """Give the ids of a rule version's sources, of its transitions and guards."""
    table = VERSIONS[rules].table
    origins = {row.rule.origin.id for rows in table.transitions.values() for row in rows}
    guards = {guard.source.id for guard in table.guards().values()}
    return frozenset(origins | guards | {table.entry.origin.id})


def _cited(explanation: Explanation) -> Iterator[Clause]:
    yield from (one.clause for one in explanation.happened)
    margin = explanation.margin
    if isinstance(margin, Forecast):
        yield from (step.clause for step in margin.steps)
        return
    yield margin.clause
    if isinstance(margin, Shortfall):
        yield from (lack.clause for lack in margin.lacks)


def check(explanation: Explanation, events: Sequence[AuditEvent]) -> None:
    """Check what is true of every explanation."""
    known = clauses(explanation.rules)
    for clause in _cited(explanation):
        assert clause.id in known
        assert clause.kind == clause.id[0]
    private = {value.value for event in events for value in event.private.values()}
    told = {lang: sentences(explanation, lang) for lang in LANGS}
    for lang, three in told.items():
        assert len(three) == 3
        for sentence in three:
            end = "。" if lang == "zh" else "."
            assert sentence.endswith(end)
            assert (sentence + " ").count(end if lang == "zh" else ". ") == 1
            assert not any(len(text.strip()) > 5 and text.strip() in sentence for text in private)
            assert set(CLAUSE.findall(sentence)) <= known
    assert not re.search("[A-Za-z]", CLAUSE.sub("", "".join(told["zh"])))
    assert not re.search(r"[\u4e00-\u9fff]|_", "".join(told["en"]))
    both = [sorted(re.findall(r"\d+", "".join(three))) for three in told.values()]
    assert both[0] == both[1], "the languages name the same times and numbers"
    cited = [CLAUSE.findall("".join(three)) for three in told.values()]
    assert cited[0] == cited[1], "the languages cite the same clauses"
    by_seq = {event.seq: event for event in events}
    margin = explanation.margin
    if isinstance(margin, LateAct):
        late = by_seq[margin.seq]
        assert late.type is EventType.REFUSED
        assert (late.at, late.at - margin.due) == (margin.at, margin.by)
        assert margin.by > timedelta()
    if isinstance(margin, Shortfall):
        assert by_seq[margin.seq].at == margin.at
    for happening in explanation.happened:
        assert by_seq[happening.seq].command is happening.command


@EVERY
def test_every_recorded_dispute_is_explained(recorded: Recorded) -> None:
    dispute, events = recorded
    explanation = explain_dispute(dispute, events)
    check(explanation, events)
    again = explain_dispute(dispute, events)
    assert again.model_dump_json() == explanation.model_dump_json()
    assert [sentences(again, lang) for lang in LANGS] == [
        sentences(explanation, lang) for lang in LANGS
    ]
    assert pickle.loads(pickle.dumps(explanation)) == explanation  # noqa: S301 -- our own bytes


def _prefixes(events: Sequence[AuditEvent], dispute: Dispute) -> Iterator[Recorded]:
    then = begin(events[0], dispute.policy)
    yield then, events[:1]
    for event in events[1:-1]:
        then = evolve(then, event)
        yield then, events[: event.seq]


def _as_told_before(explanation: Explanation, following: AuditEvent) -> None:
    """Compare what was told of a dispute with what happened to it next."""
    expires, margin = following.command.expires, explanation.margin
    if following.type is EventType.REFUSED or following.command is CommandType.EXTEND_DEADLINE:
        return
    if following.actor.role is Role.SYSTEM and expires is None:
        return
    if expires is None:
        (remedy,) = (one for one in explanation.remedies if one.command is following.command)
        assert remedy.role is following.actor.role
        assert remedy.until is None or following.at <= remedy.until
    elif isinstance(margin, Forecast) and expires is not Deadline.PROMISE:
        steps: Mapping[Deadline | None, object] = {step.deadline: step for step in margin.steps}
        assert expires in steps


@EVERY
def test_what_was_told_before_each_event_fits_the_event(recorded: Recorded) -> None:
    dispute, events = recorded
    for (then, before), following in zip(_prefixes(events, dispute), events[1:], strict=True):
        explanation = explain_dispute(then, before)
        check(explanation, before)
        _as_told_before(explanation, following)


@pytest.mark.parametrize("rules", VERSIONS)
def test_every_synthetic_dispute_is_explained(rules: str, whole: bool) -> None:
    events: dict[str, list[AuditEvent]] = {}
    ends: dict[str, Dispute] = {}
    for event, policy in generate(2_000 if whole else 200, 20, rules=rules):
        before = ends.get(event.dispute_id)
        ends[event.dispute_id] = begin(event, policy) if before is None else evolve(before, event)
        events.setdefault(event.dispute_id, []).append(event)
    kinds = set()
    for name, dispute in ends.items():
        explanation = explain_dispute(dispute, events[name])
        check(explanation, events[name])
        kinds.add(type(explanation.margin))
    assert len(kinds) >= 4


def test_every_outcome_is_explained() -> None:
    told = {dispute.outcome for dispute, _ in CORPUS.values()}
    assert told >= {outcome for version in VERSIONS.values() for outcome in version.outcomes}


def test_what_people_wrote_is_not_needed() -> None:
    for dispute, events in disputes(ERASED).values():
        assert all(not event.private for event in events)
        check(explain_dispute(dispute, events), events)


# ---- the texts -----------------------------------------------------------------------------------


def test_every_command_has_its_texts() -> None:
    of_people = {
        name for name, declared in COMMAND_CLASSES.items() if Role.SYSTEM not in declared.roles
    }
    left_out = {CommandType.EXTEND_DEADLINE, CommandType.WITHDRAW, CommandType.ANNUL}
    asked_for = {name for name, declared in COMMAND_CLASSES.items() if declared.meets is not None}
    assert [name for name in CommandType if name.value not in ACTS] == []
    assert [name for name in of_people - left_out if name.value not in CAN] == []
    for texts in (SUBMITTED, NEVER):
        assert [name for name in asked_for if name.value not in texts] == []


@pytest.mark.parametrize("code", RefusalCode)
def test_every_reason_can_be_told_whatever_the_guard_saw(code: RefusalCode) -> None:
    explanation = explained(CHOOSE.replace("OPTION", "already_shipped") + SWEPT)
    margin = explanation.margin
    assert isinstance(margin, Shortfall)
    lack = margin.lacks[0].model_copy(update={"code": code, "saw": {}})
    other = explanation.model_copy(update={"margin": margin.model_copy(update={"lacks": (lack,)})})
    assert isinstance(lack, Lack)
    for lang in LANGS:
        assert sentences(other, lang)[1] != sentences(explanation, lang)[1] or (
            code is RefusalCode.NOT_SHIPPED
        )


def test_the_hosts_own_text_follows_in_one_line() -> None:
    explanation = explained(SWEPT)
    zh = sentences(explanation, "zh", review="如有异议，请致电\n客服。")
    en = sentences(explanation, "en", review="Call us.")
    assert zh[2] == f"{BY_ANNULMENT[0]}如有异议，请致电 客服。"
    assert en[2] == f"{BY_ANNULMENT[1]} Call us."


# ---- the command, and where else it stands -------------------------------------------------------

ONE = FILES[[named(path) for path in FILES].index("extended-appeal-one-second-late")]


def run(*arguments: str | Path) -> command_line.Ran:
    return command_line.run("explain", *arguments)


@pytest.mark.parametrize("lang", LANGS)
def test_the_command_prints_the_three_sentences(lang: Lang) -> None:
    ((dispute, events),) = disputes(ONE).values()
    done = run(ONE, "--lang", lang)
    assert (done.code, done.err) == (0, "")
    assert tuple(done.out.splitlines()[:3]) == sentences(explain_dispute(dispute, events), lang)
    assert run(ONE, "--lang", lang, "--review", "4006").out.splitlines()[2].endswith("4006")


def test_for_programs_it_prints_the_values_and_both_texts() -> None:
    ((dispute, events),) = disputes(ONE).values()
    explanation = explain_dispute(dispute, events)
    done = run(ONE, "--json")
    assert done.code == 0
    (line,) = done.lines
    assert line.pop("text") == {lang: list(sentences(explanation, lang)) for lang in LANGS}
    assert {name: line[name] for name in Explanation.model_fields} == json.loads(
        explanation.model_dump_json()
    )
    assert line["margin"] | {"clause": None} == {
        "type": "late_act",
        "seq": 4,
        "at": "2023-03-30T04:00:01Z",
        "role": "merchant",
        "command": "appeal",
        "option": None,
        "due": "2023-03-30T04:00:00Z",
        "by": "1s",
        "clause": None,
    }


def test_where_there_are_many_one_has_to_be_named() -> None:
    done = run(MANY)
    assert (done.code, done.out) == (2, "")
    assert "--dispute" in done.err
    name = next(iter(disputes(MANY)))
    assert run(MANY, "--dispute", name).code == 0
    assert run(MANY, "--dispute", "D-none").code == 2
    assert run("no.history.jsonl").code == 2


@pytest.mark.parametrize("lang", LANGS)
def test_a_timeline_and_a_report_begin_with_it(lang: Lang, tmp_path: Path) -> None:
    told = run(ONE, "--lang", lang).out.splitlines()[:3]
    shown = command_line.run("show", ONE, "--lang", lang).out
    assert "".join("".join(told).split()) in "".join(shown.split())
    page = tmp_path / "page.html"
    assert command_line.run("report", ONE, "--lang", lang, "-o", page).code == 0
    body = page.read_text(encoding="utf-8").partition("</header>")[2]
    assert body.lstrip().startswith("<div class='explained'>")
    for sentence in told:
        assert f"<p>{escape(sentence)}</p>" in body


def test_as_it_stood_then_it_was_still_open() -> None:
    shown = command_line.run("show", ONE, "--lang", "en", "--at", "1").out
    assert "If nobody acts, after 2023-03-29 10:00:00" in " ".join(shown.split())


def test_it_is_offered_by_the_package() -> None:
    assert dispute_fsm.explain_dispute is explain_dispute
    assert dispute_fsm.Explanation is Explanation


def test_a_withdrawal_ended_it_and_is_not_named_twice() -> None:
    explanation = explained(*_arguments("withdrawn"))
    assert sentences(explanation, "zh")[0] == (
        "消费者于 2023-03-28 11:00:00 撤销纠纷，纠纷就此结束（依据本系统约定 A-withdraw）。"
    )
    assert sentences(explanation, "en")[0] == (
        "The consumer withdrew the dispute at 2023-03-28 11:00:00; that ended it "
        "(assumption A-withdraw)."
    )


def test_a_margin_is_compared_as_a_value() -> None:
    margin = explained(*_arguments("a scan one second late")).margin
    assert isinstance(margin, FactMargin)
    assert margin == margin.model_copy()
    assert margin != margin.model_copy(update={"by": 2 * SECOND})


# ---- the page ------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "how-to" / "explain.md").read_text(encoding="utf-8")


def test_the_page_shows_what_the_command_prints() -> None:
    (block,) = re.findall(
        r"^```console\n\$ dispute-fsm explain (.*?)^```$", PAGE, re.DOTALL | re.MULTILINE
    )
    call, _, output = block.partition("\n")
    path, *options = call.split()
    assert run(ROOT / path, *options).out == output


def test_the_page_of_six_disputes_shows_what_the_command_prints(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "explanation" / "explained.md").read_text(encoding="utf-8")
    first, *blocks = re.findall(
        r"^```console\n\$ dispute-fsm (.*?)^```$", page, re.DOTALL | re.MULTILINE
    )
    command, *scenarios, option, out = first.split()
    assert (command, option, out) == ("run", "--histories", "out/")
    done = command_line.run(command, *(ROOT / one for one in scenarios), option, tmp_path / out)
    assert done.code == 0, done.err
    told = {"zh": set[str](), "en": set[str]()}
    for block in blocks:
        call, _, output = block.partition("\n")
        explain, history, lang, name = call.split()
        assert (explain, lang) == ("explain", "--lang")
        assert run(tmp_path / history, lang, name).out == output
        told[name].add(history)
    assert told["zh"] == told["en"]
    assert len(told["zh"]) == 6


def test_the_lines_of_the_page_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    exec(code, {})  # noqa: S102 -- the lines of our own page


def test_the_page_names_every_kind_of_margin() -> None:
    kinds = {one.model_fields["type"].default for one in get_args(Margin)}
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) - {"type"} == kinds
