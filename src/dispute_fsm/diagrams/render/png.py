"""PNG: an SVG painted by resvg (extra `diagrams`), with fonts that have every character."""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, cast

from dispute_fsm.diagrams.render.extra import optional_module
from dispute_fsm.errors import InputError

_FONT_PACKAGE, _COLLECTIONS = "manimgx_fonts_cjk", {".ttc", ".otc"}
_TEXT = re.compile(r"<text[^>]*>([^<]*)</text>")
_SIZE = re.compile(r' (?:width|height)="([0-9.]+)"')
_DPI = 96
_ZOOM = 2.0
"""Dense screens have two pixels for each px of a page."""
_SCREEN_PIXELS = 3840 * 2160
"""A larger picture is scrolled or scaled down; more pixels take time and show no more."""
_MAX_PIXELS = 40_000_000


class _Face(NamedTuple):
    """One face of a font file."""

    file: Path
    number: int
    family: str


def png(svg: str, fonts: Sequence[Path] = ()) -> bytes:
    """Paint an SVG. `fonts` are font files for characters that the bundled font does not have.

    Raises `InputError` where the extra is missing, or no font has a character: an empty box would
    be meaningless.
    """
    resvg = optional_module("resvg_py", "a PNG")
    optional_module(_FONT_PACKAGE, "a PNG")
    package = map(Path, map(str, files(_FONT_PACKAGE).iterdir()))
    used = [next(file for file in package if file.suffix in _COLLECTIONS), *fonts]
    faces = [face for file in used for face in _faces(file)]
    if missing := _missing(svg, faces):
        raise InputError(
            f"no font has a shape for {missing[:20]!r} ({', '.join(map(str, used))}); "
            "name one that has by --font"
        )
    width, height = (float(size) for size in _SIZE.findall(svg)[:2])
    painted = resvg.svg_to_bytes(
        svg_string=svg,
        font_files=[str(file) for file in used],
        font_family=faces[0].family,
        sans_serif_family=faces[0].family,
        skip_system_fonts=True,
        dpi=_DPI,
        zoom=_zoom(width * height),
    )
    return cast("bytes", painted)


def _zoom(area: float) -> float:
    """Return how many pixels a px of the picture gets: at least one, so that texts are legible."""
    sharp = min(_ZOOM, max(1.0, (_SCREEN_PIXELS / area) ** 0.5))
    return float(min(sharp, (_MAX_PIXELS / area) ** 0.5))


def _missing(svg: str, faces: Sequence[_Face]) -> str:
    """Return the characters that no face has; a face is read only where those before lack one."""
    texts = "".join(map(unescape, _TEXT.findall(svg)))
    missing = {ord(character) for character in texts if not character.isspace()}
    for face in faces:
        if missing:
            missing -= _characters(face)
    return "".join(map(chr, sorted(missing)))


@lru_cache(8)
def _faces(file: Path) -> tuple[_Face, ...]:
    """Read the families of a font file, simplified Chinese first."""
    with _fonts(file) as fonts:
        faces = [
            _Face(file, number, str(font["name"].getBestFamilyName()))
            for number, font in enumerate(fonts)
        ]
    return tuple(sorted(faces, key=lambda face: not face.family.endswith(" SC")))


@lru_cache(8)
def _characters(face: _Face) -> frozenset[int]:
    with _fonts(face.file) as fonts:
        return frozenset(fonts[face.number].getBestCmap())


@contextmanager
def _fonts(file: Path) -> Generator[Sequence[Any]]:
    """Open a font file; a table is read when it is used."""
    fonttools = optional_module("fontTools.ttLib", "a PNG")
    with file.open("rb") as stream:
        try:
            if file.suffix.lower() in _COLLECTIONS:
                yield fonttools.TTCollection(stream, lazy=True).fonts
            else:
                yield [fonttools.TTFont(stream, lazy=True)]
        except fonttools.TTLibError as error:
            raise InputError(f"not a readable font: {error}", file=str(file)) from None
