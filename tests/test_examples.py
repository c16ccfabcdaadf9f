"""The programs for hosts with FastAPI and Django: what they print, and what the first responds."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response

from examples import fastapi_app
from examples.fastapi_app import Shop, create_app
from tests.patience import PATIENCE

ROOT = Path(__file__).parent.parent
PRINTED = {
    "fastapi_app": """\
201 /disputes state: opened, revision: 1
401 /disputes/D-1/choose_option title: log in
403 /disputes/D-1/choose_option title: Refused, codes: ['wrong_actor']
409 /disputes/D-1/choose_option title: Refused, codes: ['not_shipped', 'no_pickup_scan']
422 /disputes/D-1/choose_option title: The request is invalid, fields: ['option']
404 /disputes/D-9/choose_option title: There is no such dispute
503 /disputes/D-1/choose_option title: Try again later
200 /disputes/D-1/choose_option state: awaiting_confirmation, revision: 2
200 /disputes/D-1/choose_option state: awaiting_confirmation, revision: 2
""",
    "django_app": """\
409 {'refused': ['not_shipped', 'no_pickup_scan']}
    events: dispute_opened, refused; tickets: 0
409 {'error': 'this ticket exists'}
    events: dispute_opened, refused; tickets: 0
200 {'state': 'awaiting_confirmation'}
    events: dispute_opened, refused, option_chosen; tickets: 1
200 {'state': 'awaiting_confirmation'}
    events: dispute_opened, refused, option_chosen; tickets: 1
""",
}


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_prints_what_happens_and_ends_by_itself(name: str) -> None:
    program = ROOT / "examples" / f"{name}.py"
    ran = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-W", "error", program],
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE,
    )
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", PRINTED[name])


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("dbos", "dbos_app"),
        ("django", "django_app"),
        ("fastapi", "fastapi_app"),
        ("temporal", "temporal_clock"),
    ],
)
def test_the_page_shows_lines_of_the_example(name: str, program: str) -> None:
    page = (ROOT / "docs" / "how-to" / f"{name}.md").read_text(encoding="utf-8")
    lines = {
        line.strip()
        for line in (ROOT / "examples" / f"{program}.py").read_text(encoding="utf-8").splitlines()
    }
    shown = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert shown
    missing = [line for code in shown for line in code.splitlines() if line.strip() not in lines]
    assert missing == []


@pytest.mark.parametrize("name", ["fastapi", "django"])
def test_the_page_shows_what_the_example_prints(name: str) -> None:
    page = (ROOT / "docs" / "how-to" / f"{name}.md").read_text(encoding="utf-8")
    (printed,) = re.findall(r"_app\.py\n(.*?)^\.\.\.$", page, re.DOTALL | re.MULTILINE)
    assert printed
    assert PRINTED[f"{name}_app"].startswith(printed)


# ---- FastAPI -------------------------------------------------------------------------------------

PERSONAL = "⟦what a person writes⟧"
OPENING = {"dispute_id": "D-1", "order_id": "O-1", "merchant_id": "M-1"}
Post = Callable[..., Awaitable[Response]]


@asynccontextmanager
async def client(folder: Path, shop: Shop) -> AsyncIterator[AsyncClient]:
    app = create_app(f"sqlite:///{folder / 'disputes.db'}", shop)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://localhost") as client,
    ):
        yield client


def as_(login: str, key: str | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {login}"} | ({} if key is None else {"Idempotency-Key": key})


def test_what_is_wrong_is_a_problem_without_a_personal_value(tmp_path: Path) -> None:
    shop = Shop()
    shipped = {"option": "already_shipped", "note": PERSONAL}

    async def host() -> list[tuple[Response, dict[str, Any]]]:
        async with client(tmp_path, shop) as http:
            await http.post("/disputes", json=OPENING, headers=as_("consumer-1"))

            async def send(body: Any, login: str, dispute_id: str = "D-1") -> Response:  # noqa: ANN401 -- JSON
                path = f"/disputes/{dispute_id}/choose_option"
                return await http.post(path, json=body, headers=as_(login))

            responses = [
                await send(shipped, "merchant-2"),
                await send(shipped, "merchant-1"),
                await send(shipped, "merchant-1", "D-9"),
                await send({**shipped, "option": PERSONAL}, "merchant-1"),
                await send({**shipped, "by": {"role": "merchant", "id": "M-1"}}, "merchant-1"),
                await send(PERSONAL, "merchant-1"),
                await http.post("/disputes", json={**OPENING, "x": 1}, headers=as_("consumer-1")),
                await http.post("/disputes", content=PERSONAL, headers=as_("consumer-1")),
                await http.post("/disputes/D-1/nothing", json={}, headers=as_("merchant-1")),
                await http.get("/disputes/D-1", headers=as_("merchant-2")),
                await http.get("/disputes/D-1", headers=as_("nobody")),
                await http.get("/nowhere"),
            ]
            shop.available = False
            responses.append(await send(shipped, "merchant-1"))
            return [(each, each.json()) for each in responses]

    answered = asyncio.run(host())
    assert [response.status_code for response, _ in answered] == [
        403, 409, 404, 422, 422, 422, 422, 422, 422, 404, 401, 404, 503,
    ]  # fmt: skip
    for response, content in answered:
        assert response.headers["content-type"] == "application/problem+json"
        assert content["status"] == response.status_code
        assert content["title"]
        assert PERSONAL not in response.text
    assert answered[0][1]["codes"] == ["wrong_actor"]
    assert [each["code"] for each in answered[1][1]["reasons"]] == answered[1][1]["codes"]
    assert all(each["saw"] for each in answered[1][1]["reasons"])
    assert answered[4][1]["fields"] == ["by"]
    assert answered[10][0].headers["www-authenticate"] == "Bearer"
    assert answered[-1][0].headers["retry-after"] == "5"


def test_the_login_is_the_actor_and_the_header_is_the_key(tmp_path: Path) -> None:
    refund = {"option": "out_of_stock_refund"}

    async def host() -> None:
        async with client(tmp_path, Shop()) as http:
            opened = await http.post("/disputes", json=OPENING, headers=as_("consumer-1"))
            assert (opened.status_code, opened.json()["state"]) == (201, "opened")
            path = "/disputes/D-1/choose_option"
            for _ in range(2):
                sent = await http.post(path, json=refund, headers=as_("merchant-1", "k-1"))
                assert (sent.status_code, sent.json()["revision"]) == (200, 2)
            another = await http.post(path, json=refund, headers=as_("merchant-1", "k-2"))
            assert (another.status_code, another.json()["codes"]) == (
                409,
                ["option_already_chosen"],
            )
            for login in ("consumer-1", "merchant-1"):
                shown = await http.get("/disputes/D-1", headers=as_(login))
                assert shown.json()["state"] == "awaiting_confirmation"

    asyncio.run(host())


def test_a_database_that_is_away_is_unavailable_too() -> None:
    handlers = fastapi_app.HANDLERS
    unavailable = {
        name.__name__ for name in handlers if handlers[name] is fastapi_app.on_unavailable
    }
    assert unavailable == {"ConflictError", "OrderSystemUnavailableError", "StoreUnavailableError"}
