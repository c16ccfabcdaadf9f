"""Writes the tables of the pages in docs/ from the chart, the policy and the vocabulary that run.

The tables stand between the markers `<!-- begin NAME -->` and `<!-- end NAME -->`; everything else
is written by hand.

    python tools/rules_page.py write the tables anew python tools/rules_page.py --check change
    nothing; exit code 1 where a page differs, and say how
"""

import argparse
import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from dispute_fsm import DEFAULT_POLICY
from dispute_fsm.domain.deadlines import term_of
from dispute_fsm.domain.enums import (
    LIABILITIES,
    CommandType,
    Deadline,
    Labelled,
    Lang,
    Outcome,
    RefusalCode,
    StateName,
)
from dispute_fsm.domain.policy import Bilingual, Prompt
from dispute_fsm.domain.scalars import format_duration
from dispute_fsm.history.messages import Drift
from dispute_fsm.history.redecide import CHECKED_BY_FOLDING, COMPARED, INPUTS, NOT_COMPARED
from dispute_fsm.machine.guard import Dimension, Guard, GuardKind, Selector, Source
from dispute_fsm.machine.transition_table import Configuration, Rule, Transition
from dispute_fsm.rules.guards.evidence import VOUCHER_LIMITS
from dispute_fsm.rules.registry import VERSIONS, RuleVersion

DOCS = Path(__file__).resolve().parent.parent / "docs"
FAILED = frozenset({StateName.SETTLEMENT_FAILED, StateName.EVIDENCE_FAILED})
LANGS: tuple[Lang, Lang] = ("zh", "en")
PAGES = {"2023-03": "", "parallel": "parallel-"}
"""What the markers of a rule version begin with."""
MARKED = re.compile(r"(<!-- begin ([a-z-]+) -->\n)(.*?)(<!-- end \2 -->\n)", re.DOTALL)


# ---- words ---------------------------------------------------------------------------------------


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )


def code(word: object) -> str:
    """Write an id."""
    return f"`{word}`"


def listed(words: Iterable[object]) -> str:
    """Write ids in a row, a dash for none."""
    return ", ".join(code(word) for word in words) or "–"


def origin(source: Source) -> str:
    """Write where a rule comes from."""
    return f"[{source.kind}] {source.en}<br>{source.zh}"


def unique(guards: Iterable[Guard]) -> list[Guard]:
    """Keep one guard of each name, in the order in which they first come."""
    return list({guard.name: guard for guard in guards}.values())


def edges(version: RuleVersion) -> Iterator[Transition]:
    """Go through all rows, place by place."""
    for rows in version.table.transitions.values():
        yield from rows


def once(version: RuleVersion) -> Iterator[tuple[StateName, Transition]]:
    """Go through the edges by the state that they lead out of; where regions run side by side, each once, whatever runs beside."""
    places = version.table.configurations
    common: dict[int, set[StateName]] = {}
    for row in edges(version):
        common.setdefault(id(row.rule), set(places[row.source].states)).intersection_update(
            places[row.source].states
        )
    seen = set[tuple[int, StateName]]()
    for row in edges(version):
        place = places[row.source]
        runs = [
            leaf for leaf in place.states if leaf in common[id(row.rule)] and leaf not in FAILED
        ]  # nothing leads out of the failed
        source = place.state if len(place.states) == 1 or not runs else runs[0]
        if (id(row.rule), source) not in seen:
            seen.add((id(row.rule), source))
            yield source, row


# ---- the tables ----------------------------------------------------------------------------------


def options(version: RuleVersion) -> str:
    """Write the responses and their labels."""
    return table(
        ("id", "label, to the letter", "English"), ((code(o), o.zh, o.en) for o in version.options)
    )


def states(version: RuleVersion) -> str:
    """Write the places, and in each the deadlines that stand and those that run."""
    heads = ("path", "中文", "English", "deadlines that may stand", "of these, the state acts on")
    return table(heads, (_state(place) for place in version.table.configurations.values()))


def _state(place: Configuration) -> tuple[str, ...]:
    paths = [path.rpartition(".") for path in place.path.split(",")]
    path = ", ".join(f"{around}{dot}**{leaf}**" for around, dot, leaf in paths)
    zh, en = (" + ".join(state.label(lang) for state in place.states) for lang in LANGS)
    return path, zh, en, listed(place.deadlines), listed(chain(*place.running))


def outcomes() -> str:
    """Write how a dispute can end."""

    def ends_in(outcome: Outcome) -> StateName:
        return StateName.PENALIZED if outcome in LIABILITIES else StateName.RESOLVED

    return table(
        ("outcome", "中文", "English", "state"),
        ((code(o), o.zh, o.en, code(ends_in(o))) for o in Outcome),
    )


