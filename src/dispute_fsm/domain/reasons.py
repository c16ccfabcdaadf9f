"""Why a command is refused, and what would unlock it: values that programs compare."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from dispute_fsm.domain.enums import CommandType, Lang, Option, RefusalCode, Role
from dispute_fsm.machine.guard import Seen


@dataclass(frozen=True, slots=True)
class FactUnlock:
    """The order system has to show something: `fact` is its path, the text says what."""

    fact: str
    zh: str
    en: str
    type: Literal["fact"] = "fact"

    def text(self, lang: Lang) -> str:
        """Return the hint as a sentence."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True)
class PayloadUnlock:
    """The command has to contain something else: `field` is the part to add or change."""

    field: str
    zh: str
    en: str
    type: Literal["payload"] = "payload"

    def text(self, lang: Lang) -> str:
        """Return the hint as a sentence."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True)
class WaitUnlock:
    """Time has to pass until `until` (UTC); `local` is that instant in the policy's zone."""

    until: datetime
    local: str
    type: Literal["wait"] = "wait"

    def text(self, lang: Lang) -> str:
        """Return the hint as a sentence."""
        return f"须等到 {self.local}" if lang == "zh" else f"wait until {self.local}"


@dataclass(frozen=True, slots=True)
class ActorUnlock:
    """Somebody has to act: `role`, and `id` where only one will do.

    `event` is the command that they have to send; None: this same command.
    """

    role: Role
    id: str | None = None
    event: CommandType | None = None
    type: Literal["actor"] = "actor"

    def text(self, lang: Lang) -> str:
        """Return the hint as a sentence."""
        who = self.role.label(lang) + ("" if self.id is None else f" {self.id}")
        if self.event is None:
            return f"只能由{who}操作" if lang == "zh" else f"only the {who} can do this"
        what = self.event.label(lang)
        if self.event.expires is not None:
            if lang == "zh":
                return f"须先由{who}按“{what}”处理"
            return f"first the {who} has to act on: {what}"
        return f"须先由{who}进行“{what}”" if lang == "zh" else f"first the {who} has to: {what}"


@dataclass(frozen=True, slots=True)
class NeverUnlock:
    """Nothing will change the answer."""

    type: Literal["never"] = "never"

    def text(self, lang: Lang) -> str:
        """Return the hint as a sentence."""
        return "已无法变更" if lang == "zh" else "nothing will change this"


Unlock = FactUnlock | PayloadUnlock | WaitUnlock | ActorUnlock | NeverUnlock
"""What would change a "no"."""

NEVER = NeverUnlock()

ANOTHER_KEY = PayloadUnlock("key", "请使用新的请求编号", "send it under another key")
ANOTHER_ID = PayloadUnlock("dispute_id", "请使用新的纠纷编号", "open it under another dispute id")


def one_of(options: Iterable[Option]) -> PayloadUnlock:
    """Name the options that are offered."""
    offered = tuple(options)
    return PayloadUnlock(
        "option",
        f"可选方案：{'、'.join(option.zh for option in offered)}",
        f"offered are: {', '.join(option.value for option in offered)}",
    )


LINKED = frozenset(
    {RefusalCode.NOT_SHIPPED, RefusalCode.NO_PICKUP_SCAN, RefusalCode.PICKUP_NOT_VALID}
)
"""Refusals that the merchant can do something about on the order page."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of a refusal: its code, guard, what it saw, a link, and what would unlock it."""

    code: RefusalCode
    guard: str
    saw: Mapping[str, Seen]
    unlock: Unlock = NEVER
    link: str | None = None

    def text(self, lang: Lang) -> str:
        """Return the reason as a sentence."""
        return self.code.label(lang)


def just_after(instant: datetime) -> datetime:
    """Return the first whole second after an instant, from which it counts as passed."""
    return instant.replace(microsecond=0) + timedelta(seconds=1)
