"""PNG: an SVG painted by resvg (extra `diagrams`), with fonts that have every character."""

import re
from collections.abc import Sequence
from functools import lru_cache
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import cast

from dispute_fsm.diagrams.render.graphviz import optional_module
from dispute_fsm.errors import InputError

_FONT_PACKAGE, _COLLECTIONS = "manimgx_fonts_cjk", {".ttc", ".otc"}
_TEXT = re.compile(r"<text[^>]*>([^<]*)</text>")
_SIZE = re.compile(r' (?:width|height)="([0-9.]+)"')
_DPI = 96
_ZOOM = 2.0
_MAX_PIXELS = 40_000_000


def png(svg: str, fonts: Sequence[Path] = ()) -> bytes:
    """Paint an SVG. `fonts` are font files for characters that the bundled font does not have.

    Raises `InputError` where the extra is missing, or no font has a character: an empty box would
    be meaningless.
    """
    resvg = optional_module("resvg_py", "a PNG")
    optional_module(_FONT_PACKAGE, "a PNG")
    package = map(Path, map(str, files(_FONT_PACKAGE).iterdir()))
    used = [next(file for file in package if file.suffix in _COLLECTIONS), *fonts]
    family, _ = _faces(used[0])[0]
    known = frozenset[int]().union(*(known for file in used for _, known in _faces(file)))
    characters = {character for text in _TEXT.findall(svg) for character in unescape(text)}
    if missing := sorted(
        character
        for character in characters
        if ord(character) not in known and not character.isspace()
    ):
        raise InputError(
            f"no font has a shape for {''.join(missing[:20])!r} ({', '.join(map(str, used))}); "
            "name one that has by --font"
        )
    width, height = (float(size) for size in _SIZE.findall(svg)[:2])
    painted = resvg.svg_to_bytes(
        svg_string=svg,
        font_files=[str(file) for file in used],
        font_family=family,
        sans_serif_family=family,
        skip_system_fonts=True,
        dpi=_DPI,
        zoom=min(_ZOOM, (_MAX_PIXELS / (width * height)) ** 0.5),
    )
    return cast("bytes", painted)


@lru_cache(8)
def _faces(file: Path) -> tuple[tuple[str, frozenset[int]], ...]:
    """Read the families and characters of a font file, simplified Chinese first."""
    fonttools = optional_module("fontTools.ttLib", "a PNG")
    with file.open("rb") as stream:
        try:
            collection = file.suffix.lower() in _COLLECTIONS
            fonts = (
                fonttools.TTCollection(stream, lazy=True)
                if collection
                else [fonttools.TTFont(stream, lazy=True)]
            )
            faces = [
                (str(font["name"].getBestFamilyName()), frozenset(font.getBestCmap()))
                for font in fonts
            ]
        except fonttools.TTLibError as error:
            raise InputError(f"not a readable font: {error}", file=str(file)) from None
    return tuple(sorted(faces, key=lambda face: not face[0].endswith(" SC")))
