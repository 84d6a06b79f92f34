#!/usr/bin/env python3
"""Holds the stored channels of a running Parley/1 server against the specification page, as conformance.py does the rest.

    python3 tests/independent/conformance_stored.py --port PORT [--only SUBSTRING] [--seed N] [--times]
    python3 tests/independent/conformance_stored.py --port PORT --run NAME --phase before   # then restart the server
    python3 tests/independent/conformance_stored.py --port PORT --run NAME --phase after

The server must let sessions in without a token and store these channels, and none of `ct.>`:

    cd.>      durable
    ch.>      history
    cdfew.>   durable, at most 3 messages, the oldest are dropped
    cdfull.>  durable, at most 3 messages, more are refused
    cdold.>   durable, at most 3 messages, more are refused, for 1 s
"""

import json
import sys
import threading
import time
from datetime import datetime, timezone

sys.dont_write_bytecode = True  # leaves no __pycache__ in the repository

import conformance
from conformance import Stuck, check, every, inbox, keep_alive, pressing, quiet, require, waiting
from parley_wire import (
    ACK, HEADERS, KIND_JSON, LEAVE, LEFT, MESSAGE, NAK, OPEN, OPENED, POSITION, RECEIPT, RENEW, REPLY,
    REQUEST, Mismatch, encode, with_headers,
)

conformance.CHECKS.clear()  # only those of this file

SET_ASIDE = 0xffffffff


# ---------------------------------------------------------------- helpers

def named(test, first="cd", suffix="a"):
    """A channel of this check, whose first segment decides how it is stored."""
    return f"{first}.{test.prefix.split('.', 1)[1]}.{suffix}"


def publisher(test, channel, **options):
    """A session that publishes on the channel, and the channel's number."""
    session = test.session()
    return session, session.open(channel, **options)


def store(session, number, *payloads):
    """Publishes the payloads; the last one wants a receipt, which says that all are stored. Answers its sequence."""
    for payload in payloads[:-1]:
        session.send(MESSAGE, payload, channel=number)
    return receipt(session, number, payloads[-1])


def receipt(session, number, payload, id=4711):
    """Publishes one message and answers the sequence that its receipt gives."""
    session.send(MESSAGE, payload, flags=RECEIPT, id=id, channel=number)
    return sequence_of(session.expect(ACK, id=id, channel=number))


def sequence_of(frame):
    return int.from_bytes(frame.payload, "big")


def filled(test, count, first="cd"):
    """A durable channel that stores b"1" to b"<count>", and a session that may publish there."""
    name = named(test, first)
    session, number = publisher(test, name)
    store(session, number, *[b"%d" % n for n in range(1, count + 1)])
    return name, session, number


def numbered(first, last, before=0):
    """What `stored` answers for the messages b"<first>" to b"<last>" that have their own number as sequence."""
    return [(n, b"%d" % n, before) for n in range(first, last + 1)]


def same(got, expected, what="these messages"):
    require(got == expected, f"{what}: {expected[:8]}", got[:8])


def ack(session, number, first, last=None):
    """An ACK of a consumer, of 8 or 16 bytes."""
    session.send(ACK, u64(first) + (b"" if last is None else u64(last)), channel=number)


def nak(session, number, sequence, delay):
    session.send(NAK, u64(sequence) + delay.to_bytes(4, "big"), channel=number)


def u64(value):
    return value.to_bytes(8, "big")


def consumer(test, channel, name="billing", **options):
    session = test.session()
    return session, session.open(channel, True, consumer=name, **options)


def not_opened(session, code, channel, **keys):
    session.send(OPEN, {"channel": channel, **keys}, id=9)
    session.refused(code, id=9)


def just(session, expected):
    """These messages come, and no others. What is read from a disk takes a moment, so this waits for one, too."""
    same(session.stored(len(expected)), expected)
    time.sleep(0.03)
    none(session)


def none(*sessions):
    """No stored message has come to any of them."""
    for session in sessions:
        got = session.stored_before_pong()
        require(not got, "no message", got[:3])


# ---------------------------------------------------------------- what OPENED says

@check
def opened_says_how_a_channel_is_stored(test):
    def one(case):
        first, kind = case
        session = test.session()
        session.open(named(test, first))
        got = {key: session.opened.get(key) for key in ("durable", "history", "first", "last")}
        require(got == {"durable": None, "history": None, kind: True, "first": 1, "last": 0},
                f"{kind}, first 1 and last 0", got)  # `audit` looks at the rest
    every([("cd", "durable"), ("ch", "history")], one)
    session = test.session()
    session.open(test.channel())
    stored = [key for key in ("durable", "history", "epoch", "first", "last") if key in session.opened]
    require(not stored, "none of the keys on a channel that is not stored", stored)


@check
def opened_says_first_and_last(test):
    name, session, _ = filled(test, 3)
    session.open(name)
    require((session.opened["first"], session.opened["last"]) == (1, 3), "1 to 3", session.opened)


@check
def a_channel_keeps_number_epoch_and_messages_when_no_session_has_it_open(test):
    name, session, number = filled(test, 2)
    session.open(name)
    epoch = session.opened["epoch"]
    session.leave(name, number)
    other = test.session()
    require(other.open(name, True, **{"from": "all"}) == number, f"number {number}", other.opened)
    require(other.opened["epoch"] == epoch, f"epoch {epoch}", other.opened)
    same(other.stored(2), numbered(1, 2))


# ---------------------------------------------------------------- what is stored

@check
def messages_get_the_next_sequence(test):
    def one(first):
        name = named(test, first)
        subscriber = test.session()
        subscriber.open(name, True)
        (ada, number), (bob, _) = publisher(test, name), publisher(test, name)
        for n in range(1, 7):
            (ada if n % 2 else bob).send(MESSAGE, b"%d" % n, channel=number)
            same(subscriber.stored(1), numbered(n, n))
    every(["cd", "ch"], one)


