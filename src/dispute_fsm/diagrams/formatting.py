"""A machine formatted as text, zh or en: what views say of states, transitions, conditions, deadlines.

Every sentence of the views is here, in both languages beside each other, by its name and with what
belongs into it.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from dispute_fsm.diagrams.model import Arrow, Ending, GuardLabel, Machine, Provenance
from dispute_fsm.domain.deadlines import term_of
from dispute_fsm.domain.enums import Deadline, Labelled, Lang
from dispute_fsm.domain.messages import Messages
from dispute_fsm.domain.policy import Bilingual, Policy, Term
from dispute_fsm.history.timeline_text import duration_text
from dispute_fsm.machine.timing import FAILED, in_time
from dispute_fsm.rules.guards.evidence import VOUCHER_LIMITS
from dispute_fsm.rules.guards.selectors import EXTENDED, NAMED, OPTION
from dispute_fsm.rules.guards.windows import evidence_in_time, settlement_in_time

_PHRASES = Messages(
    {
        "and": ("；", "; "),
        "comma": ("、", ", "),
        "or": ("或", " or "),
        "colon": ("：", ": "),
        "when": ("适用条件：{}", "if {}"),
        "needs": ("必须满足：{}", "needs: {}"),
        "ends_as": ("结果：{}", "ends as {}"),
        "on": ("{outcome}（方案：{option}）", "{outcome} (on: {option})"),
        "fails": ("该路径未成立，责任：{}", "this side fails for: {}"),
        "rules": ("{rules}（{label}）", "{rules} ({label})"),
        "failed": ("另一路径未成立，责任：{}", "the other side has failed: {}"),
        "extends": ("延长{}", "it is the {} that is extended"),
        "starts": ("开始计时：{}", "starts the {}"),
        "stops": ("停止计时：{}", "stops the {}"),
        "limits": ("凭证大小、格式与数量均符合要求", "the vouchers keep to the limits"),
        "deadline": ("{name}：{term}", "{name}: {term}"),
        "only_window": (
            "（只限制消费者表态，届满不触发处理）",
            " (only closes the consumer's window)",
        ),
        "only_waits": ("（此状态下暂不处理，之后继续）", " (not acted on here)"),
        "hours": ("{n} 小时", "{n} h"),
        "working_hours": ("{n} 个工作小时", "{n} working hours"),
        "off": ("未启用", "off"),
        "promise": ("约定时间后 {grace}", "the agreed instant + {grace}"),
        "stated": ("公告要点", "stated"),
        "assumed": ("本系统约定（公告未明确）", "assumed"),
        "source": ("依据 {ref} · {kind}：{words}", "source {ref} ({kind}): {words}"),
        "chosen": ("所选的方案", "the option chosen"),
        "stays": ("状态不变", "stays"),
        "none": ("–", "–"),
    }
)


_IN_TIME = frozenset({in_time.name, settlement_in_time.name, evidence_in_time.name})
"""What goes without saying of every arrow that is no expiry."""
_EXTENSIONS = frozenset({EXTENDED.name, NAMED.name})


class Voice:
    """Says what a machine holds, in one language. Sources have numbers (S1, A1 …) by which pictures and legends refer to them."""

    def __init__(self, machine: Machine, lang: Lang) -> None:
        self.machine = machine
        self.lang: Lang = lang
        self.policy = Policy.model_validate(machine.policy)

    def say(self, phrase: str, /, *words: object, **named: object) -> str:
        """Say a phrase of this page."""
        return _PHRASES(self.lang, phrase, *words, **named)

    def label(self, words: Bilingual | Labelled) -> str:
        """Say a word of the domain."""
        return words.label(self.lang)

    def word(self, kind: str, name: str) -> str:
        """Say a word that the machine names, by its kind and id."""
        return self.machine.words[f"{kind}.{name}"].label(self.lang)

    @property
    def rules(self) -> str:
        """Name the rule version."""
        return self.say("rules", rules=self.machine.rules, label=self.label(self.machine.label))

    def state(self, name: str) -> str:
        """Name a state."""
        return self.label(self.machine.state(name).label)

    def roles(self, arrow: Arrow) -> str:
        """Say who."""
        return self.say("or").join(self.label(role) for role in arrow.roles)

    def arrow(self, arrow: Arrow) -> str:
        """Name an arrow: who does what, and on which answers."""
        name = f"{self.roles(arrow)} · {self.label(arrow.event)}"
        answers = [self.condition(one) for one in self.selects(arrow)]
        return f"{name} [{self.say('and').join(answers)}]" if answers else name

    # ---- sources ---------------------------------------------------------------------------------

    @cached_property
    def sources(self) -> Mapping[str, Provenance]:
        """Every source by its number, in the order in which the machine first names it."""
        origins = [arrow.origin for arrow in self.machine.arrows] + [
            one.origin for one in self.machine.conditions.values()
        ]
        counts = {"S": 0, "A": 0}
        found: dict[str, Provenance] = {}
        for origin in dict.fromkeys(origins):
            counts[origin.kind] += 1
            found[f"{origin.kind}{counts[origin.kind]}"] = origin
        return found

    @cached_property
    def _refs(self) -> Mapping[Provenance, str]:
        return {origin: ref for ref, origin in self.sources.items()}

    def ref(self, of: Arrow | GuardLabel) -> str:
        """Return the number of a source."""
        return self._refs[of.origin]

    def source(self, of: Arrow | GuardLabel) -> str:
        """Say where a rule comes from."""
        kind = self.say("stated" if of.origin.kind == "S" else "assumed")
        return self.say("source", ref=self.ref(of), kind=kind, words=self.label(of.origin.words))

    # ---- conditions ------------------------------------------------------------------------------

    def conditions(self, names: Iterable[str]) -> list[GuardLabel]:
        """Return conditions by their names."""
        return [self.machine.conditions[name] for name in names]

    def selects(self, arrow: Arrow) -> list[GuardLabel]:
        """Return what tells an arrow apart, the option first: it is what people look for."""
        return sorted(self.conditions(arrow.when), key=lambda one: one.question != OPTION.name)

    def demands(self, arrow: Arrow) -> list[GuardLabel]:
        """Return what an arrow demands; that it has to be in time goes without saying."""
        return self.conditions(
            name for name in (*arrow.timing, *arrow.needs) if name not in _IN_TIME
        )

    def condition(self, condition: GuardLabel) -> str:
        """Say a condition. Of some questions the answer alone would not say what is asked."""
        words = self.label(condition.label)
        if condition.question in _EXTENSIONS:
            return self.say("extends", words)
        return (
            self.say("failed", words)
            if condition.question == FAILED.name and "none" not in condition.accepts
            else words
        )

    def told(self, conditions: Iterable[GuardLabel]) -> list[str]:
        """Say conditions, each with the number of its source; the limits for vouchers are said as one."""
        return [f"{words} {ref}".rstrip() for words, ref, _ in self.grouped(conditions)]

    def grouped(
        self, conditions: Iterable[GuardLabel]
    ) -> Iterator[tuple[str, str, tuple[GuardLabel, ...]]]:
        """Yield conditions in words with their source's number, those that are said as one together."""
        listed = list(conditions)
        limits = tuple(
            one for one in listed if one.name in {guard.name for guard in VOUCHER_LIMITS}
        )
        together = len(limits) == len(VOUCHER_LIMITS)
        for one in listed:
            if not together or one not in limits:
                yield self.condition(one), self.ref(one), (one,)
        if together:
            yield self.say("limits"), self.ref(limits[0]), limits

    # ---- ends and clocks -------------------------------------------------------------------------

    def endings(self, arrow: Arrow) -> list[str]:
        """Say how the dispute, or one side of it, ends by an arrow."""
        failed = [] if arrow.liability is None else [self.say("fails", self.label(arrow.liability))]
        return [*failed, *(self.ending(end) for end in arrow.endings)]

    def ending(self, end: Ending) -> str:
        """Say one end."""
        outcome = self.label(end.outcome)
        return (
            outcome
            if end.option is None
            else self.say("on", outcome=outcome, option=self.label(end.option))
        )

    def clocks(self, arrow: Arrow) -> list[str]:
        """Say which deadlines begin and stop."""
        parts = [("starts", arrow.starts), ("stops", arrow.ends)]
        return [
            self.say(phrase, self.say("comma").join(map(self.label, which)))
            for phrase, which in parts
            if which
        ]

    def term(self, deadline: Deadline) -> str:
        """Say how long a deadline runs under the machine's policy."""
        if deadline is Deadline.PROMISE:
            return self.say("promise", grace=duration_text(self.policy.scan_grace, self.lang))
        return self.hours(term_of(deadline, self.policy))

    def hours(self, term: Term | None) -> str:
        """Say a term."""
        if term is None:
            return self.say("off")
        return (
            self.say("hours", n=term.hours)
            if term.hours is not None
            else self.say("working_hours", n=term.working_hours)
        )
