"""`dispute-fsm replay`: whether histories are whole, decided as the rules decide, and what other rules would have made of them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.table import Column, Table

from dispute_fsm.cli.app import (
    LANG,
    Exit,
    JsonOption,
    LangOption,
    as_lang,
    complain,
    emit,
    output,
    progress_bar,
    reported,
    say,
)
from dispute_fsm.cli.histories import history_files
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.errors import InputError
from dispute_fsm.history.approvals import (
    DRIFT_CLASSES,
    UNDETERMINED,
    DriftApprovals,
    drift_classes,
    read_approvals,
)
from dispute_fsm.history.jsonl import COMPRESSED, SUFFIX
from dispute_fsm.history.messages import EVENT_MEMBERS, Drift, EndComparison
from dispute_fsm.history.reader import InvalidRecord, Step
from dispute_fsm.history.redecide import Difference
from dispute_fsm.history.replay import Replayed, rare_garbage_collection, replay
from dispute_fsm.history.timeline_text import changed_value, guard_label, saw_text
from dispute_fsm.history.what_if import EndState, Question, WhatIf
from dispute_fsm.rules.registry import rule_version
from dispute_fsm.scenarios.settings import read_policy_changes

_DECISIVE = (Drift.OUTCOME, Drift.NEWLY_REFUSED, Drift.NEWLY_ACCEPTED, Drift.FACTS)
_ZONE = ZoneInfo(DEFAULT_POLICY.calendar.zone)
_MOST_SHOWN = 40
"""How many steps that differ a person is shown; `--json` has them all."""


@reported
def replay_command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help=(
                f"Histories, folders that are searched for *{SUFFIX}[.gz], or - for standard input."
            ),
        ),
    ],
    rules: Annotated[
        str | None,
        typer.Option(
            "--rules", metavar="V", help="What would have become of them under these rules."
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            metavar="FILE",
            help="... under a policy that differs in these fields (YAML).",
        ),
    ] = None,
    approved: Annotated[
        Path | None,
        typer.Option(
            "--approved", metavar="FILE", help="Differences that are intended, and why (YAML)."
        ),
    ] = None,
    as_json: JsonOption = False,
    lang: LangOption = LANG,
) -> Exit:
    """Replay histories: check every hash, every transition, and decide every command again.

    With --rules or --policy: what would have ended differently, at which step, because of which
    guard.

    Example: dispute-fsm replay histories/ --policy stricter.yaml

    Exit code: 0 all as recorded, 1 something is not, 2 a file cannot be found or read (the others
    are still replayed).
    """
    question = _question(rules, policy)
    drift = DriftApprovals("") if approved is None else read_approvals(approved)
    files, lost = history_files(paths)
    for fault in lost:
        complain(fault)
    seen = _Seen()
    unreadable = len(lost)
    with rare_garbage_collection(), progress_bar() as progress:
        task = progress.add_task("histories", total=_size(files))
        for file in files:
            for found in _replayed(
                file, question, lambda line, _step: progress.advance(task, len(line))
            ):
                if isinstance(found, InputError | OSError):
                    complain(found)
                    unreadable += 1
                    continue
                judged = _judged(found, drift)
                seen.take(judged)
                if as_json:
                    emit(_as_json(judged))
    unused = list(drift.unused())
    for line, approval in unused:
        complain(
            InputError(
                f"this approval no longer fits any difference: {approval.why}",
                file=drift.file,
                line=line,
            )
        )
    if not as_json:
        _show(seen, question, as_lang(lang))
    if unreadable:
        return Exit.BAD_INPUT
    return Exit.FELL_SHORT if seen.wrong or unused else Exit.WELL


def _replayed(
    file: str, question: Question | None, watch: Callable[[bytes, Step | None], None]
) -> Iterator[InvalidRecord | Replayed | InputError | OSError]:
    """Replay a file; where it cannot be read (on), that comes last. What cannot be written is no fault of the file."""
    try:
        yield from replay(file, question, watch=watch)
    except (InputError, OSError) as fault:
        yield fault


def _question(rules: str | None, policy: Path | None) -> Question | None:
    if rules is None and policy is None:
        return None
    if rules is not None:
        rule_version(rules)
    return Question(rules, None if policy is None else read_policy_changes(policy))


def _size(files: Sequence[str]) -> int | None:
    """Return how many bytes there are to read; None where only reading them tells."""
    if any(file.endswith(COMPRESSED) or not Path(file).is_file() for file in files):
        return None
    return sum(Path(file).stat().st_size for file in files)


# ---- what was found ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Judged:
    """One dispute, or a fault that is no dispute's; `unapproved` are the classes of difference that nobody intended."""

    found: Replayed | InvalidRecord
    unapproved: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return isinstance(self.found, Replayed) and self.found.fault is None and not self.unapproved

    @property
    def approved(self) -> int:
        """How many differences are intended."""
        return (
            0
            if isinstance(self.found, InvalidRecord)
            else sum(drift not in self.unapproved for drift in drift_classes(self.found))
        )


