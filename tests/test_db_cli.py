"""The command line with a database: run --db, sweep, db check, import, export; exit codes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from dispute_fsm.cli import db as module
from dispute_fsm.domain.enums import Option
from dispute_fsm.service import DisputeService
from dispute_fsm.store.repository import Store
from tests.command_line import SCRIPT, complained, environment, run
from tests.patience import PATIENCE, until
from tests.service_support import AnyOrder, house, promised, request, settle
from tests.support import HOUR, OPENED_AT, PAID, choose, over

EXAMPLES = Path(__file__).parent.parent / "examples"
NOWHERE = "postgresql://nobody@127.0.0.1:1/test"
SCENARIO = """
title: {title}
dispute: {{dispute_id: {dispute_id}, order_id: {order_id}, opened_at: 2023-03-28T10:00:00+08:00}}
steps:
  - {{at: +1h, do: choose_option, with: {{option: out_of_stock_refund, note: {title}}}}}
"""


def scenario(
    folder: Path, name: str, title: str = "t", dispute_id: str = "D-1", order_id: str = "O-1"
) -> Path:
    path = folder / f"{name}.dispute.yaml"
    path.write_text(
        SCENARIO.format(title=title, dispute_id=dispute_id, order_id=order_id), encoding="utf-8"
    )
    return path


# ---- run --db ------------------------------------------------------------------------------------


def test_run_stores_what_happened_and_can_be_run_again(url: str) -> None:
    for _ in range(2):
        assert run("run", EXAMPLES, "--db", url).code == 0
    checked = run("db", "check", "--db", url)
    assert checked.code == 0
    assert ", 0 damages" in checked.out
    with house(url) as home:
        stored = home.service.by_merchant("M-41007").items
        settle(home.store)
        assert home.service.feed()
        assert isinstance(stored, tuple)


def test_a_scenario_whose_dispute_does_not_fit_is_told_and_the_others_are_stored(
    url: str, tmp_path: Path
) -> None:
    files = (
        scenario(tmp_path, "a", "first"),
        scenario(tmp_path, "b", "second"),  # the same id, another content
        scenario(tmp_path, "c", "third", "D-3", "O-1"),  # the same order, while the first is live
        scenario(tmp_path, "d", "fourth", "D-4", "O-4"),
    )
    ran = run("run", *files, "--db", url)
    complained(
        ran,
        "another history of dispute D-1",
        "order O-1 would have two live disputes",
        "b.dispute.yaml",
        "c.dispute.yaml",
    )
    with house(url) as home:
        assert [home.service.get(one) is not None for one in ("D-1", "D-3", "D-4")] == [
            True,
            False,
            True,
        ]


# ---- db ------------------------------------------------------------------------------------------


def test_a_history_goes_in_and_out_and_in_again(url: str, tmp_path: Path) -> None:
    made, out = tmp_path / "made.history.jsonl", tmp_path / "out.history.jsonl.gz"
    assert run("generate", "--disputes", "20", "--seed", "3", "-o", made).code == 0
    first = run("db", "import", "--db", url, made)
    assert first.code == 0
    assert " 0 new" not in first.out
    assert run("db", "export", "--db", url, "-o", out).code == 0
    assert run("replay", out).code == 0
    again = run("db", "import", "--db", url, out)
    assert (again.code, ": 0 new events" in again.out) == (0, True)
    on_screen = run("db", "export", "--db", url, "-o", "-")
    assert [json.loads(line) for line in on_screen.out.splitlines()] == [
        json.loads(line) for line in made.read_text("utf-8").splitlines()
    ]
    assert run("db", "import", "--db", url, "-", given=on_screen.out.encode()).code == 0


def test_one_dispute_comes_out_and_an_unknown_one_is_an_error(url: str, tmp_path: Path) -> None:
    with house(url) as home:
        home.open("D-1")
        home.open("D-2")
    out = run("db", "export", "--db", url, "-o", "-", "--dispute", "D-2")
    assert [record.get("dispute_id") for record in out.lines] == [None, "D-2"]
    missing = tmp_path / "missing.history.jsonl"
    complained(
        run("db", "export", "--db", url, "-o", missing, "--dispute", "D-9"), "no dispute D-9"
    )
    assert not missing.exists()


def test_a_file_that_cannot_be_read_is_told_and_the_others_come_in(
    url: str, tmp_path: Path
) -> None:
    sound, broken = tmp_path / "sound.history.jsonl", tmp_path / "broken.history.jsonl"
    run("generate", "--disputes", "3", "--seed", "3", "-o", sound)
    broken.write_bytes(sound.read_bytes()[:-9])
    ran = run("db", "import", "--db", url, broken, tmp_path / "none.history.jsonl", sound)
    complained(ran, "broken.history.jsonl", "none.history.jsonl")
    assert "sound.history.jsonl: " in ran.out


def test_what_is_damaged_is_found_and_told(url: str) -> None:
    with house(url) as home:
        home.open("D-1")
        with home.store.engine.begin() as connection:
            connection.execute(text("UPDATE disputes SET revision = 7"))
    ran = run("db", "check", "--db", url)
    assert (ran.code, "D-1: the projection has revision 7, the events give 1" in ran.out) == (
        1,
        True,
    )
    chinese = run("db", "check", "--db", url, "--lang", "zh")
    assert chinese.out.splitlines() == [
        "✗ D-1: 投影中 revision 为 7，按事件应为 1",
        "✗ 1 起纠纷，1 个事件，1 处损坏",
    ]
    told = run("db", "check", "--db", url, "--json")
    assert (told.code, told.lines) == (
        1,
        [
            {
                "dispute_id": "D-1",
                "seq": None,
                "message": "the projection has revision 7, the events give 1",
            }
        ],
    )


# ---- what can go wrong ---------------------------------------------------------------------------

CALLS = (
    ("run", EXAMPLES),
    ("sweep",),
    ("db", "check"),
    ("db", "import", "x.history.jsonl"),
    ("db", "export", "-o", "-"),
)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: " ".join(map(str, call[:2])))
def test_a_database_that_cannot_be_reached_is_exit_code_3(call: tuple[str, ...]) -> None:
    ran = run(*call, "--db", NOWHERE)
    assert ran.code == 3
    assert "database unavailable" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("call", CALLS, ids=lambda call: " ".join(map(str, call[:2])))
def test_a_database_that_has_not_our_tables_is_exit_code_3_in_one_line(
    url: str, call: tuple[str, ...]
) -> None:
    with house(url) as home, home.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE disputes")
        connection.exec_driver_sql("DELETE FROM dispute_schema")
    ran = run(*call, "--db", url)
    assert (ran.code, len(ran.err.splitlines())) == (3, 1)
    assert "dispute_schema is empty" in ran.err


@pytest.mark.parametrize("call", CALLS, ids=lambda call: " ".join(map(str, call[:2])))
@pytest.mark.parametrize("url", ["sqlite:///d.db?timout=5", "postgresql:///test?timout=5"])
def test_a_parameter_of_the_url_that_is_not_known_is_wrong_usage(
    call: tuple[str, ...], url: str
) -> None:
    complained(run(*call, "--db", url), "timout", "did you mean", "timeout?")
    assert not Path("d.db").exists()


@pytest.mark.parametrize("call", CALLS, ids=lambda call: " ".join(map(str, call[:2])))
def test_a_url_that_is_none_is_wrong_usage(call: tuple[str, ...]) -> None:
    complained(run(*call, "--db", "disputes"), "not the URL of a database")


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    complained(run("db", "check", "--db", "sqlite:///x.db"), "pip install 'dispute-fsm[cli,sql]'")
    assert not Path("x.db").exists()


# ---- sweep ---------------------------------------------------------------------------------------


@pytest.fixture
def overdue(url: str) -> str:
    """Give a database with a dispute that nobody answered, and one whose promise is over."""
    with house(url) as home:
        home.orders.shown = PAID
        home.open("D-1")
        home.open("D-2")
        home.service.send("D-2", choose(Option.SHIP_BY_AGREED_DATE, agreed_until=OPENED_AT + HOUR))
    return url


def test_sweep_fires_what_it_can_and_says_what_stays_pending(overdue: str) -> None:
    ran = run("sweep", "--db", overdue)
    assert (ran.code, ran.out.strip()) == (3, "fired 1, pending 1, failed 0")
    with house(overdue) as home:
        assert [len(home.service.history(one)) for one in ("D-1", "D-2")] == [2, 2]


def test_sweep_asks_the_order_system_that_is_named(
    overdue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_shop.py").write_text(
        "from datetime import timedelta\n"
        "from dispute_fsm import InMemoryOrderSystem, Order\n"
        "def order_system():\n"
        "    paid = Order.model_validate({'paid_at': '2023-03-25T09:00:00+08:00'})\n"
        "    return InMemoryOrderSystem({f'O-D-{n}': paid for n in (1, 2)})\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    ran = run("sweep", "--db", overdue, "--orders", "a_shop:order_system", "--json")
    assert (ran.code, ran.lines) == (0, [{"fired": 2, "pending": 0, "failed": 0}])
    assert (
        run("sweep", "--db", overdue, "--orders", "a_shop:order_system").out.strip()
        == "fired 0, pending 0, failed 0"
    )


def test_sweep_may_leave_the_first_turn_to_an_engine(overdue: str) -> None:
    ran = run("sweep", "--db", overdue, "--behind", "36500d")
    assert (ran.code, ran.out.strip()) == (0, "fired 0, pending 0, failed 0")
    assert run("sweep", "--db", overdue, "--behind", "2m").out.strip().startswith("fired 1,")
    complained(run("sweep", "--db", overdue, "--behind", "soon"), "--behind")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("json", "write MODULE:NAME"),
        ("nowhere_at_all:x", "cannot be imported"),
        ("json:nothing", "no nothing in json"),
        ("json:JSONDecoder", "is not an order system"),
    ],
)
def test_an_order_system_that_is_none_is_wrong_usage(overdue: str, named: str, said: str) -> None:
    complained(run("sweep", "--db", overdue, "--orders", named), said)


def test_sweep_forever_fires_what_comes_and_ends_well_when_it_is_told_to(url: str) -> None:
    store = Store(url)
    service = DisputeService(store, AnyOrder(PAID))
    service.open(request("D-1", over(scan_grace="0s", response={"hours": 1})))
    ran = subprocess.Popen(  # noqa: S603 -- our own script
        [SCRIPT, "sweep", "--db", url, "--forever", "--orders", "tests.service_support:AnyOrder"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
        env=environment({}),
    )
    try:
        promised(service, "D-1")
        until(
            lambda: (
                ran.poll() is not None
                or ((snapshot := service.snapshot("D-1")) is not None and snapshot.closed)
            ),
            "nothing fired",
        )
    finally:
        ran.send_signal(signal.SIGTERM)
        out, err = ran.communicate(timeout=PATIENCE)
        store.close()
    assert (ran.returncode, out.decode().strip(), err.decode()) == (
        0,
        "fired 1, pending 0, failed 0",
        "",
    )
