"""A picture as a Mermaid flowchart: text that many pages draw, each in its own way.

The label of an edge is a node of its own, so that it has its own space: Mermaid lets the labels of
lines cover each other. An edge with a mark has its own line style (dashed, thick), so that it
differs without colour; its badge says it in text. Mermaid has no reliable quoting: a `;` would cut
a label and create a state, a quotation mark would end it, a `1.` at the beginning would make it a
list. So only characters that are known to be harmless are written as they are (letters, digits,
Chinese punctuation, and a few others between words), and all others as entities.
"""

import re
import unicodedata
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace

from dispute_fsm.diagrams.picture import Box, Face, Frame, Line, Mark, Picture, PictureEdge, Shape
from dispute_fsm.diagrams.render.typography import LIGHT, WEIGHTS, badge_lines, edge_lines
from dispute_fsm.domain.scalars import FrozenMap

_UNSAFE = re.compile(
    # Mermaid searches the whole line for these words, quoted or not
    r"(?<=direction) (?=TB|BT|RL|LR|TD)"
    r"|:(?! )"  # in links, in icons, and where it splits a line with `style:#`
    r"|(?<!\d)\.|\.(?!\d)"  # in lists and links
    r"|(?<![A-Za-z0-9])['_-]|['_-](?![A-Za-z0-9])"
    r"|[^\w ,:.'/\-·，。；：、？！（）《》“”–—…→×─]"
)
_ACTIVE = re.compile(
    r"^(?=[\d\W])|(?<=\\)(?=n)|(?<=\$)(?=\$)|(?<=fa:)(?=fa-)|(?<=fa[bklrs]:)(?=fa-)"
    r"|(?<=ﬂ)(?=°)|(?<=¶)(?=ß)"
)
"""Where Mermaid reads a list, a new line, a formula, an icon or its own entities.

It does so even where the characters were written as entities.
"""
_SEPARATOR = "<b></b>"
"""Separates such characters; it is invisible."""
_UNSAFE_IN_ID = re.compile(r"[^A-Za-z0-9_]|_(?=X)")


def escaped(text: str) -> str:
    """Write a text so that Mermaid shows it as it is, with each white space as one blank.

    A character that no page can contain becomes U+FFFD.
    """
    parts = _ACTIVE.split(" ".join(text.split()))
    return _SEPARATOR.join(_UNSAFE.sub(lambda match: _entity(match[0]), part) for part in parts)


def node_id(name: str) -> str:
    """Return an element's id: unique for each name, and never a keyword of Mermaid."""
    return "n_" + _UNSAFE_IN_ID.sub(lambda match: f"_X{ord(match[0]):x}_", name)


def _entity(character: str) -> str:
    invalid = unicodedata.category(character) in {"Cc", "Cs"} or character in "\ufffe\uffff"
    return "\ufffd" if invalid else f"#{ord(character)};"


_HEAD = (
    "---",
    "config:",
    "  flowchart:",
    "    wrappingWidth: 280",
    "    subGraphTitleMargin:",
    "      top: 4",
    "      bottom: 8",
    "---",
    "flowchart LR",
)
_RULE = Line("────────", Face.FAINT)
"""Separates the text of a box from each edge inside it."""

_TAGS: Mapping[Face, str] = FrozenMap(
    {
        Face.TITLE: "b",
        Face.HEAD: "b",
        Face.STRONG: "b",
        Face.GOOD: "b",
        Face.BAD: "b",
        Face.FAINT: "small",
    }
)
_BRACKETS: Mapping[Shape, tuple[str, str]] = FrozenMap(
    {
        Shape.STATE: ("(", ")"),
        Shape.GOOD_END: ("[[", "]]"),
        Shape.BAD_END: ("[[", "]]"),
        Shape.START: ("((", "))"),
        Shape.NOTE: ("[", "]"),
        Shape.OUTCOME: ("([", "])"),
    }
)
_PLAIN, _DOTTED, _THICK = ("---", "-->"), ("-.-", "-.->"), ("===", "==>")
"""Lines without and with an arrowhead."""
_LINES: Mapping[Mark, tuple[str, str]] = FrozenMap(
    {
        Mark.REMOVED: _DOTTED,
        Mark.MISSED: _DOTTED,
        Mark.INACTIVE: _DOTTED,
        Mark.ADDED: _THICK,
        Mark.LIT: _THICK,
        Mark.CHANGED: _THICK,
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
        Mark.INACTIVE: "opacity:0.6,stroke-dasharray:5 4",
    }
)
_FRAME = f"fill:{LIGHT['line']}14,stroke:{LIGHT['line']}"
"""Translucent, so that the text of any theme is readable on it."""
_PARALLEL = "stroke-dasharray:6 3"
_LINE = 1.5
"""How thick a line without a weight is, in px."""


