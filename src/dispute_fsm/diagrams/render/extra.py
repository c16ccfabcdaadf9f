"""The modules of the extra `diagrams`, imported when something is drawn."""

from importlib import import_module
from types import ModuleType

from dispute_fsm.errors import InputError


def optional_module(name: str, purpose: str) -> ModuleType:
    """Import a module of the extra `diagrams`. Raises `InputError` where it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        raise InputError(
            f"{name} is not installed, which {purpose} needs: pip install 'dispute-fsm[diagrams]'"
        ) from None
