"""Layout by a plan: boxes in rows and stacks, lines that are straight or run beside the boxes.

A planned picture is as wide as its page. A box is as high as its texts need, the parts of a row are
equally high. A line is straight where nothing is in its way; otherwise it runs down a gutter of the
frame that holds both its ends: on the right towards the bad end, on the left towards all others.
"""

from collections.abc import Iterable, Iterator, Mapping

from dispute_fsm.diagrams.picture import (
    Box,
    Frame,
    Picture,
    PictureEdge,
    Plan,
    Row,
    Shape,
    Stack,
)
from dispute_fsm.diagrams.render.graphviz import (
    OUT,
    Course,
    Layout,
    Point,
    Rectangle,
    box_blocks,
)
from dispute_fsm.diagrams.render.typography import PADDING
from dispute_fsm.domain.scalars import FrozenMap

TIGHTER = PADDING
"""How much lower a row is in a planned box, in px."""
_GAP, _WIDE_GAP = 14.0, 40.0
"""Between the parts of a row; the wide one has room for the line from one to the other."""
_STEP = 26.0
"""Between the parts of a stack, with room for an arrow."""
_INSET, _HEADING = 14.0, 26.0
"""The gutters inside a frame, and the space for its title."""
_GUTTER = 20.0
"""The gutters of the page."""
_PAGE_LANES, _FRAME_LANES = (4.0, 10.0), (4.0, 8.0)
"""Where lines run in a gutter: the outer lane, and the inner one, which is for lines to notes."""
_COLUMN = 1.6
"""A column is at least as wide as this many boxes of a row."""
_PAIR = 12.0
"""How far the lines of two that lead to each other are from their middle."""
_HEAD, _CORNER = 9.0, 6.0
_LEAST_OVERLAP = 20.0

Way = tuple[Point, ...]


def text_width(box: Rectangle) -> float:
    """Return how wide the text in a planned box is; a band is at its left."""
    return _text_width(box.width)


def _text_width(width: float) -> float:
    return width - 2 * PADDING - 2


def arrange(picture: Picture, plan: Plan, width: float) -> Layout:
    """Lay out a picture by its plan."""
    parts = _Parts(picture)
    inner = width - 2 * _GUTTER
    height = parts.height(plan, inner)
    parts.place(plan, Rectangle(_GUTTER, 0, inner, height))
    lines = _Lines(parts, Rectangle(0, 0, width, height))
    return Layout(
        width,
        height,
        FrozenMap(parts.boxes),
        FrozenMap(parts.frames),
        FrozenMap({edge.id + OUT: lines.course(edge) for edge in picture.outer}),
    )