def _judged(found: Replayed | InvalidRecord, drift: DriftApprovals) -> _Judged:
    return _Judged(found, () if isinstance(found, InvalidRecord) else drift.unapproved(found))


def _weight(found: Replayed | InvalidRecord) -> int:
    """Weigh what is wrong: 0 a fault, another decision or another end; 1 an end that nobody can tell; 2 the rest."""
    if (
        isinstance(found, InvalidRecord)
        or found.what_if is None
        or found.what_if.verdict is EndComparison.DIFFERENT
    ):
        return 0
    return 1 if found.what_if.verdict is EndComparison.UNDETERMINED else 2


@dataclass(slots=True)
class _Seen:
    """What a person is told at the end; bounded, however many disputes there are."""

    disputes: int = 0
    events: int = 0
    wrong: int = 0
    faults: int = 0
    whole: int = 0
    """How many disputes have no fault; below, how many events were decided again, and how many of them as they were recorded."""
    again: int = 0
    alike: int = 0
    otherwise: bool = False
    """Whether any was decided otherwise, and nobody intended it."""
    undetermined: int = 0
    approved: int = 0
    """How many differences are intended, and below, in how many disputes."""
    approved_in: int = 0
    verdicts: Counter[EndComparison] = field(default_factory=Counter[EndComparison])
    ends: Counter[tuple[EndState, EndState | None]] = field(
        default_factory=Counter[tuple[EndState, EndState | None]]
    )
    classes: Counter[str] = field(default_factory=Counter[str])
    wrongs: tuple[list[_Judged], ...] = field(default_factory=lambda: ([], [], []))
    """The first that are wrong, by their weight."""

    @property
    def shown(self) -> list[_Judged]:
        """What is wrong, the weightiest first."""
        return [judged for alike in self.wrongs for judged in alike][:_MOST_SHOWN]

    def take(self, judged: _Judged) -> None:
        found = judged.found
        self.wrong += not judged.ok
        if not judged.ok and len(alike := self.wrongs[_weight(found)]) < _MOST_SHOWN:
            alike.append(judged)
        if isinstance(found, InvalidRecord):
            self.faults += 1
            return
        self.disputes += 1
        self.events += found.events
        self.faults += found.fault is not None
        self.whole += found.fault is None
        again = found.events - len(found.undetermined)
        self.again += again
        self.alike += again - len(found.differences)
        self.otherwise |= any(
            difference.drift.value in judged.unapproved for difference in found.differences
        )
        self.undetermined += bool(found.undetermined)
        self.approved += judged.approved
        self.approved_in += bool(judged.approved)
        if found.what_if is not None:
            self.verdicts[found.what_if.verdict] += 1
            self.ends[found.what_if.then, found.what_if.now] += 1
        self.classes.update(set(drift_classes(found)))


# ---- for programs --------------------------------------------------------------------------------