@check
def a_position_comes_before_the_first_message(test):
    name = named(test)
    subscriber = test.session()
    number = subscriber.open(name, True)
    ada, _ = publisher(test, name)
    ada.send(MESSAGE, b"x", channel=number)
    subscriber.expect(POSITION, channel=number, payload=u64(1))
    subscriber.expect(MESSAGE, channel=number, payload=b"x")
    ada.send(MESSAGE, b"y", channel=number)
    frame = subscriber.receive()  # a POSITION may come, but needs not
    if frame.type == POSITION:
        require(frame.payload == u64(2), "sequence 2", str(frame))
        frame = subscriber.receive()
    require(frame.type == MESSAGE and frame.payload == b"y", "MESSAGE y", str(frame))


@check
def what_is_stored_is_what_was_sent(test):
    def one(first):
        name = named(test, first)
        session, number = publisher(test, name)
        sent = [(KIND_JSON, 0, b'{"a":1}'), (HEADERS, 0, with_headers({"a": "b"}, b"c")), (0, 0, b""),
                (0, 0, bytes(70_000))]
        if first == "cd":
            sent.append((RECEIPT, 77, b"with a receipt"))
        for flags, id, payload in sent:
            session.send(MESSAGE, payload, flags=flags, id=id, channel=number)
        session.before_pong()
        sender = session.number
        session.close()
        reader = test.session()
        reader.open(name, True, **{"from": "all"})
        reader.stored(len(sent), timeout=10)
        got = [(frame.flags, frame.id, frame.payload) for frame in reader.last_frames]
        require(got == sent, "the same flags, ids and payloads", [(f, i, len(p)) for f, i, p in got])
        require({(frame.sender, frame.channel) for frame in reader.last_frames} == {(sender, number)},
                f"sender {sender} and channel {number}", str(reader.last_frames[0]))
    every(["cd", "ch"], one)


@check
def requests_replies_and_inboxes_are_not_stored(test):
    name = named(test)
    responder = test.session()
    number = responder.open(name, respond=True)
    session, _ = publisher(test, name)
    session.send(REQUEST, b"?", id=5, channel=number)
    responder.expect(REQUEST, id=5, payload=b"?")
    responder.send(REPLY, b"!", id=5, channel=inbox(session))
    session.expect(REPLY, id=5, payload=b"!")
    session.send(MESSAGE, b"psst", channel=inbox(responder))
    responder.expect(MESSAGE, payload=b"psst")
    session.open(name)
    require(session.opened["last"] == 0, "nothing to be stored", session.opened)


# ---------------------------------------------------------------- replay

@check
def replay_begins_where_it_is_asked_to(test):
    def one(case):
        first, (begin, sequence) = case
        name, session, number = filled(test, 4, first) if first == "cd" else history(test, 4)
        session.open(name)
        if isinstance(begin, dict) and begin.get("epoch"):
            begin = {**begin, "epoch": session.opened["epoch"]}
        reader = test.session()
        reader.open(name, True, **{"from": begin})
        if sequence <= 4:
            same(reader.stored(5 - sequence), numbered(sequence, 4), f"from {begin}")
        none(reader)
        session.send(MESSAGE, b"5", channel=number)
        same(reader.stored(1), [(5, b"5", 0)], f"from {begin}, the new one")
        reset(test)
    places = [("all", 1), ("last", 4), ("new", 5), ({"sequence": 1}, 1), ({"sequence": 3}, 3), ({"sequence": 5}, 5),
              ({"sequence": 2, "epoch": True}, 2), ({"sequence": 5, "epoch": True}, 5),
              ({"time": "2000-01-01T00:00:00Z"}, 1), ({"time": "2100-01-01T00:00:00+01:00"}, 5)]
    every([(first, place) for first in ("cd", "ch") for place in places], one)


def reset(test):
    """The next case of the check has channels of its own."""
    test.prefix += "_"


def history(test, count):
    name = named(test, "ch")
    session, number = publisher(test, name)
    for n in range(1, count + 1):
        session.send(MESSAGE, b"%d" % n, channel=number)
    quiet(session)
    return name, session, number


@check
def replay_from_a_time_begins_with_the_first_stored_then_or_later(test):
    # The clock is the server's: one message is stored before, and one after a second has begun anew.
    name, session, number = filled(test, 2)
    time.sleep(0.05)
    between = datetime.now(timezone.utc)
    time.sleep(0.05)
    store(session, number, b"3", b"4")
    reader = test.session()
    reader.open(name, True, **{"from": {"time": between.isoformat()}})
    same(reader.stored(2), numbered(3, 4))


@check
def replay_of_an_epoch_or_sequence_that_is_not_there(test):
    name, session, number = filled(test, 3)
    session.open(name)
    epoch = session.opened["epoch"]
    reader = test.session()
    for begin in ({"sequence": 1, "epoch": epoch + "x" if len(epoch) < 32 else "x"}, {"sequence": 5, "epoch": epoch},
                  {"sequence": 2 ** 63, "epoch": epoch}):
        not_opened(reader, "epoch_changed", name, subscribe=True, **{"from": begin})
    store(session, number, b"4")
    none(reader)  # what was refused has not subscribed


@check
def replay_from_what_makes_no_sense(test):
    name, session = filled(test, 1)[0], test.session()

    def one(begin):
        not_opened(session, "bad_payload", name, subscribe=True, **{"from": begin})
    every(["first", "", 5, True, [], {}, {"epoch": "e"}, {"sequence": "1"}, {"sequence": 1.5}, {"time": 5},
           {"time": "yesterday"}], one)


