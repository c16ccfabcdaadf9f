"""A picture as a Mermaid flowchart: text that pages with Mermaid in them draw, each in its own way.

An edge with a mark has a line of its own (dashed, thick), so that it can be told apart without
colour; its badge says it in words. Mermaid has no quoting that holds: a `;` would cut a label and
invent a state, a quotation mark end it, a `1.` at the beginning make a list of it. So only signs
that are known to mean nothing are written as they are (letters, digits and Chinese punctuation, and
a few others where words surround them), and all else as entities.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from dispute_fsm.diagrams.picture import Box, Face, Frame, Line, Mark, Picture, PictureEdge, Shape
from dispute_fsm.diagrams.render.blocks import badge
from dispute_fsm.diagrams.render.typography import LIGHT
from dispute_fsm.domain.scalars import FrozenMap

_UNSAFE = re.compile(
    # Mermaid looks for these words in a whole line, quoted or not
    r"(?<=direction) (?=TB|BT|RL|LR|TD)"
    r"|:(?! )"  # in links, in icons, and where it takes a line with `style:#` apart
    r"|(?<!\d)\.|\.(?!\d)"  # in lists and links
    r"|(?<![A-Za-z0-9])['_-]|['_-](?![A-Za-z0-9])"
    r"|[^\w ,:.'/\-·，。；：、？！（）《》“”–—…→×─]"
)
_ACTIVE = re.compile(
    r"^(?=[\d\W])|(?<=\\)(?=n)|(?<=\$)(?=\$)|(?<=fa:)(?=fa-)|(?<=fa[bklrs]:)(?=fa-)|(?<=ﬂ)(?=°)|(?<=¶)(?=ß)"
)
"""Where Mermaid takes signs for a list, a new line, a formula, an icon or its own entities, even where they were written as entities."""
_NOTHING = "<b></b>"
"""Keeps such signs apart and is not seen."""
_UNSAFE_IN_ID = re.compile(r"[^A-Za-z0-9_]|_(?=X)")


def escaped(text: str) -> str:
    """Write a text so that Mermaid shows it as it is; white space is one blank, and a sign that no page can hold is U+FFFD."""
    parts = _ACTIVE.split(" ".join(text.split()))
    return _NOTHING.join(_UNSAFE.sub(lambda found: _entity(found[0]), part) for part in parts)


def node_id(name: str) -> str:
    """Return an element's id: another for each name, and never a word that Mermaid knows (`end`, or an `o` behind a line)."""
    return "n_" + _UNSAFE_IN_ID.sub(lambda found: f"_X{ord(found[0]):x}_", name)


def _entity(sign: str) -> str:
    missing = unicodedata.category(sign) in {"Cc", "Cs"} or sign in "\ufffe\uffff"
    return "\ufffd" if missing else f"#{ord(sign)};"


_HEAD = ("---", "config:", "  flowchart:", "    wrappingWidth: 280", "---", "flowchart LR")
_RULE = Line("────────", Face.FAINT)
"""Stands between what a box says itself and each edge that stays in it."""

_TAGS: Mapping[Face, str] = FrozenMap(
    {Face.TITLE: "b", Face.HEAD: "b", Face.STRONG: "b", Face.FAINT: "small"}
)
_BRACKETS: Mapping[Shape, tuple[str, str]] = FrozenMap(
    {
        Shape.STATE: ("(", ")"),
        Shape.GOOD_END: ("[[", "]]"),
        Shape.BAD_END: ("[[", "]]"),
        Shape.START: ("((", "))"),
        Shape.NOTE: ("[", "]"),
    }
)
_ARROWS: Mapping[Mark, str] = FrozenMap(
    {
        Mark.REMOVED: "-.->",
        Mark.MISSED: "-.->",
        Mark.ADDED: "==>",
        Mark.LIT: "==>",
        Mark.CHANGED: "==>",
    }
)

_SHAPES: Mapping[Shape, str] = FrozenMap(
    {
        Shape.START: f"fill:{LIGHT['system']},stroke:{LIGHT['system']}",
        Shape.GOOD_END: f"fill:{LIGHT['good']},stroke:{LIGHT['good-line']},color:{LIGHT['ink']}",
        Shape.BAD_END: f"fill:{LIGHT['bad']},stroke:{LIGHT['bad-line']},color:{LIGHT['ink']}",
    }
)
_MARKS: Mapping[Mark, str] = FrozenMap(
    {
        Mark.LIT: "stroke-width:3px",
        Mark.FADED: "opacity:0.4",
        Mark.ADDED: f"stroke:{LIGHT['good-line']},stroke-width:3px",
        Mark.REMOVED: f"stroke:{LIGHT['bad-line']},stroke-width:2px,stroke-dasharray:7 4",
        Mark.CHANGED: f"stroke:{LIGHT['changed']},stroke-width:3px",
        Mark.MISSED: f"stroke:{LIGHT['bad-line']},stroke-width:2px,stroke-dasharray:2 4",
    }
)
_FRAME = f"fill:{LIGHT['line']}14,stroke:{LIGHT['line']}"
"""A veil, so that the text of any theme can be read on it."""
_PARALLEL = "stroke-dasharray:6 3"


