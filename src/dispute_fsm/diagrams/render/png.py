"""PNG: an SVG painted by resvg (extra `diagrams`), with a font that has every sign in it, or not at all."""

import re
from collections.abc import Sequence
from functools import lru_cache
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple, cast

from dispute_fsm.diagrams.render.extra import needed
from dispute_fsm.errors import InputError

_FONT_PACKAGE, _COLLECTIONS = "manimgx_fonts_cjk", {".ttc", ".otc"}
_TEXT = re.compile(r"<text[^>]*>([^<]*)</text>")
_SIZE = re.compile(r' (?:width|height)="([0-9.]+)"')
_DPI = 96
_MOST_PIXELS = 40_000_000


class _Face(NamedTuple):
    """A face of a font: the family by which it is asked for, and the signs that it has a shape for."""

    family: str
    signs: frozenset[int]


def png(svg: str, fonts: Sequence[Path] = (), *, zoom: float = 2.0) -> bytes:
    """Paint an SVG. `fonts` are font files beside the one that comes with the extra, asked for what it has no shape for.

    Raises `InputError` where the extra is missing, or no font has a shape for a sign: an empty box
    would say nothing.
    """
    resvg = needed("resvg_py", "a PNG")
    used = [_default_font(), *fonts]
    family = _faces(used[0])[0].family
    known = frozenset[int]().union(*(face.signs for file in used for face in _faces(file)))
    signs = {sign for text in _TEXT.findall(svg) for sign in unescape(text)}
    if missing := sorted(sign for sign in signs if ord(sign) not in known and not sign.isspace()):
        named = ", ".join(map(str, used))
        raise InputError(
            f"no font has a shape for {''.join(missing[:20])!r} ({named}); name one that has by "
            "--font"
        )
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
    return next(
        file
        for file in map(Path, map(str, files(_FONT_PACKAGE).iterdir()))
        if file.suffix in _COLLECTIONS
    )


@lru_cache(8)
def _faces(file: Path) -> tuple[_Face, ...]:
    """Read the faces of a font file, those for simplified Chinese first."""
    fonttools = needed("fontTools.ttLib", "a PNG")
    with file.open("rb") as stream:
        try:
            collection = file.suffix.lower() in _COLLECTIONS
            fonts = (
                fonttools.TTCollection(stream, lazy=True)
                if collection
                else [fonttools.TTFont(stream, lazy=True)]
            )
            faces = [
                _Face(str(font["name"].getBestFamilyName()), frozenset(font.getBestCmap()))
                for font in fonts
            ]
        except fonttools.TTLibError as error:
            raise InputError(f"this is no font that can be read: {error}", file=str(file)) from None
    return tuple(sorted(faces, key=lambda face: not face.family.endswith(" SC")))