@check
def replay_joins_what_is_new_without_a_seam(test):
    def one(first):
        name = named(test, first)
        session, number = publisher(test, name)
        total, readers = 6000, []

        def publish():
            for start in range(1, total + 1, 20):
                session.send_raw(b"".join(encode(MESSAGE, b"%d" % n, channel=number, sender=session.number)
                                          for n in range(start, start + 20)))
        writer = threading.Thread(target=publish, daemon=True)
        writer.start()
        for _ in range(5):
            reader = test.session()
            reader.open(name, True, **{"from": "all"})
            readers.append(reader)
        for reader in readers:
            same(reader.stored(total, timeout=15), numbered(1, total))
        writer.join(5)
        none(*readers)
    every(["cd", "ch"], one)


@check
def opening_again_goes_on_at_the_same_place(test):
    name, session, number = filled(test, 3)
    reader = test.session()
    reader.open(name, True, **{"from": "all"})
    same(reader.stored(3), numbered(1, 3))
    reader.open(name, True)
    none(reader)
    store(session, number, b"4")
    same(reader.stored(1), numbered(4, 4))
    reader.open(name, True, **{"from": {"sequence": 2}})
    same(reader.stored(3), numbered(2, 4), "the messages from the new place on")


@check
def no_message_of_it_follows_after_left(test):
    name, session, number = filled(test, 3)
    reader = test.session()
    reader.open(name, True, **{"from": "all"})
    reader.send(LEAVE, {"channel": name}, id=3)
    while (frame := reader.receive()).type != LEFT:
        reader.take_stored(frame)
    store(session, number, b"4")
    quiet(reader)


@check
def without_echo_the_sequence_jumps(test):
    name = named(test)
    session = test.session()
    number = session.open(name, True, echo=False)
    other, _ = publisher(test, name)
    receipt(other, number, b"1")
    same(session.stored(1), [(1, b"1", 0)])
    receipt(session, number, b"mine")
    receipt(other, number, b"3")
    same(session.stored(1), [(3, b"3", 0)])


@check
def a_pattern_reads_what_is_new(test):
    name, session, number = filled(test, 2)
    reader = test.session()
    reader.open(named(test, suffix="*"), True)
    none(reader)
    store(session, number, b"3")
    frame = reader.expect(OPENED, id=0, channel=number)
    require(frame.json()["durable"] is True, "an announcement of a durable channel", str(frame))
    reader.expect(POSITION, channel=number, payload=u64(3))
    reader.expect(MESSAGE, channel=number, payload=b"3")


@check
def a_pattern_from_last_sends_the_last_message_of_each_channel(test):
    session, numbers = test.session(), {}
    for suffix, count in (("a", 3), ("b", 1), ("c", 2)):
        numbers[suffix] = session.open(named(test, suffix=suffix))
        store(session, numbers[suffix], *[b"%d" % n for n in range(1, count + 1)])
    session.open(named(test, suffix="empty"))
    reader = test.session()
    reader.open(named(test, suffix="*"), True, **{"from": "last"})
    require(reader.opened.get("count") == 3, "count 3", reader.opened)
    got = sorted(reader.stored(3))
    same(got, [(1, b"1", 0), (2, b"2", 0), (3, b"3", 0)], "the last message of each channel")
    none(reader)
    store(session, numbers["b"], b"2")
    same(reader.stored(1), [(2, b"2", 0)], "what is new")


@check
def a_pattern_takes_new_and_last_only(test):
    session = test.session()

    def one(begin):
        not_opened(session, "bad_payload", named(test, suffix="*"), subscribe=True, **{"from": begin})
    every(["all", {"sequence": 1}, {"time": "2026-01-01T00:00:00Z"}], one)


@check
def a_session_that_matches_twice_receives_once(test):
    name, session, number = filled(test, 2)
    reader = test.session()
    reader.open(named(test, suffix="*"), True)
    reader.open(name, True, **{"from": "all"})  # the name decides
    same(reader.stored(2), numbered(1, 2))
    store(session, number, b"3")
    same(reader.stored(1), numbered(3, 3))
    reader.leave(name, number)
    store(session, number, b"4")
    same(reader.stored(1), numbered(4, 4), "the pattern to go on")
    none(reader)


@check
def a_group_shares_one_place(test):
    name, session, number = filled(test, 2)
    members = test.sessions(2)
    for member in members:
        member.open(name, True, group="g")
    store(session, number, *[b"%d" % n for n in range(3, 43)])
    got = [member.stored_before_pong() for member in members]
    for part in got:
        require(part == sorted(part) and part, "the messages in order at each member", got)
    same(sorted(got[0] + got[1]), numbered(3, 42))


@check
def a_group_by_pattern_and_name_is_one_group(test):
    name = named(test)
    by_name, by_pattern = test.sessions(2)
    by_name.open(name, True, group="g")
    by_pattern.open(named(test, suffix="*"), True, group="g")
    session, number = publisher(test, name)
    for n in range(1, 21):
        receipt(session, number, b"%d" % n)
    got = [member.stored_before_pong() for member in (by_name, by_pattern)]
    same(sorted(got[0] + got[1]), numbered(1, 20))
    require(abs(len(got[0]) - len(got[1])) <= 1, "the members to take turns", [len(part) for part in got])


@check
def an_empty_channel_has_every_place(test):
    def one(case):
        first, begin = case
        name, reader = named(test, first), test.session()
        reader.open(name, True, **{"from": begin})
        session, number = publisher(test, name)
        session.send(MESSAGE, b"1", channel=number)
        same(reader.stored(1), numbered(1, 1), f"from {begin}")
        reset(test)
    every([(first, begin) for first in ("cd", "ch")
           for begin in ("all", "last", "new", {"sequence": 1}, {"time": "2020-01-01T00:00:00Z"})], one)