def _as_json(judged: _Judged) -> dict[str, Any]:
    found = judged.found
    if isinstance(found, InvalidRecord):
        return {
            "file": found.file,
            "line": found.line,
            "dispute_id": None,
            "ok": False,
            "fault": found.model_dump(mode="json"),
        }
    return {**found.model_dump(mode="json"), "ok": judged.ok, "unapproved": list(judged.unapproved)}


# ---- for people ----------------------------------------------------------------------------------

_WORDS: dict[Lang, dict[str, str]] = {
    "zh": {
        "disputes": "{count} 起纠纷",
        "events": "{count} 个事件",
        "differences": "{count} 处差异",
        "read": "{disputes}，{events}",
        "colon": "：",
        "faults": "记录完整，哈希与流程均有效",
        "again": "按原规则复核，判定一致",
        "erased": "{disputes}中有步骤因原文已清除而无法复核",
        "approved": "已批准：{disputes}中的 {differences}",
        "verdicts": (
            "按新规则（参数）重新推演：相同 {same}，不同 {different}，无法确定 {undetermined}"
        ),
        "then": "原结果",
        "now": "推演结果",
        "count": "纠纷数",
        "class": "差异类别",
        "not_opened": "不予受理",
        "undetermined": "无法确定",
        "step": "第 {seq} 步 {command}",
        "guard": "条件 {guard}：原 {then}；现 {now}",
        "changed": "{what}：{recorded} → {now}",
        "nothing": "未核查",
        "more": "另有 {count} 个未列出；--json 可查看全部",
    },
    "en": {
        "disputes": "{count} dispute{s}",
        "events": "{count} event{s}",
        "differences": "{count} difference{s}",
        "read": "{disputes}, {events}",
        "colon": ": ",
        "faults": "integrity: hashes and transitions valid",
        "again": "decisions reproduced",
        "erased": "in {disputes} a step cannot be decided again, because personal data was erased",
        "approved": "approved: {differences} in {disputes}",
        "verdicts": (
            "would end: the same {same}, different {different}, undetermined {undetermined}"
        ),
        "then": "ended",
        "now": "would end",
        "count": "disputes",
        "class": "class of difference",
        "not_opened": "not opened",
        "undetermined": "undetermined",
        "step": "step {seq} {command}",
        "guard": "guard {guard}: then {then}, now {now}",
        "changed": "{what}: {recorded} → {now}",
        "nothing": "not asked",
        "more": "{count} more are not shown; --json has them all",
    },
}


def _show(seen: _Seen, question: Question | None, lang: Lang) -> None:
    words = _WORDS[lang]
    disputes, events = (
        _counted("disputes", seen.disputes, lang),
        _counted("events", seen.events, lang),
    )
    say(words["read"].format(disputes=disputes, events=events))
    lines = (
        ("faults", seen.faults, seen.whole, seen.disputes),
        ("again", seen.otherwise, seen.alike, seen.again),
    )
    for name, failing, good, of in lines:
        mark = "✗" if failing else "✓" if of else "–"
        say(f"{mark} {words[name]}{words['colon']}{good}/{of}", "red" if failing else None)
    if seen.undetermined:
        say(words["erased"].format(disputes=_counted("disputes", seen.undetermined, lang)))
    if seen.approved:
        differences = _counted("differences", seen.approved, lang)
        say(
            words["approved"].format(
                differences=differences, disputes=_counted("disputes", seen.approved_in, lang)
            )
        )
    if question is not None:
        _show_what_if(seen, lang)
    for judged in seen.shown:
        say("")
        for line in _told(judged, lang):
            say(line)
    if seen.wrong > len(seen.shown):
        say("")
        say(words["more"].format(count=seen.wrong - len(seen.shown)))


def _counted(name: str, count: int, lang: Lang) -> str:
    return _WORDS[lang][name].format(count=count, s="" if count == 1 else "s")


