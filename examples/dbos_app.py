"""A service whose deadlines are fired by DBOS, on a file of SQLite.

    python examples/dbos_app.py

The merchant promises to ship within two seconds, and nothing is shipped. The alarm is a row of
DBOS, written in the transaction of the promise; DBOS fires the deadline when it is due, and
delivers each event to a sink. Everything is in a temporary folder, which is deleted at the end.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from dbos import DBOS

from dispute_fsm import DEFAULT_POLICY, Option, OrderFacts, merchant
from dispute_fsm.commands import Voucher, VoucherKind
from dispute_fsm.engines.dbos import DbosDisputes
from dispute_fsm.engines.dbos_queue import EXPIRE
from dispute_fsm.service.consumer import CloudEvent


class Shop:
    """Your order system. In this one every order is paid, and nothing is ever shipped."""

    def look(self, order_id: str, now: datetime) -> OrderFacts:
        """Return the facts of an order."""
        return OrderFacts(
            order_id=order_id,
            asked="shop",
            observed_at=now,
            revision="1",
            paid_at=now - timedelta(days=3),
        )


def main() -> None:
    """Open a dispute, promise to ship, and wait until the penalty is delivered."""
    penalized = Event()

    def send(event: CloudEvent) -> None:
        sys.stdout.write(f"  {event['id']} {event['type']}\n")
        if event["type"] == "dispute_fsm.dispute_penalized":
            penalized.set()

    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'disputes.db'}"  # or postgresql://user@host/base
        disputes = DbosDisputes(url, Shop(), sinks={"print": send}, feed_schedule="* * * * * *")
        DBOS(
            config={
                "name": "dispute-example",
                "system_database_url": url,
                "executor_id": "this-machine",  # the same after a restart, another on each machine
                "log_level": "ERROR",
            }
        )
        DBOS.launch()
        disputes.start()
        promise(disputes)
        penalized.wait()
        alarms = DBOS.list_workflows(name=EXPIRE, status="SUCCESS")
        sys.stdout.write(f"alarms of DBOS: {[alarm.output for alarm in alarms]}\n")
        DBOS.destroy()
        disputes.close()


def promise(disputes: DbosDisputes) -> None:
    """Open a dispute, and promise to ship within two seconds."""
    # without the six hours of grace, so that this example ends soon
    policy = DEFAULT_POLICY.lay_over({"scan_grace": "0s"})
    disputes.service.open(
        dispute_id="D-1", order_id="O-1", merchant_id="M-1", consumer_id="C-1", policy=policy
    )
    screenshot = Voucher(
        kind=VoucherKind.CHAT_SCREENSHOT, media_type="image/png", size=1_000, sha256="0" * 64
    )
    result = disputes.service.send(
        "D-1",
        "choose_option",
        option=Option.SHIP_BY_AGREED_DATE,
        agreed_until=datetime.now(UTC) + timedelta(seconds=2),
        vouchers=(screenshot,),
        by=merchant("M-1"),
    )
    sys.stdout.write(f"the merchant promises: {type(result.decision).__name__}\n")


if __name__ == "__main__":
    main()
