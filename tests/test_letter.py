"""`dispute-fsm report --for merchant`: a letter in plain words, with the merchant's data only."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.diagrams.letter import letter
from dispute_fsm.diagrams.messages import LETTER
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.runner import run_scenario
from tests import command_line
from tests.browser import opened, started
from tests.histories.corpus import FILES, disputes, named
from tests.test_explain import CLAUSE, LANGS, voucher

Recorded = tuple[Dispute, tuple[AuditEvent, ...]]
STORY = f"""\
policy: {{evidence: {{hours: 24}}}}
dispute: {{dispute_id: D-1, consumer_id: C-999, opened_at: 2023-03-28T10:00:00+08:00}}
steps:
  - {{at: +1h, do: choose_option, with: {{option: already_shipped}}}}
  - {{at: +1h, do: confirm_agreement}}
  - {{at: +2h, do: choose_option, with: {{option: prove_no_fault, note: 我方<b>无责}}}}
  - at: +3h
    do: submit_evidence
    with:
      reason: platform_fault
      vouchers: [{voucher("photo", 1, "image/heic")}]
      statement: 后台
  - at: +4h
    do: submit_evidence
    with:
      reason: carrier_fault
      vouchers: [{voucher("carrier_certificate")}]
      statement: 物流公司积压
  - at: +20h
    do: rule_at_fault
    by: {{role: adjudicator, id: J-77}}
    with: {{rationale: 凭证不足以证明}}
