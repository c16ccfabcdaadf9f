"""A service that keeps disputes in a SQLite file. It is killed in the middle, starts again, and has lost nothing.

    python examples/embedded.py

The client sends its requests, and sends them again after the crash, as clients do. The merchant has
promised to ship within two seconds; the sweeper of the second run judges that. Everything is in a
temporary folder, which goes in the end.
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


class Shop:
    """Your order system. In this one every order is paid, and nothing is ever shipped."""

    def look(self, order_id: str, now: datetime) -> OrderFacts:
        """Show what is known of an order."""
        return OrderFacts(
            order_id=order_id,
            asked="shop",
            observed_at=now,
            revision="1",
            paid_at=now - timedelta(days=3),
        )


def requests(promised: datetime) -> tuple[OpenDispute, ChooseOption]:
    """Make what the client sends: the consumer's opening, and the merchant's promise under an idempotency key."""
    policy = DEFAULT_POLICY.lay_over(
        {"scan_grace": "0s"}
    )  # so that nobody has to wait six hours for the end of this example
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
    """Be the service: take the client's requests, watch the deadlines, tell others."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    service = DisputeService(
        Store(url), Shop()
    )  # sqlite:///disputes.db, or postgresql://user@host/base
    sweeper = service.runner()
    threading.Thread(
        target=sweeper.run, daemon=True
    ).start()  # each deadline fires once, in however many processes
    say("ready")

    opening, promise = requests(datetime.fromisoformat(sys.stdin.readline().strip()))
    opened = service.open(opening)
    if opened.codes:
        raise SystemExit(f"refused: {opened.codes}")
    answer = service.send("D-1", promise)  # it is stored when this returns
    say(f"opening: {type(opened.decision).__name__}, promise: {type(answer.decision).__name__}")

    while (dispute := service.snapshot("D-1")) is None or not dispute.closed:
        threading.Event().wait(0.1)
    sweeper.stop()
    say(f"{dispute.state}: {dispute.outcome}")

    service.consumer("printer", lambda event: say(f"{event['id']} {event['type']}")).deliver()
    service.store.close()


def say(line: str) -> None:
    """Write a line, and see that it is out."""
    sys.stdout.write(f"  {line}\n")
    sys.stdout.flush()


def main() -> None:
    """Be the world around the service: start it, kill it, start it again."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, __file__, f"sqlite:///{Path(folder) / 'disputes.db'}"]
        promised = ""
        for run in ("the service starts", "it is killed, and starts again"):
            sys.stdout.write(f"{run}\n")
            with subprocess.Popen(  # noqa: S603 -- this program
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as service:
                if service.stdin is None or service.stdout is None:
                    raise SystemExit("there is no pipe to the service")
                service.stdout.readline()  # it is ready
                promised = promised or (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
                service.stdin.write(f"{promised}\n")
                service.stdin.flush()
                sys.stdout.write(service.stdout.readline())  # what it answered
                if run == "the service starts":
                    service.kill()
                else:
                    sys.stdout.writelines(service.stdout)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(sys.argv[1])
    else:
        main()
