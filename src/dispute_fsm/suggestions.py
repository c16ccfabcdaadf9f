"""The name that was probably meant, where a name is not one of those that are known."""

from collections.abc import Iterable, Sequence


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name that resembles this one, in capitals or not; None if none does."""
    from difflib import get_close_matches  # noqa: PLC0415 -- only an error needs it

    spelt = {each.casefold(): each for each in known}
    close = get_close_matches(name.casefold(), spelt, n=1, cutoff=cutoff)
    return spelt[close[0]] if close else None


def suggestion(name: str, known: Sequence[str]) -> str:
    """Suggest the known name that resembles an unknown one; if none does, list the known names."""
    if (close := nearest(name, known)) is not None:
        return f"; did you mean {close}?"
    return f"; expected one of: {', '.join(known)}" if known else ""
