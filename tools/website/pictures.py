"""Shows the committed picture where a page of diagrams/ has Mermaid.

Mermaid would be drawn in the browser, by a script from elsewhere. The same picture lies beside the
page, and reads better.
"""

import re
from pathlib import PurePosixPath
from typing import Any

from sphinx.application import Sphinx

_MERMAID = re.compile(r"^```mermaid\n.*?^```$", re.DOTALL | re.MULTILINE)


def show_picture(_app: Sphinx, page: str, content: list[str]) -> None:
    """Replace the Mermaid of a page by the SVG of the same name."""
    name = PurePosixPath(page).name
    content[0] = _MERMAID.sub(f"![{name}]({name}.svg)", content[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("source-read", show_picture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
