"""What evidence takes under the policy: the reasons with their vouchers, and the limits."""

from collections.abc import Iterator, Sequence
from functools import partial

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.messages import EVIDENCE
from dispute_fsm.diagrams.model import TransitionView
from dispute_fsm.diagrams.picture import Face, Line, TextRow, TextTable, cell
from dispute_fsm.domain.enums import CommandType, Lang, RefusalCode
from dispute_fsm.domain.policy import EvidenceReason, VoucherLimits
from dispute_fsm.history.timeline_text import size_text

_OF_REASONS = (
    RefusalCode.REASON_UNKNOWN,
    RefusalCode.VOUCHER_MISSING,
    RefusalCode.VOUCHER_NOT_ACCEPTED,
    RefusalCode.STATEMENT_MISSING,
)


def submissions(fmt: Formatter) -> list[TransitionView]:
    """Return the transitions by which evidence is submitted."""
    transitions = fmt.machine.transitions
    return [each for each in transitions if each.event is CommandType.SUBMIT_EVIDENCE]


def evidence_sources(fmt: Formatter) -> set[str]:
    """Return the ids of the sources that the two tables cite."""
    limits = (code for _, _, code in _limits(fmt))
    return {_ref(fmt, code) for code in (*_OF_REASONS, *limits)}


def reasons_table(fmt: Formatter) -> TextTable:
    """List the reasons of the policy's catalogue and the vouchers that each asks for."""
    text = partial(EVIDENCE, fmt.lang)
    refusals = fmt.join("and", map(fmt.refusal, _OF_REASONS))
    refs = fmt.join("comma", dict.fromkeys(_ref(fmt, code) for code in _OF_REASONS))
    rows = (
        TextRow(
            id=f"reason-{name}",
            cells=(
                (Line(fmt.label(reason.label), Face.STRONG), Line(name, Face.FAINT)),
                cell(*_prompts(reason, fmt.lang)),
                cell(fmt.join("comma", map(fmt.label, reason.not_accepted)) or text("none")),
                cell(text("required" if reason.statement else "optional")),
            ),
        )
        for name, reason in fmt.policy.evidence_reasons.items()
    )
    return TextTable(
        id="reasons",
        title=text("reasons"),
        heads=tuple(map(text, ("reason", "vouchers", "not_accepted", "statement"))),
        widths=(30, 50, 16, 14),
        rows=tuple(rows),
        notes=(text("catalogue"), text("refused", refusals, refs)),
    )


def limits_table(fmt: Formatter) -> TextTable:
    """List the limits for vouchers and the statement, and how each is refused."""
    text = partial(EVIDENCE, fmt.lang)
    return TextTable(
        id="limits",
        title=text("limits"),
        heads=tuple(map(text, ("limit", "at_most", "refusal", "source"))),
        widths=(30, 30, 36, 14),
        rows=tuple(
            TextRow(
                id=f"limit-{name}",
                cells=(
                    cell(text(name), face=Face.STRONG),
                    cell(value),
                    cell(fmt.refusal(code)),
                    cell(_ref(fmt, code)),
                ),
            )
            for name, value, code in _limits(fmt)
        ),
    )


def _prompts(reason: EvidenceReason, lang: Lang) -> Iterator[str]:
    if not reason.prompts:
        yield EVIDENCE(lang, "none")
    for prompt in reason.prompts:
        yield EVIDENCE(
            lang,
            "prompt",
            kind=prompt.kind.label(lang),
            count=prompt.at_least,
            shows=prompt.shows_label(lang),
        )


def _limits(fmt: Formatter) -> Sequence[tuple[str, str, RefusalCode]]:
    limits: VoucherLimits = fmt.policy.voucher_limits
    types = (each.rpartition("/")[2].upper() for each in limits.media_types)
    return (
        ("media_types", fmt.join("comma", types), RefusalCode.VOUCHER_MEDIA_TYPE),
        ("max_bytes", size_text(limits.max_bytes), RefusalCode.VOUCHER_TOO_LARGE),
        ("together", size_text(limits.max_bytes_together), RefusalCode.VOUCHER_TOO_LARGE),
        ("max_count", str(limits.max_count), RefusalCode.TOO_MANY_VOUCHERS),
        (
            "max_statement",
            EVIDENCE(fmt.lang, "characters", limits.max_statement),
            RefusalCode.STATEMENT_TOO_LONG,
        ),
    )


def _ref(fmt: Formatter, code: RefusalCode) -> str:
    """Return the id of the source of the condition that refuses evidence with a code."""
    guards = (guard for each in submissions(fmt) for guard in fmt.requirements(each))
    return next(fmt.ref(guard) for guard in guards if code in guard.codes)
