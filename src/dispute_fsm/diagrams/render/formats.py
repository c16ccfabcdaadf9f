"""The formats in which a view can be drawn, and which renderer draws each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from dispute_fsm.diagrams.picture import View
from dispute_fsm.diagrams.render.dot import dot
from dispute_fsm.diagrams.render.markdown import markdown
from dispute_fsm.diagrams.render.mermaid import mermaid
from dispute_fsm.diagrams.render.png import png
from dispute_fsm.diagrams.render.svg import svg
from dispute_fsm.domain.scalars import FrozenMap

Format = Literal["svg", "png", "mermaid", "dot", "md"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: Mapping[Format, str] = FrozenMap(
    {"svg": ".svg", "png": ".png", "mermaid": ".mmd", "dot": ".dot", "md": ".md"}
)


def drawn(view: View, format_: Format, fonts: Sequence[Path] = ()) -> bytes:
    """Draw a view. `fonts` are font files for PNG, beside the one that comes with the extra `diagrams`.

    Raises `InputError` where the extra is missing, or a font has no shape for a sign.
    """
    match format_:
        case "svg":
            return svg(view).encode()
        case "png":
            return png(svg(view), fonts)
        case "md":
            return markdown(view).encode()
        case "mermaid":
            return mermaid(view.graph, view.title).encode()
        case "dot":
            return dot(view.graph).encode()
