"""What only drawing needs is imported when something is drawn, and where it is missing, an error says what to install."""

from importlib import import_module
from types import ModuleType

from dispute_fsm.errors import InputError


def needed(module: str, for_what: str) -> ModuleType:
    """Import a module of the extra `diagrams`. Raises `InputError` where it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        raise InputError(
            f"{module} is not installed, which {for_what} needs: pip install "
            "'dispute-fsm[diagrams]'"
        ) from None
