"""Words and ids in the language of Mermaid, which has no quoting that holds: whatever could mean something is written as an entity.

A `;` would cut a label and invent a state, a quotation mark end it, a `1.` at the beginning make a list of it. So only signs that
are known to mean nothing stand for themselves: letters, digits and Chinese punctuation, and a few others where words surround them.
"""

import re
import unicodedata

_UNSAFE = re.compile(
    r"(?<=direction) (?=TB|BT|RL|LR|TD)"  # Mermaid looks for these words in a whole line, quoted or not
    r"|:(?! )"  # in links, in icons, and where it takes a line with `style:#` apart
    r"|(?<!\d)\.|\.(?!\d)"  # in lists and links
    r"|(?<![A-Za-z0-9])['_-]|['_-](?![A-Za-z0-9])"
    r"|[^\w ,:.'/\-·，。；：、？！（）《》“”–—…→×─]"
)
_ACTIVE = re.compile(r"^(?=[\d\W])|(?<=\\)(?=n)|(?<=\$)(?=\$)|(?<=fa:)(?=fa-)|(?<=fa[bklrs]:)(?=fa-)|(?<=ﬂ)(?=°)|(?<=¶)(?=ß)")
"""Where Mermaid takes signs for a list, a new line, a formula, an icon or its own entities, even where they were written as entities."""
_NOTHING = "<b></b>"
"""Keeps such signs apart and is not seen."""
_UNSAFE_IN_ID = re.compile(r"[^A-Za-z0-9_]|_(?=X)")


def escaped(text: str) -> str:
    """Write a text so that Mermaid shows it as it is; white space is one blank, and a sign that no page can hold is U+FFFD."""
    parts = _ACTIVE.split(" ".join(text.split()))
    return _NOTHING.join(_UNSAFE.sub(lambda found: _entity(found[0]), part) for part in parts)


def node_id(name: str) -> str:
    """Return an element's id: another for each name, and never a word that Mermaid knows (`end`, or an `o` behind a line)."""
    return "n_" + _UNSAFE_IN_ID.sub(lambda found: f"_X{ord(found[0]):x}_", name)


def _entity(sign: str) -> str:
    missing = unicodedata.category(sign) in {"Cc", "Cs"} or sign in "\ufffe\uffff"
    return "\ufffd" if missing else f"#{ord(sign)};"
