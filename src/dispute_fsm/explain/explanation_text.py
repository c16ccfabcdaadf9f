"""An explanation in three sentences, in Chinese or English.

They say what happened, how near it was, and what can still be done. Times are those of the policy's
zone. They quote nothing that a person wrote, and no codes but the ids of the clauses.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Literal

from dispute_fsm.domain.enums import (
    LIABILITIES,
    CommandType,
    Lang,
    Outcome,
    Role,
    Silence,
    StateName,
)
from dispute_fsm.explain.happenings import sources
from dispute_fsm.explain.messages import ACTS, CAN, FACTS, NEVER, SUBMITTED
from dispute_fsm.explain.values import (
    Clause,
    DecidedBy,
    Explanation,
    FactMargin,
    Forecast,
    Happening,
    LateAct,
    Margin,
    NoAttempt,
    Shortfall,
)
from dispute_fsm.explain.wording import Wording
from dispute_fsm.history.timeline import check_text
from dispute_fsm.rules.guards.selectors import FULFILMENT, SILENCE
from dispute_fsm.rules.registry import rule_version
from dispute_fsm.terminal import printable


def sentences(
    explanation: Explanation, lang: Lang, *, review: str | None = None, plain: bool = False
) -> tuple[str, str, str]:
    """Return the conclusion in three sentences.

    `review` is the host's own text on how to have it reviewed; it follows the third sentence.
    `plain`: a clause is cited by what it says, not by its id.
    """
    writer = _Writer(explanation, lang, "words" if plain else "ids")
    first, second, third = (
        writer.sentence(parts) for parts in (writer.happened(), writer.margin(), writer.remedies())
    )
    if review is None:
        return first, second, third
    space = "" if lang == "zh" else " "
    return first, second, f"{third}{space}{printable(' '.join(review.split()))}"


def attempt_text(explanation: Explanation, attempt: Shortfall, lang: Lang) -> str:
    """Return a refused attempt as a sentence, with what it lacked, without clauses."""
    writer = _Writer(explanation, lang, "nothing")
    who, at = attempt.role.label(lang), writer.time(attempt.at)
    what, lacks = writer.submitted(attempt), writer.lacks(attempt)
    return writer.sentence([writer.text("attempt", who=who, what=what, at=at, lacks=lacks)])


def happening_text(
    explanation: Explanation, happening: Happening, lang: Lang, *, judged: bool
) -> str:
    """Return what one event did as a sentence, without clauses.

    `judged`: it gave the dispute its outcome; an appeal leaves the outcome as it was.
    """
    writer = _Writer(explanation, lang, "nothing")
    act, end = writer.act(happening), writer.judged(happening, first=judged, last=False)
    return writer.sentence([writer.then(happening, act, end)])


class _Writer(Wording):
    """Writes one explanation from its beginning to its end; each clause is cited once."""

    def __init__(
        self, explanation: Explanation, lang: Lang, cites: Literal["ids", "words", "nothing"]
    ) -> None:
        super().__init__(lang, explanation.zone)
        self.explanation = explanation
        self.cites = cites
        self.cited = set[str]()

    def sentence(self, parts: Iterable[str]) -> str:
        text = self.text("and_then").join(parts)
        return f"{text[0].upper()}{text[1:]}{self.text('end')}"

    # ---- values ----------------------------------------------------------------------------------

    def clause(self, clause: Clause) -> str:
        """Cite a clause, unless it was cited before."""
        if clause.id in self.cited or self.cites == "nothing":
            return ""
        self.cited.add(clause.id)
        if self.cites == "words":
            source = sources(rule_version(self.explanation.rules).table)[clause.id]
            return self.text("rests_on", self.text(f"{clause.kind}_says", source.text(self.lang)))
        return self.text("rests_on", self.text(clause.kind, clause.id))

    def states(self, states: Sequence[StateName]) -> str:
        return " + ".join(state.label(self.lang) for state in states)

    # ---- what happened ---------------------------------------------------------------------------

    def happened(self) -> Iterator[str]:
        failed, judged = list[Happening](), False
        for happening in self.explanation.happened:
            self.day = None
            act = self.act(happening)
            last = happening is self.explanation.happened[-1]
            end = self.judged(happening, first=not judged, last=last)
            yield f"{self.then(happening, act, end)}{self.clause(happening.clause)}"
            failed += [happening] if happening.region_failed else []
            both = happening.region_failed and len(failed) > 1
            if both:
                yield self.text("weightier", outcome=_weightier(failed).label(self.lang))
            judged |= both or (happening.outcome is not None and not happening.region_failed)

    def then(self, happening: Happening, act: str, end: str | None) -> str:
        if end is None:
            return act
        timed = happening.due is not None and happening.command is not CommandType.PROMISE_EXPIRED
        if not timed:
            return self.text("then", act=act, judged=end)
        return self.text("at_then", act=act, at=self.time(happening.at), judged=end)

    def act(self, happening: Happening) -> str:
        """Say what was done, or left until its deadline."""
        promised = happening.command is CommandType.PROMISE_EXPIRED
        agreed = happening.agreed_until if promised else None
        at, due = (None, happening.due) if happening.due and not promised else (happening.at, None)
        silence = happening.answers.get(SILENCE.name)
        fulfilment = check_text(FULFILMENT.name, happening.answers)
        return ACTS(
            self.lang,
            happening.command.value,
            who=happening.role.label(self.lang),
            agreed=agreed and self.time(agreed),
            due=due and self.time(due),
            at=at and self.time(at),
            option=happening.option and happening.option.label(self.lang),
            silence=silence and Silence(str(silence)).label(self.lang),
            fulfilment=fulfilment and fulfilment.label(self.lang),
        )

    def judged(self, happening: Happening, *, first: bool, last: bool) -> str | None:
        """Say as what it was judged; None for what left an outcome as it was, or took it back."""
        outcome = happening.outcome
        if outcome is None:
            return self.text("state", states=self.states(happening.states)) if last else None
        if not (first or happening.region_failed):
            return None
        if outcome is Outcome.WITHDRAWN:
            return self.text("withdrawn")
        name = "penalized" if outcome in LIABILITIES else "resolved"
        return self.text(
            "region" if happening.region_failed else name, outcome=outcome.label(self.lang)
        )

    # ---- the margin ------------------------------------------------------------------------------

    def margin(self) -> Iterator[str]:
        margin: Margin = self.explanation.margin
        match margin:
            case LateAct():
                what, at = self.submitted(margin), self.time(margin.at)
                by, clause = self.duration(margin.by), self.clause(margin.clause)
                yield self.text("late_act", what=what, at=at, by=by, clause=clause)
            case FactMargin():
                yield self.fact_margin(margin)
            case Shortfall(role=Role.SYSTEM):
                lacks, clause = self.lacks(margin), self.clause(margin.clause)
                yield self.text("order_showed", lacks=lacks, clause=clause)
            case Shortfall():
                what, at = self.submitted(margin), self.time(margin.at)
                yield self.text("shortfall", what=what, at=at, lacks=self.lacks(margin))
            case DecidedBy():
                yield self.decided_by(margin)
            case NoAttempt():
                yield self.text(
                    "no_attempt" if margin.complete else "no_attempt_recorded",
                    who=margin.role.label(self.lang),
                    acts=self.join("or", [NEVER(self.lang, one.value) for one in margin.commands]),
                    clause=self.clause(margin.clause),
                )
            case Forecast():
                yield self.forecast(margin)
            case _:
                outcomes = {one.outcome for one in self.explanation.happened}
                name = "taken_back" if outcomes & set(LIABILITIES) else "nobody"
                yield self.text(name, clause=self.clause(margin.clause))

    def submitted(self, margin: LateAct | Shortfall) -> str:
        return SUBMITTED(
            self.lang,
            margin.command.value,
            who=margin.role.label(self.lang),
            option=margin.option and margin.option.label(self.lang),
        )

    def fact_margin(self, margin: FactMargin) -> str:
        self.day = None
        fact, clause = FACTS(self.lang, margin.fact), margin.clause
        if not margin.by:
            limit = self.time(margin.limit)
            return self.text("fact_exact", fact=fact, limit=limit, clause=self.clause(clause))
        at, limit = self.time(margin.at), self.time(margin.limit)
        name, by = "fact_late" if margin.late else "fact_early", self.duration(margin.by)
        return self.text(name, fact=fact, at=at, limit=limit, by=by, clause=self.clause(clause))

    def decided_by(self, margin: DecidedBy) -> str:
        lost, who = self.explanation.lost, margin.role
        name = "decided_by"
        if who is Role.SYSTEM:
            name = "decided_by_facts"
        elif who is Role.CONSUMER and lost is Role.MERCHANT:
            name = "not_in_hand"
        return self.text(
            name,
            who=who.label(self.lang),
            lost=lost and lost.label(self.lang),
            clause=self.clause(margin.clause),
        )

    def lacks(self, margin: Shortfall) -> str:
        """List what was missing, each with its clause where a guard refused for it."""
        texts = list[str]()
        for lack in margin.lacks:
            texts += self.lack(lack)
            texts[-1] += "" if margin.role is Role.SYSTEM else self.clause(lack.clause)
        return self.join("and", texts)

    # ---- what is to come -------------------------------------------------------------------------

    def forecast(self, forecast: Forecast) -> str:
        failed = [one for one in self.explanation.happened if one.region_failed]
        steps, self.day = list[str](), None
        for step in forecast.steps:
            due = self.time(step.due or step.at)
            failed += [step] if step.region_failed else []
            becomes, clause = self.becomes(step, failed), self.clause(step.clause)
            steps.append(f"{self.text('after', due=due, becomes=becomes)}{clause}")
        if forecast.open_end:
            steps.append(self.text("open_end"))
        elif forecast.waits_for:
            roles = [role.label(self.lang) for role in forecast.waits_for]
            waits = "then_waits" if steps else "waits"
            steps.append(self.text(waits, who=self.join("or", roles)))
        name = "forecast_facts" if forecast.on_facts else "forecast"
        return self.text(name, steps=self.text("forecast_then").join(steps))

    def becomes(self, step: Happening, failed: Sequence[Happening]) -> str:
        outcome = step.outcome
        if outcome is None:
            return self.text("becomes_state", states=self.states(step.states))
        name = "becomes_penalized" if outcome in LIABILITIES else "becomes_resolved"
        if step.region_failed:
            name = "becomes_region" if len(failed) == 1 else "becomes_weightier"
            outcome = _weightier(failed)
        return self.text(name, outcome=outcome.label(self.lang))

    # ---- what can still be done ------------------------------------------------------------------

    def remedies(self) -> Iterator[str]:
        live, self.day = not self.explanation.closed, None
        possible = [
            one for one in self.explanation.remedies if one.command is not CommandType.WITHDRAW
        ]
        annuls = [one for one in possible if one.command is CommandType.ANNUL]
        others = [one for one in possible if one not in annuls]
        for (role, until), group in groupby(others, key=lambda one: (one.role, one.until)):
            acts = [one.command for one in group]
            yield self.remedy(role, until, acts, first=live and acts[0] is others[0].command)
        for one in annuls:
            name = "else_annul" if others else "only_annul"
            yield self.text(name, who=one.role.label(self.lang))
        if not possible:
            yield self.text("system_only" if live else "final")

    def remedy(
        self,
        role: Role,
        until: datetime | None,
        commands: Sequence[CommandType | None],
        *,
        first: bool,
    ) -> str:
        name = f"{'next' if first else 'possible'}{'' if until else '_open'}"
        acts = [CAN(self.lang, command.value) for command in commands if command is not None]
        return self.text(
            name if acts else "has_to_ship",
            who=role.label(self.lang),
            can=self.join("or", acts) if acts else "",
            until=until and self.time(until),
        )


def _weightier(failed: Sequence[Happening]) -> Outcome:
    return min((one.outcome for one in failed if one.outcome), key=LIABILITIES.index)