@check
def presence_and_requests_are_as_on_any_channel(test):
    name = named(test)
    session = test.session("Ada")
    number = session.open(name, True, presence=True, respond=True)
    require(session.opened["members"] == [{"number": session.number, "name": "Ada"}], "Ada", session.opened)
    other = test.session("Grace")
    other.open(name, True, **{"from": "all"})
    require(session.receive().json() == {"number": other.number, "name": "Grace"}, "JOINED of Grace", "another")
    receipt_id = 3
    other.send(MESSAGE, b"1", flags=RECEIPT, id=receipt_id, channel=number)
    other.send(REQUEST, b"?", id=4, channel=number)
    kinds = set()
    for _ in range(2):  # the REQUEST may overtake the MESSAGE
        frame = session.receive()
        while frame.type == POSITION:
            session.take_stored(frame)
            frame = session.receive()
        kinds.add((frame.type, frame.payload))
    require(kinds == {(MESSAGE, b"1"), (REQUEST, b"?")}, "MESSAGE and REQUEST", kinds)


@check
def a_group_takes_new_only(test):
    name, session = filled(test, 1)[0], test.session()

    def one(begin):
        not_opened(session, "bad_payload", name, subscribe=True, group="g", **{"from": begin})
    every(["all", "last", {"sequence": 1}, {"time": "2026-01-01T00:00:00Z"}], one)
    session.open(name, True, group="g", **{"from": "new"})
    none(session)


@check
def what_is_stored_no_longer_is_jumped_over(test):
    name, session, number = filled(test, 10, "cdfew")
    session.open(name)
    first, last = session.opened["first"], session.opened["last"]
    require(last == 10 and 1 < first and last - first + 1 <= 3, "at most 3 messages up to 10", session.opened)
    for begin in ("all", {"sequence": 1}):
        reader = test.session()
        reader.open(name, True, **{"from": begin})
        same(reader.stored(last - first + 1), numbered(first, last), f"from {begin}")


@pressing
def a_slow_subscriber_of_a_durable_channel_misses_nothing(test):
    slow_subscriber(test, "cd")


@pressing
def a_slow_subscriber_of_a_channel_with_history_misses_nothing(test):
    slow_subscriber(test, "ch")


def slow_subscriber(test, first):
    """It holds no publisher, and is not closed: it reads from the store what it has not taken."""
    name, count = named(test, first), 500
    stuck = Stuck(test, name, subscribe=True)
    session, number = publisher(test, name)
    flood(session, number, count)
    keep_alive(stuck, [session], 1.5 * test.settings.slow_consumer_timeout)
    got = [(sequence, int(payload[:6])) for sequence, payload, _ in stuck.session.stored(count, timeout=10)]
    require(got == [(n, n) for n in range(1, count + 1)], "every message in order", got[:5])
    quiet(stuck.session)


def flood(session, number, count):
    """Publishes `count` numbered messages of 64 KiB, which the server must take at once."""
    session.send_raw(b"".join(encode(MESSAGE, b"%06d" % n + bytes(65_530), channel=number, sender=session.number)
                              for n in range(1, count + 1)), timeout=30)
    session.before_pong(30)


# ---------------------------------------------------------------- receipts

@check
def a_receipt_has_the_id_the_channel_and_the_sequence(test):
    name = named(test)
    session, number = publisher(test, name)
    for n, id in enumerate((1, 65535, 7, 7), 1):  # an id may be used again once it is answered
        session.send(MESSAGE, b"x", flags=RECEIPT, id=id, channel=number)
        session.expect(ACK, id=id, channel=number, payload=u64(n))


@check
def a_receipt_covers_all_before_it(test):
    name = named(test)
    session, number = publisher(test, name)
    require(store(session, number, *[b"%d" % n for n in range(1, 1001)]) == 1000, "sequence 1000", "another")
    session.reset()
    reader = test.session()
    reader.open(name, True, **{"from": "all"})
    same(reader.stored(1000), numbered(1, 1000))


@check
def receipts_of_a_channel_come_in_order(test):
    session = test.session()
    numbers = [session.open(named(test, suffix=suffix), id=1) for suffix in "ab"]
    for id in range(1, 401):
        session.send(MESSAGE, b"%d" % id, flags=RECEIPT, id=id, channel=numbers[id % 2])
    got = {number: [] for number in numbers}
    for _ in range(400):
        frame = session.expect(ACK)
        got[frame.channel].append((frame.id, sequence_of(frame)))
    for index, number in enumerate(numbers):
        ids = [id for id in range(1, 401) if numbers[id % 2] == number]
        require(got[number] == list(zip(ids, range(1, 201))), f"200 receipts in order on channel {index}",
                got[number][:5])


@check
def what_needs_a_durable_channel_is_refused_on_history(test):
    name = named(test, "ch")
    session = test.session()
    number = session.open(name, True)
    session.send(MESSAGE, b"x", flags=RECEIPT, id=5, channel=number)
    session.refused("not_durable", id=5, channel=number)
    for type, payload in ((ACK, u64(1)), (ACK, u64(1) * 2), (NAK, u64(1) + bytes(4)), (RENEW, u64(1))):
        session.send(type, payload, channel=number)
        session.refused("not_durable", channel=number)
    not_opened(session, "not_durable", name, producer="p")
    not_opened(session, "not_durable", name, subscribe=True, consumer="c")
    none(session)  # the message was not delivered