"""


def happened(text: str) -> Recorded:
    result = run_scenario(parse_scenario(text, "x.dispute.yaml"))
    assert result.dispute is not None
    return result.dispute, tuple(result.events)


def words(page: str) -> str:
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def check(page: str, dispute: Dispute, lang: Lang) -> None:
    """Check what is true of every letter."""
    text = words(page)
    assert not re.search(r"[0-9a-f]{64}", page)
    assert not CLAUSE.search(text)
    assert not re.search(r"\b[a-z]+_[a-z_]+\b", text), "no codes"
    assert dispute.consumer_id not in text.replace(dispute.dispute_id, "")
    assert not re.search(r"<(link|img|iframe|script)\b|\bsrc=|@import|url\(", page)
    assert page.count("<h2>") == 3
    assert ('lang="zh-CN"' in page) is (lang == "zh")


def test_in_chinese_it_tells_the_whole() -> None:
    dispute, events = happened(STORY)
    page = letter(dispute, events, "zh", review="请在 30 天内来信。")
    check(page, dispute, "zh")
    assert words(page) == (
        "纠纷处理结果说明 纠纷处理结果说明 纠纷 D-1 · 订单 O-1 · 商家 M-1 · 截至 2023-03-29 "
        "06:00:00 +0800 结论 平台判责专员于 2023-03-29 06:00:00 作出有责判定，"
        "判为“判定商家有责”（依据公告：依据规则判责）。 这由平台判责专员决定，没有差距可言。 "
        "处理经过：何时看到了什么 消费者于 2023-03-28 10:00:00 发起纠纷。 当时的订单数据：付款 "
        "2023-03-25 10:00:00；未发货；无揽件记录 商家于 2023-03-28 11:00:00 提交："
        "选择“已协商一致，已发货并有物流揽件信息”，未被受理：订单系统中尚无发货记录，"
        "且没有物流揽件记录。 当时的订单数据：付款 2023-03-25 10:00:00；未发货；无揽件记录 商家于 "
        "2023-03-28 12:00:00 选择“需举证后依据规则判责”。 备注：我方<b>无责 商家于 2023-03-28 "
        "13:00:00 提交：举证，未被受理：差 1 份订单或商品页面，且图片格式不受支持。 举证理由："
        "平台系统故障 凭证：照片 · image/heic · 1 B 情况说明：后台 商家于 2023-03-28 14:00:00 "
        "提交举证。 举证理由：物流公司原因 凭证：物流公司证明 · image/png · 1 B 情况说明："
        "物流公司积压 平台判责专员于 2023-03-29 06:00:00 作出有责判定，判为“判定商家有责”。 "
        "还能做什么，如何申请复核 现在只有平台判责专员写明理由撤销判责，才能改变结果。请在 30 "
        "天内来信。 所称公告：《京东客服纠纷催单场景系统调整》，2023-03-27；所引均为转述。"
    )


def test_the_rationale_stands_in_it_only_where_the_host_asks_for_it() -> None:
    dispute, events = happened(STORY)
    for lang in LANGS:
        assert "凭证不足以证明" not in letter(dispute, events, lang)
        assert "凭证不足以证明" in letter(dispute, events, lang, rationale=True)
        assert "J-77" not in letter(dispute, events, lang, rationale=True)


def test_what_a_person_wrote_cannot_break_it() -> None:
    dispute, events = happened(STORY)
    page = letter(dispute, events, "en", review="<i>call</i>", alternatives=["1 < 2", "3 > 2"])
    assert "<b>" not in page
    assert "<i>" not in page
    assert "<li>1 &lt; 2</li>\n<li>3 &gt; 2</li>" in page
    assert "What would have changed it" in page


def test_it_lists_five_other_endings_and_says_how_many_more_there_are() -> None:
    dispute, events = happened(STORY)
    for count in (1, 5, 6, 9):
        endings = [f"ending {number}." for number in range(1, count + 1)]
        page = words(letter(dispute, events, "en", alternatives=endings))
        assert re.findall(r"ending \d", page) == [one[:-1] for one in endings[:5]]
        more = re.findall(r"The platform's page on the dispute has (\d+) more\.", page)
        assert more == ([str(count - 5)] if count > 5 else [])


def test_a_live_dispute_has_a_letter_too() -> None:
    story = "\n".join(STORY.splitlines()[:-4])
    page = letter(*happened(story), "en")
    assert "<h1>How your dispute stands</h1>" in page
    assert "the dispute waits for the adjudicator" in page


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_recorded_dispute_has_a_letter(path: Path) -> None:
    for dispute, events in disputes(path).values():
        for lang in LANGS:
            page = letter(dispute, events, lang)
            check(page, dispute, lang)
            assert page == letter(dispute, events, lang)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as browser:
        yield browser


@pytest.mark.parametrize("lang", LANGS)
def test_it_fits_the_screen_and_a4(browser: Browser, lang: Lang, tmp_path: Path) -> None:
    page = tmp_path / "letter.html"
    page.write_text(letter(*happened(STORY), lang), encoding="utf-8")
    with opened(browser, page) as shown:
        for width in (390, 794):
            shown.page.set_viewport_size({"width": width, "height": 800})
            assert shown.evaluate("() => document.documentElement.scrollWidth") == width
        assert (shown.left, shown.complaints) == ([], [])
        sheet = shown.page.pdf(prefer_css_page_size=True)
    assert set(re.findall(rb"/MediaBox \[([^\]]+)\]", sheet)) == {b"0 0 594.95996 841.91998"}


def test_the_command_says_what_lay_in_the_merchants_hands(tmp_path: Path) -> None:
    history = next(path for path in FILES if named(path) == "evidence-expired-nothing-submitted")
    file = tmp_path / "letter.html"
    for lang, act in (
        ("zh", "商家改为选择“缺货/无货达成一致退款”"),
        ("en", 'Only if it is true: the choice of "out of stock: refund agreed" instead. Then: '),
    ):
        done = command_line.run("report", history, "--for", "merchant", "-o", file, "--lang", lang)
        assert done.code == 0, done.err
        assert act in words(file.read_text(encoding="utf-8"))
    ended_well = command_line.run(
        "report", FILES[0], "--for", "merchant", "-o", file, "--lang", "zh"
    )
    assert ended_well.code == 0
    assert LETTER("zh", "otherwise") not in file.read_text(encoding="utf-8")


def test_an_appeal_is_no_judgement() -> None:
    history = next(path for path in FILES if named(path) == "extended-appeal-then-overturned")
    ((dispute, events),) = disputes(history).values()
    page = letter(dispute, events, "zh")
    assert "<p>商家于 2023-03-28 13:00:00 提出申诉。" in page.replace("<li>", "<p>")
    assert page.count("判为“缺货/无货”") == 2  # in the conclusion, and where the consumer denied


def test_the_command_writes_it_and_takes_its_options_only_for_a_letter(tmp_path: Path) -> None:
    history = FILES[0]
    file = tmp_path / "letter.html"
    done = command_line.run(
        "report", history, "--for", "merchant", "--review", "Call us.", "-o", file, "--lang", "en"
    )
    assert done.code == 0, done.err
    ((dispute, events),) = disputes(history).values()
    assert file.read_text(encoding="utf-8") == letter(dispute, events, "en", review="Call us.")
    for wrong in (["--review", "x"], ["--rationale"], ["--for", "merchnat"]):
        refused = command_line.run("report", history, "-o", tmp_path / "no.html", *wrong)
        assert refused.code == 2
        assert not (tmp_path / "no.html").exists()
