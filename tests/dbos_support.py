"""DBOS for tests: its schema, its configuration, a launched one with disputes."""

from base64 import b64decode
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import count
from threading import enumerate as threads
from typing import Any

import pytest
from dbos import DBOS, DBOSConfig
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url

from dispute_fsm.engines.dbos import DbosDisputes
from dispute_fsm.engines.dbos_queue import EXPIRE
from dispute_fsm.orders import OrderSystem
from tests.patience import until

NAME = "disputes"


def schema_of(url: str) -> str:
    """Return where DBOS has its tables: on PostgreSQL in the schema of the test, with ours."""
    options = make_url(url).query.get("options", "")
    assert isinstance(options, str)
    return options.rpartition("=")[2] or "dbos"


def config(url: str, name: str = "executor", version: str = "version") -> DBOSConfig:
    """Return the configuration of DBOS for an executor."""
    return {
        "name": NAME,
        "system_database_url": url,
        "dbos_system_schema": schema_of(url),
        "executor_id": name,
        "application_version": version,
        "log_level": "ERROR",
        "use_listen_notify": False,  # it could connect while DBOS ends, and nobody would close that
    }


@contextmanager
def made(url: str, orders: OrderSystem, **options: Any) -> Generator[DbosDisputes]:  # noqa: ANN401 -- as `DbosDisputes` takes them
    """Make disputes whose alarms go to DBOS, which does not run."""
    disputes = DbosDisputes(url, orders, schema=schema_of(url), **options)
    try:
        yield disputes
    finally:
        DBOS.destroy(destroy_registry=True)
        until(
            lambda: not any(thread.name.startswith("dbos-executor") for thread in threads()),
            "a workflow does not end",
        )
        disputes.close()


@contextmanager
def launched(url: str, orders: OrderSystem, **options: Any) -> Generator[DbosDisputes]:  # noqa: ANN401 -- as above
    """Make disputes whose alarms go to DBOS, and run it in this process."""
    with made(url, orders, **options) as disputes:
        DBOS(config=config(url))
        DBOS.launch()
        disputes.start()
        yield disputes


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let DBOS look for work more often than it lets a host choose."""
    monkeypatch.setattr("dbos._workflow_commands._BACKGROUND_JOBS_INTERVAL_SEC", 0.02)
    monkeypatch.setattr("dispute_fsm.engines.dbos._POLL_SECONDS", 0.02)


# ---- alarms as DBOS has them ---------------------------------------------------------------------


def last_alarm(dispute_id: str, revision: int) -> str | None:
    """Return the id of the last alarm for this revision of a dispute; None without one."""
    last, following = None, f"due:{dispute_id}:{revision}"
    for attempt in count(1):
        if DBOS.get_workflow_status(following) is None:
            return last
        last, following = following, f"again:{dispute_id}:{revision}:{attempt}"
    return None


def is_waiting(workflow_id: str | None) -> bool:
    """Tell whether an alarm is still to go off."""
    status = None if workflow_id is None else DBOS.get_workflow_status(workflow_id)
    return status is not None and status.status == "DELAYED"


def released(workflow_id: str) -> str:
    """Let an alarm go off now, if it has not; return what came of it."""
    DBOS.set_workflow_delay(workflow_id, delay_until_epoch_ms=0)
    result: str = DBOS.retrieve_workflow(workflow_id).get_result(polling_interval_sec=0.01)
    return result


def results(*wanted: str) -> list[str]:
    """Return the results of all alarms that were worked off, those wanted, in order."""
    done = DBOS.list_workflows(name=EXPIRE, status="SUCCESS")
    return [str(alarm.output) for alarm in done if alarm.output in wanted]


def gone_off(workflow_id: str) -> str:
    """Wait until an alarm has gone off by itself, and return what came of it."""
    until(lambda: DBOS.get_workflow_status(workflow_id) is not None, f"no alarm {workflow_id}")
    result: str = DBOS.retrieve_workflow(workflow_id).get_result(polling_interval_sec=0.01)
    return result


def dump(url: str) -> str:
    """Return all that lies in the tables of DBOS, what is encoded there decoded too."""
    engine = create_engine(url)
    with engine.connect() as connection:
        names = inspect(connection).get_table_names()
        lines = [
            f"{name}: {_readable(value)}"
            for name in names
            if not name.startswith("dispute")
            for row in connection.execute(text(f'SELECT * FROM "{name}"'))  # noqa: S608 -- a table's own name
            for value in row
        ]
    engine.dispose()
    return "\n".join(lines)


def _readable(value: object) -> str:
    """Return a value as text; of what DBOS has pickled, also the bytes."""
    readable = str(value)
    with suppress(ValueError):
        readable += str(b64decode(readable, validate=True))
    return readable
