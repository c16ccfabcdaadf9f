"""History files into the database and out of it, and the integrity check."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import text

from dispute_fsm.domain.enums import CommandType, Option
from dispute_fsm.errors import ConflictError, InputError, UnknownDisputeError
from dispute_fsm.history.generate import generate
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.store.import_export import export_history, import_history
from dispute_fsm.store.integrity import CheckCounts, Damage, check
from tests.histories.corpus import of_blank_ids
from tests.service_support import House, house
from tests.support import DAY, OPENED_AT, choose, command, submission

HISTORIES = Path(__file__).parent / "histories"


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


def import_bytes(home: House, content: bytes) -> int:
    with home.store.pool.transaction() as session:
        return import_history(home.store, session, BytesIO(content), "x.history.jsonl")


def export_bytes(home: House, *ids: str) -> bytes:
    return "".join(export_history(home.store, ids)).encode()


def damages(home: House) -> list[Damage]:
    return list(check(home.store, CheckCounts()))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("many") / "many.history.jsonl"
    write_history(path, generate(250, 7))
    return path.read_bytes()


# ---- import and export ---------------------------------------------------------------------------


def records(content: bytes) -> list[object]:
    return [json.loads(line) for line in content.splitlines()]


def test_what_was_imported_is_exported_as_the_same_records(home: House, many: bytes) -> None:
    events = sum(not line.startswith(b'{"type":"policy"') for line in many.splitlines())
    assert events > 500, "more than one batch"
    assert import_bytes(home, many) == events
    assert records(export_bytes(home)) == records(many)
    checked = CheckCounts()
    assert list(check(home.store, checked)) == []
    assert (checked.disputes, checked.events) == (250, events)


@pytest.mark.parametrize(
    "path", sorted(HISTORIES.glob("*.history.jsonl")), ids=lambda path: path.name.partition(".")[0]
)
def test_every_recorded_history_is_exported_as_it_was_imported(path: Path, tmp_path: Path) -> None:
    with house(f"sqlite:///{tmp_path / 'd.db'}") as home:
        import_bytes(home, path.read_bytes())
        content = export_bytes(home)
        assert records(content) == records(path.read_bytes())
        assert damages(home) == []
    with house(
        f"sqlite:///{tmp_path / 'again.db'}"
    ) as other:  # what was exported once is exported again byte for byte
        import_bytes(other, content)
        assert export_bytes(other) == content


def test_importing_again_changes_nothing_and_a_shorter_file_neither(home: House) -> None:
    home.open("D-1")
    short = export_bytes(home)
    home.service.send("D-1", choose(Option.PROVE_NO_FAULT, key="k-1", note="x"))
    home.service.send("D-1", submission(key="k-2"))
    long = export_bytes(home)
    assert import_bytes(home, long) == import_bytes(home, short) == 0


def test_a_longer_file_continues_where_the_database_ends(url: str, tmp_path: Path) -> None:
    with house(f"sqlite:///{tmp_path / 'origin.db'}") as origin, house(url) as home:
        origin.open("D-1")
        assert import_bytes(home, export_bytes(origin)) == 1
        origin.service.send("D-1", choose(Option.PROVE_NO_FAULT, key="k-1", note="x"))
        origin.service.send("D-1", submission(key="k-2"))
        long = export_bytes(origin)
        assert import_bytes(home, long) == 2
        assert export_bytes(home) == long
        assert damages(home) == []
        assert home.service.get("D-1") == origin.service.get("D-1")
        home.time.now = OPENED_AT + DAY
        assert home.service.send("D-1", command(CommandType.WITHDRAW)).dispute.closed


def test_another_history_of_a_dispute_is_refused_and_nothing_of_the_file_is_imported(
    home: House, tmp_path: Path
) -> None:
    home.open("D-1")
    home.service.send("D-1", choose(Option.PROVE_NO_FAULT))
    before = export_bytes(home)
    with house(f"sqlite:///{tmp_path / 'other.db'}") as other:
        other.open("D-0")
        other.open("D-1")
        other.service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND))
        content = export_bytes(other)
    with pytest.raises(InputError, match="another history of dispute D-1"):
        import_bytes(home, content)
    assert export_bytes(home) == before


def test_an_invalid_file_is_not_imported(home: House, many: bytes) -> None:
    lines = many.splitlines(keepends=True)
    with pytest.raises(InputError, match=r"x\.history\.jsonl:"):
        import_bytes(
            home, b"".join([*lines[:-1], lines[-1].replace(b'"revision":', b'"revision":1', 1)])
        )
    assert export_bytes(home) == b""


def test_what_was_erased_here_does_not_come_back(home: House) -> None:
    home.open("D-1")
    home.service.send("D-1", choose(Option.PROVE_NO_FAULT, note="⟦个人⟧"))
    content = export_bytes(home)
    assert "个人" in content.decode()
    home.service.erase("D-1")
    assert import_bytes(home, content) == 0
    assert "个人" not in export_bytes(home).decode()
    assert damages(home) == []


def test_an_order_cannot_get_a_second_live_dispute_by_a_file(home: House, tmp_path: Path) -> None:
    home.open("D-1", order_id="O-1")
    with house(f"sqlite:///{tmp_path / 'other.db'}") as other:
        other.open("D-2", order_id="O-1")
        content = export_bytes(other)
    with pytest.raises(ConflictError, match="order O-1 would have two live disputes, D-1 and D-2"):
        import_bytes(home, content)
    home.service.send("D-1", command(CommandType.WITHDRAW))
    assert import_bytes(home, content) == 1


def test_the_history_of_one_dispute_is_exported_alone_and_in_order(home: House) -> None:
    for dispute_id in ("D-1", "D-2"):
        home.open(dispute_id)
    home.service.send("D-1", command(CommandType.WITHDRAW))
    assert [
        line.count('"dispute_id":"D-1"') > 0
        for line in export_bytes(home, "D-1").decode().splitlines()
    ] == [False, True, True]
    with pytest.raises(UnknownDisputeError, match="no dispute D-9"):
        export_bytes(home, "D-1", "D-9")


# ---- the check -----------------------------------------------------------------------------------

PLANTED = {
    "a hash": ("UPDATE dispute_events SET hash = '{zeros}' WHERE seq = 2", "hash does not fit"),
    "a text": ("UPDATE dispute_events SET hashed = {hashed} WHERE seq = 2", "hash does not fit"),
    "an event that is gone": ("DELETE FROM dispute_events WHERE seq = 2", "event 2 is missing"),
    "the first event": ("DELETE FROM dispute_events WHERE seq = 1", "event 1 is missing"),
    "the last event": ("DELETE FROM dispute_events WHERE seq = 3", "the projection has"),
    "the policy": (
        "UPDATE dispute_policies SET body = replace(body, '24', '25')",
        "in the database was changed after it was written",
    ),
    "no policy": ("DELETE FROM dispute_policies", "is not in the database"),
    "personal values": (
        "UPDATE dispute_private_values SET body = replace(body, 'mine', 'ours')",
        "does not fit its commitment",
    ),
    "orphaned personal values": (
        "UPDATE dispute_private_values SET seq = 9",
        "orphaned personal values: the event does not exist",
    ),
    "a state": ("UPDATE disputes SET state = 'opened'", "the projection has state opened"),
    "an order": ("UPDATE disputes SET order_id = 'O-2'", "the projection has order_id O-2"),
    "closed": ("UPDATE disputes SET closed = NOT closed", "the projection has closed"),
    "a snapshot": ("UPDATE disputes SET snapshot = '{{}}'", "the projection has snapshot"),
    "a deadline": ("DELETE FROM dispute_deadlines", "the running deadlines are {{}}"),
    "a due instant": (
        "UPDATE dispute_deadlines SET due_at = '2030-01-01 00:00:00+00:00'",
        "the running deadlines are",
    ),
    "a key": ("DELETE FROM dispute_keys WHERE seq = 2", "the used keys are"),
    "what a key led to": ("UPDATE dispute_keys SET seq = 3", "the used keys are"),
    "a dispute": ("DELETE FROM disputes", "orphaned rows: the dispute does not exist"),
}


@pytest.mark.parametrize(("planted", "message"), PLANTED.values(), ids=PLANTED)
def test_the_check_finds_whatever_is_damaged(home: House, planted: str, message: str) -> None:
    home.open("D-1", key="k-0")
    home.service.send("D-1", choose(Option.PROVE_NO_FAULT, key="k-1", note="mine"))
    home.service.send("D-1", choose(Option.PROVE_NO_FAULT, key="k-2"))
    assert damages(home) == []
    sqlite = home.store.engine.dialect.name == "sqlite"
    as_text, as_bytes = (
        ("cast(hashed AS TEXT)", "cast({} AS BLOB)")
        if sqlite
        else ("convert_from(hashed, 'UTF8')", "convert_to({}, 'UTF8')")
    )
    hashed = as_bytes.format(f"replace({as_text}, 'merchant', 'consumer')")
    with home.store.engine.begin() as connection:  # somebody with all rights
        for table in ("dispute_events", "dispute_policies"):
            for name in ("update", "delete", "replace") if sqlite else ("rows", "all"):
                connection.execute(
                    text(f"DROP TRIGGER {table}_{name}{'' if sqlite else f' ON {table}'}")
                )
        connection.execute(
            text(
                planted.format(zeros="0" * 64, hashed=hashed)
                .replace(":00:00+", "\\:00\\:00+")
                .replace("+00:00", "+00\\:00")
            )
        )
    home.store._policies.clear()  # noqa: SLF001 -- a process that has just begun
    found = damages(home)
    assert found
    assert any(message.format() in each.message for each in found), found


def test_the_check_finds_events_that_the_feed_will_not_show(home: House) -> None:
    home.open("D-1")
    if home.store.engine.dialect.name == "sqlite":
        assert damages(home) == []
        return
    with home.store.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER dispute_events_rows ON dispute_events"))
        connection.execute(text("UPDATE dispute_events SET xid = xid + 1000000000"))
    assert any("another database cluster" in each.message for each in damages(home))


def test_a_recorded_dispute_with_blank_ids_is_imported_found_and_swept(
    home: House,
) -> None:
    content = of_blank_ids()
    assert import_bytes(home, content) == len(content.splitlines()) - 1
    assert records(export_bytes(home, " ")) == records(content)
    assert damages(home) == []
    home.time.now = OPENED_AT + 60 * DAY
    assert home.service.sweep().fired == 1
    dispute = home.service.get(" ")
    assert dispute is not None
    assert dispute.closed
    assert [each.dispute_id for each in home.service.by_merchant("\u00a0").items] == [" "]


def test_joined_files_are_imported_as_their_parts(url: str, tmp_path: Path) -> None:
    parts = [
        (HISTORIES / f"{name}.history.jsonl").read_bytes()
        for name in ("confirm-already-shipped", "confirm-consumer-cancels", "withdraw-opened")
    ]
    with house(f"sqlite:///{tmp_path / 'parts.db'}") as one, house(url) as other:
        apart = sum(import_bytes(one, part) for part in parts)
        assert import_bytes(other, b"".join(parts)) == apart
        assert records(export_bytes(other)) == records(export_bytes(one))
        assert damages(other) == []