@check
def what_cannot_be_stored_is_refused(test):
    name = named(test, "cdfull")
    subscriber = test.session()
    subscriber.open(name, True)
    session, number = publisher(test, name)
    require([receipt(session, number, b"%d" % n) for n in (1, 2, 3)] == [1, 2, 3], "3 to be stored", "others")
    session.send(MESSAGE, b"4", flags=RECEIPT, id=4, channel=number)
    session.refused("not_stored", id=4, channel=number)
    session.send(MESSAGE, b"5", channel=number)
    session.refused("not_stored", id=0, channel=number)
    same(subscriber.stored_before_pong(), numbered(1, 3), "what is refused not to be delivered")
    session.open(name, retry=True)
    require(session.opened["last"] == 3, "last 3", session.opened)
    session.send(MESSAGE, b"6", flags=RECEIPT, id=6, channel=number)
    session.refused("not_stored", id=6, channel=number)


@waiting
def after_not_stored_everything_is_refused_until_retry(test):
    name = named(test, "cdold")
    session, number = publisher(test, name)
    store(session, number, b"1", b"2", b"3")
    session.send(MESSAGE, b"4", flags=RECEIPT, id=4, channel=number)
    session.refused("not_stored", id=4, channel=number)
    other = test.session()
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:  # what was stored grows too old
        other.open(name)
        if other.opened["first"] > other.opened["last"]:
            break
        session.before_pong()
        time.sleep(0.2)
    require(other.opened["last"] == 3 and other.opened["first"] == 4, "nothing stored any more", other.opened)
    session.send(MESSAGE, b"5", flags=RECEIPT, id=5, channel=number)
    session.refused("not_stored", id=5, channel=number)
    require(receipt(other, number, b"of another session") == 4, "another session not to be refused", "it was")
    session.open(name)  # without "retry"
    session.send(MESSAGE, b"6", flags=RECEIPT, id=6, channel=number)
    session.refused("not_stored", id=6, channel=number)
    session.open(name, retry=True)
    require(receipt(session, number, b"7") == 5, "sequence 5", "another")


# ---------------------------------------------------------------- producers

@check
def a_producer_is_told_how_many_of_its_messages_are_stored(test):
    name = named(test)
    session, number = publisher(test, name, producer="import-7")
    require(session.opened.get("stored") == 0, "stored 0", session.opened)
    store(session, number, b"1", b"2", b"3")
    other, _ = publisher(test, name)
    require("stored" not in other.opened, "stored only for producers", other.opened)
    store(other, number, b"of no producer")
    session.open(name)  # it stays the producer
    store(session, number, b"4")
    session.close()
    again, _ = publisher(test, name, producer="import-7")
    require(again.opened["stored"] == 4, "stored 4", again.opened)
    another, _ = publisher(test, name, producer="import-8")
    require(another.opened["stored"] == 0, "each producer to be counted by itself", another.opened)
    elsewhere, _ = publisher(test, named(test, suffix="b"), producer="import-7")
    require(elsewhere.opened["stored"] == 0, "each channel to be counted by itself", elsewhere.opened)


@check
def a_producer_that_is_taken_over_is_fenced(test):
    name = named(test)
    first, number = publisher(test, name, producer="p")
    store(first, number, b"1", b"2")
    reader = test.session()
    reader.open(name, True, **{"from": {"sequence": 3}})
    second, _ = publisher(test, name, producer="p")
    require(second.opened["stored"] == 2, "stored 2", second.opened)
    first.refused("fenced", id=0, channel=number)
    first.send(MESSAGE, b"late", flags=RECEIPT, id=8, channel=number)
    first.refused("fenced", id=8, channel=number)
    first.send(MESSAGE, b"later", channel=number)
    first.refused("fenced", id=0, channel=number)
    require(receipt(second, number, b"3") == 3, "sequence 3", "another")
    same(reader.stored(1), numbered(3, 3))
    none(reader)
    first.open(name, producer="p")  # it may, if it is told to
    require(first.opened["stored"] == 3, "stored 3", first.opened)
    second.refused("fenced", id=0, channel=number)


@check
def opened_waits_until_every_message_of_the_producer_is_settled(test):
    for round in range(5):
        name = named(test, suffix=f"r{round}")
        first, number = publisher(test, name, producer="p")
        first.send_raw(b"".join(encode(MESSAGE, b"%d" % n, channel=number, sender=first.number)
                                for n in range(1, 3001)))
        second, _ = publisher(test, name, producer="p")
        told, last = second.opened["stored"], second.opened["last"]
        require(told == last, "stored to be what is in the channel", second.opened)
        first.before_pong()  # what it still sends is fenced
        second.open(name)
        require(second.opened["last"] == told, f"nothing more than {told} to be stored", second.opened)
        require(receipt(second, number, b"next") == told + 1, f"sequence {told + 1}", "another")


@check
def what_is_refused_does_not_count(test):
    name = named(test, "cdfull")
    session, number = publisher(test, name, producer="p")
    store(session, number, b"1", b"2", b"3")
    session.send(MESSAGE, b"4", flags=RECEIPT, id=4, channel=number)
    session.refused("not_stored", id=4, channel=number)
    other, _ = publisher(test, name, producer="p")
    require(other.opened["stored"] == 3, "stored 3", other.opened)


@check
def producers_and_consumers_have_names_of_a_segment(test):
    name, session = named(test), test.session()

    def good(text):
        session.open(name, producer=text)
        test.session().open(name, True, consumer=text)

    def bad(text):
        not_opened(session, "bad_payload", name, producer=text)
        not_opened(session, "bad_payload", name, subscribe=True, consumer=text)
    every(["a", "A-z_9", "x" * 64], good)
    every(["", "x" * 65, "a.b", "a b", "*", ">", "$a", "\u00e9", 5, None, []], bad)


# ---------------------------------------------------------------- consumers

@check
def a_new_consumer_begins_at_the_first_message_or_at_from(test):
    name = filled(test, 4)[0]
    for begin, first in ((None, 1), ("all", 1), ("last", 4), ("new", 5), ({"sequence": 3}, 3)):
        options = {} if begin is None else {"from": begin}
        session, _ = consumer(test, name, f"c{begin if isinstance(begin, str) else first}", **options)
        just(session, numbered(first, 4))


