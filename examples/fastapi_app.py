"""Disputes over HTTP: a FastAPI application, and a client that tries it.

    python examples/fastapi_app.py

The payload of a command is the body, the actor comes from the login, and the header
`Idempotency-Key` is the key. Every error is a problem (RFC 9457) without personal values. The
database is a temporary file, and no port is opened: the client calls the application directly.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple
from uuid import uuid4

from fastapi import Body, Depends, FastAPI, Header, HTTPException, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from httpx import ASGITransport, AsyncClient
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from dispute_fsm import (
    ConflictError,
    DisputeError,
    DisputeService,
    InputError,
    OrderFacts,
    OrderSystemUnavailableError,
    RefusalCode,
    Refused,
    Result,
    Store,
    StoreUnavailableError,
    UnknownDisputeError,
    consumer,
    merchant,
)
from dispute_fsm.commands import Actor, command
from dispute_fsm.service.async_service import AsyncDisputeService

LOGINS = {
    "consumer-1": consumer("C-1"),
    "merchant-1": merchant("M-1"),
    "merchant-2": merchant("M-2"),
}
"""Who logs in by which token; yours come from your own login."""


class Shop:
    """Your order system. In this one every order is paid, and nothing is ever shipped."""

    available = True

    async def look(self, order_id: str, now: datetime) -> OrderFacts:
        """Return the facts of an order."""
        if not self.available:
            raise OrderSystemUnavailableError("the shop does not answer")
        paid_at = now - timedelta(days=3)
        return OrderFacts(
            order_id=order_id, asked="shop", observed_at=now, revision="1", paid_at=paid_at
        )


# ---- who asks, and with what ---------------------------------------------------------------------


class Opening(BaseModel, extra="forbid"):
    """What a consumer says to open a dispute. Rules and policy are the marketplace's."""

    dispute_id: str
    order_id: str
    merchant_id: str


def logged_in(
    login: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
) -> Actor:
    """Return who is logged in."""
    if login is None or login.credentials not in LOGINS:
        raise HTTPException(401, "log in", headers={"WWW-Authenticate": "Bearer"})
    return LOGINS[login.credentials]


class Sender(NamedTuple):
    """Who sends a command, and under which idempotency key."""

    by: Actor
    key: str | None


def sender(
    by: Annotated[Actor, Depends(logged_in)],
    key: Annotated[str | None, Header(alias="Idempotency-Key")] = None,
) -> Sender:
    """Return who sends a command, and its key."""
    return Sender(by, key)


def service_of(request: Request) -> AsyncDisputeService:
    """Return the service of the application."""
    service: AsyncDisputeService = request.app.state.disputes
    return service


LoggedIn = Annotated[Actor, Depends(logged_in)]
Sent = Annotated[Sender, Depends(sender)]
Disputes = Annotated[AsyncDisputeService, Depends(service_of)]


# ---- the application -----------------------------------------------------------------------------


def create_app(url: str, shop: Shop) -> FastAPI:
    """Make the application on a database."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        store = Store(url)
        async with AsyncDisputeService(DisputeService(store, shop)) as disputes:
            app.state.disputes = disputes
            sweeper = asyncio.create_task(disputes.run_sweeper())
            yield
            sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await sweeper
        store.close()

    app = FastAPI(lifespan=lifespan)
    app.post("/disputes", status_code=201)(open_dispute)
    app.post("/disputes/{dispute_id}/{kind}")(send_command)
    app.get("/disputes/{dispute_id}")(show_dispute)
    for error, handler in HANDLERS.items():
        app.add_exception_handler(error, handler)
    return app


async def open_dispute(opening: Opening, sent: Sent, disputes: Disputes) -> dict[str, object]:
    """Open a dispute as the consumer who is logged in."""
    fields = opening.model_dump()
    return shown(await disputes.open(**fields, consumer_id=sent.by.id, by=sent.by, key=sent.key))


async def send_command(
    dispute_id: str,
    kind: str,
    payload: Annotated[dict[str, Any], Body()],
    sent: Sent,
    disputes: Disputes,
) -> dict[str, object]:
    """Send a command, such as `choose_option`, with its payload as the body."""
    for name in Sender._fields:
        if name in payload:
            raise InputError("it comes from the login or from a header", field=name)
    asked = command(kind, by=sent.by, key=sent.key, **payload)
    return shown(await disputes.send(dispute_id, asked))


async def show_dispute(dispute_id: str, actor: LoggedIn, disputes: Disputes) -> dict[str, object]:
    """Show a dispute to its parties."""
    found = await disputes.snapshot(dispute_id)
    if found is None or actor.id not in {found.merchant_id, found.consumer_id}:
        raise UnknownDisputeError(f"there is no dispute {dispute_id}")
    return found.model_dump(mode="json", include={"dispute_id", "state", "outcome", "revision"})


def shown(result: Result) -> dict[str, object]:
    """Return what was decided; a repeated command gets the same. Raises a refusal."""
    if isinstance(result.decision, Refused):
        raise RefusedError(result.decision)
    return {"state": result.dispute.state, "revision": result.dispute.revision}


# ---- what is wrong -------------------------------------------------------------------------------


class RefusedError(Exception):
    """A command that was refused, on its way to the response."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(*refused.codes)
        self.refused = refused


