"""One dispute as a page of its own: what came of it, its way over the chart, its deadlines, every step with what was seen.

The page is one file and asks for nothing: no script, style, font or picture from elsewhere, and it
says so to the browser. Pointing at a step lights up the edge that it took.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from dispute_fsm.diagrams.picture import Part, View, taken
from dispute_fsm.diagrams.render.svg import svg
from dispute_fsm.diagrams.render.typography import DARK, FONTS, LIGHT
from dispute_fsm.diagrams.views.history import HistoryStory, story_of
from dispute_fsm.domain.enums import LIABILITIES, Lang
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.messages import Messages
from dispute_fsm.domain.policy import Policy
from dispute_fsm.history.replay import Replayed
from dispute_fsm.history.timeline import TimelineEntry
from dispute_fsm.history.timeline_text import check_lines, details, headline, state_label
from dispute_fsm.version import VERSION

_SAYS = Messages(
    {
        "state": ("状态", "State"),
        "outcome": ("结果", "Outcome"),
        "open": ("尚未结束", "not ended yet"),
        "chain": ("记录完整性", "Record"),
        "whole": (
            "完整：{count} 个事件的哈希链与流程均有效",
            "whole: the chain of hashes and every transition of {count} events are sound",
        ),
        "broken": ("不完整：{fault}", "broken: {fault}"),
        "before": (
            "以下仅为出错之前的 {count} 个事件",
            "what follows are the {count} events before the fault",
        ),
        "again": ("判定复核", "Decided again"),
        "same": ("与记录一致", "as recorded"),
        "other": (
            "有 {count} 处与记录不同：事件 {seqs}",
            "{count} steps come out otherwise: events {seqs}",
        ),
        "missing": (
            "有 {count} 步因原文已清除等原因无法复核",
            "{count} steps cannot be decided again, for words or facts are gone",
        ),
        "way": ("处理路径", "The way over the chart"),
        "steps": ("处理经过与核查结果", "Every step"),
        "checks": ("全部核查结果（{count}）", "every check ({count})"),
        "point": (
            "点选某一步，图中高亮对应路径。",
            "Point at a step, and the edge that it took lights up.",
        ),
        "hash": ("哈希 {hash}", "hash {hash}"),
        "made": (
            "由 dispute-fsm {version} 生成；规则参数 {policy}",
            "made by dispute-fsm {version}; policy {policy}",
        ),
    }
)
_NOTHING_FROM_ELSEWHERE = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)
_STYLE = """
body { margin: 2rem auto; max-width: 1500px; padding: 0 1.5rem; background: var(--paper); color: var(--ink); font: 15px/1.6 var(--fonts) }
h1 { font-size: 1.5rem; margin: 0 }
h2 { font-size: 1.2rem; margin: 2rem 0 .3rem }
h3 { font-size: 1rem; margin: 0 }
h3 small { font-weight: normal }
header p, section > p, footer, dt, h3 small, th, summary { color: var(--faint) }
header p, section > p { margin: .2rem 0 }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1px; margin: 1.2rem 0;
     background: var(--line); border: 1px solid var(--line) }
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
th { font-weight: normal; text-align: left; vertical-align: top; padding: 0 1rem 0 0; white-space: nowrap }
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


def report(events: Sequence[AuditEvent], policy: Policy, found: Replayed, lang: Lang) -> str:
    """Write the page of a dispute, from its sound events and what replaying its history found.

    Raises `InputError` where an event took an edge that its rule version does not have here, or the
    extra `diagrams` is missing.
    """
    story = story_of(events, policy, lang)
    tongue = "zh-CN" if lang == "zh" else "en"
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="{tongue}">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING_FROM_ELSEWHERE}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(story.title())}</title>",
            f"<style>{_stylesheet()}</style></head>",
            "<body>",
            f"<header><h1>{escape(story.title())}</h1><p>{escape(story.notes()[0])}</p></header>",
            *_summary(story, found, lang),
            f"<section><h2>{_SAYS(lang, 'way')}</h2><p>{_SAYS(lang, 'point')}</p>",
            *_drawn(story, "way", story.picture()),
            *_drawn(story, "timeline", story.bars()),
            "</section>",
            f"<section><h2>{_SAYS(lang, 'steps')}</h2><ol class='steps'>",
            *(
                line
                for event, entry in zip(events, story.entries, strict=True)
                for line in _step(story, event, entry)
            ),
            "</ol></section>",
            f"<footer>{escape(_SAYS(lang, 'made', version=VERSION, policy=policy.digest))}</footer>",
            f"<script>{_SCRIPT}</script>",
            "</body></html>",
            "",
        ]
    )


