"""A service under load, killed 200 times: no returned result is lost, nothing happens twice."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from dispute_fsm.domain.enums import Option
from dispute_fsm.store.schema import events
from tests import crash
from tests.crash import PROMISES
from tests.patience import PATIENCE
from tests.service_support import house
from tests.support import choose

KILLS, SAMPLED = 200, 40


def test_whatever_dies_when_nothing_is_lost_and_nothing_happens_twice(
    url: str, tmp_path: Path, *, whole: bool, tell: Callable[[object], None]
) -> None:
    root, kills = str(Path(__file__).parent.parent), KILLS if whole else SAMPLED
    ran = subprocess.run(  # noqa: S603 -- our own script
        [sys.executable, Path(crash.__file__), url, str(kills), tmp_path, "2023"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": root},
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    found = json.loads(ran.stdout)
    assert {name: found[name] for name in PROMISES} == {name: [] for name in PROMISES}
    assert found["killed"] >= kills
    assert found["answered"] >= kills // 4, "hardly anything happened: that would show nothing"
    assert found["fired"] > 0
    kind = url.partition(":")[0].partition("+")[0]
    tell(
        f"crash, {kind}: "
        f"{', '.join(f'{name} {found[name]}' for name in found if name not in PROMISES)}, nothing "
        "lost, nothing twice"
    )


def test_the_report_finds_what_it_is_there_to_find(url: str) -> None:
    with house(url) as home:
        home.open("D-1", crash.POLICY)
        answer = home.service.send("D-1", choose(Option.SHIP_BY_AGREED_DATE, key="k-1"))
        opening = answer.dispute.opening
        assert answer.event is not None
        noted: list[dict[str, Any]] = [
            {"opens": "D-1"},
            {"opened": "D-1", "hash": opening.hash},
            {"answered": "D-1", "key": "k-1", "seq": 2, "hash": answer.event.hash},
            {"delivered": "D-1/2"},
        ]
        found = crash.report(home.service, home.store, noted)
        assert (found["never asked"], found["not fired"]) == (["('D-1', 'k-1')"], ["D-1"])
        assert (found["not delivered"], found["out of order"]) == (["D-1/1"], ["D-1/2"])
        assert (found["lost"], found["damages"]) == ([], [])
        with home.store.engine.begin() as connection:
            trigger = (
                "DROP TRIGGER dispute_events_delete"
                if url.startswith("sqlite")
                else "DROP TRIGGER dispute_events_rows ON dispute_events"
            )
            connection.execute(text(trigger))
            connection.execute(events.delete().where(events.c.seq == 2))
        found = crash.report(home.service, home.store, noted)
        assert found["lost"] == ["D-1/2"]
        assert found["damages"]


@pytest.mark.parametrize(
    ("delivered", "wrong"),
    [(["D/1", "D/2", "D/1", "D/2", "D/3"], []), (["D/1", "D/3"], ["D/3"]), (["D/2"], ["D/2"])],
)
def test_a_delivery_out_of_order_is_found(delivered: list[str], wrong: list[str]) -> None:
    assert list(crash.disorder(delivered)) == wrong


def test_a_note_that_was_cut_off_takes_no_other_along(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    crash.Notes(path).write(opens="D-1")
    with path.open("ab") as file:
        file.write(b'\n{"opens": "D-')
    again = crash.Notes(path)
    again.write(opens="D-3")
    assert again.read() == [{"opens": "D-1"}, {"opens": "D-3"}]
