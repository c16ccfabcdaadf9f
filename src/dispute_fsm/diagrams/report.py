"""One dispute as an HTML page: its result, its path over the chart, its deadlines, every step.

The page is one file that loads nothing: no script, style, font or picture from elsewhere. Its
content security policy says so to the browser. Pointing at a step highlights its transition.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from html import escape

from dispute_fsm.diagrams.messages import REPORT, SOURCES
from dispute_fsm.diagrams.picture import Part, Picture, View
from dispute_fsm.diagrams.render.svg import svg
from dispute_fsm.diagrams.render.typography import DARK, FONTS, LIGHT
from dispute_fsm.diagrams.views.history import HistoryParts, history_parts, transition_of
from dispute_fsm.domain.enums import LIABILITIES, Lang
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.policy import Policy
from dispute_fsm.history.replay import Replayed
from dispute_fsm.history.timeline import TimelineEntry
from dispute_fsm.history.timeline_text import check_lines, details, headline, state_label
from dispute_fsm.rules.sources import ANNOUNCEMENT
from dispute_fsm.version import VERSION

_CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_STYLE = """
body { margin: 2rem auto; max-width: 1500px; padding: 0 1.5rem;
       background: var(--paper); color: var(--ink); font: 15px/1.6 var(--fonts) }
h1 { font-size: 1.5rem; margin: 0 }
h2 { font-size: 1.2rem; margin: 2rem 0 .3rem }
h3 { font-size: 1rem; margin: 0 }
h3 small { font-weight: normal }
header p, section > p, footer, dt, h3 small, th, summary { color: var(--faint) }
header p, section > p { margin: .2rem 0 }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1px;
     margin: 1.2rem 0; background: var(--line); border: 1px solid var(--line) }
dl div { background: var(--paper); padding: .6rem .8rem }
dt { font-size: .85rem }
dd { margin: 0; font-weight: bold; overflow-wrap: anywhere }
dd.good { color: var(--good-line) }
dd.bad { color: var(--bad-line) }
figure { margin: 1rem 0; overflow-x: auto; border: 1px solid var(--line) }
figure svg { display: block; max-width: 100%; height: auto }
#way-figure svg { min-width: 1700px }
ol.steps { padding-left: 2.4rem }
ol.steps > li { border-left: 5px solid var(--line); padding: .3rem 0 .5rem .9rem; margin: .6rem 0 }
ol.steps > li::marker { font-weight: bold }
ol.steps > li:hover, ol.steps > li:focus { background: var(--stripe) }
.by-merchant { border-left-color: var(--merchant) !important }
.by-consumer { border-left-color: var(--consumer) !important }
.by-adjudicator { border-left-color: var(--adjudicator) !important }
.by-system { border-left-color: var(--system) !important }
.by-refused { border-left-style: dashed !important }
table { border-collapse: collapse }
th { font-weight: normal; text-align: left; vertical-align: top;
     padding: 0 1rem 0 0; white-space: nowrap }
td { padding: 0; overflow-wrap: anywhere }
summary { cursor: pointer }
.hash { font-family: monospace; font-size: .8rem; overflow-wrap: anywhere }
footer { margin: 2rem 0; font-size: .85rem; overflow-wrap: anywhere }
.pointed > .course, .pointed > .label, .pointed > .box { stroke-width: 5 }
@media print {
  body { margin: 0; max-width: none }
  details { display: none }
  ol.steps > li { break-inside: avoid }
  #way-figure svg { min-width: 0 }
}
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


