"""What a guard answers: yes or no, what it looked at and saw, and what would change its answer.

A `Finding` is true or false by itself, so the engine, the compiled table and an `if` can all use it. The same object
explains a refusal to a person and is recorded, as it stands, in the audit event.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from dispute_fsm.rules.strict import FrozenMap, format_instant
from dispute_fsm.rules.vocabulary import CommandType, Lang, RefusalCode, Role

Seen = str | int | bool | None | tuple[str, ...]
"""What may stand in a record of what was seen: codes, counts, instants as text. Never free text of a person."""


@dataclass(frozen=True, slots=True)
class FactUnlock:
    """The order system has to show something: `fact` is its path, the words say what it has to show."""

    fact: str
    zh: str
    en: str
    type: Literal["fact"] = "fact"

    def text(self, lang: Lang) -> str:
        """Say it to a person."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True)
class PayloadUnlock:
    """The command has to say something else: `field` is the part to add or change."""

    field: str
    zh: str
    en: str
    type: Literal["payload"] = "payload"

    def text(self, lang: Lang) -> str:
        """Say it to a person."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True)
class WaitUnlock:
    """Time has to pass: at `until` (UTC) the command can succeed; `local` is that instant as people there read it."""

    until: datetime
    local: str
    type: Literal["wait"] = "wait"

    def text(self, lang: Lang) -> str:
        """Say it to a person."""
        return f"须等到 {self.local}" if lang == "zh" else f"wait until {self.local}"


@dataclass(frozen=True, slots=True)
class ActorUnlock:
    """Somebody has to act: `role` (and `id`, where only one will do); `event` is what they do, None: this same command."""

    role: Role
    id: str | None = None
    event: CommandType | None = None
    type: Literal["actor"] = "actor"

    def text(self, lang: Lang) -> str:
        """Say it to a person."""
        who = self.role.label(lang) + ("" if self.id is None else f" {self.id}")
        if self.event is None:
            return f"只能由{who}操作" if lang == "zh" else f"only the {who} can do this"
        what = self.event.label(lang)
        if self.event.expires is not None:
            return f"须先由{who}按“{what}”处理" if lang == "zh" else f"first the {who} has to act on: {what}"
        return f"须先由{who}进行“{what}”" if lang == "zh" else f"first the {who} has to: {what}"


@dataclass(frozen=True, slots=True)
class NeverUnlock:
    """Nothing will change the answer."""

    type: Literal["never"] = "never"

    def text(self, lang: Lang) -> str:
        """Say it to a person."""
        return "已无法变更" if lang == "zh" else "nothing will change this"


Unlock = FactUnlock | PayloadUnlock | WaitUnlock | ActorUnlock | NeverUnlock
"""What would change a "no"."""

NEVER = NeverUnlock()

_NOTHING: Mapping[str, Seen] = FrozenMap({})


class Finding(NamedTuple):
    """One guard's answer: whether it holds, what it saw, and (where it does not hold) the code and what would unlock it."""

    holds: bool
    saw: Mapping[str, Seen] = _NOTHING
    code: RefusalCode | None = None
    unlock: Unlock = NEVER

    def text(self, lang: Lang) -> str:
        """Say what stands against it; nothing where it holds."""
        return "" if self.code is None else self.code.label(lang)

    def __bool__(self) -> bool:
        """Be true where the guard holds."""
        return self.holds


def found(holds: bool, code: RefusalCode, unlock: Unlock, **saw: Seen) -> Finding:  # noqa: FBT001 -- reads as a sentence: found(x, else code, ...)
    """Make a requirement's finding: it holds, or it does not with this code and unlock."""
    seen = FrozenMap(saw)
    return Finding(holds=True, saw=seen) if holds else Finding(holds=False, saw=seen, code=code, unlock=unlock)


def shown(instant: datetime | None) -> str | None:
    """Write an instant into a record of what was seen."""
    return None if instant is None else format_instant(instant)


def just_after(instant: datetime) -> datetime:
    """Return the first whole second after an instant: the moment from which its having passed can be acted on."""
    return instant.replace(microsecond=0) + timedelta(seconds=1)