def mermaid(picture: Picture, description: str = "") -> str:
    """Write a picture as a flowchart; the same picture is always the same text. `description` is for those who cannot see it."""
    lines = [
        *_HEAD,
        f"  accTitle: {escaped(picture.title)}",
        *([f"  accDescr: {escaped(description)}"] if description else []),
        *_within(picture, None, "  "),
        *(f"  {_edge(edge)}" for edge in picture.outer),
        *(f"  {line}" for line in _classes(picture)),
        *(f"  {line}" for line in _line_styles(picture.outer)),
    ]
    return "\n".join(lines) + "\n"


def _within(picture: Picture, frame: str | None, indent: str) -> Iterator[str]:
    """Write what lies in a frame: boxes and other frames."""
    for box in picture.boxes:
        if box.frame == frame:
            opening, closing = _BRACKETS[box.shape]
            yield f"{indent}{node_id(box.id)}{opening}{_label(_box_lines(picture, box))}{closing}"
    for inner in picture.frames:
        if inner.frame == frame:
            yield f"{indent}subgraph {node_id(inner.id)}[{_frame_label(picture, inner)}]"
            yield from _within(picture, inner.id, indent + "  ")
            yield f"{indent}end"


def _frame_label(picture: Picture, frame: Frame) -> str:
    return _label([Line(frame.title, Face.HEAD), *_stays(picture, frame.id)])


def _box_lines(picture: Picture, box: Box) -> list[Line]:
    return [*badge(box.badge), *box.lines, *_stays(picture, box.id)]


def _stays(picture: Picture, element: str) -> Iterator[Line]:
    """Tell the edges that lead from an element back to itself."""
    for edge in picture.inner(element):
        yield from (_RULE, *_edge_lines(edge))


def _edge_lines(edge: PictureEdge) -> list[Line]:
    return [*badge(edge.badge), *edge.lines]


def _edge(edge: PictureEdge) -> str:
    lines = _edge_lines(edge)
    words = f"|{_label(lines)}|" if lines else ""
    return f"{node_id(edge.source)} {_ARROWS.get(edge.mark, '-->')}{words} {node_id(edge.target)}"


def _label(lines: Iterable[Line]) -> str:
    return '"' + ("<br/>".join(map(_line, lines)) or " ") + '"'


def _line(line: Line) -> str:
    words = escaped(line.text)
    return f"<{_TAGS[line.face]}>{words}</{_TAGS[line.face]}>" if line.face in _TAGS else words


def _classes(picture: Picture) -> Iterator[str]:
    """Say how elements look, by what they are and then by what is told about them."""
    named = [
        (shape.name.lower(), style, [box.id for box in picture.boxes if box.shape is shape])
        for shape, style in _SHAPES.items()
    ]
    named.append(("frame", _FRAME, [frame.id for frame in picture.frames]))
    named.append(("parallel", _PARALLEL, [frame.id for frame in picture.frames if frame.parallel]))
    elements: list[Box | Frame] = [*picture.boxes, *picture.frames]
    named += [
        (mark.value, style, [one.id for one in elements if one.mark is mark])
        for mark, style in _MARKS.items()
    ]
    for name, style, ids in named:
        if ids:
            yield f"classDef {name} {style}"
            yield f"class {','.join(map(node_id, ids))} {name}"


def _line_styles(edges: Iterable[PictureEdge]) -> Iterator[str]:
    """Say how lines look, by their numbers: in the colour of who acts, unless a mark has one."""
    numbers: dict[str, list[str]] = {}
    for number, edge in enumerate(edges):
        if style := ",".join(part for part in (_tone(edge), _MARKS.get(edge.mark, "")) if part):
            numbers.setdefault(style, []).append(str(number))
    for style, which in numbers.items():
        yield f"linkStyle {','.join(which)} {style}"


def _tone(edge: PictureEdge) -> str:
    marked = "stroke:" in _MARKS.get(edge.mark, "")
    return (
        f"stroke:{LIGHT[edge.tone]},stroke-width:1.5px" if edge.tone in LIGHT and not marked else ""
    )