class _Parts:
    """Gives every box and frame of a plan its place."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.boxes: dict[str, Rectangle] = {}
        self.frames: dict[str, Rectangle] = {}
        self.docks: dict[str, Rectangle] = {}
        """For boxes that touch: the area of all of them."""
        self._by_id = {box.id: box for box in picture.boxes}
        self._heights: dict[tuple[str, float], float] = {}

    def height(self, plan: Plan, width: float) -> float:
        """Return the least height of a part that is this wide."""
        if isinstance(plan, str):
            if (plan, width) not in self._heights:
                own, *rows = box_blocks(self.picture, self._by_id[plan], _text_width(width))
                below = sum(row.height - TIGHTER for row in rows) + TIGHTER / 2 if rows else 0.0
                self._heights[plan, width] = own.height + below
            return self._heights[plan, width]
        if isinstance(plan, Row):
            return max(
                self.height(part, share)
                for part, share in zip(plan.parts, self._widths(plan, width), strict=True)
            )
        inner = width - 2 * _INSET if plan.frame else width
        heights = [self.height(part, inner) for part in plan.parts]
        around = _HEADING + _INSET if plan.frame else 0.0
        return sum(heights) + (len(heights) - 1) * _step(plan) + around

    def place(self, plan: Plan, area: Rectangle) -> None:
        """Place a part; the last part of a stack gets the height that is left."""
        if isinstance(plan, str):
            self.boxes[plan] = area
        elif isinstance(plan, Row):
            left = area.left
            for part, width in zip(plan.parts, self._widths(plan, area.width), strict=True):
                self.place(part, Rectangle(left, area.top, width, area.height))
                left += width + self._gap(plan)
        else:
            self._place_stack(plan, area)

    def _place_stack(self, stack: Stack, area: Rectangle) -> None:
        left, top, width, height = area
        bottom = top + height
        if stack.frame:
            self.frames[stack.frame] = area
            left, top, width = left + _INSET, top + _HEADING, width - 2 * _INSET
            bottom -= _INSET
        last = len(stack.parts) - 1
        for number, part in enumerate(stack.parts):
            own = bottom - top if number == last else self.height(part, width)
            self.place(part, Rectangle(left, top, width, own))
            top += own + _step(stack)
        if stack.joined:
            self.docks.update(dict.fromkeys(_ids(stack), area))

    def _widths(self, row: Row, width: float) -> list[float]:
        weights = [_weight(part) for part in row.parts]
        frames = [2 * _INSET if isinstance(part, Stack) and part.frame else 0 for part in row.parts]
        free = width - self._gap(row) * (len(weights) - 1) - sum(frames)
        return [
            frame + free * weight / sum(weights)
            for frame, weight in zip(frames, weights, strict=True)
        ]

    def _gap(self, row: Row) -> float:
        numbers = {name: number for number, part in enumerate(row.parts) for name in _ids(part)}
        between = any(
            numbers.get(edge.source, number) != number
            for edge in self.picture.outer
            if (number := numbers.get(edge.target)) is not None
        )
        return _WIDE_GAP if between else _GAP


class _Lines:
    """Finds the way of every line between the places of a picture."""

    def __init__(self, parts: _Parts, page: Rectangle) -> None:
        self._parts = parts
        self._page = page
        self._places: Mapping[str, Rectangle] = {**parts.boxes, **parts.frames}
        picture = parts.picture
        elements: list[Box | Frame] = [*picture.boxes, *picture.frames]
        self._around = {element.id: element.frame for element in elements}
        self._pairs = {(edge.source, edge.target) for edge in picture.outer}
        self._notes = {box.id for box in picture.boxes if box.shape is Shape.NOTE}
        self._right = {box.id for box in picture.boxes if box.shape is Shape.BAD_END}

    def course(self, edge: PictureEdge) -> Course:
        """Return the line of an edge, with an arrowhead."""
        for way in self._straight(edge):
            if not any(_meets(way, place) for place in self._obstacles(edge)):
                return _course(way)
        return _course(self._beside(edge))

    def _straight(self, edge: PictureEdge) -> Iterator[Way]:
        """Iterate over the vertical and the horizontal line between two places."""
        source, target = (
            self._parts.docks.get(end, self._places[end]) for end in (edge.source, edge.target)
        )
        aside = _PAIR if (edge.target, edge.source) in self._pairs else 0.0
        (left, right), (top, bottom) = _shared(source, target)
        if right - left > _LEAST_OVERLAP:
            x = (left + right) / 2
            if source.top < target.top:
                yield (x - aside, _bottom(source)), (x - aside, target.top)
            else:
                yield (x + aside, source.top), (x + aside, _bottom(target))
        if bottom - top > _LEAST_OVERLAP:
            y = (top + bottom) / 2
            if source.left < target.left:
                yield (_right(source), y - aside), (target.left, y - aside)
            else:
                yield (source.left, y + aside), (_right(target), y + aside)

    def _obstacles(self, edge: PictureEdge) -> Iterator[Rectangle]:
        """Iterate over what a straight line must not cross: what has nothing to do with it."""
        inside = {edge.source, edge.target, *self._frames(edge.source), *self._frames(edge.target)}
        docks = [self._parts.docks.get(end) for end in (edge.source, edge.target)]
        for name, place in self._places.items():
            dock = self._parts.docks.get(name)
            if name not in inside and (dock is None or dock not in docks):
                yield place

    def _beside(self, edge: PictureEdge) -> Way:
        source, target = self._places[edge.source], self._places[edge.target]
        around = [name for name in self._frames(edge.source) if name in self._frames(edge.target)]
        region = self._places[around[0]] if around else self._page
        outer, inner = _FRAME_LANES if around else _PAGE_LANES
        lane = inner if edge.target in self._notes else outer
        start, end = _middle(source), _middle(target)
        if edge.target in self._right:
            x = _right(region) - lane
            return (_right(source), start), (x, start), (x, end), (_right(target), end)
        x = region.left + lane
        return (source.left, start), (x, start), (x, end), (target.left, end)

    def _frames(self, element: str) -> list[str]:
        """Return the frames around an element, from the inside out."""
        frame = self._around[element]
        return [] if frame is None else [frame, *self._frames(frame)]


# ---- geometry ------------------------------------------------------------------------------------


def _step(stack: Stack) -> float:
    return 0.0 if stack.joined else _STEP


def _weight(plan: Plan) -> float:
    if isinstance(plan, str):
        return 1.0
    if isinstance(plan, Row):
        return sum(map(_weight, plan.parts))
    return max(_COLUMN, *map(_weight, plan.parts))


def _ids(plan: Plan) -> Iterable[str]:
    return [plan] if isinstance(plan, str) else [name for part in plan.parts for name in _ids(part)]


def _right(place: Rectangle) -> float:
    return place.left + place.width


def _bottom(place: Rectangle) -> float:
    return place.top + place.height


def _middle(place: Rectangle) -> float:
    return place.top + place.height / 2


def _shared(one: Rectangle, other: Rectangle) -> tuple[Point, Point]:
    """Return where two places are beside each other: from left to right, and from top to bottom."""
    return (
        (max(one.left, other.left), min(_right(one), _right(other))),
        (max(one.top, other.top), min(_bottom(one), _bottom(other))),
    )


def _meets(way: Way, place: Rectangle) -> bool:
    (x0, y0), (x1, y1) = way[0], way[-1]
    return (
        min(x0, x1) < _right(place)
        and max(x0, x1) > place.left
        and min(y0, y1) < _bottom(place)
        and max(y0, y1) > place.top
    )


def _course(way: Way) -> Course:
    """Draw a way with round corners, up to the arrowhead."""
    tip = way[-1]
    stops = (*way[:-1], _towards(tip, way[-2], _HEAD))
    points = [stops[0]]
    for before, corner, after in zip(stops, stops[1:], stops[2:], strict=False):
        start, end = _towards(corner, before, _CORNER), _towards(corner, after, _CORNER)
        points += [points[-1], start, start, corner, corner, end]
    points += [points[-1], stops[-1], stops[-1]]
    return Course(tuple(points), tip)


def _towards(start: Point, end: Point, distance: float) -> Point:
    """Return the point that is this far from one point on the way to another, or half as far."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    share = min(0.5, distance / (abs(dx) + abs(dy) or 1.0))
    return start[0] + dx * share, start[1] + dy * share
