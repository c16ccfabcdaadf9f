"""How a drawing is printed: styles that apply on paper only."""

from typing import NamedTuple

NEXT_PAGE = "next-page"
"""The class of what comes after the first page of a poster."""

_LONG, _SHORT, _MARGIN = 420, 297, 8
"""The sides of A3, and the margin, in mm."""
_ROUNDING = 1
"""How much of the last page is left blank, in mm, so that no empty page follows."""

ACROSS = (
    f"@page{{size:landscape;margin:{_MARGIN}mm}}@media print{{svg{{max-width:100%;height:auto}}}}"
)
"""Turns the paper, and makes a drawing as wide as it; what is too high goes on on the next page."""
ONE_PAGE = f"@page{{margin:{_MARGIN}mm}}@media print{{svg{{width:100%;height:100%}}}}"
"""Scales a drawing to the paper."""


class Poster(NamedTuple):
    """A drawing of two parts, each on a page of A3: its width, and their heights."""

    width: float
    first: float
    rest: float

    def style(self, left: float) -> str:
        """Return its style in print, the rest this far from the left; pages are turned as fits."""
        sides = ((_LONG, _SHORT, "landscape"), (_SHORT, _LONG, "portrait"))
        scale, high, turned = max(
            (min((across - 2 * _MARGIN) / self.width, (down - 2 * _MARGIN) / self.first), down, way)
            for across, down, way in sides
        )
        page = (high - 2 * _MARGIN) / scale
        smaller = min(1.0, (page - _ROUNDING / scale) / self.rest)
        size = f"width:{self.width * scale:.1f}mm;height:{2 * (high - 2 * _MARGIN) - _ROUNDING}mm"
        moved = f"transform:translate({left:.1f}px,{page:.1f}px) scale({smaller:.3f})"
        return (
            f"@page{{size:A3 {turned};margin:{_MARGIN}mm}}"
            f"@media print{{svg{{{size}}}.paper{{height:{2 * page:.1f}px}}.{NEXT_PAGE}{{{moved}}}}}"
        )
