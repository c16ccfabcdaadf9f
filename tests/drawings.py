"""Checks of a drawing as a real browser shows it. Each returns its faults in words; none: the drawing is good.

They hold for any SVG of ours, standing alone or in a page, for it is measured by the classes that
all of them have.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tests.browser import Opened

MEASURE = (Path(__file__).with_name("js") / "measure.js").read_text(encoding="utf-8")
LEAST_CONTRAST = 4.5
"""What the Web Content Accessibility Guidelines (level AA) ask for between a text and what is behind it."""

_SLACK = 0.5
"""Fractions of a px that rounding may cost."""

Rectangle = tuple[float, float, float, float]
Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Thing:
    """A text, by its words, or a box or a label, by its id, and where it lies: left, top, right, bottom."""

    words: str
    place: Rectangle

    def overlaps(self, other: "Thing") -> bool:
        """Whether the two have more than a line in common."""
        left, top, right, bottom = self.place
        return (
            min(right, other.place[2]) - max(left, other.place[0]) > _SLACK
            and min(bottom, other.place[3]) - max(top, other.place[1]) > _SLACK
        )

    def within(self, room: Rectangle) -> bool:
        """Whether nothing of it lies outside."""
        left, top, right, bottom = self.place
        return (
            left >= room[0] - _SLACK
            and top >= room[1] - _SLACK
            and right <= room[2] + _SLACK
            and bottom <= room[3] + _SLACK
        )

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies on it."""
        left, top, right, bottom = self.place
        return left < x < right and top < y < bottom


def measured(page: Opened, *, lines: bool = False, grounds: bool = False) -> dict[str, Any]:
    """Measure what is shown now: texts and boxes; how lines run and what is behind texts only where that is asked for."""
    found: dict[str, Any] = page.evaluate(MEASURE, {"lines": lines, "grounds": grounds})
    assert found["texts"], "nothing was drawn"
    return found


def clipped(found: dict[str, Any]) -> list[str]:
    """Name the texts that do not fit into their own box or label, or onto the page."""
    return [
        f"{one['words']!r} does not fit into its box"
        for one in found["texts"]
        if not _thing(one).within(tuple(one["room"]))
    ]


def overlapping(found: dict[str, Any]) -> list[str]:
    """Name the boxes and labels that lie on each other, and the texts that do."""
    pairs = (*_at_one_height(_things(found["boxes"])), *_at_one_height(_things(found["texts"])))
    return [
        f"{one.words!r} and {other.words!r} lie on each other"
        for one, other in pairs
        if one.overlaps(other)
    ]


def _at_one_height(things: list[Thing]) -> Iterator[tuple[Thing, Thing]]:
    """Go through the pairs that could overlap, each in the order given; there are few of them, where there are thousands of things."""
    downwards = sorted(range(len(things)), key=lambda number: things[number].place[1])
    for done, one in enumerate(downwards, 1):
        for other in islice(downwards, done, None):
            if things[other].place[1] >= things[one].place[3]:
                break
            yield things[min(one, other)], things[max(one, other)]


def covered_titles(found: dict[str, Any]) -> list[str]:
    """Name the titles of frames that a box or label lies on."""
    titles = _things(one for one in found["texts"] if one["heads_frame"])
    pairs = ((title, box) for title in titles for box in _things(found["boxes"]))
    return [
        f"{box.words!r} lies on the title {title.words!r}"
        for title, box in pairs
        if title.overlaps(box)
    ]


def crossed(found: dict[str, Any]) -> list[str]:
    """Name the texts that a line runs through; behind the title of a frame it may, for it is hidden there."""
    return list(dict.fromkeys(_crossed(found)))


def unreadable(found: dict[str, Any], least: float = LEAST_CONTRAST) -> list[str]:
    """Name the texts that stand out too little from what is behind them."""
    faults = []
    for one in found["texts"]:
        behind = (255.0, 255.0, 255.0)
        for layer in reversed(one["ground"]):
            behind = _laid_over(layer, behind)
        contrast = _contrast(_laid_over(one["colour"], behind), behind)
        if contrast < least:
            faults.append(f"{one['words']!r} stands out by {contrast:.2f} only")
    return faults


def _crossed(found: dict[str, Any]) -> Iterator[str]:
    texts = _things(one for one in found["texts"] if not one["heads_frame"])
    for line in found["lines"]:
        across, down = zip(*line["points"], strict=True)
        near = Thing(
            line["words"], (min(across) - 1, min(down) - 1, max(across) + 1, max(down) + 1)
        )
        for text in filter(near.overlaps, texts):
            if any(text.holds(x, y) for x, y in line["points"]):
                yield f"the line of {line['words']!r} runs through {text.words!r}"


def _things(measures: Iterable[dict[str, Any]]) -> list[Thing]:
    return [_thing(one) for one in measures]


def _thing(measure: dict[str, Any]) -> Thing:
    left, top, right, bottom = measure["place"]
    return Thing(measure["words"], (left, top, right, bottom))


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
