"""The legend below a picture: who the colours stand for, and what its lines and frames mean."""

from collections.abc import Iterator, Sequence

from dispute_fsm.diagrams.messages import LEGEND
from dispute_fsm.diagrams.picture import Face, Line, Mark, Picture, Shape
from dispute_fsm.diagrams.render.graphviz import Rectangle
from dispute_fsm.diagrams.render.svg_elements import BAND, Drawing, group, line_text, n, rectangle
from dispute_fsm.diagrams.render.typography import line_width
from dispute_fsm.domain.enums import Lang, Role

_WIDTH, _HEIGHT = 26.0, 14.0
"""The size of a sample, in px."""
_ROW, _GAP = 24.0, 22.0


def legend(picture: Picture, lang: Lang, width: float) -> Drawing:
    """Explain what occurs in a picture, in as many rows as needed, and nothing else."""
    left, top = 0.0, 0.0
    body = [group("", ("legend",))]
    for kinds, shapes, text in _entries(picture, lang):
        line = Line(text, Face.FAINT)
        taken = _WIDTH + 6 + line_width(line)
        if left and left + taken > width:
            left, top = 0.0, top + _ROW
        body.append(group("", kinds))
        for kind in shapes:
            if kind == "course":
                across = f"M{n(left)},{n(top + _HEIGHT / 2)} h{n(_WIDTH)}"
                body.append(f'<path class="course" d="{across}"/>')
                continue
            inset = 3.0 if kind == "inner" else 0.0
            size = Rectangle(left + inset, top + inset, _WIDTH - 2 * inset, _HEIGHT - 2 * inset)
            if kind == "band":
                size = size._replace(width=BAND)
            corner = 7 if kind == "pill" else 3
            body.append(rectangle("box" if kind in {"inner", "pill"} else kind, size, corner))
        body += ["</g>", line_text(line, left + _WIDTH + 6, top + 11)]
        left += taken + _GAP
    return Drawing(top + _ROW, [*body, "</g>"])


Entry = tuple[Sequence[str], Sequence[str], str]
"""The classes of a sample, its parts, and what it stands for."""


def _entries(picture: Picture, lang: Lang) -> Iterator[Entry]:
    tones = {edge.tone for edge in picture.edges}
    for role in Role:
        if role.value in tones:
            yield ("edge", role.value), ("label", "band"), role.label(lang)
    shapes = {box.shape for box in picture.boxes}
    for shape in (Shape.GOOD_END, Shape.BAD_END):
        if shape in shapes:
            yield ("state", shape), ("box", "inner"), LEGEND(lang, shape)
    if Shape.OUTCOME in shapes:
        yield ("state",), ("pill",), LEGEND(lang, Shape.OUTCOME)
    if any(frame.parallel for frame in picture.frames):
        yield ("state",), ("frame parallel",), LEGEND(lang, "parallel")
    yield from _weights(picture, lang)
    marks = {edge.mark for edge in picture.edges}
    marks |= {box.mark for box in picture.boxes} | {frame.mark for frame in picture.frames}
    for mark in Mark:
        if mark in marks and mark is not Mark.PLAIN:
            yield ("edge", mark), ("box",), LEGEND(lang, mark)


def _weights(picture: Picture, lang: Lang) -> Iterator[Entry]:
    """Explain how thick lines are, where they differ."""
    weights = {edge.weight for edge in picture.edges if edge.mark is Mark.PLAIN}
    if any(weights):
        for weight in sorted(weights):
            yield ("edge", f"weight-{weight}"), ("course",), LEGEND(lang, f"weight-{weight}")
