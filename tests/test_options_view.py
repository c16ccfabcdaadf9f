"""The view of the options: evidence reasons, limits, every end, and the cards for phones."""

import re
from typing import get_args

import pytest

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.model import Machine, machine_of
from dispute_fsm.diagrams.picture import Face, Line, TextTable, View
from dispute_fsm.diagrams.render.svg import svg
from dispute_fsm.diagrams.views.options import options
from dispute_fsm.domain.enums import CommandType, Lang, Option, Outcome, RefusalCode
from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.rules.registry import VERSIONS
from tests.support import over

LANGS: tuple[Lang, ...] = get_args(Lang)
OTHER = over(
    evidence_reasons={"force_majeure": None, "public_holiday": {"statement": False, "prompts": []}},
    voucher_limits={"max_bytes": 2048, "max_count": 3, "media_types": ["image/png"]},
)


@pytest.fixture(params=list(VERSIONS))
def machine(request: pytest.FixtureRequest) -> Machine:
    return machine_of(VERSIONS[str(request.param)], DEFAULT_POLICY)


def under(policy: Policy, rules: str = "2023-03") -> Machine:
    return machine_of(VERSIONS[rules], policy)


def the_table(view: View, name: str) -> TextTable:
    return next(part for part in view.parts if isinstance(part, TextTable) and part.id == name)


def texts(table: TextTable) -> dict[str, list[str]]:
    """Return the text of each cell by the id of its row."""
    return {
        row.id: [" ".join(line.text for line in cell) for cell in row.cells] for row in table.rows
    }


@pytest.mark.parametrize("policy", [DEFAULT_POLICY, OTHER], ids=["default", "other"])
@pytest.mark.parametrize("lang", LANGS)
def test_every_reason_is_listed_with_what_it_asks_for(lang: Lang, policy: Policy) -> None:
    for rules in VERSIONS:
        rows = texts(the_table(options(under(policy, rules), lang), "reasons"))
        assert list(rows) == [f"reason-{name}" for name in policy.evidence_reasons]
        for name, reason in policy.evidence_reasons.items():
            title, vouchers, not_accepted, statement = rows[f"reason-{name}"]
            assert title == f"{reason.label.label(lang)} {name}"
            for prompt in reason.prompts:
                text = f"{prompt.kind.label(lang)} × {prompt.at_least}"
                assert text in vouchers
                assert prompt.shows_label(lang) in vouchers
            assert vouchers.count("×") == len(reason.prompts)
            assert all(kind.label(lang) in not_accepted for kind in reason.not_accepted)
            required = {"zh": "必填", "en": "required"}[lang]
            assert (statement == required) is reason.statement


def test_limits_are_those_of_the_policy_for_people() -> None:
    rows = texts(the_table(options(under(DEFAULT_POLICY), "zh"), "limits"))
    assert [cells[1] for cells in rows.values()] == [
        "JPEG、PNG、GIF、PDF、MP4",
        "10 MB",
        "50 MB",
        "20",
        "500 字",
    ]
    assert RefusalCode.TOO_MANY_VOUCHERS.zh in rows["limit-max_count"][2]
    other = texts(the_table(options(under(OTHER), "zh"), "limits"))
    assert [cells[1] for cells in other.values()] == ["PNG", "2 KB", "50 MB", "3", "500 字"]


def ends(machine: Machine, lang: Lang) -> dict[Option, list[Line]]:
    row = next(
        row for row in the_table(options(machine, lang), "options").rows if row.id == "options-ends"
    )
    return dict(zip(machine.options, map(list, row.cells[1:]), strict=True))


@pytest.mark.parametrize("lang", LANGS)
def test_a_withdrawal_and_an_annulment_are_ends_of_every_option(
    machine: Machine, lang: Lang
) -> None:
    fmt = Formatter(machine, lang)
    for lines in ends(machine, lang).values():
        for event, outcome, transition in (
            (CommandType.WITHDRAW, Outcome.WITHDRAWN, "withdraw"),
            (CommandType.ANNUL, Outcome.ANNULLED, "annul"),
        ):
            (line,) = (line for line in lines if f"({transition})" in line.text)
            assert event.label(lang) in line.text
            assert outcome.label(lang) in line.text
            assert line.face is Face.TEXT
            refs = {fmt.ref(each) for each in machine.transitions if each.event is event}
            assert line.text.rpartition(" ")[2] in refs
        ended = [line.text for line in lines]
        assert len(ended) == len(set(ended))
        assert not [text for text in ended if fmt.message("as_before") in text]


def test_only_the_version_with_an_appeal_may_overturn() -> None:
    found = {
        rules: any(
            "overturn_penalty" in line.text
            for lines in ends(under(DEFAULT_POLICY, rules), "en").values()
            for line in lines
        )
        for rules in VERSIONS
    }
    assert found == {rules: rules == "extended" for rules in VERSIONS}


def test_an_end_that_the_policy_excludes_after_an_option_is_pale() -> None:
    """Where nobody is asked to confirm, the option settles at once and nothing is withdrawn."""
    found = ends(under(over(confirmation=None)), "en")
    pale = {
        option: {line.face is Face.FAINT for line in lines if "(withdraw)" in line.text}
        for option, lines in found.items()
    }
    assert pale[Option.CONSUMER_CANCELS] == {True}
    assert pale[Option.PROVE_NO_FAULT] == {False}
    assert pale[Option.SHIP_BY_AGREED_DATE] == {False}


@pytest.mark.parametrize("lang", LANGS)
def test_for_phones_each_option_is_a_card_with_the_lines_of_its_column(
    machine: Machine, lang: Lang
) -> None:
    wide, narrow = options(machine, lang), options(machine, lang, narrow=True)
    table = the_table(wide, "options")
    for number, option in enumerate(machine.options, 1):
        card = the_table(narrow, f"card-{option.value}")
        assert card.heads == (table.heads[number],)
        for row, of_table in zip(card.rows, table.rows, strict=True):
            ((head, *lines),) = row.cells
            assert head.text == of_table.cells[0][0].text
            assert tuple(lines) == of_table.cells[number]
    for name in ("reasons", "limits", "sources"):
        stacked = the_table(narrow, name)
        whole = {key: " ".join(cells) for key, cells in texts(stacked).items()}
        for key, cells in texts(the_table(wide, name)).items():
            assert all(text in whole[key] for text in cells), key
        assert stacked.notes == the_table(wide, name).notes
    assert {len(part.widths) for part in narrow.parts if isinstance(part, TextTable)} == {1}


@pytest.mark.parametrize("lang", LANGS)
def test_the_cards_are_as_wide_as_a_phone(lang: Lang) -> None:
    drawn = svg(options(under(DEFAULT_POLICY), lang, narrow=True))
    assert re.match(r'<svg [^>]*width="390"', drawn)
