"""The tables of the rules in English, with the Chinese words beside them, as Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from dispute_fsm import DEFAULT_POLICY
from dispute_fsm.domain.commands import DEFAULT_VERSION
from dispute_fsm.domain.deadlines import term_of
from dispute_fsm.domain.enums import (
    LIABILITIES,
    CommandType,
    Deadline,
    Labelled,
    RefusalCode,
    StateName,
)
from dispute_fsm.domain.policy import Bilingual, Prompt
from dispute_fsm.domain.scalars import format_duration
from dispute_fsm.history.messages import Drift
from dispute_fsm.history.redecide import CHECKED_BY_FOLDING, COMPARED, INPUTS, NOT_COMPARED
from dispute_fsm.machine.guard import Guard, Selector, Source
from dispute_fsm.machine.transition_table import AS_BEFORE, Configuration, Rule, Transition
from dispute_fsm.rules.guards.evidence import VOUCHER_LIMITS
from dispute_fsm.rules.registry import VERSIONS, RuleVersion

FAILED = frozenset({StateName.SETTLEMENT_FAILED, StateName.EVIDENCE_FAILED})
"""The leaves of failed regions, which have no transitions."""


# ---- cells ---------------------------------------------------------------------------------------


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )


def code(name: object) -> str:
    """Write an id."""
    return f"`{name}`"


def listed(names: Iterable[object]) -> str:
    """Write a list of ids, a dash for none."""
    return ", ".join(map(code, names)) or "–"


def origin(source: Source) -> str:
    """Write where a rule comes from: the id of the source, and what it says."""
    return f"[{source.id}](sources.md#{source.id.lower()}) {source.en}<br>{source.zh}"


def unique(guards: Iterable[Guard]) -> list[Guard]:
    """Return one guard of each name, in the order of their first use."""
    return list({guard.name: guard for guard in guards}.values())


def _label(name: Labelled) -> str:
    return f"{code(name)} {name.zh}"


def _roles(roles: Iterable[Labelled]) -> str:
    return ", ".join(role.en for role in roles)


def _selector(selector: Selector) -> str:
    dimension = selector.dimension
    accepted = (code(answer) for answer in dimension.answers if answer in selector.accepts)
    return f"{dimension.name}: {' / '.join(accepted)}"


def _needs(needs: Sequence[Guard], timing: Sequence[Guard] = ()) -> str:
    """Write the requirements, without being in time; the limits of vouchers have one name."""
    shown = [code(guard.name) for guard in timing if not guard.name.endswith("in_time")]
    limited = set(VOUCHER_LIMITS) <= set(needs)
    shown += [code(guard.name) for guard in needs if not (limited and guard in VOUCHER_LIMITS)]
    return ", ".join([*shown, *(["voucher limits"] if limited else [])]) or "–"


def _outcome(rule: Rule) -> str:
    if isinstance(rule.outcome, Mapping):
        return ", ".join(f"{code(end)} (on {code(option)})" for option, end in rule.outcome.items())
    if rule.liability is not None:
        return f"the region fails: {code(rule.liability)}"
    if rule.outcome is AS_BEFORE:
        return "as before"
    return "–" if rule.outcome is None else code(rule.outcome)


def _clocks(starts: Iterable[Deadline], ends: Iterable[Deadline]) -> str:
    clocks = [*(f"starts {code(one)}" for one in starts), *(f"ends {code(one)}" for one in ends)]
    return ", ".join(clocks) or "–"


# ---- transitions ---------------------------------------------------------------------------------


def all_transitions(version: RuleVersion) -> Iterator[Transition]:
    """Return the transitions of every configuration."""
    return chain.from_iterable(version.table.transitions.values())


def by_source(version: RuleVersion) -> Iterator[tuple[StateName, Transition]]:
    """Return each transition with its source, once, whatever the other region does."""
    configurations, common = version.table.configurations, dict[int, set[StateName]]()
    for transition in all_transitions(version):
        states = configurations[transition.source].states
        common.setdefault(id(transition.rule), set(states)).intersection_update(states)
    seen = set[tuple[int, StateName]]()
    for transition in all_transitions(version):
        rule, configuration = id(transition.rule), configurations[transition.source]
        leaves = [leaf for leaf in configuration.states if leaf in common[rule] - FAILED]
        is_leaf = len(configuration.states) > 1 and leaves
        source = leaves[0] if is_leaf else configuration.state
        if (rule, source) not in seen:
            seen.add((rule, source))
            yield source, transition


def by_state(version: RuleVersion) -> Iterator[tuple[StateName, list[Transition]]]:
    """Yield the states in the order of the chart, each with its transitions, sorted by event."""
    configurations = version.table.configurations.values()
    leaves = chain(*(configuration.states for configuration in configurations))
    outer = (configuration.state for configuration in configurations)
    sources = [*by_source(version)]
    for state in dict.fromkeys((*leaves, *outer)):
        found = [transition for source, transition in sources if source is state]
        events = list(dict.fromkeys(transition.event for transition in found))
        yield state, sorted(found, key=lambda transition: events.index(transition.event))


def required(version: RuleVersion) -> Iterator[Guard]:
    """Yield every guard that may refuse, in the order of the chart."""
    entry, rules = version.table.entry, [found.rule for found in all_transitions(version)]
    yield from unique([entry.by, *(rule.by for rule in rules)])
    yield from unique(chain(*(rule.timing for rule in rules)))
    yield from unique(chain(entry.needs, *(rule.needs for rule in rules)))


def entered(version: RuleVersion, transition: Transition) -> StateName:
    """Return the state that a transition leads into."""
    configurations = version.table.configurations
    before, after = configurations[transition.source], configurations[transition.target]
    return next((state for state in after.states if state not in before.states), after.state)


# ---- the tables ----------------------------------------------------------------------------------


def options(version: RuleVersion) -> str:
    """Write the responses and their labels."""
    return table(
        ("id", "label, to the letter", "English"), ((code(o), o.zh, o.en) for o in version.options)
    )


def states(version: RuleVersion) -> str:
    """Write the configurations, and in each the possible deadlines and those that expire."""
    heads = ("path", "中文", "English", "deadlines that may be set", "of these, the state acts on")
    return table(heads, map(_configuration, version.table.configurations.values()))


def _configuration(configuration: Configuration) -> tuple[str, ...]:
    paths = [path.rpartition(".") for path in configuration.path.split(",")]
    return (
        ", ".join(f"{outer}{dot}**{leaf}**" for outer, dot, leaf in paths),
        " + ".join(state.zh for state in configuration.states),
        " + ".join(state.en for state in configuration.states),
        listed(configuration.deadlines),
        listed(chain(*configuration.running)),
    )


def outcomes(version: RuleVersion) -> str:
    """Write how a dispute can end, the liabilities last."""
    rows = (
        (
            code(end),
            end.zh,
            end.en,
            code(StateName.PENALIZED if end in LIABILITIES else StateName.RESOLVED),
        )
        for end in sorted(version.outcomes, key=lambda end: end in LIABILITIES)
    )
    return table(("outcome", "中文", "English", "state"), rows)


def transitions(version: RuleVersion) -> str:
    """Write the transition table, one section per state, in the order of the chart."""
    heads = ("event", "by", "when", "needs", "to", "outcome", "deadlines", "comes from")
    entry = version.table.entry
    configurations = version.table.configurations
    opening = (
        _label(CommandType.OPEN_DISPUTE),
        _roles(entry.by.roles),
        "–",
        _needs(entry.needs),
        ", ".join(map(code, configurations[version.table.initial].states)),
        "–",
        _clocks(entry.starts, ()),
        origin(entry.origin),
    )
    sections = [f"### Before the dispute\n\n{table(heads, [opening])}"]
    for state, found in by_state(version):
        rows = [_transition(version, transition) for transition in found]
        body = table(heads, rows) if rows else "Nothing leads out of this state.\n"
        sections.append(f"### {_label(state)}\n\n{body}")
    return "\n".join(["", *sections, ""])


def _transition(version: RuleVersion, transition: Transition) -> tuple[str, ...]:
    rule, stays = transition.rule, transition.target == transition.source
    return (
        _label(transition.event),
        _roles(rule.by.roles),
        "; ".join(map(_selector, rule.when)) or "–",
        _needs(rule.needs, rule.timing),
        "stays" if stays else code(entered(version, transition)),
        _outcome(rule),
        _clocks(rule.starts, rule.ends),
        origin(rule.origin),
    )


def questions(version: RuleVersion) -> str:
    """Write the questions that select a transition, each with all of its answers."""
    dimensions = {
        selector.dimension.name: selector.dimension
        for transition in all_transitions(version)
        for selector in transition.rule.when
    }
    return table(
        ("question", "answers", "comes from"),
        (
            (
                code(dimension.name),
                "<br>".join(
                    f"{code(answer)} {en} {zh}"
                    for answer, (zh, en) in version.answers(dimension).items()
                ),
                origin(dimension.source),
            )
            for dimension in dimensions.values()
        ),
    )


def requirements(version: RuleVersion) -> str:
    """Write every guard that may refuse, in the order of the chart."""
    return table(
        ("guard", "中文", "English", "refuses with", "comes from"),
        (
            (code(guard.name), guard.zh, guard.en, listed(guard.codes), origin(guard.source))
            for guard in required(version)
        ),
    )


def deadlines(version: RuleVersion) -> str:
    """Write the deadlines: their defaults, what starts them, and what follows when they pass."""
    heads = ("deadline", "中文", "default", "starts with", "its passing leads to")
    return table(heads, (_deadline(version, deadline) for deadline in version.deadlines))


def _deadline(version: RuleVersion, deadline: Deadline) -> tuple[str, ...]:
    term = term_of(deadline, version.policy(DEFAULT_POLICY))
    if deadline is Deadline.PROMISE:
        grace = format_duration(DEFAULT_POLICY.scan_grace)
        default = f"the agreed instant + {code('scan_grace')} {grace}"
    elif term is None:
        default = "off"
    else:
        default = f"{term.hours} h" if term.hours is not None else f"{term.working_hours} working h"
    opening = [CommandType.OPEN_DISPUTE] if deadline in version.table.entry.starts else []
    starts = [
        transition.event
        for transition in all_transitions(version)
        if deadline in transition.rule.starts
        and transition.event is not CommandType.EXTEND_DEADLINE
    ]
    ends = dict.fromkeys(
        _end(version, transition)
        for transition in all_transitions(version)
        if transition.event is deadline.expiry
    )
    started = listed(dict.fromkeys([*opening, *starts]))
    return code(deadline), deadline.zh, default, started, ", ".join(ends)


def _end(version: RuleVersion, transition: Transition) -> str:
    outcome = transition.rule.outcome
    if isinstance(outcome, Mapping):
        return listed(outcome.values())
    if outcome is AS_BEFORE:
        return "the outcome as before"
    return code(outcome or entered(version, transition))


def of_version(version: RuleVersion) -> Mapping[str, Source]:
    """Return the sources of a version by id, as its chart first names them."""
    entry, rules = version.table.entry, [found.rule for found in all_transitions(version)]
    guards = chain((entry.by, *entry.needs), *(rule.guards for rule in rules))
    cited = (entry.origin, *(rule.origin for rule in rules), *(guard.source for guard in guards))
    return {source.id: source for source in cited}


def all_sources() -> Mapping[str, Source]:
    """Return the sources of all versions by id, the newest version's first."""
    found: dict[str, Source] = {}
    for version in sorted(VERSIONS.values(), key=lambda version: version.id != DEFAULT_VERSION):
        for name, source in of_version(version).items():
            found.setdefault(name, source)
    return found


