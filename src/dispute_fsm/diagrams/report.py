"""One dispute as an HTML page: its conclusion, its deadlines, every step, and its way.

The page is one file that loads nothing: no script, style, font or picture from elsewhere. Its
content security policy says so to the browser. Pointing at a step highlights its transition.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from html import escape

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.diagrams.messages import REPORT, SOURCES
from dispute_fsm.diagrams.picture import Part, Picture, Sheet, View
from dispute_fsm.diagrams.render.svg import svg
from dispute_fsm.diagrams.render.typography import DARK, FONTS, LIGHT
from dispute_fsm.diagrams.views.history import HistoryParts, history_parts, transition_of
from dispute_fsm.domain.enums import LIABILITIES, Lang
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.explain.explanation import explain_dispute
from dispute_fsm.explain.explanation_text import sentences
from dispute_fsm.history.replay import Replayed
from dispute_fsm.history.timeline import TimelineEntry
from dispute_fsm.history.timeline_text import (
    check_lines,
    deadline_lines,
    details,
    headline,
    state_label,
)
from dispute_fsm.rules.sources import ANNOUNCEMENT
from dispute_fsm.version import VERSION

# The timeline is small, so that its texts are legible on paper and on a page 830 px wide.
_SHEETS: Mapping[str, Sheet] = FrozenMap(
    {
        "timeline": Sheet(width=860, margin=10, embedded=True),
        "way": Sheet(width=1100, margin=10, embedded=True),
    }
)

_CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_STYLE = """
body { margin: 2rem auto; max-width: 1100px; padding: 0 1.5rem;
       background: var(--paper); color: var(--ink); font: 15px/1.6 var(--fonts) }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 }
h2 { font-size: 1.2rem; margin: 2rem 0 .3rem }
h3 { font-size: 1rem; margin: 0 }
h3 small { font-weight: normal }
header p, section > p, .note, footer, dt, dd small, h3 small, th, summary, .moments time {
  color: var(--faint) }
header p, section > p { margin: .2rem 0 }
.note { font-size: .85rem; margin: 0 }
dl { display: grid; grid-template-columns: 1fr 1fr; margin: 1.2rem 1px 1.2rem 0 }
dl div { border: 1px solid var(--line); margin: 0 -1px -1px 0; padding: .6rem .8rem }
dl .wide { grid-column: 1 / -1 }
dt { font-size: .85rem }
dd { margin: 0; font-weight: bold; overflow-wrap: anywhere }
dd small { display: block; font-weight: normal }
.conclusion dd { font-size: 1.2rem }
.explained { margin: 1.2rem 0; font-size: 1.1rem }
.explained p { margin: .3rem 0 }
dd.good { color: var(--good-line) }
dd.bad { color: var(--bad-line) }
figure { margin: 1rem 0; overflow-x: auto; border: 1px solid var(--line) }
#timeline-figure svg { width: 100% }
figure svg { display: block; max-width: 100%; height: auto; margin: 0 auto }
ol.steps { padding-left: 2.4rem }
ol.steps > li { border-left: 5px solid var(--line); padding: .3rem 0 .5rem .9rem; margin: .6rem 0 }
ol.steps > li::marker { font-weight: bold }
ol.steps > li:hover, ol.steps > li:focus { background: var(--stripe) }
.by-merchant { border-left-color: var(--merchant) !important }
.by-consumer { border-left-color: var(--consumer) !important }
.by-adjudicator { border-left-color: var(--adjudicator) !important }
.by-system { border-left-color: var(--system) !important }
.by-refused { border-left-style: dashed !important }
ol.moments { display: none; list-style: none; padding: 0 }
ol.moments > li { border-left: 5px solid var(--line); padding: .2rem 0 .7rem .9rem }
ol.moments b, ol.moments time, ol.moments span { display: block }
ul.cited { list-style: none; padding: 0; margin: .5rem 0; font-size: .85em }
table { border-collapse: collapse }
th { font-weight: normal; text-align: left; vertical-align: top;
     padding: 0 1rem 0 0; white-space: nowrap }
