"""The legend that stands below a view: where each rule comes from, by the number that the view names."""

from collections.abc import Container, Iterable

from dispute_fsm.diagrams.formatting import Voice
from dispute_fsm.diagrams.model import Arrow
from dispute_fsm.diagrams.picture import Face, Line, TextRow, TextTable, cell
from dispute_fsm.domain.messages import Messages
from dispute_fsm.rules.guards.selectors import OPTION

_WORDS = Messages(
    {
        "sources": ("依据", "Sources"),
        "number": ("编号", "no."),
        "kind": ("性质", "kind"),
        "words": ("内容", "what it says"),
        "of": ("适用于", "behind"),
    }
)


def sources(
    voice: Voice, arrows: Iterable[Arrow] | None = None, named: Container[str] | None = None
) -> TextTable:
    """List where the rules come from: the announcement's words, or what was assumed and why.

    Of all arrows or of some; of their sources all, or those that the view names.
    """
    lang = voice.lang
    behind: dict[str, dict[str, None]] = {}
    for arrow in voice.machine.arrows if arrows is None else arrows:
        behind.setdefault(voice.ref(arrow), {})[voice.label(arrow.event)] = None
        for condition in (*voice.selects(arrow), *voice.conditions((*arrow.timing, *arrow.needs))):
            answers = condition.question == OPTION.name  # which, the picture says
            behind.setdefault(voice.ref(condition), {})[
                voice.say("chosen") if answers else voice.condition(condition)
            ] = None
    return TextTable(
        id="sources",
        title=_WORDS(lang, "sources"),
        heads=tuple(_WORDS(lang, name) for name in ("number", "kind", "words", "of")),
        widths=(6, 16, 42, 36),
        rows=tuple(
            TextRow(
                id=f"source-{ref}",
                cells=(
                    (Line(ref, Face.STRONG),),
                    cell(voice.say("stated" if source.kind == "S" else "assumed")),
                    cell(source.words.label(lang)),
                    cell(voice.say("and").join(behind[ref])),
                ),
            )
            for ref, source in voice.sources.items()
            if ref in behind and (named is None or ref in named)
        ),
    )
