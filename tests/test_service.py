"""The service on both databases: each result is stored once; facts are queried outside."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timezone

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from dispute_fsm.decider.decisions import Accepted, Refused, Repeated, Unchanged
from dispute_fsm.decider.hash_chain import event_hash
from dispute_fsm.domain.commands import Actor, Withdraw
from dispute_fsm.domain.enums import CommandType, Option, RefusalCode, Role, StateName
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.errors import (
    FactsNeededError,
    InputError,
    OrderSystemUnavailableError,
    StaleFactsError,
    UnknownDisputeError,
)
from dispute_fsm.service import DisputeService
from dispute_fsm.store.integrity import CheckCounts, check
from dispute_fsm.store.repository import Store
from tests.service_support import AnyOrder, House, house, request
from tests.support import (
    CANCELLING,
    DAY,
    HOUR,
    MINUTE,
    OPENED_AT,
    OWN,
    PAID,
    choose,
    command,
    over,
    ruling,
    seen,
    submission,
    voucher,
)

A, E, C = Option, CommandType, RefusalCode


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


def rows(home: House) -> dict[str, int]:
    """Count the rows of every table that an opening or a command writes."""
    names = (
        "dispute_policies",
        "dispute_events",
        "dispute_private_values",
        "disputes",
        "dispute_deadlines",
        "dispute_keys",
    )
    with home.store.engine.connect() as connection:
        return {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()  # noqa: S608 -- our own names
            for name in names
        }


# ---- what is answered stands ---------------------------------------------------------------------


def test_what_was_answered_is_what_another_process_finds(home: House, url: str) -> None:
    home.open()
    answer = home.service.send("D-1", choose(A.OUT_OF_STOCK_REFUND, key="k-1", note="抱歉"))
    assert isinstance(answer.decision, Accepted)
    other = Store(url)
    with other.pool.take() as session:
        loaded = other.load(session, "D-1", "k-1")
        folded = other.fold(session, "D-1", answer.dispute.policy)
        events = other.history(session, "D-1")
    other.close()
    assert loaded is not None
    assert dict(loaded.dispute.keys) == {"k-1": answer.event}
    assert folded == answer.dispute
    assert events == [answer.dispute.opening, answer.event]
    assert home.service.history("D-1") == tuple(events)


def test_a_refused_opening_leaves_nothing(home: House) -> None:
    before = rows(home)
    refused = home.service.open(request(by=OWN[Role.MERCHANT]))
    assert isinstance(refused.decision, Refused)
    assert refused.codes == (C.WRONG_ACTOR,)
    assert rows(home) == before
    assert home.service.get("D-1") is None


def test_one_command_is_one_row_in_each_table_that_it_concerns(home: House) -> None:
    home.open()
    before = rows(home)
    home.service.send("D-1", choose(A.OUT_OF_STOCK_REFUND, key="k-1", note="x"))
    after = rows(home)
    assert {name: after[name] - before[name] for name in after} == {
        "dispute_policies": 0,
        "dispute_events": 1,
        "dispute_private_values": 1,
        "disputes": 0,
        "dispute_deadlines": 0,  # the response deadline went, the confirmation deadline came
        "dispute_keys": 1,
    }


def test_a_refusal_is_recorded_and_uses_no_key_up(home: House) -> None:
    home.orders.shown = PAID
    home.open()
    refused = home.service.send("D-1", choose(A.ALREADY_SHIPPED, key="k-1"))
    assert isinstance(refused.decision, Refused)
    assert set(refused.decision.codes) == {C.NOT_SHIPPED, C.NO_PICKUP_SCAN}
    assert rows(home)["dispute_keys"] == 0
    assert isinstance(
        home.service.send("D-1", choose(A.OUT_OF_STOCK_REFUND, key="k-1")).decision, Accepted
    )


def test_what_changes_nothing_appends_nothing(home: House) -> None:
    home.open()
    before = rows(home)
    assert isinstance(home.service.send("D-1", command(E.OBSERVE_ORDER)).decision, Unchanged)
    assert rows(home) == before


def test_there_is_no_dispute_to_put_a_command_to(home: House) -> None:
    with pytest.raises(UnknownDisputeError, match="no dispute D-9"):
        home.service.send("D-9", choose(A.OUT_OF_STOCK_REFUND))
    with (
        pytest.raises(UnknownDisputeError, match="no dispute D-9"),
        home.store.engine.begin() as connection,
    ):
        home.service.send("D-9", choose(A.OUT_OF_STOCK_REFUND), connection=connection)
    with pytest.raises(UnknownDisputeError, match="no dispute D-9"):
        home.service.options("D-9")
    with pytest.raises(UnknownDisputeError, match="no dispute D-9"):
        home.service.checklist("D-9", None)


# ---- asked again ---------------------------------------------------------------------------------


def test_the_same_key_with_the_same_content_is_answered_as_the_first_time_by_another_process(
    home: House, url: str
) -> None:
    home.open()
    asked = choose(A.OUT_OF_STOCK_REFUND, key="k-1", note="抱歉")
    first = home.service.send("D-1", asked)
    home.service.send("D-1", command(E.CONFIRM_AGREEMENT))
    before = rows(home)
    with house(url) as other:
        again = other.service.send("D-1", asked)
    assert isinstance(again.decision, Repeated)
    assert again.decision.event == first.event
    assert again.event is None
    assert rows(home) == before


def test_the_same_key_with_other_content_is_refused(home: House) -> None:
    home.open()
    home.service.send("D-1", choose(A.OUT_OF_STOCK_REFUND, key="k-1", note="a"))
    refused = home.service.send("D-1", choose(A.OUT_OF_STOCK_REFUND, key="k-1", note="b"))
    assert isinstance(refused.decision, Refused)
    assert refused.decision.codes == (C.KEY_REUSED,)


def test_an_opening_sent_again_is_answered_as_the_first_time_even_after_the_end(
    home: House,
) -> None:
    opened = home.open(key="k-0")
    home.service.send("D-1", command(E.WITHDRAW))
    again = home.service.open(request(key="k-0"))
    assert isinstance(again.decision, Repeated)
    assert again.decision.event == opened.opening
    assert again.dispute.closed


def test_the_id_with_another_content_is_refused(home: House) -> None:
    home.open()
    refused = home.service.open(request(order_id="O-2"))
    assert isinstance(refused.decision, Refused)
    assert refused.codes == (C.DISPUTE_EXISTS,)


def test_an_order_has_one_live_dispute_and_another_once_that_is_closed(home: House) -> None:
    home.open("D-1", order_id="O-1")
    looks = home.orders.looks
    refused = home.service.open(request("D-2", order_id="O-1"))
    assert isinstance(refused.decision, Refused)
    assert [
        (reason.code, reason.guard, reason.saw["dispute_id"]) for reason in refused.reasons
    ] == [(C.DISPUTE_EXISTS, "one_live_dispute_per_order", "D-1")]
    assert home.orders.looks == looks
    home.service.send("D-1", command(E.WITHDRAW))
    assert home.open("D-2", order_id="O-1").state is StateName.OPENED


# ---- time ----------------------------------------------------------------------------------------


def test_business_time_comes_from_the_database_where_it_has_a_clock(url: str) -> None:
    store = Store(url)
    service = DisputeService(store, AnyOrder(PAID))
    before = datetime.now(UTC)
    answer = service.open(request())
    store.close()
    assert before - MINUTE <= answer.dispute.last_at <= datetime.now(UTC) + MINUTE


def test_business_time_never_goes_back_within_a_dispute(home: House) -> None:
    home.time.pass_(HOUR)
    home.open()
    home.time.pass_(-HOUR)
    answer = home.service.send("D-1", choose(A.OUT_OF_STOCK_REFUND))
    assert isinstance(answer.decision, Accepted)
    assert answer.dispute.last_at == OPENED_AT + HOUR


# ---- the order system ----------------------------------------------------------------------------


def test_the_order_system_is_asked_only_where_a_rule_looks_at_it(home: House) -> None:
    home.open()
    looks = home.orders.looks
    home.orders.available = False
    assert isinstance(home.service.send("D-1", choose(A.OUT_OF_STOCK_REFUND)).decision, Accepted)
    assert home.orders.looks == looks


def test_an_order_that_is_gone_is_unknown_and_not_false(home: House) -> None:
    home.open()
    del home.orders._orders["O-D-1"]  # noqa: SLF001 -- an order system that forgets
    home.orders.put = lambda *_: None  # type: ignore[method-assign]  # and goes on forgetting
    before = rows(home)
    with pytest.raises(OrderSystemUnavailableError):
        home.service.send("D-1", choose(A.ALREADY_SHIPPED))
    assert rows(home) == before


def test_facts_that_are_handed_in_are_used_and_may_not_be_too_old(home: House) -> None:
    home.open()
    looks = home.orders.looks
    with pytest.raises(StaleFactsError):
        home.service.send(
            "D-1",
            choose(A.CONSUMER_CANCELS),
            facts=seen(CANCELLING, OPENED_AT - 10 * MINUTE, "O-D-1"),
        )
    answer = home.service.send(
        "D-1", choose(A.CONSUMER_CANCELS), facts=seen(CANCELLING, OPENED_AT - MINUTE, "O-D-1")
    )
    assert isinstance(answer.decision, Accepted)
    assert home.orders.looks == looks


# ---- the host's own transaction ------------------------------------------------------------------


def test_the_hosts_writes_and_ours_commit_together(home: House) -> None:
    with home.store.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE host (told text)")
    shown = seen(CANCELLING, OPENED_AT, "O-D-1")
    with home.store.engine.begin() as connection:
        connection.execute(text("INSERT INTO host VALUES ('opened')"))
        home.service.open(request(), facts=shown, connection=connection)
        answer = home.service.send(
            "D-1", choose(A.CONSUMER_CANCELS, key="k-1"), facts=shown, connection=connection
        )
    assert isinstance(answer.decision, Accepted)
    assert home.service.get("D-1") is not None
    with home.store.engine.connect() as connection:
        assert connection.execute(text("SELECT told FROM host")).scalar_one() == "opened"


def test_what_the_host_rolls_back_has_not_happened(home: House) -> None:
    home.open()
    before = rows(home)

    class ChangedMindError(Exception):
        pass

    def changes_its_mind() -> None:
        with home.store.engine.begin() as connection:
            home.service.send(
                "D-1", choose(A.OUT_OF_STOCK_REFUND, key="k-1", note="x"), connection=connection
            )
            raise ChangedMindError

    with pytest.raises(ChangedMindError):
        changes_its_mind()
    assert rows(home) == before
    assert home.service.history("D-1")[1:] == ()


def test_a_policy_that_was_rolled_back_with_its_dispute_is_written_with_the_next(
    home: House, url: str
) -> None:
    policy, shown = over(denial="review"), seen(CANCELLING, OPENED_AT, "O-D-1")
    with home.store.engine.connect() as connection, connection.begin() as transaction:
        home.service.open(request(policy=policy), facts=shown, connection=connection)
        home.service.send("D-1", choose(A.OUT_OF_STOCK_REFUND), connection=connection)
        transaction.rollback()
    home.open(policy=policy)
    with house(url) as other:
        assert other.service.send("D-1", choose(A.OUT_OF_STOCK_REFUND)).dispute.policy == policy


def test_nobody_is_asked_while_the_hosts_transaction_is_open(home: House) -> None:
    home.open()
    looks = home.orders.looks
    with home.store.engine.begin() as connection:
        with pytest.raises(FactsNeededError, match="hand in what facts"):
            home.service.send("D-1", choose(A.ALREADY_SHIPPED), connection=connection)
        with pytest.raises(FactsNeededError, match="hand in what facts"):
            home.service.open(request("D-2"), connection=connection)
        answer = home.service.send("D-1", choose(A.OUT_OF_STOCK_REFUND), connection=connection)
    assert isinstance(answer.decision, Accepted)
    assert home.orders.looks == looks


# ---- looking -------------------------------------------------------------------------------------


def test_options_ask_the_order_system_and_say_unknown_where_it_cannot_answer(home: House) -> None:
    home.open()
    assert {view.option: view.open for view in home.service.options("D-1")}[
        A.ALREADY_SHIPPED
    ] is True
    home.orders.available = False
    opened = {view.option: view.open for view in home.service.options("D-1")}
    assert (opened[A.ALREADY_SHIPPED], opened[A.PROVE_NO_FAULT]) == (None, True)
    home.orders.available = True
    home.service.send("D-1", command(E.WITHDRAW))
    looks = home.orders.looks
    assert not any(view.open for view in home.service.options("D-1"))
    assert home.orders.looks == looks


def test_a_checklist_is_by_the_policy_of_the_dispute(home: House) -> None:
    home.open(policy=over(evidence_reasons={"carrier_fault": None}))
    faults = home.service.checklist(
        "D-1", "carrier_fault", (voucher(kind="carrier_certificate"),), "late"
    ).reasons
    assert [finding.code for finding in faults] == [C.REASON_UNKNOWN]


# ---- erasing -------------------------------------------------------------------------------------


def test_erased_words_are_gone_and_the_chain_stays_whole(home: House, url: str) -> None:
    home.open()
    home.service.send("D-1", choose(A.PROVE_NO_FAULT, note="⟦个人⟧ note"))
    asked = submission(key="k-2", statement="⟦个人⟧ statement")
    home.service.send("D-1", asked)
    home.service.send("D-1", ruling(E.RULE_NO_FAULT, rationale="⟦个人⟧ rationale"))
    assert home.service.erase("D-1") == 3
    assert home.service.erase("D-1") == 0
    events = home.service.history("D-1")
    assert all(not event.private for event in events)
    assert "个人" not in "".join(event.model_dump_json() for event in events)
    if url.startswith("sqlite"):
        for file in home.store.engine.url.database, f"{home.store.engine.url.database}-wal":
            with open(str(file), "rb") as stream:  # noqa: PTH123 -- a name as SQLite has it
                assert "个人".encode() not in stream.read()
    assert isinstance(home.service.send("D-1", asked).decision, Repeated)
    refused = home.service.send("D-1", submission(key="k-2", statement="quite another length"))
    assert isinstance(refused.decision, Refused)
    assert refused.decision.codes == (C.KEY_REUSED,)


def test_an_erased_dispute_goes_on(home: House) -> None:
    home.open()
    home.service.send("D-1", choose(A.SHIP_BY_AGREED_DATE, note="x"))
    home.service.erase("D-1")
    home.time.pass_(DAY)
    assert home.service.send("D-1", command(E.WITHDRAW)).dispute.closed


# ---- what names nothing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nothing",
    ["", "\0", "D-\ud800", "x" * 201, "D-1\nD-2"],
    ids=["empty", "nul", "surrogate", "long", "lines"],
)
def test_what_can_be_no_id_names_nothing_in_every_call(home: House, nothing: str) -> None:
    home.open()
    service = home.service
    assert (
        service.get(nothing),
        service.history(nothing),
        service.snapshot(nothing),
        service.erase(nothing),
    ) == (None, (), None, 0)
    assert service.by_order(nothing).items == service.by_merchant(nothing).items == ()
    asked = choose(Option.OUT_OF_STOCK_REFUND)
    asks: tuple[Callable[[], object], ...] = (
        lambda: service.send(nothing, asked),
        lambda: service.options(nothing),
        lambda: service.checklist(nothing, None),
    )
    for ask in asks:
        with pytest.raises(InputError) as fault:
            ask()
        assert fault.value.field == "dispute_id"


# ---- a host's own --------------------------------------------------------------------------------


def test_a_connection_that_has_begun_no_transaction_is_an_error(home: House) -> None:
    home.open()
    asked = choose(Option.OUT_OF_STOCK_REFUND)
    autocommit = (
        {"isolation_level": "AUTOCOMMIT"} if home.store.engine.dialect.name == "postgresql" else {}
    )
    with home.store.engine.connect().execution_options(**autocommit) as connection:
        if autocommit:
            connection.exec_driver_sql("SELECT 1")
        asks: tuple[Callable[[], object], ...] = (
            lambda: home.service.send("D-1", asked, connection=connection),
            lambda: home.service.open(request("D-2"), connection=connection),
        )
        for ask in asks:
            with pytest.raises(InputError) as fault:
                ask()
            assert fault.value.field == "connection"
    assert len(home.service.history("D-1")) == 1


def test_a_snapshot_of_the_hosts_is_dated_by_the_services_clock(home: House) -> None:
    home.open()
    with home.store.engine.begin() as connection:
        facts = home.orders.look("O-D-1", home.service.now(connection))
        answer = home.service.send(
            "D-1", choose(Option.CONSUMER_CANCELS), facts=facts, connection=connection
        )
    assert isinstance(answer.decision, Accepted)
    assert home.service.now() == home.time.now


def test_what_a_class_of_the_hosts_adds_is_an_error_and_nothing_of_it_is_recorded(
    home: House,
) -> None:
    class ShopFacts(OrderFacts):
        debug: str = "x"

    class Person(Actor):
        name: str = "somebody"

    home.open()
    facts = ShopFacts(
        order_id="O-D-1", asked="shop", observed_at=home.time.now, revision="1", paid_at=OPENED_AT
    )
    with pytest.raises(ValidationError, match=r"facts\.debug"):
        home.service.send("D-1", choose(Option.ALREADY_SHIPPED), facts=facts)
    with pytest.raises(ValidationError, match=r"by\.name"):
        Withdraw(by=Person(role=Role.CONSUMER, id="C-1"))
    assert len(home.service.history("D-1")) == 1


def test_times_are_hashed_in_utc_whoever_made_them(home: House) -> None:
    class Stopped(datetime):
        """As a library that stops the clock makes them."""

    home.open()
    home.time.now = Stopped(2023, 3, 28, 3, tzinfo=UTC)
    elsewhere = OPENED_AT.astimezone(timezone(HOUR * 8))
    facts = home.orders.look("O-D-1", home.time.now).model_copy(update={"paid_at": elsewhere})
    assert isinstance(
        home.service.send("D-1", choose(Option.CONSUMER_CANCELS), facts=facts).decision, Accepted
    )
    assert not list(check(home.store, CheckCounts()))
    event = home.service.history("D-1")[-1]
    assert event_hash(event.model_dump(mode="json")) == event.hash


def test_what_was_erased_is_not_at_hand_either(home: House) -> None:
    home.open()
    home.service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND, key="k", note="a word of a person"))
    assert home.service.erase("D-1") == 1
    assert "a word of a person" not in repr(vars(home.store))
