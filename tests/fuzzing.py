"""Shared by the fuzzers: the parsers as targets, seeds, and changes that keep inputs well-formed.

A fuzzer that changes only bytes stays in the YAML or JSON layer. These change the parsed tree, and
write it again. Histories also get correct hashes, so that the code after the hash check is reached.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO, StringIO
from types import MappingProxyType
from typing import Any

import yaml

from dispute_fsm.decider.hash_chain import event_hash
from dispute_fsm.documents.yaml_text import read_yaml
from dispute_fsm.domain.canonical_json import digest
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.errors import InputError
from dispute_fsm.history.jsonl import write_records
from dispute_fsm.history.reader import read_steps
from dispute_fsm.rules.registry import VERSIONS
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.runner import run_scenario
from dispute_fsm.scenarios.settings import policy_at, rollout_at
from tests.support import ROOT

FILE = "fuzzed"


@dataclass(slots=True)
class Tally:
    """How far inputs got: tried, past the YAML or JSON layer, accepted as a whole."""

    tried: int = 0
    past: int = 0
    accepted: int = 0


@dataclass(frozen=True)
class Target:
    """A parser: `layer` reads YAML or JSON, `parse` everything; both raise only `InputError`."""

    layer: Callable[[bytes], object]
    parse: Callable[[bytes], object]
    collect_seeds: Callable[[], tuple[bytes, ...]]
    change: Callable[[bytes, random.Random], bytes]

    @cached_property
    def seeds(self) -> tuple[bytes, ...]:
        """The inputs to begin with; some take seconds to make, so not at import."""
        return self.collect_seeds()

    def try_out(self, data: bytes, tally: Tally) -> None:
        """Parse an input, and count how far it got. Raises any undocumented error."""
        tally.tried += 1
        try:
            self.layer(data)
        except InputError as error:
            _require_message(error)
        else:
            tally.past += 1
        try:
            self.parse(data)
        except InputError as error:
            _require_message(error)
        else:
            tally.accepted += 1


def _require_message(error: InputError) -> None:
    if not error.message or "Traceback" in str(error):
        raise AssertionError(f"an error without a message: {error!r}")


# ---- the parsers ---------------------------------------------------------------------------------


def _yaml(data: bytes) -> object:
    return read_yaml(data, FILE)


def _policy(data: bytes) -> object:
    source = read_yaml(data, FILE)
    return policy_at(source, source.value, (), DEFAULT_POLICY)


def _rollout(data: bytes) -> object:
    source = read_yaml(data, FILE)
    return rollout_at(source, source.value, ())


def _json_lines(data: bytes) -> object:
    try:
        records = [json.loads(line) for line in data.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}") from None
    if not records:
        raise InputError("no line of JSON")
    return records


def _history(data: bytes) -> object:
    return sum(1 for _ in read_steps(BytesIO(data), FILE))


# ---- changes -------------------------------------------------------------------------------------

_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**53, 10**30, 0.5, "", " ", "none", "no", "0012", [], {},
    "2023-03", "parallel", "extended", "rollout", "sweep", "expire", "withdraw", "+1h", "+9999999d",
    "2023-03-28T10:00:00+08:00", "2023-02-30T10:00:00Z", "2199-12-31T23:59:59Z",
    "9999-12-31T23:59:59-23:59", "x" * 300, "a" * 64, "\u0000", "\ud7ff",
    {"hours": 1}, {"working_hours": 2000}, {"role": "merchant", "id": "M-1"}, ["chat_screenshot"],
)  # fmt: skip


def _changed(tree: Any, chance: random.Random) -> Any:  # noqa: ANN401 -- a tree of any shape
    """Make one change somewhere in a tree: replace, drop, repeat, move or rename."""
    if isinstance(tree, dict) and tree and chance.random() < 0.9:
        return _members_changed(tree, chance)
    if isinstance(tree, list) and tree and chance.random() < 0.9:
        index = chance.randrange(len(tree))
        what = chance.random()
        if what < 0.7:
            return [*tree[:index], _changed(tree[index], chance), *tree[index + 1 :]]
        return [*tree[:index], *tree[index + 1 :]] if what < 0.85 else [*tree, tree[index]]
    return chance.choice(_ODD)


def _members_changed(tree: dict[Any, Any], chance: random.Random) -> dict[Any, Any]:
    name, what = chance.choice(list(tree)), chance.random()
    if what < 0.7:
        return {**tree, name: _changed(tree[name], chance)}
    if what < 0.8:
        return {other: member for other, member in tree.items() if other != name}
    if what < 0.9:
        return {**tree, chance.choice(list(tree)): tree[name]}
    return {
        (chance.choice(["x", "at", "do", ""]) if other == name else other): member
        for other, member in tree.items()
    }


def _bytes_changed(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return (
        data[:at]
        + bytes([chance.randrange(256)]) * chance.randrange(3)
        + data[at + chance.randrange(4) :]
    )


def _yaml_changed(data: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.1:
        return _bytes_changed(data, chance)
    try:
        tree = yaml.safe_load(data)
        for _ in range(chance.choice([1, 1, 2, 3])):
            tree = _changed(tree, chance)
        return yaml.safe_dump(tree, allow_unicode=True, sort_keys=False).encode(
            "utf-8", "surrogatepass"
        )
    except (yaml.YAMLError, ValueError, RecursionError):
        return _bytes_changed(data, chance)


def _lines_changed(data: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.1:
        return _bytes_changed(data, chance)
    try:
        records: Any = [json.loads(line) for line in data.splitlines()]
        records = _changed(records, chance)
        return b"".join(_line(record) for record in _with_hashes(records, chance))
    except (ValueError, RecursionError, TypeError, AttributeError):
        return _bytes_changed(data, chance)


def _with_hashes(records: list[Any], chance: random.Random) -> list[Any]:
    """Correct hashes and digests, most of the time, as a forger would."""
    if chance.random() < 0.2:
        return records
    last, corrected = "0" * 64, list[Any]()
    for record in records:
        if isinstance(record, dict) and record.get("type") == "policy":
            corrected.append({**record, "digest": digest(record.get("policy"))})
        elif isinstance(record, dict):
            linked = {**record, "prev_hash": last}
            linked["hash"] = last = event_hash(linked)
            corrected.append(linked)
        else:
            corrected.append(record)
    return corrected


def _line(record: Any) -> bytes:  # noqa: ANN401 -- any JSON
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


# ---- the targets ---------------------------------------------------------------------------------


def _files(*patterns: str) -> tuple[bytes, ...]:
    files = tuple(path.read_bytes() for pattern in patterns for path in sorted(ROOT.glob(pattern)))
    if not files:
        raise ValueError(f"no seed in {patterns}")
    return files


def _scenarios() -> tuple[bytes, ...]:
    return _files("examples/*.dispute.yaml", "tests/scenarios/[!i]*/*.dispute.yaml")


def _histories() -> tuple[bytes, ...]:
    extended = _files("tests/scenarios/mutants/extended-*.yaml")
    return (*_files("tests/histories/*.jsonl"), *_recorded(extended, "extended"))


def _policies() -> tuple[bytes, ...]:
    return (*_files("examples/policies/*.yaml"), *_parts("policy", _scenarios()), *_POLICIES)


def _parts(name: str, scenarios: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Return one part of scenario files as separate files."""
    trees = (yaml.safe_load(data) for data in scenarios if f"{name}:".encode() in data)
    return tuple(
        yaml.safe_dump(tree[name], allow_unicode=True).encode() for tree in trees if tree.get(name)
    )


