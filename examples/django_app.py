"""Disputes in Django: a row of the shop and the event of a dispute, in one transaction.

    python examples/django_app.py

A merchant's answer is sent to the dispute, and the shop opens a ticket for it. Either both are
stored or neither is: the second request below fails in the shop's own code, and takes the event
back with it. The database is a temporary file, and no port is opened.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import django
from django.conf import settings
from django.db import IntegrityError, connection, models, transaction
from django.http import HttpRequest, JsonResponse
from django.test import Client
from django.urls import path

from dispute_fsm import DisputeService, InMemoryOrderSystem, Store, merchant
from dispute_fsm.commands import command

FOLDER = TemporaryDirectory()
DATABASE = Path(FOLDER.name) / "shop.db"

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATABASE,
            # a transaction waits for other writers when it begins; after a read it is too late
            "OPTIONS": {"transaction_mode": "IMMEDIATE"},
        }
    },
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
)
django.setup()


class Ticket(models.Model):
    """A table of the shop."""

    number = models.IntegerField(primary_key=True)
    dispute_id = models.TextField()

    class Meta:
        """The application, which in this program has no module of its own."""

        app_label = "shop"

    def __str__(self) -> str:
        return f"ticket {self.number}"


# Your order system. In this one the consumer has asked to cancel, and nothing was shipped.
ORDERS = InMemoryOrderSystem(
    {
        "O-1": {
            "paid_at": datetime.now(UTC) - timedelta(days=3),
            "cancel_request": {"status": "submitted"},
        }
    }
)
SERVICE = DisputeService(Store(f"sqlite:///{DATABASE}"), ORDERS)


def answer(request: HttpRequest, dispute_id: str) -> JsonResponse:
    """Take a merchant's answer, and open a ticket for it."""
    given = json.loads(request.body)
    asked = command(
        "choose_option",
        by=merchant("M-1"),  # from your login
        key=request.headers["Idempotency-Key"],
        option=given["option"],
    )
    facts = SERVICE.facts(dispute_id, asked)  # asks the order system, before the transaction
    try:
        with transaction.atomic():
            result = SERVICE.send(dispute_id, asked, facts=facts, connection=connection)
            if result.accepted:
                Ticket.objects.create(number=given["ticket"], dispute_id=dispute_id)
    except IntegrityError:
        return JsonResponse({"error": "this ticket exists"}, status=409)
    if result.codes:
        return JsonResponse({"refused": result.codes}, status=409)
    return JsonResponse({"state": result.dispute.state})


urlpatterns = [path("disputes/<dispute_id>/answer", answer)]


# ---- a client that tries it ----------------------------------------------------------------------


def main() -> None:
    """Try the view."""
    with FOLDER:
        with connection.schema_editor() as editor:  # `migrate` does this in an application
            editor.create_model(Ticket)
        Ticket.objects.create(number=7, dispute_id="another")
        SERVICE.open(dispute_id="D-1", order_id="O-1", merchant_id="M-1", consumer_id="C-1")
        post("k-1", option="already_shipped", ticket=8)
        post("k-2", option="consumer_cancels", ticket=7)
        post("k-3", option="consumer_cancels", ticket=8)
        post("k-3", option="consumer_cancels", ticket=8)
        connection.close()
        SERVICE.store.close()


def post(key: str, **answered: object) -> None:
    """Send an answer; write the response, and what is stored after it."""
    response = Client().post(
        "/disputes/D-1/answer",
        answered,
        content_type="application/json",
        headers={"Idempotency-Key": key},
    )
    events = ", ".join(event.type for event in SERVICE.history("D-1"))
    tickets = Ticket.objects.filter(dispute_id="D-1").count()
    write(f"{response.status_code} {response.json()}")
    write(f"    events: {events}; tickets: {tickets}")


def write(line: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
