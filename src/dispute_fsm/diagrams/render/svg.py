"""SVG: pictures, tables and bars on one page, with stable ids, titles and tooltips, so that another page can light parts up.

The same parts are always the same bytes: coordinates are rounded, nothing is named by an object's
address, no clock is read.
"""

from xml.sax.saxutils import escape

from dispute_fsm.diagrams.picture import Part, Picture, TextTable, View
from dispute_fsm.diagrams.render.layout import laid_out
from dispute_fsm.diagrams.render.svg_bars import bars_svg
from dispute_fsm.diagrams.render.svg_elements import Drawing, n
from dispute_fsm.diagrams.render.svg_picture import picture_svg
from dispute_fsm.diagrams.render.svg_table import table_svg
from dispute_fsm.diagrams.render.typography import stylesheet, wrapped

_MARGIN, _GAP = 24.0, 26.0
_NARROWEST = 1180.0
_TITLE, _NOTE = 22.0, 12.0


def svg(view: View) -> str:
    """Draw a view as one SVG. Raises `InputError` where the extra `diagrams` is missing."""
    layouts = {part.id: laid_out(part) for part in view.pictures}
    tables = (part.page for part in view.parts if isinstance(part, TextTable))
    width = max([_NARROWEST, *tables, *(layout.width for layout in layouts.values())])
    body: list[str] = []
    top = _MARGIN
    for text in wrapped(view.title, width, _TITLE, bold=True) if view.title else ():
        body.append(
            f'<text x="{n(_MARGIN)}" y="{n(top + _TITLE)}" font-size="{n(_TITLE)}" '
            f'font-weight="bold">{escape(text)}</text>'
        )
        top += _TITLE * 1.4
    for text in (line for note in view.notes for line in wrapped(note, width, _NOTE)):
        body.append(
            f'<text class="faint" x="{n(_MARGIN)}" y="{n(top + _NOTE)}" '
            f'font-size="{n(_NOTE)}">{escape(text)}</text>'
        )
        top += _NOTE * 1.45

    def drawn(part: Part) -> Drawing:
        if isinstance(part, Picture):
            return picture_svg(part, layouts[part.id])
        return table_svg(part, width) if isinstance(part, TextTable) else bars_svg(part, width)

    for part in view.parts:
        drawing = drawn(part)
        top += _GAP
        body += [f'<g transform="translate({n(_MARGIN)} {n(top)})">', *drawing.elements, "</g>"]
        top += drawing.height
    wide, high = width + 2 * _MARGIN, top + _MARGIN
    size = f'width="{n(wide)}" height="{n(high)}" viewBox="0 0 {n(wide)} {n(high)}"'
    tongue = "zh-CN" if view.lang == "zh" else "en"
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" '
                f'aria-labelledby="{view.name}-title" lang="{tongue}">'
            ),
            f'<title id="{view.name}-title">{escape(view.title)}</title>',
            f"<style>{escape(stylesheet())}</style>",
            f'<rect class="paper" width="{n(wide)}" height="{n(high)}"/>',
            *body,
            "</svg>",
            "",
        ]
    )
