"""The view `diff`: how one machine differs from another, two policies or two rule versions, as a list and on the chart."""

from collections.abc import Mapping, Sequence

from dispute_fsm.diagrams.difference import KINDS, ChartChange, changes
from dispute_fsm.diagrams.formatting import Voice
from dispute_fsm.diagrams.model import Machine, StateNode
from dispute_fsm.diagrams.picture import Face, Line, Mark, TextRow, TextTable, View, cell
from dispute_fsm.diagrams.views.chart import Remark, machine_picture
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.messages import Messages

_WORDS = Messages(
    {
        "title": ("{before} → {after} 的差异", "From {before} to {after}"),
        "read": (
            "“＋”新增（粗线），“－”移除（虚线），“～”改动（粗线）；未标记的部分两者相同。",
            (
                "“+” added (thick), “−” removed (dashed), “~” changed (thick); what bears no mark "
                "is the same on both sides."
            ),
        ),
        "change": ("{rules}：{change}。原因：{why}。", "{rules}: {change}. Why: {why}."),
        "none": ("两者没有差异。", "The two do not differ."),
        "changes": ("差异一览", "What differs"),
        "mark": ("变化", "change"),
        "kind": ("种类", "kind"),
        "which": ("对象", "which"),
        "what": ("内容", "what about it"),
        "added": ("＋ 新增", "+ added"),
        "removed": ("－ 移除", "− removed"),
        "changed": ("～ 改动", "~ changed"),
    }
)


def diff(before: tuple[str, Machine], after: tuple[str, Machine], lang: Lang) -> View:
    """Show how two machines differ, each under the name that it was asked for by."""

    def says(name: str, **named: str) -> str:
        return _WORDS(lang, name, **named)

    found = changes(before[1], after[1], lang)
    both = Voice(_together(before[1], after[1]), lang)
    heads = tuple(says(name) for name in ("mark", "kind", "which", "what"))
    rows = tuple(
        TextRow(
            id=f"change-{number}",
            mark=Mark.PLAIN,
            cells=(
                cell(says(change.mark), face=Face.STRONG),
                cell(KINDS[change.kind].label(lang)),
                (*cell(change.name, face=Face.STRONG), Line(change.id, Face.FAINT)),
                cell(*change.lines),
            ),
        )
        for number, change in enumerate(found, 1)
    )
    remarks = _remarks(
        found, {mark: says(mark) for mark in (Mark.ADDED, Mark.REMOVED, Mark.CHANGED)}
    )
    picture = machine_picture(both, remarks)
    versions = tuple(
        says(
            "change",
            rules=machine.rules,
            change=machine.change.label(lang),
            why=machine.why.label(lang),
        )
        for _, machine in (before, after)
        if before[1].rules != after[1].rules
    )
    return View(
        name="diff",
        lang=lang,
        title=says("title", before=before[0], after=after[0]),
        notes=(*versions, says("read" if found else "none")),
        parts=(
            TextTable(
                id="changes", title=says("changes"), heads=heads, widths=(8, 8, 34, 60), rows=rows
            ),
            picture,
        ),
        graph=picture,
    )


def _remarks(found: Sequence[ChartChange], badges: Mapping[Mark, str]) -> dict[str, Remark]:
    return {
        change.id: Remark(change.mark, badges[change.mark])
        for change in found
        if change.kind in {"state", "arrow"}
    }


def _together(before: Machine, after: Machine) -> Machine:
    """Make the machine that holds all that either has; where both have it, as the newer one has it."""
    there = {state.id for state in after.states}
    gone = [state for state in before.states if state.id not in there]
    known = there | {state.id for state in gone}
    arrows = {
        change.id
        for change in changes(before, after, "en")
        if change.kind == "arrow" and change.mark is Mark.REMOVED
    }
    here = {arrow.id for arrow in after.arrows}
    return after.model_copy(
        update={
            "states": (*after.states, *(_placed(state, known) for state in gone)),
            "arrows": (
                *after.arrows,
                *(arrow for arrow in before.arrows if arrow.id in arrows and arrow.id not in here),
            ),
            "conditions": {**before.conditions, **after.conditions},
            "questions": {**before.questions, **after.questions},
            "words": {**before.words, **after.words},
        }
    )


def _placed(state: StateNode, known: set[str]) -> StateNode:
    """Leave a state where it was, as long as what was around it is still there."""
    return (
        state
        if state.parent is None or state.parent in known
        else state.model_copy(update={"parent": None})
    )
