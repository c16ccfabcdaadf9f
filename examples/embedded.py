"""A service that stores disputes in SQLite. It is killed, starts again, and has lost nothing.

    python examples/embedded.py

The client sends its requests, and sends them again after the crash, as clients do. The merchant
promises to ship within two seconds; the sweeper of the second run fires that deadline. Everything
is in a temporary folder, which is deleted at the end.
"""

import logging
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from dispute_fsm import DEFAULT_POLICY, DisputeService, Option, OrderFacts, Store, merchant
from dispute_fsm.commands import ChooseOption, OpenDispute, Voucher, VoucherKind
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


def requests(promised: datetime) -> tuple[OpenDispute, ChooseOption]:
    """Make the client's requests: the consumer's opening, and the merchant's promise with a key."""
    # without the six hours of grace, so that this example ends soon
    policy = DEFAULT_POLICY.lay_over({"scan_grace": "0s"})
    screenshot = Voucher(
        kind=VoucherKind.CHAT_SCREENSHOT, media_type="image/png", size=1_000, sha256="0" * 64
    )
    opening = OpenDispute(
        dispute_id="D-1", order_id="O-1", merchant_id="M-1", consumer_id="C-1", policy=policy
    )
    ship_by = Option.SHIP_BY_AGREED_DATE
    promise = ChooseOption(
        by=merchant("M-1"), option=ship_by, agreed_until=promised, vouchers=(screenshot,), key="k-1"
    )
    return opening, promise


def serve(url: str) -> None:
    """Run the service: handle the client's requests, fire deadlines, deliver events."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    # sqlite:///disputes.db, or postgresql://user@host/base
    service = DisputeService(Store(url), Shop())
    # each deadline fires once, however many processes run a sweeper
    sweeper = service.sweeper()
    threading.Thread(target=sweeper.run, daemon=True).start()
    write_line("ready")

    opening, promise = requests(datetime.fromisoformat(sys.stdin.readline().strip()))
    opened = service.open(opening)
    if opened.codes:
        raise SystemExit(f"refused: {opened.codes}")
    # the event is stored when this returns
    result = service.send("D-1", promise)
    opening_decision = type(opened.decision).__name__
    write_line(f"opening: {opening_decision}, promise: {type(result.decision).__name__}")

    while (dispute := service.snapshot("D-1")) is None or not dispute.closed:
        threading.Event().wait(0.1)
    sweeper.stop()
    write_line(f"{dispute.state}: {dispute.outcome}")

    # at least once, and each dispute's events in order
    service.consumer("printer", write_event).deliver()
    service.store.close()


def write_event(event: CloudEvent) -> None:
    """Write an event of the feed: the sink of this example's consumer."""
    write_line(f"{event['id']} {event['type']}")


def write_line(line: str) -> None:
    """Write a line and flush it."""
    sys.stdout.write(f"  {line}\n")
    sys.stdout.flush()


def main() -> None:
    """Start the service, kill it, start it again."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, __file__, f"sqlite:///{Path(folder) / 'disputes.db'}"]
        promised = ""
        for run in ("the service starts", "it is killed, and starts again"):
            sys.stdout.write(f"{run}\n")
            with subprocess.Popen(  # noqa: S603 -- this program
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as service:
                if service.stdin is None or service.stdout is None:
                    raise SystemExit("the service has no pipe")
                service.stdout.readline()  # "ready"
                promised = promised or (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
                service.stdin.write(f"{promised}\n")
                service.stdin.flush()
                sys.stdout.write(service.stdout.readline())  # the two decisions
                if run == "the service starts":
                    service.kill()
                else:
                    sys.stdout.writelines(service.stdout)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(sys.argv[1])
    else:
        main()