@check
def a_consumer_goes_on_after_its_position(test):
    name, session, number = filled(test, 5)
    first, _ = consumer(test, name)
    same(first.stored(5), numbered(1, 5))
    ack(first, number, 3)
    first.before_pong()
    first.leave(name, number)
    second, _ = consumer(test, name, **{"from": "all"})  # `from` is for a new one
    same(second.stored(2), numbered(4, 5, before=1), "what was not acknowledged, again")
    store(session, number, b"6")
    same(second.stored(1), numbered(6, 6))
    other, _ = consumer(test, name, "audit")
    same(other.stored(6), numbered(1, 6), "another consumer to have a position of its own")


@check
def a_window_bounds_what_is_on_its_way(test):
    name, session, number = filled(test, 6)
    reader, _ = consumer(test, name, window=2)
    just(reader, numbered(1, 2))
    ack(reader, number, 1)
    just(reader, numbered(3, 3))
    ack(reader, number, 3, 3)
    just(reader, numbered(4, 4))
    ack(reader, number, 4)
    just(reader, numbered(5, 6))


@check
def an_acknowledgement_of_two_sequences_is_of_just_those(test):
    name, _, number = filled(test, 5)
    first, _ = consumer(test, name)
    first.stored(5)
    ack(first, number, 2, 3)
    ack(first, number, 5, 5)
    first.before_pong()
    first.close()
    second, _ = consumer(test, name)
    same(second.stored(2), [(1, b"1", 1), (4, b"4", 1)])
    none(second)


@check
def what_is_delivered_again_needs_two_sequences(test):
    name, _, number = filled(test, 3)
    first, _ = consumer(test, name)
    first.stored(3)
    first.close()
    second, _ = consumer(test, name)
    same(second.stored(3), numbered(1, 3, before=1))
    ack(second, number, 3)
    second.before_pong()
    second.leave(name, number)
    third, _ = consumer(test, name)
    same(third.stored(3), numbered(1, 3, before=2), "8 bytes to acknowledge none of them")
    ack(third, number, 1, 3)
    third.before_pong()
    third.close()
    last, _ = consumer(test, name)
    none(last)


@check
def what_is_delivered_again_goes_first_lowest_first(test):
    name, session, number = filled(test, 5)
    first, _ = consumer(test, name)
    first.stored(5)
    ack(first, number, 3, 3)
    first.before_pong()
    store(session, number, b"6")
    first.stored(1)
    first.close()
    second, _ = consumer(test, name, window=2)
    got = second.stored(2)
    for _ in range(3):
        ack(second, number, got[-1][0], got[-1][0])
        got += second.stored(1)
    same(got, [(n, b"%d" % n, 1) for n in (1, 2, 4, 5, 6)])


@check
def sessions_of_a_consumer_share_its_messages(test):
    name = named(test)
    members = [consumer(test, name)[0] for _ in range(3)]
    session, number = publisher(test, name)
    store(session, number, *[b"%d" % n for n in range(1, 301)])
    got, deadline = [[] for _ in members], time.monotonic() + 4
    while sum(map(len, got)) < 300 and time.monotonic() < deadline:
        for index, member in enumerate(members):
            got[index] += member.stored_before_pong()
    for part in got:
        require(part == sorted(part), "the messages in order at each session", part[:5])
    same(sorted(sum(got, [])), numbered(1, 300), "each message at one session")


@check
def an_exclusive_consumer_is_the_session_that_opened_first(test):
    name, session, number = filled(test, 3)
    first, _ = consumer(test, name, exclusive=True)
    same(first.stored(3), numbered(1, 3))
    second, _ = consumer(test, name, exclusive=True)
    none(second)
    ack(first, number, 2)
    first.before_pong()
    first.close()
    same(second.stored(1), numbered(3, 3, before=1), "the next one to take over at the position")
    store(session, number, b"4")
    same(second.stored(1), numbered(4, 4))


@waiting
def what_is_not_acknowledged_in_time_is_delivered_again(test):
    name, _, number = filled(test, 3)
    reader, _ = consumer(test, name, ackSeconds=1)
    began = time.monotonic()
    reader.stored(3)
    ack(reader, number, 2, 2)
    got = reader.stored(2, timeout=6)
    took = time.monotonic() - began
    same(got, [(1, b"1", 1), (3, b"3", 1)])
    require(took >= 0.95, "not before a second", took)
    same(reader.stored(2, timeout=6), [(1, b"1", 2), (3, b"3", 2)], "the count to go up")


@waiting
def renew_begins_the_time_anew(test):
    name, _, number = filled(test, 4)
    reader, _ = consumer(test, name, ackSeconds=2)
    reader.stored(4)
    for _ in range(8):
        time.sleep(0.5)
        reader.send(RENEW, u64(2), channel=number)
        reader.send(RENEW, u64(4) + u64(4), channel=number)
    got = reader.stored_before_pong()
    require({entry[:2] for entry in got} == {(3, b"3")}, "only what is not renewed to come again", got)
    ack(reader, number, 4)
    reader.before_pong()


@waiting
def nak_delivers_again_after_its_time(test):
    name, _, number = filled(test, 3)
    reader, _ = consumer(test, name)
    reader.stored(3)
    nak(reader, number, 2, 0)
    same(reader.stored(1), numbered(2, 2, before=1), "a NAK without delay")
    began = time.monotonic()
    nak(reader, number, 2, 700)
    none(reader)
    same(reader.stored(1), numbered(2, 2, before=2))
    require(time.monotonic() - began >= 0.69, "not before 700 ms", time.monotonic() - began)