def _recorded(scenarios: tuple[bytes, ...], rules: str) -> tuple[bytes, ...]:
    """Return what scenarios under a rule version record, as one history file each."""
    histories: list[bytes] = []
    for data in scenarios:
        scenario, stream = parse_scenario(data, FILE), StringIO()
        if scenario.opening.rules == rules:
            policy = VERSIONS[rules].policy(scenario.opening.policy)
            write_records(stream, ((event, policy) for event in run_scenario(scenario).events))
            histories.append(stream.getvalue().encode())
    return tuple(histories)


_ROLLOUTS = (
    b"""salt: spring
from: parallel
to: "2023-03"
deny: [M-1]
allow: [M-2, M-3]
schedule:
  - {at: 2023-03-27T00:00:00+08:00, percentage: 1}
  - {at: 2023-04-03T00:00:00+08:00, percentage: 50}
  - {at: 2023-04-10T00:00:00+08:00, percentage: 100}
""",
    b"""salt: appeals
from: "2023-03"
to: extended
allow: [M-2]
schedule:
  - {at: 2023-04-03T00:00:00+08:00, percentage: 50}
""",
)
_POLICIES = (b"appeal: {working_hours: 8}\n", b"appeal: null\nsilence: denial\n")

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "scenario": Target(
            _yaml, lambda data: parse_scenario(data, FILE), _scenarios, _yaml_changed
        ),
        "history": Target(_json_lines, _history, _histories, _lines_changed),
        "policy": Target(_yaml, _policy, _policies, _yaml_changed),
        "rollout": Target(_yaml, _rollout, lambda: _ROLLOUTS, _yaml_changed),
    }
)
