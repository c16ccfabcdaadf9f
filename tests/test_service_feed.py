"""The feed: in commit order, no gaps, at least once; events that a sink rejects are parked."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from dispute_fsm.domain.enums import CommandType, Option
from dispute_fsm.errors import ConflictError, InputError, SinkUnavailableError
from dispute_fsm.service import consumer as delivery
from dispute_fsm.service.consumer import CloudEvent, DeliveryResult, log_sink
from dispute_fsm.store import subscriptions as consumers
from tests.service_support import House, house, request, settle
from tests.support import OPENED_AT, choose, command, seen, submission, voucher


@pytest.fixture
def home(url: str) -> Iterator[House]:
    with house(url) as home:
        yield home


class Sink:
    """Remembers what it took; cannot take the events that it is told about."""

    def __init__(self, *poison: str) -> None:
        self.poison = set(poison)
        self.down = False
        self.took: list[str] = []
        self.tried: list[str] = []

    def __call__(self, event: CloudEvent) -> None:
        self.tried.append(event["id"])
        if self.down:
            raise SinkUnavailableError("the consumer is down")
        if event["id"] in self.poison:
            raise ValueError(f"cannot take {event['id']}")
        self.took.append(event["id"])


def some(home: House, *ids: str) -> None:
    """Open disputes, then let each go on in turn: three events each."""
    for one in ids:
        home.open(one)
    for one in ids:
        home.service.send(one, choose(Option.OUT_OF_STOCK_REFUND))
    for one in ids:
        home.service.send(one, command(CommandType.CONFIRM_AGREEMENT))
    settle(home.store)


def ids(home: House, after: str | None = None, limit: int = 100) -> list[str]:
    return [event.cloud_event()["id"] for event in home.service.feed(after, limit)]


# ---- reading -------------------------------------------------------------------------------------


def test_the_feed_is_every_event_in_the_order_in_which_they_were_committed(home: House) -> None:
    some(home, "D-1", "D-2")
    assert ids(home) == ["D-1/1", "D-2/1", "D-1/2", "D-2/2", "D-1/3", "D-2/3"]


def test_reading_goes_on_behind_any_place(home: House) -> None:
    some(home, "D-1", "D-2")
    whole = home.service.feed()
    for number, event in enumerate(whole, 1):
        assert [one.position for one in home.service.feed(event.position)] == [
            one.position for one in whole[number:]
        ]
    assert ids(home, whole[1].position, limit=2) == ["D-1/2", "D-2/2"]
    assert home.service.feed(whole[-1].position) == ()


@pytest.mark.parametrize("after", ["", "7", "a-b", "-1-2", "1-2-3", "\u0663-\u0661", "1- 2"])
def test_a_text_that_is_no_place_is_an_error(home: House, after: str) -> None:
    with pytest.raises(InputError, match="not a position in the feed"):
        home.service.feed(after)


def test_an_event_that_commits_late_is_not_left_out(home: House) -> None:
    if home.store.engine.dialect.name == "sqlite":
        home.open("D-1")  # there is one writer at a time: nobody can be late
        assert ids(home) == ["D-1/1"]
        return
    home.open("D-0")
    settle(home.store)
    first = home.service.feed()[-1].position
    with home.store.engine.begin() as late:
        home.service.open(
            request("D-1"), facts=seen(home.orders.shown, OPENED_AT, "O-D-1"), connection=late
        )
        home.open("D-2")  # begins later, commits earlier, has the higher number
        assert ids(home, first) == [], "what may still be preceded is not shown yet"
    settle(home.store)
    assert ids(home, first) == ["D-1/1", "D-2/1"]


def test_a_disputes_events_stay_in_order_where_a_transaction_waited_for_another(
    home: House,
) -> None:
    if home.store.engine.dialect.name == "sqlite":
        some(home, "D-1")
        assert ids(home) == ["D-1/1", "D-1/2", "D-1/3"]
        return
    home.open("D-1")
    with home.store.engine.begin() as connection:
        connection.execute(text("CREATE TABLE host (told text)"))
    with home.store.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO host VALUES ('x')")
        )  # this transaction has its number now, a low one
        home.service.send(
            "D-1", choose(Option.OUT_OF_STOCK_REFUND)
        )  # another one, with a higher number
        home.service.send("D-1", command(CommandType.CONFIRM_AGREEMENT), connection=connection)
    settle(home.store)
    assert ids(home) == ["D-1/1", "D-1/2", "D-1/3"]
    places = [tuple(map(int, event.position.split("-"))) for event in home.service.feed()]
    assert places == sorted(places)


def test_a_reader_beside_many_writers_misses_nothing_and_reads_nothing_twice(url: str) -> None:
    with ExitStack() as stack:
        homes = [stack.enter_context(house(url)) for _ in range(5)]
        reader, writers = homes[0], homes[1:]
        done = threading.Event()
        read: list[str] = []

        def reads() -> None:
            place: str | None = None
            while True:
                last = (
                    done.is_set()
                )  # asked first: what was written before it was set is found below
                page = reader.service.feed(place, 7)
                read.extend(event.cloud_event()["id"] for event in page)
                place = page[-1].position if page else place
                if last and not page:
                    return

        reading = threading.Thread(target=reads)
        reading.start()
        writing_ = [
            threading.Thread(target=some, args=(one, *(f"D-{n}-{m}" for m in range(8))))
            for n, one in enumerate(writers)
        ]
        for thread in writing_:
            thread.start()
        for thread in writing_:
            thread.join()
        settle(reader.store)
        done.set()
        reading.join()
        assert len(read) == len(set(read)) == 4 * 8 * 3
        for n in range(4):
            for m in range(8):
                assert [one for one in read if one.startswith(f"D-{n}-{m}/")] == [
                    f"D-{n}-{m}/{seq}" for seq in (1, 2, 3)
                ]


# ---- the envelope --------------------------------------------------------------------------------


def test_the_envelope_is_a_cloud_event_without_anything_personal(home: House) -> None:
    home.open("D-1")
    home.service.send("D-1", choose(Option.PROVE_NO_FAULT, note="⟦个人⟧"))
    home.service.send(
        "D-1",
        submission(
            statement="⟦个人⟧",
            vouchers=[voucher(kind="carrier_certificate", file_name="⟦个人⟧.png")],
        ),
    )
    settle(home.store)
    events = [event.cloud_event("/shop/disputes") for event in home.service.feed()]
    for event in events:
        required = {"id", "source", "specversion", "type"}
        assert required <= event.keys()
        assert all(
            isinstance(event[name], str) and event[name]
            for name in (*required, "subject", "time", "datacontenttype", "sequence")
        )
        assert event["specversion"] == "1.0"
        assert event["source"] == "/shop/disputes"
        assert all(name.isascii() and name.isalnum() and name.islower() for name in event)
        assert event["data"]["private"] == {}
        assert "个人" not in json.dumps(event, ensure_ascii=False)
    assert [event["type"] for event in events] == [
        "dispute_fsm.dispute_opened",
        "dispute_fsm.option_chosen",
        "dispute_fsm.evidence_submitted",
    ]
    assert events[0]["data"]["hash"] == home.service.history("D-1")[0].hash


def test_the_log_sink_writes_a_line_of_ids_and_codes(home: House) -> None:
    home.open("D-1")
    home.service.send("D-1", choose(Option.PROVE_NO_FAULT, note="⟦个人⟧"))
    settle(home.store)
    with capture_logs() as logs:
        assert home.service.consumer("log", log_sink).deliver() == DeliveryResult(delivered=2)
    lines = [line for line in logs if line["event"] == "dispute_event"]
    assert [(line["dispute_id"], line["seq"], line["type"], line["role"]) for line in lines] == [
        ("D-1", 1, "dispute_opened", "consumer"),
        ("D-1", 2, "option_chosen", "merchant"),
    ]
    assert "个人" not in str(logs)


# ---- named consumers -----------------------------------------------------------------------------


def test_a_consumer_goes_on_where_it_ended_whichever_process_delivers(
    home: House, url: str
) -> None:
    some(home, "D-1", "D-2")
    first, second = Sink(), Sink()
    assert home.service.consumer("mail", first).deliver(limit=4) == DeliveryResult(
        delivered=4, more=True
    )
    with house(url) as other:
        assert other.service.consumer("mail", second).deliver() == DeliveryResult(delivered=2)
    assert first.took + second.took == ids(home)
    assert home.service.consumer("mail", first).deliver() == DeliveryResult()
    again = Sink()
    assert home.service.consumer("another", again).deliver().delivered == 6
    assert again.took == ids(home)


def test_where_the_consumer_is_down_nothing_is_parked_and_nothing_is_lost(home: House) -> None:
    some(home, "D-1")
    sink = Sink()
    consumer = home.service.consumer("mail", sink)
    sink.down = True
    with pytest.raises(SinkUnavailableError):
        consumer.deliver()
    assert consumer.parked() == ()
    sink.down = False
    assert consumer.deliver() == DeliveryResult(delivered=3)


def test_what_was_taken_before_the_consumer_went_down_does_not_come_again(home: House) -> None:
    some(home, "D-1")
    took: list[str] = []

    def down_after_two(event: CloudEvent) -> None:
        if len(took) == 2:
            raise SinkUnavailableError("the consumer is down")
        took.append(event["id"])

    with pytest.raises(SinkUnavailableError):
        home.service.consumer("mail", down_after_two).deliver()
    sink = Sink()
    home.service.consumer("mail", sink).deliver()
    assert took + sink.took == ids(home)


def test_a_process_that_dies_delivers_again_what_was_not_kept(home: House) -> None:
    some(home, "D-1")

    class DeadError(BaseException):
        pass

    def dies(_event: CloudEvent) -> None:
        raise DeadError

    consumer = home.service.consumer("mail", dies)
    with pytest.raises(DeadError):
        consumer.deliver()
    sink = Sink()
    assert home.service.consumer("mail", sink).deliver() == DeliveryResult(delivered=3)


def test_an_event_that_cannot_be_taken_is_parked_with_all_later_ones_of_its_dispute(
    home: House,
) -> None:
    some(home, "D-1", "D-2")
    sink = Sink("D-1/2")
    consumer = home.service.consumer("mail", sink, tries=2)
    assert consumer.deliver() == DeliveryResult(delivered=4, parked=1, held=1)
    assert sink.took == ["D-1/1", "D-2/1", "D-2/2", "D-2/3"]
    assert sink.tried.count("D-1/2") == 2
    held = consumer.parked()
    assert [(one.dispute_id, one.seq, one.error) for one in held] == [
        ("D-1", 2, "ValueError: cannot take D-1/2")
    ]
    assert consumer.deliver() == DeliveryResult(), "what is parked is not tried again by itself"


def test_what_comes_later_to_a_parked_dispute_is_held_back_too(home: House) -> None:
    home.open("D-1")
    home.service.send("D-1", choose(Option.OUT_OF_STOCK_REFUND))
    sink = Sink("D-1/2")
    consumer = home.service.consumer("mail", sink)
    settle(home.store)
    consumer.deliver()
    home.service.send("D-1", command(CommandType.CONFIRM_AGREEMENT))
    settle(home.store)
    assert consumer.deliver() == DeliveryResult(held=1)
    sink.poison.clear()
    assert consumer.retry("D-1") == DeliveryResult(delivered=2)
    assert sink.took == ["D-1/1", "D-1/2", "D-1/3"]
    assert consumer.parked() == ()


def test_a_retry_that_fails_stays_parked_and_a_skip_goes_on_behind(home: House) -> None:
    some(home, "D-1")
    sink = Sink("D-1/1", "D-1/3")
    consumer = home.service.consumer("mail", sink)
    assert consumer.deliver() == DeliveryResult(parked=1, held=2)
    assert consumer.retry("D-1") == DeliveryResult(parked=1, held=2)
    assert consumer.skip("D-1") == DeliveryResult(delivered=1, parked=1)
    assert [(one.dispute_id, one.seq) for one in consumer.parked()] == [("D-1", 3)]
    assert consumer.skip("D-1") == DeliveryResult()
    assert consumer.parked() == ()
    assert sink.took == ["D-1/2"]
    with pytest.raises(InputError, match="no event of dispute D-1 is parked"):
        consumer.retry("D-1")


def test_a_retry_while_the_consumer_is_down_forgets_nothing(home: House) -> None:
    some(home, "D-1")
    sink = Sink("D-1/2")
    consumer = home.service.consumer("mail", sink)
    consumer.deliver()
    sink.down = True
    with pytest.raises(SinkUnavailableError):
        consumer.retry("D-1")
    sink.down = False
    sink.poison.clear()
    assert consumer.retry("D-1") == DeliveryResult(delivered=2)
    assert sink.took == ["D-1/1", "D-1/2", "D-1/3"]


def test_a_parked_event_is_told_in_a_log_line_without_a_persons_words(home: House) -> None:
    some(home, "D-1")
    with capture_logs() as logs:
        home.service.consumer("mail", Sink("D-1/1")).deliver()
    lines = [line for line in logs if line["event"] == "event_parked"]
    assert [
        (line["consumer"], line["dispute_id"], line["seq"], line["error"]) for line in lines
    ] == [("mail", "D-1", 1, "ValueError")]


def test_one_process_at_a_time_delivers_for_a_name(home: House) -> None:
    some(home, "D-1")
    other = home.service.consumer("mail", Sink())
    meanwhile: list[DeliveryResult] = []

    def looks(_event: CloudEvent) -> None:
        meanwhile.append(other.deliver())

    assert home.service.consumer("mail", looks).deliver() == DeliveryResult(delivered=3)
    assert meanwhile == [DeliveryResult(busy=True)] * 3


def test_a_lease_that_lapsed_lets_another_deliver_and_the_first_hears_of_it(home: House) -> None:
    some(home, "D-1")
    sink = Sink()
    other = home.service.consumer("mail", sink)

    def too_slow(_event: Mapping[str, Any]) -> None:
        if not sink.took:
            assert other.deliver() == DeliveryResult(delivered=3)

    with pytest.raises(ConflictError, match="another process delivers"):
        home.service.consumer("mail", too_slow, lease=timedelta(0)).deliver()
    assert sink.took == ids(home)
    assert other.deliver() == DeliveryResult()


# ---- what goes wrong -----------------------------------------------------------------------------


def test_a_retry_that_is_interrupted_loses_nothing(home: House) -> None:
    some(home, "D-1")
    sink = Sink("D-1/1")
    consumer = home.service.consumer("c", sink)
    consumer.deliver()
    sink.poison.clear()

    def interrupted(event: CloudEvent) -> None:
        if event["id"] == "D-1/2":
            raise KeyboardInterrupt
        sink(event)

    with pytest.raises(KeyboardInterrupt):
        home.service.consumer("c", interrupted).retry("D-1")
    assert [(one.dispute_id, one.seq) for one in consumer.parked()] == [("D-1", 2)]
    assert consumer.retry("D-1") == DeliveryResult(delivered=2)
    assert sink.took == ["D-1/1", "D-1/2", "D-1/3"]
    assert not consumer.parked()


def test_a_sink_may_say_anything_and_only_its_event_is_parked(home: House) -> None:
    some(home, "D-1", "D-2")
    took: list[str] = []

    def odd(event: CloudEvent) -> None:
        if event["subject"] == "D-1":
            raise ValueError("400: \0 \ud800 " + "x" * 1000)
        took.append(event["id"])

    consumer = home.service.consumer("c", odd, tries=1)
    assert consumer.deliver() == DeliveryResult(delivered=3, parked=1, held=2)
    said = [one.error for one in consumer.parked()]
    assert [(one[:20], len(one)) for one in said] == [("ValueError: 400: � ?", 300)]
    assert took == ["D-2/1", "D-2/2", "D-2/3"]


def test_no_tries_are_an_error_for_they_would_lose_every_event(home: House) -> None:
    with pytest.raises(InputError) as fault:
        home.service.consumer("c", Sink(), tries=0)
    assert fault.value.field == "tries"


def test_a_slow_sink_neither_loses_its_turn_nor_hears_all_again(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    some(home, "D-1", "D-2")
    passed, lease = [0.0], timedelta(seconds=60)
    monkeypatch.setattr(delivery, "monotonic", lambda: passed[0])
    sink = Sink()

    def slow(event: CloudEvent) -> None:
        if len(sink.took) == 4:
            raise KeyboardInterrupt
        sink(event)
        passed[0] += 25
        with home.store.pool.take() as session:
            kept.append(str(consumers.position_of(session, "c")))

    kept: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        home.service.consumer("c", slow, lease=lease).deliver()
    assert len(set(kept)) == 4, "the place moves on while it delivers"
    rest = Sink()
    home.service.consumer("c", rest).deliver()
    assert [*sink.took, *rest.took] == ids(home)


def test_the_sequence_of_an_envelope_sorts_as_a_text_does(home: House) -> None:
    some(home, *(f"D-{number}" for number in range(4)))
    sequences = [event.cloud_event()["sequence"] for event in home.service.feed()]
    assert sequences == sorted(sequences)
    assert len({len(one) for one in sequences}) == 1
    assert ids(home, sequences[5]) == ids(home)[6:]
