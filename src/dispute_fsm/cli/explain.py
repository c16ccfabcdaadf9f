"""`dispute-fsm explain`: why a dispute ended so, in three sentences."""

from typing import Any

from dispute_fsm.cli.app import Exit, app
from dispute_fsm.cli.arguments import (
    LANG,
    DisputeOption,
    HistoryArgument,
    JsonOption,
    LangOption,
    ReviewOption,
)
from dispute_fsm.cli.errors import reported
from dispute_fsm.cli.inputs import select_steps
from dispute_fsm.cli.output import print_json, print_line
from dispute_fsm.explain.explanation import explain_dispute
from dispute_fsm.explain.explanation_text import sentences
from dispute_fsm.explain.values import Explanation


@app.command("explain")
@reported
def explain_command(
    path: HistoryArgument,
    dispute: DisputeOption = None,
    review: ReviewOption = None,
    as_json: JsonOption = False,
    lang: LangOption = LANG,
) -> Exit:
    """Explain why one dispute ended so, or where it stands.

    Three sentences say what happened, how near it was, and what can still be done.

    Example: dispute-fsm explain out/19-one-second-late.history.jsonl
    """
    steps = select_steps(path, dispute)
    explanation = explain_dispute(steps[-1].after, [step.event for step in steps])
    if as_json:
        print_json(_as_json(explanation, review))
        return Exit.OK
    for sentence in sentences(explanation, lang, review=review):
        print_line(sentence)
    return Exit.OK


def _as_json(explanation: Explanation, review: str | None) -> dict[str, Any]:
    return {
        **explanation.model_dump(mode="json"),
        "text": {
            "zh": sentences(explanation, "zh", review=review),
            "en": sentences(explanation, "en", review=review),
        },
    }
