"""Checks of a drawing as a real browser shows it. Each returns its errors as text.

They apply to every SVG of ours, alone or in a page: they measure by the classes that all have.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tests.browser import Opened

MEASURE = (Path(__file__).with_name("js") / "measure.js").read_text(encoding="utf-8")
LEAST_CONTRAST = 4.5
"""The contrast between text and background that WCAG (level AA) requires."""

_SLACK = 0.5
"""The tolerance for rounding, in px."""

Rectangle = tuple[float, float, float, float]
Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Element:
    """A text, or a box or label by its id, and its area: left, top, right, bottom."""

    text: str
    area: Rectangle

    def overlaps(self, other: "Element") -> bool:
        """Whether the two areas overlap by more than a line."""
        left, top, right, bottom = self.area
        return (
            min(right, other.area[2]) - max(left, other.area[0]) > _SLACK
            and min(bottom, other.area[3]) - max(top, other.area[1]) > _SLACK
        )

    def within(self, room: Rectangle) -> bool:
        """Whether it is completely inside an area."""
        left, top, right, bottom = self.area
        return (
            left >= room[0] - _SLACK
            and top >= room[1] - _SLACK
            and right <= room[2] + _SLACK
            and bottom <= room[3] + _SLACK
        )

    def contains(self, x: float, y: float) -> bool:
        """Whether a point is inside it."""
        left, top, right, bottom = self.area
        return left < x < right and top < y < bottom


def measured(page: Opened, *, lines: bool = False, grounds: bool = False) -> dict[str, Any]:
    """Measure what is shown: texts and boxes; lines and backgrounds of texts only on request."""
    found: dict[str, Any] = page.evaluate(MEASURE, {"lines": lines, "grounds": grounds})
    assert found["texts"], "nothing was drawn"
    return found


def clipped(found: dict[str, Any]) -> list[str]:
    """Return the texts that do not fit into their box or label, or onto the page."""
    return [
        f"{one['words']!r} does not fit into its box"
        for one in found["texts"]
        if not _element(one).within(tuple(one["room"]))
    ]


def overlapping(found: dict[str, Any]) -> list[str]:
    """Return the boxes and labels that overlap, and the texts that overlap."""
    pairs = (*_at_one_height(_elements(found["boxes"])), *_at_one_height(_elements(found["texts"])))
    return [
        f"{one.text!r} and {other.text!r} lie on each other"
        for one, other in pairs
        if one.overlaps(other)
    ]


def _at_one_height(elements: list[Element]) -> Iterator[tuple[Element, Element]]:
    """Iterate over the pairs that can overlap: few, though there are thousands of elements."""
    downwards = sorted(range(len(elements)), key=lambda number: elements[number].area[1])
    for done, one in enumerate(downwards, 1):
        for other in islice(downwards, done, None):
            if elements[other].area[1] >= elements[one].area[3]:
                break
            yield elements[min(one, other)], elements[max(one, other)]


def covered_titles(found: dict[str, Any]) -> list[str]:
    """Return the titles of frames that a box or label covers."""
    titles = _elements(one for one in found["texts"] if one["heads_frame"])
    pairs = ((title, box) for title in titles for box in _elements(found["boxes"]))
    return [
        f"{box.text!r} lies on the title {title.text!r}"
        for title, box in pairs
        if title.overlaps(box)
    ]


def crossed(found: dict[str, Any]) -> list[str]:
    """Return the texts that a line crosses, except titles of frames, which hide the line."""
    return list(dict.fromkeys(_crossed(found)))


def unreadable(found: dict[str, Any], least: float = LEAST_CONTRAST) -> list[str]:
    """Return the texts with too little contrast to their background."""
    errors = []
    for one in found["texts"]:
        behind = (255.0, 255.0, 255.0)
        for layer in reversed(one["ground"]):
            behind = _laid_over(layer, behind)
        contrast = _contrast(_laid_over(one["colour"], behind), behind)
        if contrast < least:
            errors.append(f"{one['words']!r} stands out by {contrast:.2f} only")
    return errors


def _crossed(found: dict[str, Any]) -> Iterator[str]:
    texts = _elements(one for one in found["texts"] if not one["heads_frame"])
    for line in found["lines"]:
        across, down = zip(*line["points"], strict=True)
        near = Element(
            line["words"], (min(across) - 1, min(down) - 1, max(across) + 1, max(down) + 1)
        )
        for text in filter(near.overlaps, texts):
            if any(text.contains(x, y) for x, y in line["points"]):
                yield f"the line of {line['words']!r} runs through {text.text!r}"


def _elements(measures: Iterable[dict[str, Any]]) -> list[Element]:
    return [_element(one) for one in measures]


def _element(measure: dict[str, Any]) -> Element:
    left, top, right, bottom = measure["place"]
    return Element(measure["words"], (left, top, right, bottom))


def _laid_over(layer: dict[str, Any], behind: Colour) -> Colour:
    """Mix a colour, as a browser writes it (`rgb(r, g, b)`), with what is behind it."""
    red, green, blue, *alpha = (
        float(part) for part in layer["colour"].partition("(")[2].rstrip(")").split(",")
    )
    share = layer["opacity"] * (alpha[0] if alpha else 1.0)
    mixed = [
        share * front + (1 - share) * back
        for front, back in zip((red, green, blue), behind, strict=True)
    ]
    return mixed[0], mixed[1], mixed[2]


def _contrast(one: Colour, other: Colour) -> float:
    """Return the contrast of two colours as the guidelines count it, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        part / 12.92 if (part := value / 255) <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for value in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
