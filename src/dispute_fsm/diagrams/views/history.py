"""The view `history`: one dispute's path over the chart, its deadlines and every step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.messages import HISTORY
from dispute_fsm.diagrams.model import OPENING, Machine, TransitionView, machine_of
from dispute_fsm.diagrams.picture import (
    Bar,
    BarMark,
    Bars,
    Face,
    Lane,
    Line,
    Mark,
    Picture,
    Remark,
    TextRow,
    TextTable,
    View,
    cell,
)
from dispute_fsm.diagrams.policy_text import policy_note
from dispute_fsm.diagrams.views.chart import BEGIN, inactive_remarks, machine_picture
from dispute_fsm.diagrams.views.gathering import Join, ending, join_id, outcomes
from dispute_fsm.diagrams.views.sources import source_table
from dispute_fsm.domain.enums import CommandType, Deadline, EventType, Lang, PickupKind, RefundScope
from dispute_fsm.domain.events import AuditEvent, DisputeOpened
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import Policy
from dispute_fsm.errors import InputError
from dispute_fsm.history.timeline import DeadlineChanges, TimelineEntry, local_time, timeline
from dispute_fsm.history.timeline_text import details, duration_text, ended_deadline_text, headline
from dispute_fsm.rules.registry import rule_version

_DRAWN = {ord("✗"): "×"}
"""A character of the terminal that few fonts have, and one that they do have."""


@dataclass(frozen=True, slots=True)
class HistoryParts:
    """The parts of the view of one dispute."""

    fmt: Formatter
    events: tuple[AuditEvent, ...]
    entries: tuple[TimelineEntry, ...]

    def message(self, name: str, /, *values: object, **named: object) -> str:
        """Format a text of this view."""
        return HISTORY(self.fmt.lang, name, *values, **named)

    def title(self) -> str:
        """Return the title."""
        return self.message("title", dispute=self.events[0].dispute_id, rules=self.fmt.rules)

    def notes(self) -> tuple[str, ...]:
        """Return who takes part in the dispute, and how to read the view."""
        first, read = self.events[0], self.message("read")
        if not isinstance(first, DisputeOpened):
            return (read,)
        ids = {
            "order": first.order_id,
            "merchant": first.merchant_id,
            "consumer": first.consumer_id,
        }
        return (self.message("who", **ids), read)

    @property
    def ended(self) -> bool:
        """Whether the dispute is closed, and no deadline runs within which that may change."""
        last = self.events[-1]
        leaves = map(self.fmt.machine.state, active_leaves(last.target))
        return not last.deadlines and all(leaf.closed for leaf in leaves)

    # ---- the path over the chart -----------------------------------------------------------------

    def picture(self) -> Picture:
        """Draw its path over the chart."""
        return machine_picture(self.fmt, self._remarks(self.fmt.machine), brief=True)

    def way(self) -> Picture:
        """Draw only the way that was taken, with the alternatives at each fork.

        What the policy excludes is no alternative.
        """
        machine, transitions = self.fmt.machine, self._way()
        _, visited = self._course()
        ends = {end for each in transitions for end in (each.source, each.target) if end}
        shown = ends | visited | {outer for end in ends for outer in machine.around(end)}
        part = machine.model_copy(
            update={
                "transitions": transitions,
                "states": tuple(state for state in machine.states if state.id in shown),
            }
        )
        return machine_picture(Formatter(part, self.fmt.lang), self._remarks(part), brief=True)

    def way_sources(self) -> tuple[str, ...]:
        """Return the ids of the sources that the picture of the way cites."""
        cited = {self.fmt.ref(transition) for transition in self._way()}
        return tuple(name for name in self.fmt.sources if name in cited)

    def _way(self) -> tuple[TransitionView, ...]:
        taken, visited = self._course()
        excluded = self.fmt.machine.unreachable()

        def is_alternative(transition: TransitionView) -> bool:
            forks = transition.source in visited and not transition.stays
            return forks and transition.id not in excluded

        return tuple(
            transition
            for transition in self.fmt.machine.transitions
            if transition.id in taken or is_alternative(transition)
        )

    def _course(self) -> tuple[dict[str, list[str]], set[str]]:
        """Return the transitions that were taken, with the numbers of the steps, and the states."""
        taken: dict[str, list[str]] = {}
        visited = {BEGIN}
        for event in self.events:
            if (transition := transition_of(self.fmt.machine, event)) is not None:
                taken.setdefault(transition.id, []).append(str(event.seq))
                visited.update(active_states(event.target))
        return taken, visited

    def _endings(self) -> Iterator[Join | None]:
        """Iterate over where its way leads into an end."""
        machine = self.fmt.machine
        for event in self.events:
            if (transition := transition_of(machine, event)) is not None:
                yield ending(machine, transition, event.outcome)

    def _remarks(self, machine: Machine) -> dict[str, Remark]:
        """Mark the states and transitions of a picture: taken, where it is now, or neither."""
        taken, visited = self._course()
        leaves = {state.id for state in machine.states if state.kind == "leaf"}
        others = {transition.id for transition in machine.transitions} - taken.keys()
        remarks = dict.fromkeys((leaves - visited) | others, Remark(Mark.FADED))
        remarks |= inactive_remarks(self.fmt)
        for name, numbers in taken.items():
            text = self.message("steps", self.fmt.join("comma", numbers))
            remarks[name] = Remark(Mark.LIT, text)
        endings = set(self._endings())
        for join, joined in outcomes(machine).items():
            if not taken.keys().isdisjoint(joined):  # of several outcomes one was reached
                remarks[join_id(join)] = Remark(Mark.LIT if join in endings else Mark.FADED)
        here = Remark(Mark.LIT, self.message("ended" if self.ended else "here"))
        return remarks | dict.fromkeys(active_leaves(self.events[-1].target), here)

    # ---- the timeline ----------------------------------------------------------------------------

    def bars(self) -> Bars:
        """Draw its deadlines against what happened."""
        zone = self.entries[0].zone
        bars = {deadline: tuple(self._deadline_bars(deadline)) for deadline in Deadline}
        lanes = [
            Lane(id=f"lane-{deadline.value}", label=self.fmt.label(deadline), bars=bars[deadline])
            for deadline in Deadline
            if bars[deadline]
        ]
        lanes += [*self._agreed_lane(), *self._fact_lanes()]
        instants = [entry.at for entry in self.entries]
        instants += [at for lane in lanes for bar in lane.bars for at in (bar.start, bar.end)]
        return Bars(
            id="timeline",
            title=self.message("timeline"),
            zone=zone.key,
            start=min(instants),
            end=max(*instants, min(instants) + timedelta(minutes=1)),
            moments=tuple(self._moment(entry) for entry in self.entries),
            lanes=tuple(lanes),
            notes=(self.message("zone", zone.key),),
        )

    def _moment(self, entry: TimelineEntry) -> BarMark:
        when, what, who = headline(entry, self.fmt.lang)
        return BarMark(
            number=str(entry.seq),
            at=entry.at,
            tooltip=f"#{entry.seq} {when} {what} ({who})",
            tone=entry.actor.role.value,
        )

    def _deadline_bars(self, deadline: Deadline) -> Iterator[Bar]:
        """Iterate over the times that a deadline ran: used, and then left or overdue."""
        started: datetime | None = None
        for entry in self.entries:
            changes = entry.deadlines
            if deadline in changes.started:
                started = entry.at
            elif deadline in changes.moved and started is not None:
                was, due = changes.moved[deadline]
                text = self.message("moved", was=self._time(was), due=self._time(due))
                yield Bar(start=started, end=entry.at, text=text, mark=Mark.LIT)
                started = entry.at
            if deadline in changes.ended and started is not None:
                yield from self._ended(started, entry, deadline)
                started = None
        if started is not None:
            due = self.entries[-1].deadlines.current[deadline]
            yield Bar(start=started, end=due, text=self.message("open", due=self._time(due)))

    def _ended(self, started: datetime, entry: TimelineEntry, deadline: Deadline) -> Iterator[Bar]:
        ended, due = entry.at, entry.deadlines.ended[deadline]
        passed = entry.deadlines.expired
        if passed is not None and passed.deadline is deadline:
            late = duration_text(passed.late, self.fmt.lang)
            text = self.message("overdue", due=self._time(due), late=late)
            yield Bar(start=started, end=due, mark=Mark.LIT)
            yield Bar(start=due, end=ended, text=text, mark=Mark.MISSED)
        elif ended <= due:
            how = ended_deadline_text(deadline, entry, due - ended, self.fmt.lang)
            text = self.message("in_time", due=self._time(due), ended=how)
            yield Bar(start=started, end=ended, mark=Mark.LIT)
            yield Bar(start=ended, end=due, text=text, mark=Mark.FADED)
        else:
            text = self.message("due", due=self._time(due))
            yield Bar(start=started, end=due, text=text, mark=Mark.LIT)

    def _agreed_lane(self) -> Iterator[Lane]:
        """Show the agreed instant apart from the promise deadline, which runs on after it.

        The scan may not be later than the instant. The time after it is only for its record to
        arrive, so a scan that is a second late lies well before the deadline.
        """
        dues = [due for entry in self.entries for due in _promise_dues(entry.deadlines)]
        if dues:
            agreed = [due - self.fmt.policy.scan_grace for due in dues]
            bars = tuple(
                Bar(start=at, end=at, text=self.message("agreed_at", self._time(at)), mark=Mark.LIT)
                for at in agreed
            )
            yield Lane(id="lane-agreed", label=self.message("agreed"), bars=bars)

    def _fact_lanes(self) -> Iterator[Lane]:
        """Iterate over the last known order facts that are dated after the opening."""
        known = [entry.facts for entry in self.entries if entry.facts is not None]
        for at, name in _dated(known[-1]) if known else ():
            if at >= self.entries[0].at:
                bar = Bar(start=at, end=at, text=self._time(at), mark=Mark.LIT)
                label = self.message("order", self.message(name))
                yield Lane(id=f"lane-{name}", label=label, bars=(bar,))

    def _time(self, at: datetime) -> str:
        return local_time(at, self.entries[0].zone, beside=self.entries[0].at)

    # ---- every step ------------------------------------------------------------------------------

    def table(self) -> TextTable:
        """List every step."""
        return TextTable(
            id="steps",
            title=self.message("table"),
            heads=tuple(map(self.message, ("number", "when", "what", "details", "source"))),
            widths=(4, 18, 24, 58, 14),
            rows=tuple(map(self._row, self.events, self.entries)),
        )

    def cited(self, event: AuditEvent) -> Mapping[str, str]:
        """Return the sources that an event rests on, by id, with what each is cited for.

        They are that of the transition that it took, or of the guards that refused it.
        """
        machine = self.fmt.machine
        if (transition := transition_of(machine, event)) is not None:
            return {transition.origin.id: self.fmt.label(transition.event)}
        failed = (check.guard for check in event.checks if not check.passed)
        known = [machine.conditions[name] for name in failed if name in machine.conditions]
        return {guard.origin.id: self.fmt.condition(guard) for guard in known}

    def sources(self) -> TextTable:
        """List the sources of all steps, and of all transitions that the picture shows."""
        used: dict[str, dict[str, None]] = {}
        for transition in self.fmt.machine.transitions:
            used.setdefault(self.fmt.ref(transition), {})[self.fmt.label(transition.event)] = None
        for event in self.events:
            for name, of in self.cited(event).items():
                used.setdefault(name, {})[of] = None
        return source_table(self.fmt, used)

    def _row(self, event: AuditEvent, entry: TimelineEntry) -> TextRow:
        when, what, who = headline(entry, self.fmt.lang)
        colon = self.fmt.message("colon")
        texts = (
            f"{label}{colon}{text}" if label else text
            for label, text in details(entry, self.fmt.lang)
        )
        return TextRow(
            id=f"step-{entry.seq}",
            tone=entry.actor.role.value,
            cells=(
                cell(str(entry.seq), face=Face.STRONG),
                cell(when),
                (Line(what, Face.STRONG), Line(who)),
                cell(*(text.translate(_DRAWN) for text in texts)),
                cell(*self.cited(event)) or cell(self.fmt.message("none")),
            ),
        )


def history(events: Sequence[AuditEvent], policy: Policy, lang: Lang) -> View:
    """Show one dispute by its events, from the opening on, under its policy.

    Raises `InputError` where an event took a transition that its rule version does not have here.
    """
    parts = history_parts(events, policy, lang)
    picture = parts.picture()
    return View(
        name="history",
        lang=lang,
        title=parts.title(),
        notes=(policy_note(parts.fmt), *parts.notes()),
        parts=(picture, parts.bars(), parts.table(), parts.sources()),
        graph=picture,
    )


def history_parts(events: Sequence[AuditEvent], policy: Policy, lang: Lang) -> HistoryParts:
    """Make the parts of the view."""
    machine = machine_of(rule_version(events[0].rules), policy)
    return HistoryParts(Formatter(machine, lang), tuple(events), timeline(events, policy))


def _promise_dues(changes: DeadlineChanges) -> Iterator[datetime]:
    """Iterate over the due instants that a promise deadline gets."""
    if (start := changes.started.get(Deadline.PROMISE)) is not None:
        yield start.due
    if (moved := changes.moved.get(Deadline.PROMISE)) is not None:
        yield moved[1]


def _dated(facts: OrderFacts) -> Iterator[tuple[datetime, str]]:
    """Iterate over the facts that have a date, with their names."""
    shipment, pickup, refund = facts.shipment, facts.pickup, facts.refund
    cancel = facts.cancel_request
    picked_up = pickup is not None and pickup.kind is PickupKind.PICKED_UP
    partial = refund is not None and refund.scope is RefundScope.PARTIAL
    dates = {
        "paid": facts.paid_at,
        "shipped": shipment.shipped_at if shipment else None,
        "scanned" if picked_up else "record": pickup.scanned_at if pickup else None,
        "partial_refund" if partial else "refund": refund.completed_at if refund else None,
        "cancel": cancel.submitted_at if cancel else None,
    }
    return ((at, name) for name, at in dates.items() if at is not None)


# ---- recorded events on the chart ----------------------------------------------------------------


def transition_of(machine: Machine, event: AuditEvent) -> TransitionView | None:
    """Return the transition that an event took; None for a refusal.

    Raises `InputError` where the machine has no such transition: the event was recorded under
    another chart.
    """
    if event.type is EventType.REFUSED:
        return None
    if event.command is CommandType.OPEN_DISPUTE:
        return machine.transition(OPENING)
    answers = {check.guard: check.saw.get(check.guard) for check in event.checks}
    sources, targets = set(active_states(event.source)), set(active_states(event.target))
    matching = [
        transition
        for transition in machine.transitions
        if transition.event is event.command
        and transition.source in sources
        and transition.target in targets
        and (
            {event.outcome, None} & {ending.outcome for ending in transition.endings}
            if transition.endings
            else event.outcome is None
        )
        and all(
            answers.get(selector.question or "") in selector.accepts
            for selector in (machine.conditions[name] for name in transition.when)
        )
    ]
    if len(matching) != 1:
        raise InputError(
            f"dispute {event.dispute_id}, event {event.seq}: {event.command.value} from "
            f"{event.source} to {event.target} is not a transition of rules {machine.rules}"
        )
    return matching[0]


def active_states(path: str | None) -> Iterator[str]:
    """Iterate over the active states of a path: leaves and the states around them."""
    for leaf in (path or "").split(","):
        yield from leaf.split(".")


def active_leaves(path: str | None) -> tuple[str, ...]:
    """Return the leaves of a path."""
    return tuple(leaf.rpartition(".")[2] for leaf in (path or "").split(","))