def anchor(source: Source) -> str:
    """Write the id of a source as the target of links."""
    return f'<a id="{source.id.lower()}"></a>{code(source.id)}'


def cited_in(source: Source) -> str:
    """Write the versions in which a source is cited."""
    return listed(name for name, version in VERSIONS.items() if source.id in of_version(version))


def stated() -> str:
    """Write what the announcement states: place, deciding words, and paraphrases."""
    return table(
        ("id", "place 出处", "words 原文", "paraphrase 转述", "versions"),
        (
            (
                anchor(source),
                source.locator,
                f"“{source.quote}”",
                f"{source.en}<br>{source.zh}",
                cited_in(source),
            )
            for source in all_sources().values()
            if source.kind == "S"
        ),
    )


def assumed() -> str:
    """Write what is assumed, why, and what changes it."""
    return table(
        ("id", "assumed 约定", "because 原因", "change it in 调整", "versions"),
        (
            (
                anchor(source),
                f"{source.en}<br>{source.zh}",
                f"{source.because[1]}<br>{source.because[0]}",
                f"policy {listed(source.policy)}" if source.policy else "the chart 状态图",
                cited_in(source),
            )
            for source in all_sources().values()
            if source.kind == "A"
        ),
    )


def reasons() -> str:
    """Write the evidence catalogue of the default policy."""
    heads = ("reason", "中文", "English", "prompts for", "not accepted", "statement")
    return table(
        heads,
        (
            (
                code(name),
                reason.label.zh,
                reason.label.en,
                "<br>".join(_prompt(prompt) for prompt in reason.prompts),
                listed(reason.not_accepted),
                "required" if reason.statement else "not asked for",
            )
            for name, reason in DEFAULT_POLICY.evidence_reasons.items()
        ),
    )


