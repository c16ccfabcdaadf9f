"""Reading histories: hashes are checked over the JSON as it stands, then the event is validated, then folded.

A line that cannot be read, was changed, or cannot have happened is an `InputError` with file, line and, where there is
one, the field. Several disputes may stand interleaved; each is in order.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from dispute_fsm.dispute.chain import verify
from dispute_fsm.dispute.dispute import Dispute
from dispute_fsm.dispute.events import EVENT, GENESIS, AuditEvent
from dispute_fsm.dispute.evolve import begin, evolve
from dispute_fsm.errors import ImpossibleEventError, InputError, IntegrityError
from dispute_fsm.rules.policy import Policy
from dispute_fsm.rules.strict import MAX_INTEGER

_CHAINED = {"dispute_id": str, "prev_hash": str, "hash": str, "private": dict}

_LONGEST_NUMBER = len(f"-{MAX_INTEGER}")


class History:
    """What was read so far: the policies by digest, and every dispute as it stands after its last event."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.policies: dict[str, Policy] = {}
        self.disputes: dict[str, Dispute] = {}

    def read(self, lines: Iterable[bytes]) -> Iterator[AuditEvent]:
        """Read lines, as the bytes of a file, and fold them; yields each event.

        Raises `InputError` that names file, line and field.
        """
        for number, line in enumerate(lines, 1):
            try:
                event = self._record(line.decode())
            except (ImpossibleEventError, IntegrityError) as fault:
                raise InputError(str(fault), file=self.file, line=number) from None
            except InputError as fault:
                raise fault.within(self.file, number) from None
            except (UnicodeError, RecursionError):
                raise InputError("this line holds text that is no UTF-8, or is nested too deeply", file=self.file, line=number) from None
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                field = ".".join(str(part) for part in first["loc"]) or None
                raise InputError(first["msg"], file=self.file, line=number, field=field) from None
            if event is not None:
                yield event

    def _record(self, line: str) -> AuditEvent | None:
        if not line.endswith("\n"):
            msg = "the last line is cut off: a record ends with a line break"
            raise InputError(msg)
        record = _parsed(line)
        if record.get("type") == "policy":
            self._policy(record)
            return None
        for name, kind in _CHAINED.items():
            if not isinstance(record.get(name), kind):
                raise InputError("missing, or of the wrong type", field=name)
        before = self.disputes.get(record["dispute_id"])
        verify(record, GENESIS if before is None else before.last_hash)
        event = EVENT.validate_python(record)
        self.disputes[event.dispute_id] = self._after(before, event)
        return event

    def _after(self, before: Dispute | None, event: AuditEvent) -> Dispute:
        if before is not None:
            return evolve(before, event)
        if event.policy not in self.policies:
            raise InputError("no policy record with this digest stands before", field="policy")
        return begin(event, self.policies[event.policy])

    def _policy(self, record: dict[str, Any]) -> None:
        if record.keys() != {"type", "digest", "policy"}:
            raise InputError("a policy record has the members type, digest and policy")
        policy = Policy.model_validate(record["policy"])
        if policy.digest != record["digest"]:
            raise InputError("the digest is not that of the policy beside it", field="digest")
        self.policies[policy.digest] = policy


def _parsed(line: str) -> dict[str, Any]:
    def no_duplicates(members: list[tuple[str, Any]]) -> dict[str, Any]:
        record = dict(members)
        if len(record) < len(members):
            names = [name for name, _ in members]
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError("this member stands twice", field=twice)
        return record

    def whole(number: str) -> int:
        if len(number) > _LONGEST_NUMBER or abs(int(number)) > MAX_INTEGER:
            raise InputError(f"{number:.30} has more than 53 bits")
        return int(number)

    def none_such(number: str) -> float:
        raise InputError(f"{number:.30} is no whole number; amounts are texts")

    try:
        record: object = json.loads(line, object_pairs_hook=no_duplicates, parse_int=whole, parse_float=none_such, parse_constant=none_such)
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg} (column {error.colno})") from None
    if not isinstance(record, dict):
        raise InputError("a record is a JSON object")
    members: dict[str, Any] = record
    return members
