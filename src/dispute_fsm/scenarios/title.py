"""The title of a scenario in one language."""

import re

from dispute_fsm.domain.enums import Lang

_BETWEEN = " / "
_CHINESE = re.compile(r"[\u3400-\u9fff]")


def title_in(lang: Lang, title: str) -> str:
    """Return the half of a title that is in this language.

    A title has two languages where one of two halves is in Chinese; any other is returned whole.
    """
    halves = title.split(_BETWEEN)
    by_lang = {"zh" if _CHINESE.search(half) else "en": half for half in halves}
    return by_lang[lang] if len(halves) == len(by_lang) > 1 else title