def problem(
    status: int, title: str, headers: Mapping[str, str] | None = None, **members: object
) -> JSONResponse:
    """Make a problem of RFC 9457."""
    content = jsonable_encoder({"title": title, "status": status, **members})
    return JSONResponse(content, status, headers, media_type="application/problem+json")


async def on_refused(_request: Request, error: RefusedError) -> JSONResponse:
    """Respond to a refusal with its codes and what each guard saw; nothing of it is personal."""
    refused = error.refused
    status = 403 if RefusalCode.WRONG_ACTOR in refused.codes else 409
    reasons = [{"code": each.code, "saw": dict(each.saw)} for each in refused.reasons]
    return problem(status, "Refused", codes=refused.codes, reasons=reasons)


async def on_unknown(_request: Request, _error: UnknownDisputeError) -> JSONResponse:
    """Respond that there is no such dispute."""
    return problem(404, "There is no such dispute")


async def on_unavailable(_request: Request, _error: DisputeError) -> JSONResponse:
    """Respond that the same request can be sent again, with the same key."""
    return problem(503, "Try again later", {"Retry-After": "5"})


async def on_invalid(_request: Request, error: InputError) -> JSONResponse:
    """Respond which field is invalid, without its value."""
    return problem(422, "The request is invalid", fields=[error.field])


async def on_unreadable(_request: Request, error: RequestValidationError) -> JSONResponse:
    """Respond which fields FastAPI could not read, without their values."""
    fields = [".".join(map(str, each["loc"])) for each in error.errors()]
    return problem(422, "The request is invalid", fields=fields)


async def on_http(_request: Request, error: StarletteHTTPException) -> JSONResponse:
    """Respond with what FastAPI itself raises, in the same shape."""
    return problem(error.status_code, error.detail, error.headers)


Handler = Callable[[Request, Any], Awaitable[JSONResponse]]

HANDLERS: Mapping[type[Exception], Handler] = {
    RefusedError: on_refused,
    UnknownDisputeError: on_unknown,
    OrderSystemUnavailableError: on_unavailable,
    StoreUnavailableError: on_unavailable,
    ConflictError: on_unavailable,
    InputError: on_invalid,
    RequestValidationError: on_unreadable,
    StarletteHTTPException: on_http,
}
"""What responds to each exception; for a class that is missing here, its base does."""


# ---- a client that tries it ----------------------------------------------------------------------


async def main() -> None:
    """Try the application."""
    shop = Shop()
    with TemporaryDirectory() as folder:
        app = create_app(f"sqlite:///{Path(folder) / 'disputes.db'}", shop)
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=ASGITransport(app), base_url="http://localhost") as client,
        ):
            await try_out(client, shop)


async def try_out(client: AsyncClient, shop: Shop) -> None:
    """Send requests, and write what comes back."""

    async def post(path: str, body: object, login: str, key: str = "") -> None:
        headers = {"Authorization": f"Bearer {login}", "Idempotency-Key": key or str(uuid4())}
        response = await client.post(path, json=body, headers=headers)
        content = response.json()
        told = ", ".join(f"{name}: {content[name]}" for name in SHOWN if name in content)
        write(f"{response.status_code} {path} {told}")

    refund = {"option": "out_of_stock_refund", "note": "what a person writes"}
    shipped = {"option": "already_shipped"}
    opening = {"dispute_id": "D-1", "order_id": "O-1", "merchant_id": "M-1"}
    await post("/disputes", opening, "consumer-1")
    await post("/disputes/D-1/choose_option", refund, "nobody")
    await post("/disputes/D-1/choose_option", refund, "merchant-2")
    await post("/disputes/D-1/choose_option", shipped, "merchant-1")
    await post("/disputes/D-1/choose_option", {"option": "a gift"}, "merchant-1")
    await post("/disputes/D-9/choose_option", refund, "merchant-1")
    shop.available = False
    await post("/disputes/D-1/choose_option", shipped, "merchant-1")
    for _ in ("a client sends it", "and sends it again"):
        await post("/disputes/D-1/choose_option", refund, "merchant-1", "k-1")


SHOWN = ("state", "revision", "title", "codes", "fields")
"""What this client shows of a response."""


def write(line: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    asyncio.run(main())
