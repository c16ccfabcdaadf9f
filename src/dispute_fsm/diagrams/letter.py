"""One dispute as a letter to its merchant: in plain words, on A4.

It has the conclusion, what was seen when, what would have changed it, and what can still be done.
It has no codes and no hashes, and of what people wrote only what the merchant itself did; the
adjudicator's rationale where the host asks for it. The page is one file that loads nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from html import escape
from zoneinfo import ZoneInfo

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.diagrams.messages import LETTER
from dispute_fsm.diagrams.render.typography import FONTS
from dispute_fsm.domain.commands import COMMAND_CLASSES
from dispute_fsm.domain.enums import EventType, Lang, Role
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.explain.course import Record
from dispute_fsm.explain.explanation import explain_dispute
from dispute_fsm.explain.explanation_text import attempt_text, happening_text, sentences
from dispute_fsm.explain.margins import refused_attempt
from dispute_fsm.explain.values import Explanation
from dispute_fsm.history.timeline import PayloadEntry, TimelineEntry, local_time, timeline
from dispute_fsm.history.timeline_text import facts_text, payload_lines
from dispute_fsm.rules.sources import ANNOUNCEMENT

MOST_ALTERNATIVES = 5
"""How many other endings a letter lists; of more it says how many there are."""

_CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = f"""
:root {{ color-scheme: light }}
body {{ margin: 2rem auto; max-width: 17cm; padding: 0 1.2rem; background: #fff; color: #1a1a1f;
       font: 16px/1.7 {FONTS}; overflow-wrap: anywhere }}
h1 {{ font-size: 1.5rem; line-height: 1.3; margin: 0 }}
h2 {{ font-size: 1.1rem; margin: 1.6rem 0 .3rem }}
p {{ margin: .3rem 0 }}
header p, footer, li small {{ color: #55555e }}
ol, ul {{ padding-left: 1.5rem; margin: .3rem 0 }}
li {{ margin: .4rem 0 }}
li small {{ display: block; font-size: .9rem }}
footer {{ margin: 2rem 0; font-size: .85rem }}
@page {{ size: A4; margin: 2cm }}
@media print {{
  body {{ margin: 0; max-width: none; padding: 0; font-size: 10.5pt; line-height: 1.55 }}
  h2 {{ break-after: avoid; margin-top: 1.2rem }}
  footer {{ break-before: avoid; margin: 1.2rem 0 0 }}
  li {{ break-inside: avoid }}
}}
"""


def letter(  # noqa: PLR0913 -- one argument per thing that a host decides about its letters
    dispute: Dispute,
    events: Sequence[AuditEvent],
    lang: Lang,
    *,
    alternatives: Sequence[str] = (),
    review: str | None = None,
    rationale: bool = False,
) -> str:
    """Write the letter of a dispute.

    `dispute` is what the events fold to. `alternatives` are sentences on what would have changed
    it, the nearest first, `review` is the host's own text on how to have it reviewed. With
    `rationale` the letter quotes what the adjudicator wrote.
    """
    text = partial(LETTER, lang)
    explanation = explain_dispute(dispute, events)
    first, second, third = sentences(explanation, lang, plain=True, review=review)
    title = text("closed" if dispute.closed else "live")
    who = text(
        "who",
        dispute=dispute.dispute_id,
        order=dispute.order_id,
        merchant=dispute.merchant_id,
        at=local_time(dispute.last_at, ZoneInfo(explanation.zone)),
    )
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="{"zh-CN" if lang == "zh" else "en"}">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_CONTENT_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>",
            f"<style>{_STYLE}</style></head>",
            "<body>",
            f"<header><h1>{title}</h1><p>{escape(who)}</p></header>",
            f"<section><h2>{text('conclusion')}</h2>",
            f"<p>{escape(first)}</p><p>{escape(second)}</p></section>",
            f"<section><h2>{text('seen')}</h2><ol>",
            *_seen(explanation, dispute, events, lang, rationale=rationale),
            "</ol></section>",
            *_alternatives(alternatives, lang),
            f"<section><h2>{text('possible')}</h2><p>{escape(third)}</p></section>",
            f"<footer>{escape(text('announcement', **ANNOUNCEMENT._asdict()))}</footer>",
            "</body></html>",
            "",
        ]
    )


def _seen(
    explanation: Explanation,
    dispute: Dispute,
    events: Sequence[AuditEvent],
    lang: Lang,
    *,
    rationale: bool,
) -> Iterator[str]:
    """List what happened, with what the order showed; of the refusals only the merchant's own."""
    happenings = {one.event.seq: one.happening() for one in Record(events, dispute.policy).taken}
    quoted = {Role.MERCHANT, Role.ADJUDICATOR} if rationale else {Role.MERCHANT}
    outcome = None
    for event, entry in zip(events, timeline(events, dispute.policy), strict=True):
        own = event.actor.role is Role.MERCHANT and event.actor.id == dispute.merchant_id
        if event.type is not EventType.REFUSED:
            happening, judged = happenings[event.seq], event.outcome is not outcome
            told = happening_text(explanation, happening, lang, judged=judged)
            outcome = event.outcome
        elif own and COMMAND_CLASSES[event.command].meets is not None:
            told = attempt_text(explanation, refused_attempt(event, dispute), lang)
        else:
            continue
        lines = "".join(
            f"<small>{escape(line)}</small>"
            for line in _lines(entry, lang, quoted=event.actor.role in quoted)
        )
        yield f"<li>{escape(told)}{lines}</li>"


def _lines(entry: TimelineEntry, lang: Lang, *, quoted: bool) -> Iterator[str]:
    if quoted:
        said = tuple(one for one in entry.payload if not _is_told(one))
        for label, text in payload_lines(replace(entry, payload=said), lang):
            yield LETTER(lang, "said", label=label, text=text) if label else text
    if (facts := facts_text(entry, lang)) is not None:
        yield LETTER(lang, "order", facts=facts)


def _is_told(said: PayloadEntry) -> bool:
    """Tell whether the sentence of its event says it: the option, or that a reason is unknown."""
    return said.name == "option" or (said.name == "reason" and said.reason is None)


def _alternatives(alternatives: Sequence[str], lang: Lang) -> Iterator[str]:
    if alternatives:
        yield f"<section><h2>{LETTER(lang, 'otherwise')}</h2><ul>"
        yield from (f"<li>{escape(one)}</li>" for one in alternatives[:MOST_ALTERNATIVES])
        yield "</ul>"
        if more := len(alternatives[MOST_ALTERNATIVES:]):
            yield f"<p>{LETTER(lang, 'more', count=more)}</p>"
        yield "</section>"
