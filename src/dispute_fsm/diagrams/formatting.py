"""A machine formatted as text, zh or en: its states, transitions, conditions and deadlines."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from dispute_fsm.diagrams.messages import PHRASES
from dispute_fsm.diagrams.model import GuardLabel, Machine, Provenance, TransitionView
from dispute_fsm.domain.deadlines import term_of
from dispute_fsm.domain.enums import Deadline, Labelled, Lang, Outcome, RefusalCode
from dispute_fsm.domain.policy import Bilingual, Policy, Term
from dispute_fsm.history.timeline_text import duration_text
from dispute_fsm.rules.guards.evidence import VOUCHER_LIMITS
from dispute_fsm.rules.guards.selectors import EXTENDED, FAILED, NAMED, OPTION
from dispute_fsm.rules.guards.timing import evidence_in_time, in_time, settlement_in_time

IN_TIME = frozenset({in_time.name, settlement_in_time.name, evidence_in_time.name})
"""Required of every transition that is not an expiry, so it is not repeated on each."""
_EXTENSIONS = frozenset({EXTENDED.name, NAMED.name})
_LIMITS = frozenset(guard.name for guard in VOUCHER_LIMITS)


class Formatter:
    """Formats a machine in one language. Sources are cited by their ids."""

    def __init__(self, machine: Machine, lang: Lang) -> None:
        self.machine = machine
        self.lang: Lang = lang
        self.policy = Policy.model_validate(machine.policy)

    @cached_property
    def inactive(self) -> frozenset[str]:
        """The ids of the states and transitions that the policy excludes."""
        return self.machine.unreachable()

    def marked(self, text: str, *ids: str) -> str:
        """Add to a text that the policy excludes all of what it is about."""
        words = [self.message("inactive")] if self.inactive.issuperset(ids) else []
        return self.join("space", [text, *words])

    def message(self, name: str, /, *values: object, **named: object) -> str:
        """Format one of the shared phrases."""
        return PHRASES(self.lang, name, *values, **named)

    def join(self, separator: str, texts: Iterable[str]) -> str:
        """Join texts by one of the shared phrases."""
        return self.message(separator).join(texts)

    def label(self, label: Bilingual | Labelled) -> str:
        """Return a label in this language."""
        return label.label(self.lang)

    @property
    def rules(self) -> str:
        """The rule version's id and label."""
        return self.message("rules", rules=self.machine.rules, label=self.label(self.machine.label))

    def state(self, name: str) -> str:
        """Return a state's label."""
        return self.label(self.machine.state(name).label)

    def roles(self, transition: TransitionView) -> str:
        """Return who can trigger a transition."""
        return self.join("or", map(self.label, transition.roles))

    def trigger(self, transition: TransitionView) -> str:
        """Return who does what."""
        return f"{self.roles(transition)} · {self.label(transition.event)}"

    def transition(self, transition: TransitionView) -> str:
        """Return a transition's name: who does what, and the answers that select it."""
        answers = self.join("and", map(self.condition, self.selectors(transition)))
        return self.trigger(transition) + (f" [{answers}]" if answers else "")

    # ---- sources ---------------------------------------------------------------------------------

    @cached_property
    def sources(self) -> Mapping[str, Provenance]:
        """The sources by id: first the stated ones, as the machine first names them."""
        origins = [transition.origin for transition in self.machine.transitions]
        origins += [condition.origin for condition in self.machine.conditions.values()]
        in_order = sorted(origins, key=lambda origin: origin.kind == "A")
        return {origin.id: origin for origin in in_order}

    def ref(self, part: TransitionView | GuardLabel) -> str:
        """Return the id of a source."""
        return part.origin.id

    def source(self, origin: Provenance) -> str:
        """Return a source in full, on one line."""
        text = self.join("space", self.source_lines(origin))
        return self.message("source", ref=origin.id, kind=self.source_kind(origin), text=text)

    def source_kind(self, origin: Provenance) -> str:
        """Return the kind of a source, with the place in the announcement of one that is stated."""
        return self.message(origin.kind, origin.locator)

    def source_lines(self, origin: Provenance) -> list[str]:
        """Return what a source says: the quotation and its paraphrase, or why it is assumed."""
        text = self.label(origin.text)
        if origin.because is None:
            return [self.message("quote", origin.quote), self.message("paraphrase", text)]
        because = self.message("because", self.label(origin.because))
        fields = self.join("comma", origin.policy)
        change = self.message("by_policy", fields) if fields else self.message("by_chart")
        return [self.message("sentence", text), self.join("space", (because, change))]

    # ---- conditions ------------------------------------------------------------------------------

    def conditions(self, names: Iterable[str]) -> list[GuardLabel]:
        """Return conditions by their names."""
        return [self.machine.conditions[name] for name in names]

    def selectors(self, transition: TransitionView) -> list[GuardLabel]:
        """Return the conditions that select a transition; the option comes first."""
        return sorted(
            self.conditions(transition.when),
            key=lambda condition: condition.question != OPTION.name,
        )

    def requirements(self, transition: TransitionView) -> list[GuardLabel]:
        """Return what a transition requires, except that it has to be in time."""
        return [*self.timing(transition), *self.conditions(transition.needs)]

    def timing(self, transition: TransitionView) -> list[GuardLabel]:
        """Return what a transition requires of the time, except that it has to be in time."""
        return self.conditions(name for name in transition.timing if name not in IN_TIME)

    def guards(self, transition: TransitionView) -> list[GuardLabel]:
        """Return every condition of a transition."""
        return [
            *self.selectors(transition),
            *self.conditions((*transition.timing, *transition.needs)),
        ]

    def condition(self, condition: GuardLabel) -> str:
        """Format a condition. For some questions the answer alone would be unclear."""
        text = self.label(condition.label)
        if condition.question in _EXTENSIONS:
            return self.message("extends", text)
        if condition.question == FAILED.name and "none" not in condition.accepts:
            return self.message("failed", text)
        return text

    def with_sources(self, conditions: Iterable[GuardLabel]) -> list[str]:
        """Format conditions, each with the id of its source."""
        return [f"{text} {ref}" for text, ref, _ in self.grouped(conditions)]

    def grouped(
        self, conditions: Iterable[GuardLabel]
    ) -> Iterator[tuple[str, str, tuple[GuardLabel, ...]]]:
        """Iterate over texts with their source's id; all limits of vouchers are one text."""
        listed = list(conditions)
        limits = tuple(condition for condition in listed if condition.name in _LIMITS)
        together = len(limits) == len(_LIMITS)
        for condition in listed:
            if not together or condition not in limits:
                yield self.condition(condition), self.ref(condition), (condition,)
        if together:
            yield self.message("limits"), self.ref(limits[0]), limits

    def refusal(self, code: RefusalCode) -> str:
        """Return how a refusal is explained, with its code."""
        return f"{self.label(code)} ({code.value})"

    # ---- outcomes and deadlines ------------------------------------------------------------------

    def outcome(self, outcome: Outcome | None) -> str:
        """Return the label of a transition's outcome, None being the one from before."""
        return self.message("as_before") if outcome is None else self.label(outcome)

    def endings(self, transition: TransitionView) -> list[str]:
        """Return the outcomes of a transition, and the liability of a region that fails by it."""
        texts: list[str] = []
        if transition.liability is not None:
            texts.append(self.message("fails", self.label(transition.liability)))
        for ending in transition.endings:
            outcome = self.outcome(ending.outcome)
            if ending.option is not None:
                outcome = self.message("on", outcome=outcome, option=self.label(ending.option))
            texts.append(outcome)
        return texts

    def ends_as(self, outcomes: Sequence[str]) -> str:
        """Say with which outcomes a transition ends; that it remains the same is a sentence."""
        if list(outcomes) == [self.message("as_before")]:
            return outcomes[0]
        return self.message("ends_as", " / ".join(outcomes))

    def deadline_changes(self, transition: TransitionView) -> list[str]:
        """Return which deadlines a transition starts and stops."""
        changes = (("starts", transition.starts), ("stops", transition.ends))
        return [
            self.message(phrase, self.join("comma", map(self.label, deadlines)))
            for phrase, deadlines in changes
            if deadlines
        ]

    def deadline(self, deadline: Deadline) -> str:
        """Format a deadline with its term under the machine's policy."""
        if deadline is Deadline.PROMISE:
            term = self.message("promise", grace=duration_text(self.policy.scan_grace, self.lang))
        else:
            term = self.term(term_of(deadline, self.policy))
        return self.message("deadline", name=self.label(deadline), term=term)

    def term(self, term: Term | None) -> str:
        """Format a term."""
        if term is None:
            return self.message("off")
        if term.hours is not None:
            return self.message("hours", n=term.hours)
        return self.message("working_hours", n=term.working_hours)