def _prompt(prompt: Prompt) -> str:
    shows = (
        f"{prompt.shows.en} {prompt.shows.zh}"
        if isinstance(prompt.shows, Bilingual)
        else prompt.shows
    )
    return f"{code(prompt.kind)} × {prompt.at_least}: {shows}"


def refusals() -> str:
    """Write every refusal code, and whether it comes alone: all do but those of requirements."""
    together = {
        code
        for version in VERSIONS.values()
        for guards in (
            version.entry.needs,
            *(found.rule.needs for found in all_transitions(version)),
        )
        for guard in guards
        for code in guard.codes
    }
    return table(
        ("code", "中文", "English", "comes"),
        (
            (code(name), name.zh, name.en, "perhaps with others" if name in together else "alone")
            for name in RefusalCode
        ),
    )


def members() -> str:
    """Write the members of an event by how a replay checks them."""
    again = dict.fromkeys(COMPARED, "comes out of the decision") | {
        "facts": "were looked at or not, and fit the dispute and the time"
    }
    how = {
        "read and folded": CHECKED_BY_FOLDING,
        "goes into the decision": INPUTS,
        "decided again, compared": again,
        "not compared": NOT_COMPARED,
    }
    return table(
        ("member", "how", "for it"),
        (
            (code(name), check, why)
            for check, members in how.items()
            for name, why in members.items()
        ),
    )


def drift() -> str:
    """Write the classes of drift."""
    return table(("class", "中文", "English"), ((code(name), name.zh, name.en) for name in Drift))


OF_A_VERSION = (options, states, transitions, questions, requirements, deadlines)
"""The tables of one rule version, beside the outcomes."""
OF_ALL = (reasons, refusals, members, drift, stated, assumed)
"""The tables that all versions share."""