def transitions(version: RuleVersion) -> str:
    """Write the transition table, one section a state, in the order in which the rows stand in the chart."""
    heads = ("event", "by", "when", "needs", "to", "outcome", "deadlines", "comes from")
    entry, first = version.table.entry, version.table.configurations[version.table.initial]
    begins = (
        _labelled(CommandType.OPEN_DISPUTE),
        _roles(entry.by.roles),
        "–",
        _needs(entry.needs),
        ", ".join(map(code, first.states)),
        "–",
        _clocks(entry.starts, ()),
        origin(entry.origin),
    )
    sections = [f"### Before the dispute\n\n{table(heads, [begins])}"]
    declared = list(once(version))
    places = version.table.configurations.values()
    for state in dict.fromkeys(
        chain(*(place.states for place in places), (place.state for place in places))
    ):
        rows = [row for source, row in declared if source is state]
        events = list(dict.fromkeys(row.event for row in rows))
        rows.sort(key=lambda row: events.index(row.event))
        body = (
            table(heads, (_edge(version, row) for row in rows))
            if rows
            else "Nothing leads out of this state.\n"
        )
        sections.append(f"### {code(state)} {state.zh}\n\n{body}")
    return "\n".join(["", *sections, ""])


def _edge(version: RuleVersion, row: Transition) -> tuple[str, ...]:
    rule = row.rule
    return (
        _labelled(row.event),
        _roles(rule.by.roles),
        "; ".join(_selected(selector) for selector in rule.when) or "–",
        _needs(rule.needs, rule.timing),
        "stays" if row.target == row.source else code(_entered(version, row)),
        _outcome(rule),
        _clocks(rule.starts, rule.ends),
        origin(rule.origin),
    )


def _entered(version: RuleVersion, row: Transition) -> StateName:
    before, after = (version.table.configurations[path] for path in (row.source, row.target))
    return next((state for state in after.states if state not in before.states), after.state)


def _labelled(word: Labelled) -> str:
    return f"{code(word)} {word.zh}"


def _roles(roles: Iterable[Labelled]) -> str:
    return ", ".join(role.en for role in roles)


def _selected(selector: Selector) -> str:
    return (
        f"{selector.dimension.name}: "
        f"{' / '.join(code(a) for a in selector.dimension.answers if a in selector.accepts)}"
    )


def _needs(needs: Sequence[Guard], timing: Sequence[Guard] = ()) -> str:
    """Write what a row needs; that it has to be in time goes without saying, and the limits for vouchers are one word."""
    limited = set(VOUCHER_LIMITS) <= set(needs)
    shown = [
        code(guard.name)
        for guard in (*timing, *needs)
        if not guard.name.endswith("in_time") and not (limited and guard in VOUCHER_LIMITS)
    ]
    return ", ".join([*shown, *(["voucher limits"] if limited else [])]) or "–"


def _outcome(rule: Rule) -> str:
    if isinstance(rule.outcome, Mapping):
        return ", ".join(
            f"{code(outcome)} (on {code(option)})" for option, outcome in rule.outcome.items()
        )
    if rule.liability is not None:
        return f"the region fails: {code(rule.liability)}"
    return "–" if rule.outcome is None else code(rule.outcome)


def _clocks(starts: Iterable[Deadline], ends: Iterable[Deadline]) -> str:
    return (
        ", ".join([*(f"starts {code(d)}" for d in starts), *(f"ends {code(d)}" for d in ends)])
        or "–"
    )


def questions(version: RuleVersion) -> str:
    """Write the questions that tell rows apart, each with all of its answers."""
    dimensions: dict[str, Dimension] = {}
    for row in edges(version):
        for selector in row.rule.when:
            dimensions.setdefault(selector.dimension.name, selector.dimension)
    heads = ("question", "answers", "comes from")
    return table(
        heads,
        (
            (
                code(dimension.name),
                "<br>".join(
                    f"{code(answer)} {en} {zh}" for answer, (zh, en) in dimension.answers.items()
                ),
                origin(dimension.source),
            )
            for dimension in dimensions.values()
        ),
    )


def requirements(version: RuleVersion) -> str:
    """Write every guard that may refuse, in the order in which the chart first names it."""
    rules = [row.rule for row in edges(version)]
    actors = [version.table.entry.by, *(rule.by for rule in rules)]
    timing = [guard for rule in rules for guard in rule.timing]
    needs = [*version.table.entry.needs, *(guard for rule in rules for guard in rule.needs)]
    heads = ("guard", "中文", "English", "refuses with", "comes from")
    return table(
        heads,
        (
            (code(guard.name), guard.zh, guard.en, listed(guard.codes), origin(guard.source))
            for guard in (*unique(actors), *unique(timing), *unique(needs))
        ),
    )