def _show_what_if(seen: _Seen, lang: Lang) -> None:
    words = _WORDS[lang]
    say(
        words["verdicts"].format(
            **{verdict.value: seen.verdicts[verdict] for verdict in EndComparison}
        )
    )
    say("")
    ends = Table(
        Column(words["then"]),
        Column(words["now"]),
        Column(words["count"], justify="right"),
        box=None,
        header_style="bold",
    )
    told = Counter[tuple[str, str]]()
    for (then, now), count in seen.ends.items():
        told[
            _standing(then, lang), words["undetermined"] if now is None else _standing(now, lang)
        ] += count
    for (then_told, now_told), count in sorted(
        told.items(), key=lambda item: (item[0][0] == item[0][1], -item[1], item[0])
    ):
        ends.add_row(then_told, "=" if then_told == now_told else now_told, str(count))
    output.print(ends)
    say("")
    if seen.classes:
        kinds = Table(
            Column(words["class"]),
            Column(words["count"], justify="right"),
            box=None,
            header_style="bold",
        )
        for name in DRIFT_CLASSES:
            if seen.classes[name]:
                kinds.add_row(_class(name, lang), str(seen.classes[name]))
        output.print(kinds)


def _standing(standing: EndState, lang: Lang) -> str:
    return standing.state.label(lang) if standing.outcome is None else standing.outcome.label(lang)


def _class(name: str, lang: Lang) -> str:
    return _WORDS[lang]["undetermined"] if name == UNDETERMINED else Drift(name).label(lang)


def _told(judged: _Judged, lang: Lang) -> Iterator[str]:
    """Say what is wrong with one dispute: its fault, or the first step that differs, and what would come of it."""
    found = judged.found
    if isinstance(found, InvalidRecord):
        yield f"✗ {found}"
        return
    if found.fault is not None:
        yield f"✗ {found.fault}"
        return
    yield f"✗ {found.file}:{found.line}: {found.dispute_id}" + _ends(found.what_if, lang)
    differences = (
        *found.differences,
        *(found.what_if.differences if found.what_if is not None else ()),
    )
    unapproved = [
        difference for difference in differences if difference.drift.value in judged.unapproved
    ]
    decisive = [difference for difference in unapproved if difference.drift in _DECISIVE]
    for difference in [
        *unapproved[:1],
        *(found for found in decisive[:1] if found is not unapproved[0]),
    ]:
        yield from (f"    {line}" for line in difference_told(difference, lang))


def _ends(asked: WhatIf | None, lang: Lang) -> str:
    if asked is None:
        return ""
    words = _WORDS[lang]
    if asked.missing is not None:
        now = f"{words['undetermined']} (#{asked.missing.seq}: {asked.missing.missing.label(lang)})"
    else:
        now = words["not_opened"] if asked.now is None else _standing(asked.now, lang)
    then = _standing(asked.then, lang)
    return f"  {then}" if then == now else f"  {then} → {now}"


def difference_told(difference: Difference, lang: Lang) -> Iterator[str]:
    """Say at which step something differs, how, and by which guard."""
    words = _WORDS[lang]
    step = words["step"].format(seq=difference.seq, command=difference.command.label(lang))
    yield f"{step}{words['colon']}{difference.drift.label(lang)}"
    for change in difference.changes:
        if change.field != "checks" and (change.field, difference.drift) != (
            "deadlines",
            Drift.DEADLINE,
        ):  # the guard below says it
            recorded, now = (
                changed_value(change.field, value, lang) for value in (change.recorded, change.now)
            )
            yield "  " + words["changed"].format(
                what=EVENT_MEMBERS(lang, change.field), recorded=recorded, now=now
            )
    if (guard := difference.guard) is not None:
        both = (difference.saw_then, difference.saw_now)
        then, now = (
            words["nothing"] if saw is None else saw_text(guard, saw, lang, _ZONE) for saw in both
        )
        yield "  " + words["guard"].format(guard=guard_label(guard, lang), then=then, now=now)