def mermaid(picture: Picture, description: str = "") -> str:
    """Write a picture as a flowchart; the same picture is always the same text.

    `description` is for screen readers.
    """
    picture = _renamed(picture)
    labels = {edge.id: _label_box(picture, edge) for edge in picture.outer if edge_lines(edge)}
    edges = [half for edge in picture.outer for half in _halves(edge, labels)]
    picture = replace(picture, boxes=(*picture.boxes, *labels.values()))
    lines = [
        *_HEAD,
        f"  accTitle: {escaped(picture.title)}",
        *([f"  accDescr: {escaped(description)}"] if description else []),
        *_within(picture, None, "  "),
        *(f"  {_line(edge)}" for edge in edges),
        *(f"  {line}" for line in _classes(picture)),
        *(f"  {line}" for line in _line_styles(edges)),
    ]
    return "\n".join(lines) + "\n"


def _renamed(picture: Picture) -> Picture:
    """Give the elements ids that Mermaid takes: edges get short ones, as a text may not be long."""
    return replace(
        picture,
        boxes=tuple(
            replace(box, id=node_id(box.id), frame=box.frame and node_id(box.frame))
            for box in picture.boxes
        ),
        frames=tuple(
            replace(frame, id=node_id(frame.id), frame=frame.frame and node_id(frame.frame))
            for frame in picture.frames
        ),
        edges=tuple(
            replace(edge, id=f"e{number}", source=node_id(edge.source), target=node_id(edge.target))
            for number, edge in enumerate(picture.edges)
        ),
    )


def _label_box(picture: Picture, edge: PictureEdge) -> Box:
    return Box(
        id=edge.id,
        lines=edge.lines,
        frame=picture.common_frame(edge),
        shape=Shape.NOTE,
        mark=edge.mark,
        badge=edge.badge,
        tone=edge.tone,
    )


def _halves(edge: PictureEdge, labels: Container[str]) -> Iterator[PictureEdge]:
    """Divide an edge with a label into two: to its label, and on from there."""
    if edge.id in labels:
        yield replace(edge, target=edge.id)
        yield replace(edge, source=edge.id)
    else:
        yield edge


def _within(picture: Picture, frame: str | None, indent: str) -> Iterator[str]:
    """Write the content of a frame: boxes and other frames."""
    for box in picture.boxes:
        if box.frame == frame:
            opening, closing = _BRACKETS[box.shape]
            label = _label([*badge_lines(box.badge), *box.lines, *_inner(picture, box.id)])
            yield f"{indent}{box.id}{opening}{label}{closing}"
    for inner in picture.frames:
        if inner.frame == frame:
            label = _label([Line(inner.title, Face.HEAD), *_inner(picture, inner.id)])
            yield f"{indent}subgraph {inner.id}[{label}]"
            yield from _within(picture, inner.id, indent + "  ")
            yield f"{indent}end"


def _inner(picture: Picture, element: str) -> Iterator[Line]:
    """Iterate over the lines of the edges that lead from an element back to itself."""
    for edge in picture.inner(element):
        yield from (_RULE, *edge_lines(edge))


def _line(edge: PictureEdge) -> str:
    """Write a line; to its own label it has no arrowhead."""
    blunt, pointed = _LINES.get(edge.mark, _PLAIN)
    line = blunt if edge.target == edge.id else pointed
    return f"{edge.source} {line} {edge.target}"


def _label(lines: Iterable[Line]) -> str:
    return '"' + ("<br/>".join(map(_text, lines)) or " ") + '"'


def _text(line: Line) -> str:
    text, tag = escaped(line.text), _TAGS.get(line.face)
    return f"<{tag}>{text}</{tag}>" if tag else text


def _classes(picture: Picture) -> Iterator[str]:
    """Write the styles of elements: by what they are, then by their marks."""
    elements: list[Box | Frame] = [*picture.boxes, *picture.frames]
    tones = sorted({box.tone for box in picture.boxes if box.tone in LIGHT})
    classes = [
        *(
            (shape.name.lower(), style, [box.id for box in picture.boxes if box.shape is shape])
            for shape, style in _SHAPES.items()
        ),
        *(
            (tone, f"stroke:{LIGHT[tone]}", [box.id for box in picture.boxes if box.tone == tone])
            for tone in tones
        ),
        ("frame", _FRAME, [frame.id for frame in picture.frames]),
        ("parallel", _PARALLEL, [frame.id for frame in picture.frames if frame.parallel]),
        *(
            (mark.value, style, [element.id for element in elements if element.mark is mark])
            for mark, style in _MARKS.items()
        ),
    ]
    for name, style, ids in classes:
        if ids:
            yield f"classDef {name} {style}"
            yield f"class {','.join(ids)} {name}"


def _line_styles(edges: Iterable[PictureEdge]) -> Iterator[str]:
    """Write the styles of lines, by number: the colour of the role, unless a mark has one."""
    numbers: dict[str, list[str]] = {}
    for number, edge in enumerate(edges):
        style = _MARKS.get(edge.mark, "")
        if edge.tone in LIGHT and "stroke:" not in style:
            width = WEIGHTS[edge.weight] if edge.weight else _LINE
            tone = f"stroke:{LIGHT[edge.tone]},stroke-width:{width}px"
            style = f"{tone},{style}" if style else tone
        if style:
            numbers.setdefault(style, []).append(str(number))
    for style, which in numbers.items():
        yield f"linkStyle {','.join(which)} {style}"