def deadlines(version: RuleVersion) -> str:
    """Write the deadlines: what they are by default, what starts them, and what comes of their passing."""
    heads = ("deadline", "中文", "default", "starts with", "its passing leads to")
    return table(heads, (_deadline(version, deadline) for deadline in Deadline))


def _deadline(version: RuleVersion, deadline: Deadline) -> tuple[str, ...]:
    term = term_of(deadline, DEFAULT_POLICY)
    if deadline is Deadline.PROMISE:
        default = (
            f"the agreed instant + {code('scan_grace')} "
            f"{format_duration(DEFAULT_POLICY.scan_grace)}"
        )
    elif term is None:
        default = "off"
    else:
        default = f"{term.hours} h" if term.hours is not None else f"{term.working_hours} working h"
    started = [CommandType.OPEN_DISPUTE] if deadline in version.table.entry.starts else []
    started += [
        row.event
        for row in edges(version)
        if deadline in row.rule.starts and row.event is not CommandType.EXTEND_DEADLINE
    ]
    ends = [_end(version, row) for row in edges(version) if row.event is deadline.expiry]
    return (
        code(deadline),
        deadline.zh,
        default,
        listed(dict.fromkeys(started)),
        ", ".join(dict.fromkeys(ends)),
    )


def _end(version: RuleVersion, row: Transition) -> str:
    outcome = row.rule.outcome
    ends = (
        list(outcome.values())
        if isinstance(outcome, Mapping)
        else []
        if outcome is None
        else [outcome]
    )
    return listed(ends or [_entered(version, row)])


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
    """Write every refusal code. Only what a row needs comes together with others; everything else comes alone."""
    rules = [row.rule for version in VERSIONS.values() for row in edges(version)]
    entries = [
        guard for version in VERSIONS.values() for guard in (version.entry.by, *version.entry.needs)
    ]
    guards = unique(
        [*entries, *(guard for rule in rules for guard in (rule.by, *rule.timing, *rule.needs))]
    )
    together = {
        code for guard in guards if guard.kind is GuardKind.REQUIRES for code in guard.codes
    }
    return table(
        ("code", "中文", "English", "comes"),
        (
            (code(word), word.zh, word.en, "perhaps with others" if word in together else "alone")
            for word in RefusalCode
        ),
    )


def members() -> str:
    """List the members of an event by how a replay checks them."""
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
        ((code(name), told, why) for told, members in how.items() for name, why in members.items()),
    )


def drift() -> str:
    """List the classes of difference."""
    return table(("class", "中文", "English"), ((code(word), word.zh, word.en) for word in Drift))


OF_A_VERSION = (options, states, transitions, questions, requirements, deadlines)
OF_ALL = (outcomes, reasons, refusals, members, drift)
"""Every table; the function's name is the marker's."""


# ---- pages ---------------------------------------------------------------------------------------


def rewritten(text: str, parts: Mapping[str, str], written: list[str]) -> str:
    """Return a page with its tables as they should be; `written` collects the names of the tables in it."""

    def fill(match: re.Match[str]) -> str:
        begin, name, _, end = match.groups()
        written.append(name)
        return f"{begin}\n{parts[name].strip()}\n\n{end}"

    return MARKED.sub(fill, text)


def main() -> int:
    """Write the tables, or compare them; returns the exit code."""
    arguments = argparse.ArgumentParser(
        description="Writes the tables of the rules' pages from what runs."
    )
    arguments.add_argument(
        "--check", action="store_true", help="change nothing; exit code 1 where a page differs"
    )
    arguments.add_argument(
        "--docs", type=Path, default=DOCS, metavar="DIR", help="the folder of the pages"
    )
    asked = arguments.parse_args()
    parts = {part.__name__: part() for part in OF_ALL}
    parts |= {
        prefix + part.__name__: part(VERSIONS[name])
        for name, prefix in PAGES.items()
        for part in OF_A_VERSION
    }
    written: list[str] = []
    differs = False
    for page in sorted(asked.docs.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = rewritten(before, parts, written)
        if after == before:
            continue
        differs = True
        if asked.check:
            lines = difflib.unified_diff(
                before.splitlines(keepends=True),
                after.splitlines(keepends=True),
                str(page),
                "as the chart and the policy say",
                n=0,
            )
            sys.stdout.writelines(lines)
        else:
            page.write_text(after, encoding="utf-8", newline="\n")
    if sorted(written) != sorted(parts):
        sys.stdout.write(
            f"{asked.docs}: found the tables {sorted(written)}, each of {sorted(parts)} has to "
            "stand once\n"
        )
        return 1
    if differs and asked.check:
        sys.stdout.write("out of date: run python tools/rules_page.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