def report(events: Sequence[AuditEvent], policy: Policy, replayed: Replayed, lang: Lang) -> str:
    """Write the page of a dispute, from its valid events and the result of replaying its history.

    Raises `InputError` where an event took a transition that its rule version does not have here,
    or the extra `diagrams` is missing.
    """
    text = partial(REPORT, lang)
    parts = history_parts(events, policy, lang)
    picture, bars = parts.picture(), parts.bars()
    title = escape(parts.title())
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
            *_summary(parts, replayed, lang),
            f"<section><h2>{text('path')}</h2><p>{text('hover')}</p>",
            _figure("way", text("path"), picture, picture, lang),
            _figure("timeline", bars.title, bars, picture, lang),
            "</section>",
            f"<section><h2>{text('steps')}</h2><ol class='steps'>",
            *(
                line
                for event, entry in zip(events, parts.entries, strict=True)
                for line in _step(parts, event, entry)
            ),
            "</ol></section>",
            "<footer>",
            f"<p>{escape(SOURCES(lang, 'announcement', **ANNOUNCEMENT._asdict()))}</p>",
            f"<p>{escape(text('made', version=VERSION, policy=policy.digest))}</p>",
            "</footer>",
            f"<script>{_SCRIPT}</script>",
            "</body></html>",
            "",
        ]
    )


def _summary(parts: HistoryParts, replayed: Replayed, lang: Lang) -> Iterator[str]:
    text = partial(REPORT, lang)
    last = parts.events[-1]
    outcome = (text("open"), "")
    if last.outcome is not None:
        label = last.outcome.label(lang)
        label = label if parts.ended else text("may_change", label)
        outcome = (label, "bad" if last.outcome in LIABILITIES else "good")
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
    rows = {
        "state": (state_label(last.target, lang), ""),
        "outcome": outcome,
        "integrity": integrity,
        "decisions": decisions,
    }
    yield "<dl>"
    for name, (value, kind) in rows.items():
        sign = {"good": "✓ ", "bad": "✗ "}.get(kind, "")
        yield f"<div><dt>{text(name)}</dt><dd class='{kind}'>{sign}{escape(value)}</dd></div>"
    yield "</dl>"


def _figure(name: str, title: str, part: Part, graph: Picture, lang: Lang) -> str:
    view = View(name=name, lang=lang, title="", notes=(), parts=(part,), graph=graph)
    return (
        f"<figure id='{name}-figure' role='group' aria-label='{escape(title)}' "
        f"tabindex='0'>{svg(view)}</figure>"
    )


def _step(parts: HistoryParts, event: AuditEvent, entry: TimelineEntry) -> Iterator[str]:
    lang = parts.fmt.lang
    when, what, who = headline(entry, lang)
    transition = transition_of(parts.fmt.machine, event)
    edge = "" if transition is None else f' data-edge="{escape(transition.id)}"'
    kind = "refused" if entry.refused else entry.actor.role.value
    yield f'<li id="event-{entry.seq}" class="by-{kind}" value="{entry.seq}" tabindex="0"{edge}>'
    yield (
        f"<h3>{escape(what)} <small>{escape(who)} · <time "
        f"datetime='{entry.at.isoformat()}'>{escape(when)}</time></small></h3>"
    )
    yield "<table>"
    for label, value in details(entry, lang):
        yield f"<tr><th scope='row'>{escape(label)}</th><td>{escape(value)}</td></tr>"
    for name in parts.cited(event):
        source = parts.fmt.sources[name]
        says = parts.fmt.join("space", parts.fmt.source_lines(source))
        yield (
            f"<tr><th scope='row'>{REPORT(lang, 'source')}</th><td><b>{name}</b> "
            f"{escape(parts.fmt.source_kind(source))}<br>{escape(says)}</td></tr>"
        )
    yield "</table>"
    yield f"<details><summary>{REPORT(lang, 'checks', count=len(entry.checks))}</summary><ul>"
    yield from (f"<li>{escape(check)}</li>" for check in check_lines(entry, lang))
    yield f"</ul><p class='hash'>{escape(REPORT(lang, 'hash', hash=event.hash))}</p></details></li>"


def _stylesheet() -> str:
    def variables(colours: Mapping[str, str]) -> str:
        return ";".join(f"--{name}:{value}" for name, value in colours.items())

    dark = f"@media screen and (prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}"
    return f":root{{color-scheme:light dark;{variables(LIGHT)};--fonts:{FONTS}}}{dark}{_STYLE}"
