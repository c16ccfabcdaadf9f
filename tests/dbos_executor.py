"""An executor of DBOS that can be killed; for `test_dbos.py`.

    python tests/dbos_executor.py URL FOLDER NAME VERSION

It works off alarms and delivers the feed until its standard input ends; see `engine_chaos`.
"""

import os
import sys
from datetime import timedelta
from pathlib import Path
from threading import Event

from dbos import DBOS

from dispute_fsm.engines.dbos import DbosDisputes
from dispute_fsm.service.consumer import CloudEvent
from tests.crash import Notes
from tests.dbos_support import config, schema_of
from tests.engine_chaos import NOTES
from tests.service_support import AnyOrder
from tests.support import CANCELLING


def main() -> None:
    url, folder, name, version = sys.argv[1:]
    notes = Notes(Path(folder) / NOTES)
    never = Event()

    def slowly(event: CloudEvent) -> None:
        notes.write(delivered=event["id"])
        never.wait(0.02)  # so that a kill hits deliveries too

    disputes = DbosDisputes(
        url,
        AnyOrder(CANCELLING),
        sinks={"notes": slowly},
        schema=schema_of(url),
        behind=timedelta(seconds=2),
        lease=timedelta(seconds=1),
        feed_schedule="* * * * * *",
    )
    DBOS(config=config(url, name, version))
    DBOS.launch()
    disputes.start()
    notes.write(ready=name)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
