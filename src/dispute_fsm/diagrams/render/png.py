"""PNG: an SVG painted by resvg (extra `diagrams`), with a font that has every sign in it, or not at all."""

import re
from functools import lru_cache
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import cast

from dispute_fsm.diagrams.render.extra import needed
from dispute_fsm.errors import InputError

_FONT_PACKAGE, _COLLECTION = "manimgx_fonts_cjk", "*.ttc"
_TEXT = re.compile(r"<text[^>]*>([^<]*)</text>")
_DPI = 96
_MOST_PIXELS = 60_000_000


def png(svg: str, *, font: Path | None = None, zoom: float = 2.0) -> bytes:
    """Paint an SVG. `font` is a font file to use instead of the one that comes with the extra.

    Raises `InputError` where the extra is missing, or the font has no shape for a sign: an empty box would say nothing.
    """
    resvg = needed("resvg_py", "a PNG")
    file = _default_font() if font is None else font
    signs = {sign for text in _TEXT.findall(svg) for sign in unescape(text)}
    family, known = _shapes(file)
    if missing := sorted(sign for sign in signs if ord(sign) not in known and not sign.isspace()):
        raise InputError(
            f"this font has no shape for {''.join(missing[:20])!r}; name one with Chinese characters by --font", file=str(file)
        )
    wide, high = (float(size) for size in re.findall(r' (?:width|height)="([0-9.]+)"', svg)[:2])
    fitting = min(zoom, (_MOST_PIXELS / (wide * high)) ** 0.5)
    painted = resvg.svg_to_bytes(
        svg_string=svg,
        font_files=[str(file)],
        font_family=family,
        sans_serif_family=family,
        skip_system_fonts=True,
        dpi=_DPI,
        zoom=fitting,
    )
    return cast("bytes", painted)


def _default_font() -> Path:
    needed(_FONT_PACKAGE, "a PNG")
    return next(Path(str(file)) for file in files(_FONT_PACKAGE).iterdir() if Path(str(file)).match(_COLLECTION))


@lru_cache(8)
def _shapes(file: Path) -> tuple[str, frozenset[int]]:
    """Return the family of a font file, and the signs that it has a shape for; of a collection, the simplified Chinese one."""
    fonttools = needed("fontTools.ttLib", "a PNG")
    try:
        if file.suffix.lower() in {".ttc", ".otc"}:
            fonts = fonttools.TTCollection(file, lazy=True).fonts
        else:
            fonts = [fonttools.TTFont(file, lazy=True)]
        named = {str(one["name"].getBestFamilyName()): one for one in fonts}
        family = next((name for name in named if name.endswith(" SC")), next(iter(named)))
        return family, frozenset(named[family].getBestCmap())
    except fonttools.TTLibError as error:
        raise InputError(f"this is no font that can be read: {error}", file=str(file)) from None
