"""`dispute-fsm verify`: go through every reachable situation of the rules and decide the properties that have to hold."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dispute_fsm.cli.app import (
    LANG,
    Exit,
    JsonOption,
    LangOption,
    as_lang,
    emit,
    progress_bar,
    reported,
    say,
    wrote_into,
)
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.history.jsonl import atomic_text_file
from dispute_fsm.rules.registry import VERSIONS, rule_version
from dispute_fsm.verify.checker import PROPERTIES, Verification
from dispute_fsm.verify.checker import verify as verify_version
from dispute_fsm.verify.counterexample import file_name, scenario_text


@reported
def verify_command(
    rules: Annotated[
        str | None,
        typer.Option("--rules", metavar="V", help="Only this rule version; default: every one."),
    ] = None,
    as_json: JsonOption = False,
    counterexamples: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write the shortest counter-example of each failing property into this folder.",
        ),
    ] = None,
    lang: LangOption = LANG,
) -> Exit:
    """Go through every reachable situation of the rules and decide the properties that have to hold.

    Example: dispute-fsm verify --rules 2023-03

    Every state, event, role and guard outcome, with the clock before, at and after each deadline,
    under policies with each switch on and off. A counter-example is a scenario: `dispute-fsm run`
    goes through it again.

    Exit code: 0 every property holds, 1 one fails, 2 wrong usage.
    """
    versions = list(VERSIONS.values()) if rules is None else [rule_version(rules)]
    ok, files = True, list[Path]()
    with progress_bar() as progress:
        for version in progress.track(versions, description="verify"):
            found = verify_version(version)
            ok &= found.ok
            violated = [one for one in PROPERTIES if one.id in found.violations]
            texts = {one.id: scenario_text(one, found.violations[one.id]) for one in violated}
            if counterexamples is not None and texts:
                counterexamples.mkdir(parents=True, exist_ok=True)
                for one in violated:
                    files.append(counterexamples / file_name(one, version.id))
                    with atomic_text_file(files[-1]) as stream:
                        stream.write(texts[one.id])
            if as_json:
                emit(_as_json(found, texts))
            else:
                _show(found, texts, as_lang(lang))
    if counterexamples is not None:
        wrote_into(counterexamples, files, as_lang(lang))
    return Exit.WELL if ok else Exit.FELL_SHORT


def _as_json(found: Verification, texts: Mapping[str, str]) -> dict[str, object]:
    return {
        "rules": found.version.id,
        "ok": found.ok,
        "counts": asdict(found.counts),
        "properties": [
            {
                "id": one.id,
                "zh": one.sentence.zh,
                "en": one.sentence.en,
                "holds": one.id not in found.violations,
                "wrong": found.violations[one.id].wrong._asdict()
                if one.id in found.violations
                else None,
                "counterexample": texts.get(one.id),
            }
            for one in PROPERTIES
        ],
    }


_WORDS: Mapping[Lang, Mapping[str, str]] = FrozenMap(
    {
        "zh": FrozenMap(
            {
                "counts": (
                    "规则 {rules}：{policies} 组规则参数，{states} 个状态，{situations} 种情形，"
                    "{questions} 个请求："
                    "接受 {accepted}，拒绝 {refused}，无变化 {unchanged}，因缺少订单数据未判定 "
                    "{unknown}"
                ),
                "waiting": (
                    "各方沉默时仍会等待的情形：等待平台 {waiting_for_platform}，"
                    "时限因规则参数停用 {deadline_switched_off}"
                ),
                "shortest": "最短反例：",
            }
        ),
        "en": FrozenMap(
            {
                "counts": (
                    "rules {rules}: {policies} policies, {states} states, {situations} "
                    "situations, {questions} questions: "
                    "{accepted} accepted, {refused} refused, {unchanged} unchanged, {unknown} "
                    "undecided for want of facts"
                ),
                "waiting": (
                    "situations that wait on while everybody is silent: {waiting_for_platform} "
                    "for the platform, "
                    "{deadline_switched_off} because the policy has switched a deadline off"
                ),
                "shortest": "shortest counter-example:",
            }
        ),
    }
)


def _show(found: Verification, texts: Mapping[str, str], lang: Lang) -> None:
    words, counts = _WORDS[lang], asdict(found.counts)
    say(words["counts"].format(rules=found.version.id, **counts))
    say(words["waiting"].format(**counts))
    for one in PROPERTIES:
        violation = found.violations.get(one.id)
        mark, style = ("✓", None) if violation is None else ("✗", "red")
        say(f"{mark} {one.id}: {one.sentence.label(lang)}", style)
        if violation is not None:
            say(f"  {violation.wrong.label(lang)}; {words['shortest']}")
            say(texts[one.id])