@check
def nak_frees_its_place_in_the_window(test):
    name, _, number = filled(test, 3)
    reader, _ = consumer(test, name, window=1)
    just(reader, numbered(1, 1))
    nak(reader, number, 1, 60_000)
    just(reader, numbered(2, 2))


@check
def what_is_set_aside_does_not_come_again(test):
    name, _, number = filled(test, 3)
    reader, _ = consumer(test, name)
    reader.stored(3)
    nak(reader, number, 1, SET_ASIDE)
    ack(reader, number, 2, 3)
    reader.before_pong()
    reader.close()
    again, _ = consumer(test, name)
    none(again)
    audit, _ = consumer(test, name, "audit")
    same(audit.stored(3), numbered(1, 3), "it stays stored")


@check
def deliveries_are_limited(test):
    name, _, number = filled(test, 2)
    reader, _ = consumer(test, name, deliveries=2)
    reader.stored(2)
    nak(reader, number, 1, 0)
    same(reader.stored(1), numbered(1, 1, before=1))
    nak(reader, number, 1, 0)
    none(reader)
    reader.open(name, True, deliveries=0)  # it stays the consumer
    none(reader)


@check
def an_acknowledgement_of_what_was_not_delivered_to_the_session_changes_nothing(test):
    name, session, number = filled(test, 3)
    first, _ = consumer(test, name)
    first.stored(3)
    second, _ = consumer(test, name)
    ack(second, number, 1, 3)
    ack(second, number, 3)
    nak(second, number, 1, SET_ASIDE)
    second.send(RENEW, u64(3), channel=number)
    other = test.session()
    other.open(name)  # no consumer at all
    ack(other, number, 3)
    ack(first, number, 9, 2 ** 64 - 1)  # of what there is not
    ack(first, number, 3, 1)
    quiet(second, other, first)
    first.close()
    same(second.stored(3), numbered(1, 3, before=1))


@check
def a_late_acknowledgement_of_what_was_given_to_another_changes_nothing(test):
    name, _, number = filled(test, 1)
    first, _ = consumer(test, name)
    first.stored(1)
    second, _ = consumer(test, name)
    nak(first, number, 1, 0)
    [(sequence, _, count)] = the_one_that_gets_it(first, second)
    require((sequence, count) == (1, 1), "message 1, again", (sequence, count))
    # Whichever has it now: the other one's ACK is of what it no longer has.
    holder, other = (first, second) if first.got else (second, first)
    ack(other, number, 1, 1)
    quiet(other)
    holder.close()
    same(other.stored(1), numbered(1, 1, before=2))


def the_one_that_gets_it(*sessions):
    """The message that comes to one of the sessions, which has `got` set."""
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        for session in sessions:
            if got := session.stored_before_pong():
                for each in sessions:
                    each.got = each is session
                return got
    raise Mismatch("a message at one of the sessions", "none")


@check
def what_a_session_leaves_behind_goes_to_another_that_is_there(test):
    name, session, number = filled(test, 4)
    first, _ = consumer(test, name, window=4)
    same(first.stored(4), numbered(1, 4))
    second, _ = consumer(test, name)
    none(second)
    ack(first, number, 2, 2)
    first.before_pong()
    first.leave(name, number)
    same(second.stored(3), [(1, b"1", 1), (3, b"3", 1), (4, b"4", 1)])


@check
def the_window_is_that_of_the_last_open_of_the_session(test):
    name, _, number = filled(test, 10)
    reader, _ = consumer(test, name, window=1)
    just(reader, numbered(1, 1))
    reader.send(OPEN, {"channel": name, "subscribe": True, "consumer": "billing", "window": 4}, id=3)
    reader.expect(OPENED, id=3)
    just(reader, numbered(2, 4))
    reader.send(OPEN, {"channel": name, "subscribe": True, "window": 2}, id=3)  # it stays the consumer
    reader.expect(OPENED, id=3)
    ack(reader, number, 2)
    none(reader)
    ack(reader, number, 3)
    just(reader, numbered(5, 5))


@check
def exclusive_is_that_of_the_last_open(test):
    name, session, number = filled(test, 2)
    first, _ = consumer(test, name)
    same(first.stored(2), numbered(1, 2))
    second, _ = consumer(test, name, exclusive=True)
    store(session, number, *[b"%d" % n for n in range(3, 23)])
    same(first.stored(20), numbered(3, 22), "all at the session that opened first")
    none(second)
    second.open(name, True, consumer="billing", exclusive=False)
    store(session, number, *[b"%d" % n for n in range(23, 63)])
    got, deadline = [[], []], time.monotonic() + 4
    while len(got[0]) + len(got[1]) < 40 and time.monotonic() < deadline:
        got = [part + member.stored_before_pong() for part, member in zip(got, (first, second))]
    same(sorted(got[0] + got[1]), numbered(23, 62))
    require(got[0] and got[1], "both to get some", [len(part) for part in got])


@check
def retention_does_not_wait_for_consumers(test):
    name = named(test, "cdfew")
    session, number = publisher(test, name)
    reader, _ = consumer(test, name, window=1)
    store(session, number, b"1")
    same(reader.stored(1), numbered(1, 1))
    for n in range(2, 11):
        receipt(session, number, b"%d" % n)
    session.open(name)
    first = session.opened["first"]
    require(first > 2, "messages to be removed", session.opened)
    ack(reader, number, 1)
    for n in range(first, 11):
        same(reader.stored(1), numbered(n, n))
        ack(reader, number, n)
    none(reader)


@check
def a_consumer_that_is_producer_too_gets_its_own_messages(test):
    name = named(test)
    session, number = consumer(test, name, producer="p")
    session.send(MESSAGE, b"1", channel=number)
    same(session.stored(1), numbered(1, 1))
    ack(session, number, 1)
    session.before_pong()
    session.leave(name, number)
    again, _ = consumer(test, name, producer="p")
    require(again.opened["stored"] == 1, "stored 1", again.opened)
    none(again)