def _summary(story: HistoryStory, found: Replayed, lang: Lang) -> Iterator[str]:
    last = story.events[-1]
    sound = "good" if found.fault is None else "bad"
    ended = "" if last.outcome is None else "bad" if last.outcome in LIABILITIES else "good"
    rows = [
        ("state", state_label(last.target, lang), ""),
        (
            "outcome",
            _SAYS(lang, "open") if last.outcome is None else last.outcome.label(lang),
            ended,
        ),
        ("chain", " · ".join(_chain(found, lang)), sound),
        ("again", " · ".join(_again(found, lang)), "good" if not found.differences else "bad"),
    ]
    yield "<dl>"
    for name, text, kind in rows:
        sign = {"good": "✓ ", "bad": "✗ "}.get(kind, "")
        yield f"<div><dt>{_SAYS(lang, name)}</dt><dd class='{kind}'>{sign}{escape(text)}</dd></div>"
    yield "</dl>"


def _chain(found: Replayed, lang: Lang) -> Iterator[str]:
    if found.fault is None:
        yield _SAYS(lang, "whole", count=found.events)
    else:
        yield _SAYS(lang, "broken", fault=found.fault)
        yield _SAYS(lang, "before", count=found.events)


def _again(found: Replayed, lang: Lang) -> Iterator[str]:
    if found.differences:
        yield _SAYS(
            lang,
            "other",
            count=len(found.differences),
            seqs=", ".join(str(one.seq) for one in found.differences),
        )
    else:
        yield _SAYS(lang, "same")
    if found.undetermined:
        yield _SAYS(lang, "missing", count=len(found.undetermined))


def _drawn(story: HistoryStory, name: str, part: Part) -> Iterator[str]:
    title = part.title if name == "timeline" else _SAYS(story.voice.lang, "way")
    view = View(
        name=name, lang=story.voice.lang, title="", notes=(), parts=(part,), graph=story.picture()
    )
    yield (
        f"<figure id='{name}-figure' role='group' aria-label='{escape(title)}' "
        f"tabindex='0'>{svg(view)}</figure>"
    )


def _step(story: HistoryStory, event: AuditEvent, entry: TimelineEntry) -> Iterator[str]:
    lang = story.voice.lang
    when, what, who = headline(entry, lang)
    arrow = taken(story.voice.machine, event)
    edge = "" if arrow is None else f' data-edge="{escape(arrow.id)}"'
    kind = "refused" if entry.refused else entry.actor.role.value
    yield f'<li id="event-{entry.seq}" class="by-{kind}" value="{entry.seq}" tabindex="0"{edge}>'
    yield (
        f"<h3>{escape(what)} <small>{escape(who)} · <time "
        f"datetime='{entry.at.isoformat()}'>{escape(when)}</time></small></h3>"
    )
    yield "<table>"
    for label, text in details(entry, lang):
        yield f"<tr><th scope='row'>{escape(label)}</th><td>{escape(text)}</td></tr>"
    yield "</table>"
    yield f"<details><summary>{_SAYS(lang, 'checks', count=len(entry.checks))}</summary><ul>"
    yield from (f"<li>{escape(text)}</li>" for text in check_lines(entry, lang))
    yield f"</ul><p class='hash'>{escape(_SAYS(lang, 'hash', hash=event.hash))}</p></details></li>"


def _stylesheet() -> str:
    def colours(of: Mapping[str, str]) -> str:
        return ";".join(f"--{name}:{value}" for name, value in of.items())

    dark = f"@media screen and (prefers-color-scheme:dark){{:root{{{colours(DARK)}}}}}"
    return f":root{{color-scheme:light dark;{colours(LIGHT)};--fonts:{FONTS}}}{dark}{_STYLE}"
