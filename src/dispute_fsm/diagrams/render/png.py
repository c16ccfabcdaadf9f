"""PNG: an SVG painted by resvg (extra `diagrams`), with a font that has every sign in it, or not at all."""

import re
from collections.abc import Sequence
from functools import lru_cache
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from dispute_fsm.diagrams.render.extra import needed
from dispute_fsm.errors import InputError

_FONT_PACKAGE, _COLLECTIONS = "manimgx_fonts_cjk", {".ttc", ".otc"}
_TEXT = re.compile(r"<text[^>]*>([^<]*)</text>")
_SIZE = re.compile(r' (?:width|height)="([0-9.]+)"')
_DPI = 96
_MOST_PIXELS = 60_000_000


def png(svg: str, fonts: Sequence[Path] = (), *, zoom: float = 2.0) -> bytes:
    """Paint an SVG. `fonts` are font files beside the one that comes with the extra, asked for what it has no shape for.

    Raises `InputError` where the extra is missing, or no font has a shape for a sign: an empty box would say nothing.
    """
    resvg = needed("resvg_py", "a PNG")
    used = [_default_font(), *fonts]
    family = _family(used[0])
    known = frozenset[int]().union(*map(_shapes, used))
    signs = {sign for text in _TEXT.findall(svg) for sign in unescape(text)}
    if missing := sorted(sign for sign in signs if ord(sign) not in known and not sign.isspace()):
        named = ", ".join(map(str, used))
        raise InputError(f"no font has a shape for {''.join(missing[:20])!r} ({named}); name one that has by --font")
    wide, high = (float(size) for size in _SIZE.findall(svg)[:2])
    painted = resvg.svg_to_bytes(
        svg_string=svg,
        font_files=[str(file) for file in used],
        font_family=family,
        sans_serif_family=family,
        skip_system_fonts=True,
        dpi=_DPI,
        zoom=min(zoom, (_MOST_PIXELS / (wide * high)) ** 0.5),
    )
    return cast("bytes", painted)


def _default_font() -> Path:
    needed(_FONT_PACKAGE, "a PNG")
    return next(file for file in map(Path, map(str, files(_FONT_PACKAGE).iterdir())) if file.suffix in _COLLECTIONS)


@lru_cache(8)
def _family(file: Path) -> str:
    """Return the family of a font file; of a collection, the one for simplified Chinese."""
    names = [str(font["name"].getBestFamilyName()) for font in _faces(file)]
    return next((name for name in names if name.endswith(" SC")), names[0])


@lru_cache(8)
def _shapes(file: Path) -> frozenset[int]:
    """Return the signs that a font file has a shape for."""
    return frozenset(sign for font in _faces(file) for sign in font.getBestCmap())


def _faces(file: Path) -> list[Any]:
    fonttools = needed("fontTools.ttLib", "a PNG")
    try:
        return list(fonttools.TTCollection(file, lazy=True) if file.suffix.lower() in _COLLECTIONS else [fonttools.TTFont(file, lazy=True)])
    except fonttools.TTLibError as error:
        raise InputError(f"this is no font that can be read: {error}", file=str(file)) from None