@pressing
def a_consumer_that_does_not_read_holds_no_publisher(test):
    name, count = named(test), 300
    stuck = Stuck(test, name, subscribe=True, consumer="c", window=65_535, ackSeconds=600)
    session, number = publisher(test, name)
    flood(session, number, count)
    keep_alive(stuck, [session], 1.5 * test.settings.slow_consumer_timeout)
    got = [(sequence, int(payload[:6])) for sequence, payload, _ in stuck.session.stored(count, timeout=10)]
    require(got == [(n, n) for n in range(1, count + 1)], "every message in order", got[:5])
    quiet(stuck.session)


@check
def many_messages_are_acknowledged_in_passing(test):
    name, count = named(test), 20_000
    session, number = publisher(test, name)
    reader, _ = consumer(test, name, window=500)
    session.send_raw(b"".join(encode(MESSAGE, b"%d" % n, channel=number, sender=session.number)
                              for n in range(1, count + 1)))
    for start in range(1, count, 250):
        same(reader.stored(250, timeout=10), numbered(start, start + 249))
        ack(reader, number, start + 249)
    none(reader)
    reader.close()
    again, _ = consumer(test, name)
    none(again)


@check
def no_message_follows_when_a_consumer_has_left(test):
    name, session, number = filled(test, 3)
    first, _ = consumer(test, name, window=1)
    first.stored(1)
    first.leave(name, number)
    store(session, number, b"4")
    quiet(first)
    second, _ = consumer(test, name)
    same(second.stored(4), [(1, b"1", 1), (2, b"2", 0), (3, b"3", 0), (4, b"4", 0)])


@check
def consumers_that_make_no_sense(test):
    name, session = filled(test, 1)[0], test.session()
    good = {"subscribe": True, "consumer": "c"}

    def one(keys):
        keys = {"channel": name, **good, **keys}
        not_opened(session, "bad_payload", keys.pop("channel"), **keys)
    every([{"group": "g"}, {"subscribe": False}, {"channel": named(test, suffix="*")},
           {"window": 0}, {"window": 65_536}, {"window": "1"}, {"window": 1.5}, {"ackSeconds": 0},
           {"ackSeconds": 86_401}, {"deliveries": -1}, {"deliveries": 1001}, {"exclusive": 1}, {"retry": "yes"}], one)
    not_opened(session, "bad_payload", name, subscribe=True, exclusive=True)
    session.open(name, True, consumer="c", window=65_535, ackSeconds=86_400, deliveries=1000)
    session.stored(1)
    session.open(name, True, consumer="c", window=1, ackSeconds=1, deliveries=0)


@check
def a_consumer_overlaps_no_other_subscription(test):
    name, pattern = filled(test, 1)[0], named(test, suffix="*")
    session = test.session()
    session.open(pattern, True)
    not_opened(session, "overlap", name, subscribe=True, consumer="c")
    other = test.session()
    other.open(name, True, consumer="c")
    other.stored(1)
    not_opened(other, "overlap", pattern, subscribe=True)
    not_opened(other, "overlap", pattern, subscribe=True, group="g")


# ---------------------------------------------------------------- a restart

def before(function):
    conformance.CHECKS.append((function, "before"))


def after(function):
    conformance.CHECKS.append((function, "after"))


def of_restart(test, suffix, first="cd"):
    """A channel that the check before the restart and the one after it share."""
    return f"{first}.{test.settings.run}.restart.{suffix}"


@before
def what_survives_a_restart(test):
    name, past = of_restart(test, "a"), of_restart(test, "h", "ch")
    session, number = publisher(test, name, producer="import")
    store(session, number, *[b"%d" % n for n in range(1, 6)])
    epoch = session.opened["epoch"]
    history_number = session.open(past)
    session.send(MESSAGE, b"1", channel=history_number)
    reader, _ = consumer(test, name)
    same(reader.stored(5), numbered(1, 5))
    ack(reader, number, 3)
    nak(reader, number, 4, SET_ASIDE)
    quiet(session)
    none(reader)
    notes = {"epoch": epoch, "number": number, "session": session.number, "past": session.opened["epoch"]}
    receipt(session, session.open(of_restart(test, "notes")), json.dumps(notes).encode())


@after
def what_has_survived_a_restart(test):
    name, past = of_restart(test, "a"), of_restart(test, "h", "ch")
    session = test.session()
    session.open(of_restart(test, "notes"), True, **{"from": "all"})
    notes = json.loads(session.stored(1)[0][1])
    require(session.number > notes["session"], f"a session number after {notes['session']}", session.number)
    number = session.open(name, True, **{"from": {"sequence": 1, "epoch": notes["epoch"]}})
    require(number == notes["number"], f"number {notes['number']}", number)
    same(session.stored(5), numbered(1, 5))
    require({frame.sender for frame in session.last_frames} == {notes["session"]}, "the sender as it was",
            str(session.last_frames[0]))
    producer, _ = publisher(test, name, producer="import")
    require(producer.opened["stored"] == 5, "stored 5", producer.opened)
    require(receipt(producer, number, b"6") == 6, "sequence 6", "another")
    reader, _ = consumer(test, name)
    got = [entry[:2] for entry in reader.stored(2)]  # the count of deliveries may be lost
    require(got == [(5, b"5"), (6, b"6")], "what was neither acknowledged nor set aside", got)
    none(reader)
    other = test.session()
    other.open(past)
    require(other.opened["last"] == 0 and other.opened["epoch"] != notes["past"], "an empty history of a new epoch",
            other.opened)
    not_opened(other, "epoch_changed", past, subscribe=True, **{"from": {"sequence": 1, "epoch": notes["past"]}})


if __name__ == "__main__":
    conformance.main()