td { padding: 0; overflow-wrap: anywhere }
summary { cursor: pointer }
.hash { font-family: monospace; font-size: .8rem; overflow-wrap: anywhere }
footer { margin: 2rem 0; font-size: .85rem; overflow-wrap: anywhere }
.pointed > .course, .pointed > .label, .pointed > .box { stroke-width: 5 }
@media screen {
  #way-figure { margin-inline: calc(50% - 47vw) }
  #way-figure svg { min-width: 1100px }
}
@media (max-width: 640px) {
  body { margin: 1rem auto; padding: 0 1rem }
  #timeline-figure { display: none }
  ol.moments { display: block }
  ol.steps { padding-left: 1.6rem }
  th, td { display: block }
  td { padding-bottom: .4rem }
}
@media print {
  body { margin: 0; max-width: none; font-size: 12px }
  h2, h3, dl { break-after: avoid }
  figure, dl, ol.steps > li, ul.cited, ul.cited > li { break-inside: avoid }
  ul.cited { columns: 2; column-gap: 2em }
  figure { border: 0 }
  #way.wide { page: across }
  #way h2 { margin-top: 0 }
  figure { margin: 0 }
  #way-figure svg { width: 100%; max-height: 24cm }
  #way.wide svg { max-height: 16cm }
  details, footer, .hint { display: none }
}
@page { size: A4; margin: 15mm }
@page across { size: A4 landscape }
"""
_SCRIPT = """
for (const step of document.querySelectorAll("[data-edge]")) {
  const edge = document.getElementById(step.dataset.edge);
  const light = (on) => () => edge && edge.classList.toggle("pointed", on);
  step.addEventListener("pointerenter", light(true));
  step.addEventListener("pointerleave", light(false));
  step.addEventListener("focusin", light(true));
  step.addEventListener("focusout", light(false));
}
"""


def report(dispute: Dispute, events: Sequence[AuditEvent], replayed: Replayed, lang: Lang) -> str:
    """Write the page of a dispute, from its valid events and the result of replaying its history.

    `dispute` is what the events fold to.

    Raises `InputError` where an event took a transition that its rule version does not have here,
    or the extra `diagrams` is missing.
    """
    text, policy = partial(REPORT, lang), dispute.policy
    parts = history_parts(events, policy, lang)
    way, bars = parts.way(), parts.bars()
    timeline = _figure("timeline", bars.title, replace(bars, title=""), way, lang)
    course = _figure("way", text("path"), way, way, lang)
    title = escape(parts.title())
    announcement = escape(SOURCES(lang, "announcement", **ANNOUNCEMENT._asdict()))
    made = escape(text("made", version=VERSION, policy=policy.digest))
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="{"zh-CN" if lang == "zh" else "en"}">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_CONTENT_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>",
            f"<style>{_stylesheet()}</style></head>",
            "<body>",
            f"<header><h1>{title}</h1><p>{escape(parts.notes()[0])}</p></header>",
            "<div class='explained'>",
            *(f"<p>{escape(one)}</p>" for one in sentences(explain_dispute(dispute, events), lang)),
            "</div>",
            *_conclusion(parts, lang),
            f"<p class='note'>{announcement}</p>",
            *_checked(replayed, lang),
            f"<section><h2>{escape(bars.title)}</h2>",
            timeline,
            *_moments(parts),
            "</section>",
            f"<section><h2>{text('steps')}</h2><ol class='steps'>",
            *(
                line
                for event, entry in zip(events, parts.entries, strict=True)
                for line in _step(parts, event, entry)
            ),
            "</ol></section>",
            f"<section id='way'{_across(course)}><h2>{text('path')}</h2>",
            f"<p class='hint'>{text('hover')}</p>",
            course,
            "<ul class='cited'>",
            *(f"<li>{_clause(parts, name, ' {}')}</li>" for name in parts.way_sources()),
            "</ul>",
            "</section>",
            "<footer>",
            f"<details><summary>{text('technical')}</summary><p>{made}</p></details>",
            "</footer>",
            f"<script>{_SCRIPT}</script>",
            "</body></html>",
            "",
        ]
    )


def _conclusion(parts: HistoryParts, lang: Lang) -> Iterator[str]:
    """Say first where the dispute stands, with which outcome, and by which clause."""
    text = partial(REPORT, lang)
    last = parts.events[-1]
    outcome, kind = text("open"), ""
    if last.outcome is not None:
        label = last.outcome.label(lang)
        outcome = label if parts.ended else text("may_change", label)
        kind = "bad" if last.outcome in LIABILITIES else "good"
    yield "<dl class='conclusion'>"
    yield _item(text("state"), escape(state_label(last.target, lang)))
    yield _item(text("outcome"), escape(outcome), kind)
    decisive = next(event for event in reversed(parts.events) if not event.refused)
    for name in parts.cited(decisive):
        clause = _clause(parts, name, "<small>{}</small>")
        yield f"<div class='wide'><dt>{text('source')}</dt><dd>{clause}</dd></div>"
    yield "</dl>"


def _checked(replayed: Replayed, lang: Lang) -> Iterator[str]:
    """Say whether the record is complete, and decided now as it was then."""
    text = partial(REPORT, lang)
    integrity = (text("valid", count=replayed.events), "good")
    if replayed.fault is not None:
        error = text("invalid", error=replayed.fault)
        integrity = (f"{error} · {text('before', count=replayed.events)}", "bad")
    decisions = (text("reproduced"), "good")
    if replayed.differences:
        seqs = ", ".join(str(difference.seq) for difference in replayed.differences)
        decisions = (text("different", count=len(replayed.differences), seqs=seqs), "bad")
    if replayed.undetermined:
        undetermined = text("undetermined", count=len(replayed.undetermined))
        decisions = (f"{decisions[0]} · {undetermined}", decisions[1])
    yield "<dl>"
    for name, (value, kind) in (("integrity", integrity), ("decisions", decisions)):
        yield _item(text(name), escape(value), kind)
    yield "</dl>"


def _item(label: str, value: str, kind: str = "") -> str:
    sign = {"good": "✓ ", "bad": "✗ "}.get(kind, "")
    return f"<div><dt>{label}</dt><dd class='{kind}'>{sign}{value}</dd></div>"


def _clause(parts: HistoryParts, name: str, says: str) -> str:
    """Cite a source: its id and place, and what it says."""
    source = parts.fmt.sources[name]
    text = escape(parts.fmt.join("space", parts.fmt.source_lines(source)))
    return f"<b>{name}</b> {escape(parts.fmt.source_kind(source))}{says.format(text)}"


def _moments(parts: HistoryParts) -> Iterator[str]:
    """List what happened, from top to bottom, for pages too narrow for the timeline."""
    lang = parts.fmt.lang
    yield "<ol class='moments'>"
    for entry in parts.entries:
        when, what, who = headline(entry, lang)
        yield f"<li class='by-{_kind(entry)}'><time>{escape(when)}</time><b>{escape(what)}</b>"
        yield f"<span>{escape(who)}</span>"
        for line in deadline_lines(entry, lang):
            yield f"<span>{escape(line)}</span>"
        yield "</li>"
    yield "</ol>"


def _kind(entry: TimelineEntry) -> str:
    return "refused" if entry.refused else entry.actor.role.value


def _figure(name: str, title: str, part: Part, graph: Picture, lang: Lang) -> str:
    sheet = _SHEETS[name]
    view = View(name=name, lang=lang, title="", notes=(), parts=(part,), graph=graph, sheet=sheet)
    return (
        f"<figure id='{name}-figure' role='group' aria-label='{escape(title)}' "
        f"tabindex='0'>{svg(view)}</figure>"
    )


def _across(figure: str) -> str:
    """Mark a figure that is wider than high: it is printed on a page turned sideways."""
    width, height = map(float, re.findall(r'(?:width|height)="([0-9.]+)"', figure)[:2])
    return " class='wide'" if width > height else ""


def _step(parts: HistoryParts, event: AuditEvent, entry: TimelineEntry) -> Iterator[str]:
    lang = parts.fmt.lang
    when, what, who = headline(entry, lang)
    transition = transition_of(parts.fmt.machine, event)
    edge = "" if transition is None else f' data-edge="{escape(transition.id)}"'
    yield (
        f'<li id="event-{entry.seq}" class="by-{_kind(entry)}" value="{entry.seq}" '
        f'tabindex="0"{edge}>'
    )
    yield (
        f"<h3>{escape(what)} <small>{escape(who)} · <time "
        f"datetime='{entry.at.isoformat()}'>{escape(when)}</time></small></h3>"
    )
    yield "<table>"
    for label, value in details(entry, lang, ids=False):
        yield f"<tr><th scope='row'>{escape(label)}</th><td>{escape(value)}</td></tr>"
    for name in parts.cited(event):
        clause = _clause(parts, name, "<br>{}")
        yield f"<tr><th scope='row'>{REPORT(lang, 'source')}</th><td>{clause}</td></tr>"
    yield "</table>"
    yield f"<details><summary>{REPORT(lang, 'checks', count=len(entry.checks))}</summary><ul>"
    yield from (f"<li>{escape(check)}</li>" for check in check_lines(entry, lang))
    yield f"</ul><p class='hash'>{escape(REPORT(lang, 'hash', hash=event.hash))}</p></details></li>"


def _stylesheet() -> str:
    def variables(colours: Mapping[str, str]) -> str:
        return ";".join(f"--{name}:{value}" for name, value in colours.items())

    dark = f"@media screen and (prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}"
    return f":root{{color-scheme:light dark;{variables(LIGHT)};--fonts:{FONTS}}}{dark}{_STYLE}"
