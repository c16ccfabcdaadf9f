"""DBOS as the alarm clock: the same histories as without it, nothing lost, nothing twice."""

import sys
from collections.abc import Callable
from pathlib import Path

from tests import dbos_executor
from tests.crash import PROMISES
from tests.dbos_support import made, schema_of
from tests.engine_chaos import SAMPLE, WHOLE, chaos
from tests.service_support import AnyOrder
from tests.support import CANCELLING, ROOT


def test_executors_are_killed_and_every_deadline_fires_once(
    url: str, tmp_path: Path, *, whole: bool, tell: Callable[[object], None]
) -> None:
    plan = WHOLE if whole else SAMPLE

    def command_of(name: str, version: str) -> list[str]:
        script = str(Path(dbos_executor.__file__))
        return [sys.executable, script, url, str(tmp_path), name, version]

    with made(url, AnyOrder(CANCELLING)) as disputes:
        found = chaos(disputes.service, command_of, tmp_path, plan)
    print(found)
    assert {name: found[name] for name in PROMISES} == {name: [] for name in PROMISES}
    assert found["fired"] == plan.disputes
    assert found["extended"] > 0
