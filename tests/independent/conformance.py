#!/usr/bin/env python3
"""Holds a running Parley/1 server against the specification page. Independent: it shares no code with the server.

    python3 tests/independent/conformance.py --host 127.0.0.1 --port PORT
        [--pid SERVER_PID] [--handshake-time SECONDS] [--request-time SECONDS] [--slow-consumer-timeout SECONDS]
        [--only SUBSTRING] [--seed N] [--times]

One line a check (`ok NAME`, `FAIL NAME: expected ..., got ...`, or `skip NAME: why`), then `N passed, N failed`.
The server must let sessions in without a token, take payloads of 128 KiB at least, and have no durable channels under
the names used here (`ct.*`). Its other limits are read from WELCOME. With a heartbeat of 5 s or less, the heartbeat is
checked too; with a request time of 10 s or less, `no_reply`.

Absence ("no message arrives") is shown with PING/PONG: what the server sent before the PONG has arrived before it. The
page doesn't promise that one session's PONG comes after another's delivery, so a stray message could at worst be
missed; it is never a false alarm.

Where the page leaves the answer open, a check takes each answer the page allows; such places are marked OPEN.
"""

import argparse
import contextlib
import os
import random
import resource
import selectors
import ssl
import struct
import sys
import threading
import time
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True  # leaves no __pycache__ in the repository

from parley_wire import (
    ACK, BYE, CONTROL_LIMIT, DEADLINE, ERROR, HEADER, HEADERS, HELLO, INBOX, JOINED, KIND_BYTES, KIND_JSON,
    KIND_RESERVED, KIND_TEXT, LEAVE, LEFT, MESSAGE, NAK, NAMES, OPEN, OPENED, PARTED, PING, PONG, POSITION, RECEIPT,
    RENEW, REPLY, REQUEST, SERVER_ONLY, WELCOME, Closed, Connection, Mismatch, Silence, clock, encode, pack_json, show,
    with_headers,
)

UNUSED = 0x7ffffffe  # a session or channel number that the server has surely not given out


class Skip(Exception):
    """The check can't be made here; the text says why."""


class Check:
    """What one check works with: its sessions (closed when it ends), its own channel names, its own random numbers."""

    def __init__(self, settings, name):
        self.settings, self.pid = settings, settings.pid
        self.random = random.Random(f"{settings.seed}:{name}")
        self.prefix = f"ct.{settings.run}.{name}"
        self.open_connections = []

    def connect(self, **options):
        connection = Connection(self.settings.host, self.settings.port, **options)
        self.open_connections.append(connection)
        return connection

    def session(self, name=None, **options):
        connection = self.connect(**options)
        connection.hello(name)
        return connection

    def sessions(self, count):
        return [self.session() for _ in range(count)]

    def channel(self, suffix="a"):
        return f"{self.prefix}.{suffix}"

    def close(self):
        for connection in self.open_connections:
            connection.close()


CHECKS = []


def check(function):
    """A check that is quick and can run while others wait."""
    CHECKS.append((function, "quick"))
    return function


def waiting(function):
    """A check that mostly waits for a timeout of the server; these run side by side."""
    CHECKS.append((function, "waiting"))
    return function


def pressing(function):
    """A check that fills the server's buffers and then waits; these run side by side when the others are over."""
    CHECKS.append((function, "pressing"))
    return function


def alone(function):
    """A check that loads the server or counts its resources, so nothing else may run."""
    CHECKS.append((function, "alone"))
    return function


# ---------------------------------------------------------------- helpers

def require(condition, expected, got):
    if not condition:
        raise Mismatch(expected, got)


def every(cases, function):
    """Runs the function for each case and reports all that fail, so one bad row doesn't hide the others.

    A failure is slow if it means that nothing came, so this gives up after two deadlines with a failure.
    """
    problems, began = [], time.monotonic()
    for case in cases:
        if problems and time.monotonic() - began > 2 * DEADLINE:
            break
        try:
            function(case)
        except Mismatch as problem:
            problems.append((case, problem))
    if problems:
        case, first = problems[0]
        others = ", ".join(short(other) for other, _ in problems[1:9])
        rest = f" [also {others}; {len(problems)} in all]" if others else ""
        raise Mismatch(f"{first.expected} for {short(case)}", f"{first.got}{rest}")


def short(case):
    if isinstance(case, tuple):
        return f"({', '.join(map(short, case))})"
    if callable(case):
        return case.__name__
    text = f"0x{case:02x}" if type(case) is int else repr(case)
    return text if len(text) <= 60 else text[:57] + "..."


def quiet(*connections):
    """Nothing more has come to any of them."""
    for connection in connections:
        frames = connection.before_pong()
        require(not frames, "no frame", ", ".join(map(str, frames[:3])))


def says(connection, text):
    """Shorthand for the payload of the next MESSAGE."""
    return connection.expect(MESSAGE, payload=text)


def collect(connections, total, timeout=DEADLINE):
    """Waits until `total` frames have come to the connections together; answers [(index of connection, frame)]."""
    selector = selectors.DefaultSelector()
    for index, connection in enumerate(connections):
        selector.register(connection.socket, selectors.EVENT_READ, index)
    got, deadline = [], time.monotonic() + timeout
    with contextlib.closing(selector):
        while True:
            for index, connection in enumerate(connections):
                while (frame := connection.poll()) is not None:
                    got.append((index, frame))
            if len(got) >= total:
                return got
            left = deadline - time.monotonic()
            require(left > 0, f"{total} frames", f"{len(got)} after {timeout:g} s")
            for key, _ in selector.select(left):
                with contextlib.suppress(Silence):
                    connections[key.data].fill(0)


def in_turn(order, members, what):
    """Each member once in every round."""
    for start in range(0, len(order) - members + 1):
        window = order[start:start + members]
        require(len(set(window)) == members, f"{what} to go to {members} members in turn", f"the order {order}")


def inbox(connection):
    return INBOX | connection.number


def subscribed(test, count, channel, **options):
    """Sessions that have all subscribed to the channel, and its number."""
    sessions, number = test.sessions(count), None
    for session in sessions:
        number = session.open(channel, True, **options)
    return sessions, number


def responding(test, count, channel, **options):
    """Sessions that all respond on the channel without a subscription, and its number."""
    sessions, number = test.sessions(count), None
    for session in sessions:
        number = session.open(channel, respond=True, **options)
    return sessions, number


def session_on(test, channel):
    """A session that may publish and ask on the channel."""
    session = test.session()
    session.open(channel)
    return session


def the_one(sessions):
    """The one frame that comes to one of the sessions, as (index of session, frame); announcements may come besides.

    OPEN: the page says only that an announcement comes before the first frame of its channel, so a session may get it
    although the frame then goes to another one.
    """
    got = []
    while not got:
        got = [(index, frame) for index, frame in collect(sessions, 1) if not is_announcement(frame)]
    require(len(got) == 1, "one frame", ", ".join(str(frame) for _, frame in got))
    return got[0]


def is_announcement(frame):
    return frame.type == OPENED and frame.id == 0


def quiet_but_for_announcements(*connections):
    for connection in connections:
        frames = [frame for frame in connection.before_pong() if not is_announcement(frame)]
        require(not frames, "no frame but announcements", ", ".join(map(str, frames[:3])))


def asked_in_turn(requester, numbers, responders, what):
    """Sends one REQUEST at a time, on each of the numbers, and requires that the responders take turns."""
    order = []
    for id, number in enumerate(numbers, 1):
        requester.send(REQUEST, b"%d" % id, id=id, channel=number)
        index, frame = the_one(responders)
        require(frame.type == REQUEST and frame.id == id, f"REQUEST {id}", str(frame))
        responders[index].send(REPLY, b"%d" % id, id=id, channel=inbox(requester))
        requester.expect(REPLY, id=id, sender=responders[index].number)
        order.append(index)
    in_turn(order, len(responders), what)


def given_in_turn(publisher, numbers, members, what):
    """Sends one MESSAGE on each of the numbers, and requires that the members of a group take turns."""
    for n, number in enumerate(numbers):
        publisher.send(MESSAGE, b"%d" % n, channel=number)
    quiet(publisher)
    got = []
    for index, member in enumerate(members):
        for frame in member.before_pong():
            if frame.type == MESSAGE:
                got.append((int(frame.payload), index))
            else:
                require(is_announcement(frame), "MESSAGE or an announcement", str(frame))
    got.sort()
    require([n for n, _ in got] == list(range(len(numbers))), "each message at one member", got)
    in_turn([index for _, index in got], len(members), what)


def until_gone(session, number):
    """Sends to an inbox until the server says the session isn't there: its end may take the server a moment."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        session.send(MESSAGE, b"there?", channel=INBOX | number)
        frames = session.before_pong()
        if frames:
            codes = [frame.json().get("code") for frame in frames if frame.type == ERROR]
            require(codes == ["no_such_session"] and len(frames) == 1, "ERROR no_such_session", str(frames[0]))
            return
    raise Mismatch("ERROR no_such_session", f"nothing in {DEADLINE:g} s")


# ---------------------------------------------------------------- HELLO and WELCOME

@check
def welcome_fields(test):
    body = test.connect().hello("Ada")
    try:
        identity = uuid.UUID(body.get("session"))
    except (ValueError, TypeError, AttributeError):
        raise Mismatch("a uuid as session", repr(body.get("session"))) from None
    require(identity.version == 4 and identity.variant == uuid.RFC_4122, "a uuid v4", str(identity))
    require(str(identity) == body["session"].lower(), "a uuid in its usual form", body["session"])
    require(type(body["number"]) is int and 1 <= body["number"] <= 0x7fffffff, "1..0x7fffffff", body["number"])
    require(body["name"] == "Ada", "the name Ada", body["name"])
    require(isinstance(body.get("message"), str) and "Ada" in body["message"], "a message that names Ada", body)
    server = body.get("server")
    require(isinstance(server, dict) and isinstance(server.get("name"), str) and isinstance(server.get("version"), str),
            "server with name and version", server)
    limits = body.get("limits", {})
    for key in ("payload", "channels", "pending"):
        require(type(limits.get(key)) is int and limits[key] > 0, f"limits.{key}, a whole number over 0", limits)
    require(type(body.get("heartbeat")) in (int, float) and body["heartbeat"] > 0, "heartbeat over 0", body)


@check
def welcome_tells_the_time_of_the_server(test):
    # The server may run on another machine, so only a clock that is plainly wrong is a failure.
    times = []
    for _ in range(2):
        connection = test.connect()
        connection.send(HELLO, {"protocol": "parley/1"})
        frame = connection.expect(WELCOME)
        times.append(clock(frame.json(), frame))
    require(times[0] <= times[1], "a clock that goes forward", times)
    require(abs(times[1] - time.time()) < 3600, "the time of now, within an hour", times[1] - time.time())


@check
def guest_name(test):
    body = test.connect().hello()
    guest = f"guest-{body['number']}"
    require(body["name"] == guest and guest in body["message"], f"name and message with {guest}", body)


@check
def numbers_and_uuids_are_never_used_twice(test):
    seen = []
    for _ in range(20):
        session = test.session()
        seen.append((session.number, session.welcome["session"]))
        session.close()
    require(len({n for n, _ in seen}) == 20 and len({u for _, u in seen}) == 20, "20 numbers and 20 uuids", seen)


@check
def two_sessions_may_have_one_name(test):
    # The page says nothing of unique names; sessions are told apart by number.
    require(test.session("Twin").number != test.session("Twin").number, "two numbers", "one")


@check
def names_that_are_good(test):
    # "1-64 characters" is read as Unicode code points: neither bytes nor UTF-16 units.
    good = ["A", "a b", "__proto__", "Zo\u00eb \"Q\" <b>\\ & 'r'",
            "x" * 64, "\u00e9" * 64, "\u65e5" * 64, "\U0001f600" * 64]

    def one(name):
        body = test.connect().hello(name)
        require(body["name"] == name and name in body["message"], f"name and message with {name!r}", body)
    every(good, one)


@check
def names_that_are_bad(test):
    control = ["\0", "a\nb", "a\rb", "\tA", "A\x1f", "A\x7f", "A\x85", "A\x9f"]
    wrong_type = [5, 0, True, False, [], ["Ada"], {}, {"x": 1}]

    def one(name):
        connection = test.connect()
        connection.send(HELLO, {"protocol": "parley/1", "name": name})
        connection.refused("bad_hello")
    every(["", "x" * 65, "\u00e9" * 65, "\U0001f600" * 65, *control, *wrong_type], one)


@check
def names_on_the_edge(test):
    # OPEN: null could be "no name", or a wrong type; a lone surrogate is legal JSON but no character.
    def one(payload):
        connection = test.connect()
        connection.send(HELLO, payload)
        frame = connection.receive()
        require(frame.type == WELCOME or frame.json().get("code") == "bad_hello", "WELCOME or bad_hello", str(frame))
    every([b'{"protocol":"parley/1","name":null}', b'{"protocol":"parley/1","name":"\\ud800"}'], one)


@check
def unknown_protocol_version(test):
    def one(version):
        connection = test.connect()
        connection.send(HELLO, {"protocol": version, "name": "Ada"})
        body = connection.refused("unsupported_protocol")
        require("parley/1" in body["message"], "a message that names parley/1", body["message"])
    every(["parley/2", "parley/0", "parley/10", "parley/1.1"], one)


@check
def protocol_missing_or_no_string(test):
    # OPEN: a string that is no version at all may be either; what isn't a string is "not as above".
    def one(case):
        payload, codes = case
        connection = test.connect()
        connection.send(HELLO, payload)
        connection.refused(*codes)
    every([({"name": "Ada"}, ["bad_hello"]), ({}, ["bad_hello"]), ({"protocol": 1}, ["bad_hello"]),
           ({"protocol": None}, ["bad_hello"]), ({"protocol": ["parley/1"]}, ["bad_hello"]),
           ({"protocol": ""}, ["bad_hello", "unsupported_protocol"]),
           ({"protocol": "PARLEY/1"}, ["bad_hello", "unsupported_protocol"]),
           ({"protocol": "http"}, ["bad_hello", "unsupported_protocol"])], one)


@check
def hello_that_is_no_json_object(test):
    payloads = [b"", b"hello", b"{", b'{"protocol":"parley/1"', b'{"protocol":"parley/1"}}', b"{'protocol':'parley/1'}",
                b"null", b"1", b'"parley/1"', b"[]", b'[{"protocol":"parley/1"}]', b"\0", b"\xff\xfe",
                b'{"protocol":"parley/1","name":"\xff"}', b'{"protocol":"parley/1","x":"\xc3"}',
                b'{"protocol":"parley/1","x":"\xed\xa0\x80"}', b"[" * 16000]

    def one(payload):
        connection = test.connect()
        connection.send(HELLO, payload)
        connection.refused("bad_hello")
    every(payloads, one)


@check
def hello_ignores_unknown_keys(test):
    more = {"x": 1, "deep": {"a": [1, {"b": None}]}, "channel": "x", "number": 1, "__proto__": {"name": "x"}}
    require(test.connect().hello("Ada", **more)["name"] == "Ada", "the name Ada", "another")


@check
def hello_token_of_the_wrong_type(test):
    # OPEN: the server that needs no token may look at its type, or not at all.
    connection = test.connect()
    connection.send(HELLO, {"protocol": "parley/1", "token": 5})
    frame = connection.receive()
    require(frame.type == WELCOME or frame.json().get("code") in ("bad_hello", "unauthorized"),
            "WELCOME, bad_hello or unauthorized", str(frame))


def hello_of(size):
    start = pack_json({"protocol": "parley/1", "name": "Ada", "pad": ""})[:-2]
    return start + b"x" * (size - len(start) - 2) + b'"}'


@check
def hello_of_16_kib_is_taken(test):
    connection = test.connect()
    connection.send(HELLO, hello_of(16384))
    connection.welcomed()


@check
def hello_over_16_kib(test):
    connection = test.connect()
    connection.send(HELLO, hello_of(CONTROL_LIMIT + 1))
    connection.refused("too_large")


@check
def hello_with_a_huge_length_is_answered_at_once(test):
    def one(length):
        connection = test.connect()
        connection.send(HELLO, b"", length=length)
        connection.refused("too_large", timeout=2)
    every([16385, 1 << 20, (1 << 20) + 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1], one)


@check
def hello_with_id_channel_or_sender(test):
    def one(fields):
        connection = test.connect()
        connection.send(HELLO, {"protocol": "parley/1"}, **{"sender": 0, **fields})
        connection.refused("bad_frame", id=fields.get("id", 0), channel=fields.get("channel", 0))
    every([{"id": 1}, {"channel": 1}, {"channel": INBOX}, {"sender": 1}, {"sender": 0xffffffff}], one)


@check
def hello_with_reserved_flags(test):
    def one(flags):
        connection = test.connect()
        connection.send(HELLO, {"protocol": "parley/1"}, flags=flags)
        connection.refused("bad_frame")
    every([0x08, 0x10, 0x20, 0x40, 0x80, 0xff], one)


@check
def control_frames_may_be_marked_as_json(test):
    # Bits 0-1 are the content kind of any frame, and 2 says JSON.
    connection = test.connect()
    connection.send(HELLO, {"protocol": "parley/1"}, flags=KIND_JSON)
    connection.welcomed()
    connection.send(OPEN, {"channel": test.channel(), "subscribe": False}, flags=KIND_JSON, id=7)
    connection.expect(OPENED, id=7)


@check
def hello_byte_by_byte_is_taken(test):
    connection = test.connect()
    for byte in encode(HELLO, pack_json({"protocol": "parley/1", "name": "Ada"})):
        connection.send_raw(bytes([byte]))
    connection.welcomed()


@check
def second_hello(test):
    # OPEN: HELLO is only "the first frame"; bad_frame and bad_hello both fit. So does either sender.
    def one(own):
        session = test.session()
        session.send(HELLO, {"protocol": "parley/1"}, sender=session.number if own else 0)
        session.refused("bad_frame", "bad_hello")
    every([False, True], one)


def proper(type):
    """A frame of this type that is as it should be after WELCOME, but for the numbers in it."""
    payload = {OPEN: b'{"channel":"a"}', LEAVE: b'{"channel":"a"}', BYE: b'{"reason":"x"}', ACK: bytes(8),
               NAK: bytes(12), RENEW: bytes(8), POSITION: bytes(8)}
    return {"payload": payload.get(type, b"x"), "id": 1 if type in (OPEN, LEAVE, REQUEST, REPLY, PING, PONG) else 0,
            "channel": {MESSAGE: 1, REQUEST: 1, ACK: 1, NAK: 1, RENEW: 1, POSITION: 1, REPLY: INBOX | 1}.get(type, 0)}


@check
def every_other_type_before_hello(test):
    # "The first frame is of a known type but not HELLO": also of one that only the server sends.
    def one(type):
        connection, frame = test.connect(), proper(type)
        connection.send(type, **frame)
        connection.refused("bad_hello", id=frame["id"], channel=frame["channel"])
    every(sorted(set(NAMES) - {HELLO}), one)


@check
def unknown_types_before_hello(test):
    def one(type):
        connection = test.connect()
        connection.send(type, b"{}")
        connection.refused("bad_frame", id=None, channel=None)
    every([type for type in range(0x80) if type not in NAMES], one)


@check
def extension_before_hello(test):
    # OPEN: "nothing else is accepted before HELLO" against "a receiver that does not know one skips it".
    connection = test.connect()
    connection.send(0x80, b"extension")
    connection.send(HELLO, {"protocol": "parley/1"})
    frame = connection.receive()
    require(frame.type == WELCOME or frame.json().get("code") in ("bad_hello", "bad_frame"),
            "WELCOME, bad_hello or bad_frame", str(frame))


@check
def http_request(test):
    def one(method):
        connection = test.connect()
        connection.send_raw(f"{method} / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode())
        body = connection.refused("bad_frame", id=None, channel=None)
        require("HTTP" in body["message"], "a hint that this looks like HTTP", body["message"])
    every(["GET", "POST", "HEAD", "PUT", "OPTIONS"], one)


@check
def noise_as_first_bytes(test):
    def one(noise):
        connection = test.connect()
        connection.send_raw(noise)
        connection.refused("bad_frame", id=None, channel=None)
    every([bytes(16), b"\x7f" * 16, b"SSH-2.0-OpenSSH_9.2\r\n", b"EHLO mail.example.org\r\n",
           b"hello, is anybody there?\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], one)


@check
def tls_client_hello_on_the_plain_port(test):
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    connection = test.connect()
    connection.send_raw(outgoing.read())
    body = connection.refused("bad_frame", id=None, channel=None)
    require("TLS" in body["message"], "a hint that this looks like TLS", body["message"])


# ---------------------------------------------------------------- the handshake time (these wait, side by side)

def times_out(test, connection):
    limit = test.settings.handshake_time
    connection.refused("timeout", timeout=limit + 3)
    took = time.monotonic() - connection.connected_at
    require(limit * 0.8 <= took <= limit + 2 + connection.stood_still, f"the end after about {limit:g} s", f"{took:.1f} s")


@waiting
def timeout_of_a_silent_connection(test):
    times_out(test, test.connect())


@waiting
def timeout_with_15_of_16_header_bytes(test):
    connection = test.connect()
    connection.send_raw(encode(HELLO, pack_json({"protocol": "parley/1"}))[:15])
    times_out(test, connection)


@waiting
def timeout_with_a_header_and_half_a_payload(test):
    connection = test.connect()
    connection.send_raw(encode(HELLO, pack_json({"protocol": "parley/1"}))[:-5])
    times_out(test, connection)


@waiting
def timeout_at_one_byte_now_and_then(test):
    # The time runs from the connection, not from the last byte.
    connection = test.connect()
    for byte in encode(HELLO, pack_json({"protocol": "parley/1"}))[:8]:
        connection.send_raw(bytes([byte]))
        try:
            connection.fill(time.monotonic() + test.settings.handshake_time / 5)
        except Silence:
            continue
        break
    times_out(test, connection)


@waiting
def no_timeout_after_hello(test):
    session = test.session()
    with contextlib.suppress(Silence):
        raise Mismatch("nothing", str(session.receive(test.settings.handshake_time + 1.5)))
    quiet(session)


@waiting
def no_timeout_when_hello_comes_late_but_in_time(test):
    connection, limit = test.connect(), test.settings.handshake_time
    with contextlib.suppress(Silence):
        raise Mismatch("nothing yet", str(connection.receive(limit * 0.6)))
    connection.hello("Late")
    with contextlib.suppress(Silence):
        raise Mismatch("nothing", str(connection.receive(limit * 0.8)))
    quiet(connection)


@waiting
def silent_session_is_asked_and_then_closed(test):
    session = test.session()
    heartbeat = session.welcome["heartbeat"]
    if heartbeat > 5:
        raise Skip(f"heartbeat is {heartbeat} s; run the server with 5 s or less")
    session.answers_pings = False
    session.expect(PING, timeout=heartbeat + 2)
    began = session.connected_at
    while True:  # there may be several PINGs
        frame = session.receive(2 * heartbeat + 2)
        if frame.type != PING:
            break
    require(frame.type == ERROR and frame.json()["code"] == "timeout", "ERROR timeout", str(frame))
    took = time.monotonic() - began
    latest = 2.5 * heartbeat + 2 + session.stood_still
    require(2 * heartbeat - 1 <= took <= latest, f"the end after {2 * heartbeat} s of silence", f"{took:.1f} s")
    session.ends()


@waiting
def no_reply_in_time(test):
    # The same responder is asked twice; the second REPLY comes in time.
    limit = test.settings.request_time
    if limit > 10:
        raise Skip(f"the request time is {limit:g} s; run the server with 10 s or less, and say so with --request-time")
    [responder], number = responding(test, 1, test.channel())
    requester = session_on(test, test.channel())
    began = time.monotonic()
    requester.send(REQUEST, b"late", id=1, channel=number)
    responder.expect(REQUEST, id=1)
    with contextlib.suppress(Silence):
        raise Mismatch("nothing yet", str(requester.receive(limit / 2)))
    with contextlib.suppress(Silence):  # answers the PINGs of the server meanwhile
        raise Mismatch("nothing", str(responder.receive(0.1)))
    requester.send(REQUEST, b"in time", id=2, channel=number)
    responder.expect(REQUEST, id=2)
    requester.refused("no_reply", id=1, channel=number, timeout=limit / 2 + 3)
    took = time.monotonic() - began
    stood_still = requester.stood_still + responder.stood_still
    require(limit - 0.5 <= took <= limit + 2.5 + stood_still, f"no_reply after {limit:g} s", f"{took:.1f} s")
    responder.send(REPLY, b"too late", id=1, channel=inbox(requester))
    responder.refused("forbidden", id=1, channel=inbox(requester))
    responder.send(REPLY, b"in time", id=2, channel=inbox(requester))
    requester.expect(REPLY, id=2, payload=b"in time")
    requester.send(REQUEST, b"again", id=1, channel=number)  # the id is free again
    responder.expect(REQUEST, id=1, payload=b"again")
    quiet(requester, responder)


@waiting
def session_that_answers_pings_stays(test):
    session = test.session()
    heartbeat = session.welcome["heartbeat"]
    if heartbeat > 5:
        raise Skip(f"heartbeat is {heartbeat} s; run the server with 5 s or less")
    with contextlib.suppress(Silence):
        raise Mismatch("only PINGs", str(session.receive(3 * heartbeat)))
    quiet(session)


# ---------------------------------------------------------------- headers

@check
def forged_sender(test):
    victim = test.session()

    def one(case):
        type, forged = case
        session, frame = test.session(), proper(type)
        if type in (MESSAGE, REQUEST, ACK, NAK, RENEW):
            frame["channel"] = session.open(test.channel(), True)
        if type == REPLY:
            frame["channel"] = inbox(victim)
        sender = {"victim": victim.number, "server": 0, "next": session.number + 1, "top bit": inbox(session)}[forged]
        session.send(type, **frame, sender=sender)
        session.refused("bad_frame", id=frame["id"], channel=frame["channel"])
    every([(type, forged) for type in (PING, PONG, BYE, OPEN, LEAVE, MESSAGE, REQUEST, REPLY, ACK, NAK, RENEW)
           for forged in ("victim", "server", "next", "top bit")], one)
    quiet(victim)


@check
def forged_message_is_not_delivered(test):
    [observer], number = subscribed(test, 1, test.channel())
    forger = session_on(test, test.channel())
    forger.send(MESSAGE, b"forged", channel=number, sender=observer.number)
    forger.refused("bad_frame", channel=number)
    quiet(observer)


@check
def reserved_flag_bits(test):
    [observer], number = subscribed(test, 1, test.channel())

    def one(case):
        type, bit = case
        session, frame = session_on(test, test.channel()), proper(type)
        if type in (MESSAGE, REQUEST, ACK, NAK, RENEW):
            frame["channel"] = number
        session.send(type, **frame, flags=1 << bit)
        session.refused("bad_frame", id=frame["id"], channel=frame["channel"])
    relayed = (MESSAGE, REQUEST, REPLY)
    others = (PING, PONG, OPEN, LEAVE, BYE, ACK, NAK, RENEW)
    every([(type, bit) for type in relayed for bit in range(4, 8)] +
          [(type, bit) for type in others for bit in range(3, 8)], one)
    quiet(observer)


@check
def reserved_kind_3(test):
    # OPEN: reserved, but not said to be refused: bad_frame, or delivered as it is.
    [observer], number = subscribed(test, 1, test.channel())
    session = session_on(test, test.channel())
    session.send(MESSAGE, b"three", flags=KIND_RESERVED, channel=number)
    code = session.outcome(channel=number)
    require(code in ("bad_frame", "silence"), "bad_frame or delivery", code)
    if code == "silence":
        observer.expect(MESSAGE, flags=KIND_RESERVED, payload=b"three")
    quiet(observer)


@check
def receipt_flag_and_id_belong_together(test):
    [observer], number = subscribed(test, 1, test.channel())

    def one(case):
        flags, id = case
        session = session_on(test, test.channel())
        session.send(MESSAGE, b"x", flags=flags, id=id, channel=number)
        session.refused("bad_frame", id=id, channel=number)
    every([(RECEIPT, 0), (RECEIPT | KIND_JSON, 0), (0, 1), (KIND_TEXT, 0xffff), (HEADERS, 1), (RECEIPT | HEADERS, 0)],
          one)
    quiet(observer)


@check
def fields_that_must_be_0_or_must_not(test):
    def one(case):
        type, fields = case
        session, frame = test.session(), {**proper(type), **fields}
        session.send(type, **frame)
        session.refused("bad_frame", id=frame["id"], channel=frame["channel"])
    every([(PING, {"channel": 1}), (PING, {"channel": INBOX | 1}), (PONG, {"channel": 1}), (BYE, {"id": 1}),
           (BYE, {"channel": 1}), (OPEN, {"id": 0}), (OPEN, {"channel": 1}), (LEAVE, {"id": 0}),
           (LEAVE, {"channel": 1}), (MESSAGE, {"channel": 0}), (REQUEST, {"channel": 0}),
           (REQUEST, {"channel": 0, "id": 0}), (REPLY, {"id": 0}),
           *[(type, fields) for type in (ACK, NAK, RENEW) for fields in ({"id": 1}, {"channel": 0})]], one)


@check
def acknowledgements_of_a_wrong_length(test):
    # OPEN: the table gives the lengths, the list of codes does not say which one answers another length.
    def one(case):
        type, length = case
        session = test.session()
        number = session.open(test.channel(), True)
        session.send(type, bytes(length), channel=number)
        session.refused("bad_frame", "too_large", "bad_payload", channel=number)
    wrong = {ACK: (0, 7, 9, 12, 17), NAK: (8, 11, 13, 16), RENEW: (0, 12, 15, 24)}
    every([(type, length) for type, lengths in wrong.items() for length in lengths], one)


@check
def request_with_id_0(test):
    [observer], number = subscribed(test, 1, test.channel())
    session = session_on(test, test.channel())
    session.send(REQUEST, b"x", id=0, channel=number)
    session.refused("bad_frame", channel=number)
    quiet(observer)


@check
def reply_with_bad_header(test):
    # OPEN: a REPLY to something that is no inbox breaks the table (bad_frame) and answers nothing (forbidden).
    # Channel 0 and unknown numbers may also be seen as not_open.
    def one(fields):
        session = test.session()
        session.send(REPLY, b"x", **fields)
        session.refused("bad_frame", "forbidden", "not_open", "no_such_session", **fields)
    every([{"id": 1, "channel": 0}, {"id": 1, "channel": 5}, {"id": 1, "channel": INBOX}], one)


@check
def request_to_an_inbox_is_refused(test):
    # OPEN: the table says "a number", so it can't be delivered; which code is not said.
    requester, other = test.sessions(2)
    requester.send(REQUEST, b"x", id=5, channel=inbox(other))
    codes = ("bad_frame", "forbidden", "not_open", "no_responders", "no_such_session")
    requester.refused(*codes, id=5, channel=inbox(other))
    quiet(other)


@check
def ping_echo_of_every_length(test):
    session = test.session()
    payloads = [test.random.randbytes(length) for length in range(126)]
    ids = [0, 1, 0xffff] + [test.random.randrange(0x10000) for _ in range(123)]
    session.send_raw(b"".join(encode(PING, p, id=i, sender=session.number) for p, i in zip(payloads, ids)))
    for payload, id in zip(payloads, ids):
        session.expect(PONG, id=id, channel=0, sender=0, payload=payload)
    quiet(session)


@check
def ping_of_126_bytes(test):
    # OPEN: the table says 0-125 bytes, the list of codes doesn't say which one answers more.
    def one(length):
        session = test.session()
        session.send(PING, bytes(length), id=1)
        session.refused("bad_frame", "too_large", "bad_payload", id=1)
    every([126, 65536], one)


@check
def pong_without_a_ping(test):
    # OPEN: nothing forbids it.
    session = test.session()
    session.send(PONG, b"unasked", id=9)
    code = session.outcome(id=9)
    require(code in ("silence", "bad_frame"), "silence or bad_frame", code)


@check
def types_that_only_the_server_sends(test):
    def one(type):
        session = test.session()
        session.send(type, bytes(8) if type == POSITION else b"{}")
        session.refused("bad_frame")
    every(sorted(SERVER_ONLY), one)


@check
def unknown_types(test):
    def one(type):
        session = test.session()
        session.send(type, b"payload")
        session.refused("bad_frame")
        session.close()
    every([type for type in range(0x80) if type not in NAMES], one)


@check
def extensions_are_skipped_with_their_payload(test):
    [session], number = subscribed(test, 1, test.channel())
    for type in range(0x80, 0x100):
        # A payload that is itself a frame: it must not be taken for one.
        inner = encode(MESSAGE, b"inner", channel=number, sender=session.number)
        session.send(type, inner * test.random.randrange(4))
    session.send(0x99, bytes(session.welcome["limits"]["payload"]))
    quiet(session)


@check
def payload_of_exactly_the_limit(test):
    [receiver], number = subscribed(test, 1, test.channel())
    sender = session_on(test, test.channel())
    payload = test.random.randbytes(sender.welcome["limits"]["payload"])
    sender.send(MESSAGE, payload, channel=number)
    receiver.expect(MESSAGE, payload=payload, sender=sender.number)
    receiver.send(MESSAGE, payload, channel=inbox(sender))
    sender.expect(MESSAGE, payload=payload, sender=receiver.number)


def control_of(test, size):
    """OPEN's payload, padded to this size."""
    start = pack_json({"channel": test.channel(), "subscribe": False, "pad": ""})[:-2]
    return start + b"x" * (size - len(start) - 2) + b'"}'


@check
def control_payload_of_16_kib_is_taken(test):
    session = test.session()
    session.send(OPEN, control_of(test, CONTROL_LIMIT), id=3)
    number = session.expect(OPENED, id=3).channel
    session.send(LEAVE, control_of(test, CONTROL_LIMIT), id=4)
    session.expect(LEFT, id=4, channel=number)
    session.send(BYE, b'{"reason":"' + b"x" * (CONTROL_LIMIT - 13) + b'"}')
    session.ends()


@check
def control_payload_over_16_kib(test):
    # In the first case only the header is sent, so the answer cannot have waited for the payload.
    def one(case):
        type, length, payload = case
        session = test.session()
        id = 0 if type == BYE else 5
        session.send(type, payload, id=id, length=length)
        session.refused("too_large", id=id, timeout=2)
    lengths = (CONTROL_LIMIT + 1, 1 << 20, (1 << 32) - 1)
    every([(type, length, b"") for type in (OPEN, LEAVE, BYE) for length in lengths] +
          [(OPEN, CONTROL_LIMIT + 1, control_of(test, CONTROL_LIMIT + 1))], one)


@check
def length_over_the_limit(test):
    # Only the header is sent, so the answer can't have waited for the payload.
    limit = test.session().welcome["limits"]["payload"]

    def one(case):
        type, length = case
        session, frame = test.session(), proper(type) if type in NAMES else {"id": 0, "channel": 0, "payload": b""}
        if type in (MESSAGE, REQUEST):
            frame["channel"] = session.open(test.channel())
        session.send(type, **{**frame, "payload": b""}, length=length)
        session.refused("too_large", id=frame["id"], channel=frame["channel"], timeout=2)
    every([(type, length) for type in (MESSAGE, REQUEST, OPEN, 0x80)
           for length in (limit + 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)], one)


# ---------------------------------------------------------------- control payloads

@check
def control_payload_that_is_no_json_object(test):
    session = test.session()

    def one(case):
        type, payload = case
        session.send(type, payload, id=77)
        session.refused("bad_payload", id=77)
    payloads = [b"", b"x", b"{", b"null", b"5", b'"a"', b"[]", b'["a"]', b"\xff", b'{"channel":"\xff"}',
                b'{"channel":"a"}x', b"[" * 16_000, b'{"channel":' * 1400]
    every([(type, payload) for type in (OPEN, LEAVE) for payload in payloads], one)
    quiet(session)


@check
def control_payload_that_lacks_a_key_or_has_a_wrong_type(test):
    session, name = test.session(), test.channel()
    wrong = [{"subscribe": True}, {}, {"channel": 5, "subscribe": True}, {"channel": None, "subscribe": True},
             {"channel": [name], "subscribe": True}, {"channel": {}, "subscribe": True},
             {"channel": True, "subscribe": True}, {"__proto__": {"channel": name}, "subscribe": True},
             {"channel": name, "subscribe": "yes"}, {"channel": name, "subscribe": 1},
             {"channel": name, "subscribe": {}}, {"channel": name, "subscribe": True, "echo": "no"},
             {"channel": name, "subscribe": True, "echo": 0}, {"channel": name, "subscribe": True, "presence": "yes"},
             {"channel": name, "subscribe": True, "presence": 1}, {"channel": name, "subscribe": True, "group": 5},
             {"channel": name, "subscribe": True, "group": True}, {"channel": name, "subscribe": True, "group": ["g"]},
             {"channel": name, "respond": "yes"}, {"channel": name, "respond": 1}, {"channel": name, "respond": []}]

    def one(case):
        type, payload = case
        session.send(type, payload, id=78)
        session.refused("bad_payload", id=78)
    every([(OPEN, payload) for payload in wrong] + [(LEAVE, payload) for payload in wrong[:8]], one)
    quiet(session)


@check
def refused_open_leaves_no_trace(test):
    [observer], number = subscribed(test, 1, test.channel(), presence=True)
    session = test.session()
    session.send(OPEN, {"channel": test.channel(), "subscribe": True, "echo": "no"}, id=5)
    session.refused("bad_payload", id=5)
    session.send(MESSAGE, b"x", channel=number)
    session.refused("not_open", channel=number)
    quiet(observer, session)


@check
def subscribe_and_respond_are_false_if_left_out(test):
    publisher, session = session_on(test, test.channel()), test.session()
    session.send(OPEN, {"channel": test.channel()}, id=4)
    frame = session.expect(OPENED, id=4)
    body = frame.json()
    require((body["publish"], body["subscribe"], body["respond"]) == (True, False, False),
            "publish true, subscribe and respond false", body)
    publisher.send(MESSAGE, b"x", channel=frame.channel)
    publisher.send(REQUEST, b"x", id=1, channel=frame.channel)
    publisher.refused("no_responders", id=1, channel=frame.channel)
    quiet(session)


@check
def open_and_leave_ignore_unknown_keys(test):
    session = test.session()
    number = session.open(test.channel(), True, x=1, deep={"a": [None]}, number=99)
    session.send(LEAVE, {"channel": test.channel(), "x": [1], "number": 99}, id=2)
    session.expect(LEFT, id=2, channel=number)


@check
def bye_with_a_bad_payload(test):
    # OPEN: bad_payload is non-fatal, yet the peer said it goes. Either way the connection must not break or hang.
    def one(payload):
        session = test.session()
        session.send(BYE, payload)
        session.half_close()
        with contextlib.suppress(Closed):
            frame = session.receive()
            ok = frame.type == BYE or frame.json().get("code") == "bad_payload"
            require(ok, "bad_payload or the end", str(frame))
            session.ends()
    every([b"", b"bye", b"[]", b"{}", b'{"reason":5}'], one)


# ---------------------------------------------------------------- names and patterns

GOOD_NAMES = ["a", "Z", "0", "-", "_", "a.b", "A-Z_9.x", "a.b.c.d.e", "0.1", "-.-", "x" * 128, "a." * 15 + "b",
              "seven-7." * 15 + "8-at-end", "x" * 64 + "." + "y" * 63, "__proto__", "constructor", "toString",
              "hasOwnProperty.valueOf"]
GOOD_PATTERNS = ["*", ">", "a.*", "*.a", "*.*", "a.*.b", "a.>", "a.*.>", "*.>", "*.a.>", "a." * 15 + ">",
                 "*." * 15 + ">", "*." * 15 + "*", "x" * 126 + ".*"]
BAD_CHANNELS = ["", ".", "..", "a..b", ".a", "a.", ".a.", " ", "a b", " a", "a ", "a\n", "\ta", "a\0", "a\0b", "\x7f",
                "a/b", "a:b", "a,b", "a@b", "a+b", "a#b", "a%20b",
                "\u00e9", "a.\u65e5\u672c", "\u0430", "\uff41", "a\u200b", "\U0001f600",
                "x" * 129, "a." * 64 + "b", "\u00e9" * 64, "a.$b", "a$", "a.b$c",
                "a>", ">a", ">.a", ">.>", "a.>.b", ">>", "a.>>", "*a", "a*", "a.*b", "a.b*.c", "**", "a.**", "*>", ">*",
                "a." * 64 + ">", "x" * 127 + ".*",
                "a." * 16 + "b", "a." * 63 + "bc", "a." * 16 + ">", "a." * 16 + "*", "*." * 16 + ">", "*." * 63 + "*"]


@check
def channel_names_that_are_good(test):
    session = test.session()
    every(GOOD_NAMES, lambda name: require(session.open(name, True) > 0, "a number over 0", "0"))
    quiet(session)


@check
def patterns_that_are_good(test):
    # Opened one at a time: the widest of them would bring the other checks' channels.
    session = test.session()

    def one(pattern):
        require(session.open(pattern, True) == 0, "channel 0", "another")
        require(session.opened["publish"] is False, "publish false: a pattern is only for subscribing", session.opened)
        session.leave(pattern, 0)
    every(GOOD_PATTERNS, one)
    quiet(session)


@check
def names_and_patterns_against_the_grammar(test):
    session = test.session()

    def one(case):
        channel, way = case
        session.send(OPEN, {"channel": channel, way: True}, id=79)
        session.refused("bad_channel", id=79)
    every([(channel, "subscribe") for channel in BAD_CHANNELS] +
          [(channel, "respond") for channel in ("", "a..b", "a.>.b", "a." * 16 + "b")], one)
    quiet(session)


@check
def a_lone_surrogate_as_channel(test):
    # OPEN: legal JSON, no legal name: the payload or the name is to blame.
    session = test.session()
    session.send(OPEN, b'{"channel":"\\ud800","subscribe":true}', id=6)
    session.refused("bad_channel", "bad_payload", id=6)


@check
def json_escapes_in_a_name_mean_the_same_name(test):
    session = test.session()
    number = session.open(test.channel("abc"))
    session.send(OPEN, b'{"channel":"%s","subscribe":false}' % test.channel("\\u0061bc").encode(), id=6)
    session.expect(OPENED, id=6, channel=number)


@check
def names_of_the_server(test):
    # OPEN: "the server's own": refused by the grammar (bad_channel) or by right (forbidden).
    session = test.session()

    def one(channel):
        session.send(OPEN, {"channel": channel, "subscribe": True}, id=80)
        session.refused("forbidden", "bad_channel", id=80)
    every(["$", "$x", "$sys", "$SYS.load", "$echo.x", "$ECHO", "$echo2", "$$", "$.a", "$-",
           "$*", "$>", "$echo.*", "$x.>"], one)
    quiet(session)


@check
def pattern_with_presence(test):
    # "names only": bad_channel says "a pattern where a name is needed". OPEN: bad_payload would fit too.
    session = test.session()

    def one(pattern):
        session.send(OPEN, {"channel": pattern, "subscribe": True, "presence": True}, id=8)
        session.refused("bad_channel", "bad_payload", id=8)
    every([test.channel("*"), test.channel(">")], one)
    quiet(session)


@check
def pattern_without_subscribe_or_respond(test):
    # OPEN: "a pattern is only for subscribing and responding": refused, or opened to no effect.
    session = test.session()
    session.send(OPEN, {"channel": test.channel("*"), "subscribe": False}, id=8)
    frame = session.receive()
    ok = frame.json().get("code") in ("bad_channel", "bad_payload", "forbidden") or \
        frame.type == OPENED and frame.channel == 0 and frame.json()["subscribe"] is False
    require(ok and frame.id == 8, "bad_channel, bad_payload, forbidden or OPENED with subscribe false", str(frame))


@check
def pattern_only_to_respond(test):
    session = test.session()
    require(session.open(test.channel("*"), respond=True) == 0, "channel 0", session.opened)
    require(session.opened["publish"] is False, "publish false", session.opened)
    publisher = session_on(test, test.channel("x"))
    publisher.send(MESSAGE, b"x", channel=publisher.open(test.channel("x")))
    quiet_but_for_announcements(publisher, session)  # it does not subscribe


@check
def presence_without_subscribe(test):
    # OPEN: "together with subscribe": refused, or without effect. To respond is not to subscribe.
    session = test.session()

    def one(way):
        session.send(OPEN, {"channel": test.channel(), "presence": True, **way}, id=8)
        frame = session.receive()
        require(frame.id == 8 and (frame.type == OPENED or frame.json().get("code") == "bad_payload"),
                "bad_payload or OPENED", str(frame))
    every([{"subscribe": False}, {}, {"respond": True}], one)


@check
def group_name_on_the_edge(test):
    # OPEN: the page has no grammar for group names.
    session = test.session()

    def one(group):
        session.send(OPEN, {"channel": test.channel(), "subscribe": True, "group": group}, id=8)
        frame = session.receive()
        require(frame.id == 8 and (frame.type == OPENED or frame.json().get("code") in ("bad_payload", "bad_channel")),
                "OPENED, bad_payload or bad_channel", str(frame))
    every(["", "a b", "\u00e9", "x" * 1000, "__proto__", "a.*"], one)
    quiet(session)


@check
def open_with_from_on_a_channel_that_is_not_stored(test):
    session = test.session()

    def one(start):
        session.send(OPEN, {"channel": test.channel(), "subscribe": True, "from": start}, id=9)
        session.refused("bad_payload", id=9)
    every(["new", "all", "last", {"sequence": 1}, {"sequence": 1, "epoch": "e"}, {"time": "2024-01-01T00:00:00Z"}, 5,
           "never"], one)
    quiet(session)


@check
def producer_or_consumer_of_a_channel_that_is_not_durable(test):
    session, publisher = test.session(), session_on(test, test.channel())

    def one(keys):
        session.send(OPEN, {"channel": test.channel(), "subscribe": True, **keys}, id=9)
        session.refused("not_durable", id=9)
    every([{"producer": "import-7"}, {"subscribe": False, "producer": "import-7"}, {"consumer": "billing"}], one)
    publisher.send(MESSAGE, b"x", channel=publisher.open(test.channel()))
    quiet(publisher, session)  # what was refused has not subscribed


@check
def consumers_that_make_no_sense(test):
    # OPEN: the payload is to blame, but that the channel is not durable is true as well.
    session = test.session()

    def one(keys):
        channel = keys.pop("channel", test.channel())
        session.send(OPEN, {"channel": channel, "subscribe": True, **keys}, id=9)
        session.refused("bad_payload", "not_durable", id=9)
    every([{"consumer": "billing", "group": "g"}, {"consumer": "billing", "subscribe": False},
           {"consumer": "billing", "channel": test.channel("*")}, {"exclusive": True}, {"consumer": 5},
           {"producer": ["p"]}], one)
    quiet(session)


# ---------------------------------------------------------------- OPEN and LEAVE

@check
def open_twice_takes_the_new_subscribe(test):
    name = test.channel()
    publisher, subscriber = session_on(test, name), test.session()
    number = subscriber.open(name, True)
    for round, subscribe in enumerate([True, False, False, True]):
        require(subscriber.open(name, subscribe) == number, f"the number {number} again", subscriber.opened)
        text = f"round {round}".encode()
        publisher.send(MESSAGE, text, channel=number)
        quiet(publisher)
        if subscribe:
            says(subscriber, text)
        quiet(subscriber)


@check
def open_twice_takes_the_new_options(test):
    # All of them: what the new OPEN leaves out is at its default again.
    name, session, other = test.channel(), test.session(), test.session()
    number = session.open(name, True, echo=False)
    session.send(MESSAGE, b"no echo", channel=number)
    quiet(session)
    session.open(name, True)
    session.send(MESSAGE, b"echo", channel=number)
    says(session, b"echo")
    session.open(name, True, presence=True)
    other.open(name, True)
    presence_of(session, JOINED, number, other)
    session.open(name, True, group="g")
    other.open(name, True, group="g")
    other.leave(name, number)
    quiet(session)  # presence was left out
    other.open(name, True, group="g")
    for n in range(4):
        session.send(MESSAGE, b"%d" % n, channel=number)
    require(len(collect([session, other], 4)) == 4, "4 messages to a group of two", "more")
    session.open(name, True)
    other.open(name, True)
    session.send(MESSAGE, b"all", channel=number)
    says(session, b"all")
    says(other, b"all")
    quiet(session, other)


@check
def open_twice_takes_the_new_respond(test):
    name = test.channel()
    requester, session = session_on(test, name), test.session()
    number = requester.open(name)
    for id, respond in enumerate([False, True, True, False, True], 1):
        require(session.open(name, True, respond=respond) == number, f"the number {number} again", session.opened)
        requester.send(REQUEST, b"x", id=id, channel=number)
        if respond:
            session.expect(REQUEST, id=id, channel=number)
            session.send(REPLY, b"y", id=id, channel=inbox(requester))
            requester.expect(REPLY, id=id)
        else:
            requester.refused("no_responders", id=id, channel=number)
    session.open(name, True)  # left out
    requester.send(REQUEST, b"x", id=9, channel=number)
    requester.refused("no_responders", id=9, channel=number)
    quiet(requester, session)


@check
def numbers_are_stable_between_sessions(test):
    names = [test.channel(suffix) for suffix in ("a", "b", "c.d")]
    first, second = test.sessions(2)
    numbers = [first.open(name) for name in names]
    require(len(set(numbers)) == 3, "three numbers", numbers)
    require(all(0 < number < INBOX for number in numbers), "numbers without the top bit", numbers)
    require([second.open(name, True) for name in reversed(names)] == numbers[::-1], f"{numbers} reversed", "others")
    first.leave(names[0], numbers[0])
    first.close()
    second.close()
    until_gone(test.session(), second.number)
    third = test.session()
    require([third.open(name) for name in names] == numbers, f"{numbers} again", "others")


@check
def leave_a_name(test):
    name = test.channel()
    publisher, (subscriber,) = session_on(test, name), subscribed(test, 1, name)[0]
    number = publisher.open(name)
    publisher.send(MESSAGE, b"before", channel=number)
    says(subscriber, b"before")
    subscriber.leave(name, number, id=0xffff)
    publisher.send(MESSAGE, b"after", channel=number)
    quiet(publisher, subscriber)


@check
def leave_a_pattern(test):
    name, pattern = test.channel("x"), test.channel("*")
    publisher, subscriber = session_on(test, name), test.session()
    number = publisher.open(name)
    subscriber.open(pattern, True)
    publisher.send(MESSAGE, b"before", channel=number)
    subscriber.expect(OPENED, id=0, channel=number)
    says(subscriber, b"before")
    subscriber.leave(pattern, 0)
    publisher.send(MESSAGE, b"after", channel=number)
    quiet(publisher, subscriber)


@check
def no_message_after_left_while_the_channel_is_busy(test):
    name = test.channel()
    publisher, (subscriber,) = session_on(test, name), subscribed(test, 1, name)[0]
    number = publisher.open(name)
    burst = b"".join(encode(MESSAGE, b"%d" % n, channel=number, sender=publisher.number) for n in range(2000))
    publisher.send_raw(burst)
    says(subscriber, b"0")
    subscriber.send(LEAVE, {"channel": name}, id=4)
    while (frame := subscriber.receive()).type == MESSAGE:
        pass
    require(frame.type == LEFT and frame.id == 4 and frame.channel == number, "LEFT", str(frame))
    quiet(publisher, subscriber)


@check
def leave_something_not_open(test):
    # "not_open" is said of numbers, but nothing else fits better. OPEN for a name against the grammar: bad_channel.
    name, session = test.channel(), test.session()
    number = session.open(name)
    session.leave(name, number)

    def one(channel):
        session.send(LEAVE, {"channel": channel}, id=5)
        session.refused("not_open", *(["bad_channel"] if channel in ("", "a..b", "$x") else []), id=5)
    every([name, test.channel("never"), test.channel("*"), "", "a..b", "$x"], one)
    quiet(session)


@check
def message_after_leave(test):
    name = test.channel()
    [observer], number = subscribed(test, 1, name)
    session = session_on(test, name)
    session.leave(name, number)
    session.send(MESSAGE, b"after", channel=number)
    session.refused("not_open", channel=number)
    session.send(REQUEST, b"after", id=3, channel=number)
    session.refused("not_open", id=3, channel=number)
    quiet(session, observer)
    require(session.open(name) == number, f"the number {number} again", session.opened)
    session.send(MESSAGE, b"again", channel=number)
    says(observer, b"again")


@check
def one_error_may_answer_a_run_of_messages(test):
    session = test.session()
    for n in range(200):
        session.send(MESSAGE, b"%d" % n, channel=UNUSED)
    frames = session.before_pong()
    require(1 <= len(frames) <= 200, "1 to 200 frames", len(frames))
    wrong = [f for f in frames if f.type != ERROR or f.json()["code"] != "not_open" or f.id != 0]
    require(not wrong, "ERROR not_open with id 0", wrong and str(wrong[0]))
    session.open(test.channel())
    session.send(MESSAGE, b"later", channel=UNUSED)
    session.refused("not_open", channel=UNUSED)  # a later run gets its own


@check
def not_open_for_unknown_numbers(test):
    [observer], foreign = subscribed(test, 1, test.channel())
    session = test.session()

    def one(number):
        session.send(MESSAGE, b"x", channel=number)
        session.refused("not_open", channel=number)
        session.send(REQUEST, b"x", id=12, channel=number)
        session.refused("not_open", id=12, channel=number)
    every([foreign, UNUSED, 0x7fffffff], one)
    quiet(session, observer)


@check
def message_on_a_channel_a_pattern_announced(test):
    # OPEN: has the session "opened" what the server announced? What OPENED's `publish` says must hold.
    name = test.channel("x")
    [observer], number = subscribed(test, 1, name)
    session = test.session()
    session.open(test.channel("*"), True)
    observer.send(MESSAGE, b"first", channel=number)
    says(observer, b"first")
    announced = session.expect(OPENED, id=0, channel=number).json()
    says(session, b"first")
    session.send(MESSAGE, b"mine", channel=number)
    frames = session.before_pong()
    codes = [frame.json()["code"] for frame in frames if frame.type == ERROR]
    if announced["publish"]:
        require(not codes, "delivery, as `publish` was true", codes)
        says(observer, b"mine")
    else:
        require(codes in (["not_open"], ["forbidden"]), "not_open or forbidden, as `publish` was false", codes)
        quiet(observer)


@check
def channel_limit(test):
    session = test.session()
    limit = session.welcome["limits"]["channels"]
    for n in range(limit):
        session.send(OPEN, {"channel": test.channel(f"n{n}"), "subscribe": False}, id=n % 0xffff + 1)
    for n in range(limit):
        session.expect(OPENED, id=n % 0xffff + 1)
    for _ in range(2):
        session.send(OPEN, {"channel": test.channel("more"), "subscribe": True}, id=7)
        session.refused("limit", id=7)
    last = session.open(test.channel(f"n{limit - 1}"), True)  # again: takes no more room
    session.leave(test.channel(f"n{limit - 1}"), last)
    session.open(test.channel("more"), True)
    quiet(session)


# ---------------------------------------------------------------- delivery

@check
def delivery_is_verbatim(test):
    [subscriber], number = subscribed(test, 1, test.channel())
    publisher = session_on(test, test.channel())
    payloads = [b"", b"\0", bytes(range(256)), b"\xff\xfe\xfd", b'{"a":1}', "h\u00e9llo".encode(),
                test.random.randbytes(65537)]

    def one(case):
        kind, payload = case
        publisher.send(MESSAGE, payload, flags=kind, channel=number)
        subscriber.expect(MESSAGE, flags=kind, id=0, channel=number, sender=publisher.number, payload=payload)
    # The payload is opaque whatever its kind says: it isn't checked, and isn't normalised.
    every([(kind, payload) for kind in (KIND_BYTES, KIND_TEXT, KIND_JSON) for payload in payloads], one)
    quiet(publisher, subscriber)


@check
def echo_is_on_unless_refused(test):
    def one(options):
        session, other = test.session(), test.session()
        number = session.open(test.channel(), True, **options)
        other.open(test.channel(), True)
        session.send(MESSAGE, b"mine", channel=number)
        says(other, b"mine")
        if options.get("echo", True):
            session.expect(MESSAGE, sender=session.number, payload=b"mine")
        other.send(MESSAGE, b"theirs", channel=number)
        session.expect(MESSAGE, sender=other.number, payload=b"theirs")
        says(other, b"theirs")
        quiet(session, other)
        session.close()
        other.close()
    every([{}, {"echo": True}, {"echo": False}], one)


@check
def publisher_need_not_subscribe(test):
    [subscriber], number = subscribed(test, 1, test.channel())
    publisher = session_on(test, test.channel())
    require(publisher.opened["publish"] is True, "publish true", publisher.opened)
    publisher.send(MESSAGE, b"x", channel=number)
    says(subscriber, b"x")
    quiet(publisher, subscriber)


@check
def order_of_one_sender(test):
    subscribers, number = subscribed(test, 3, test.channel())
    publisher = session_on(test, test.channel())
    count = 5000
    writer = threading.Thread(target=publisher.send_raw, args=(b"".join(
        encode(MESSAGE, b"%d" % n, channel=number, sender=publisher.number) for n in range(count)), 20), daemon=True)
    writer.start()
    for n in range(count):
        for subscriber in subscribers:
            says(subscriber, b"%d" % n)
    writer.join()
    quiet(publisher, *subscribers)


@check
def two_senders_do_not_disturb_each_other(test):
    [subscriber], number = subscribed(test, 1, test.channel())
    publishers = [session_on(test, test.channel()) for _ in range(4)]
    for n in range(500):
        for publisher in publishers:
            publisher.send(MESSAGE, b"%d" % n, channel=number)
    following = {publisher.number: 0 for publisher in publishers}
    for _ in range(500 * 4):
        frame = subscriber.expect(MESSAGE, channel=number)
        require(frame.payload == b"%d" % following.get(frame.sender, -1), f"{following} next", str(frame))
        following[frame.sender] += 1
    quiet(subscriber, *publishers)


@check
def group_gets_each_message_once_in_turn(test):
    members, number = subscribed(test, 3, test.channel(), group="workers")
    plain, publisher = test.session(), session_on(test, test.channel())
    plain.open(test.channel(), True)
    for n in range(30):
        publisher.send(MESSAGE, b"%d" % n, channel=number)
    for n in range(30):
        says(plain, b"%d" % n)
    got = collect(members, 30)
    quiet(publisher, plain, *members)
    by_message = sorted((int(frame.payload), index) for index, frame in got)
    require([n for n, _ in by_message] == list(range(30)), "each message at one member", by_message)
    in_turn([index for _, index in by_message], 3, "the messages")


@check
def two_groups_each_get_every_message(test):
    left, number = subscribed(test, 2, test.channel(), group="left")
    right, _ = subscribed(test, 3, test.channel(), group="__proto__")
    publisher = session_on(test, test.channel())
    for n in range(24):
        publisher.send(MESSAGE, b"%d" % n, channel=number)
    for members in (left, right):
        got = sorted((int(frame.payload), index) for index, frame in collect(members, 24))
        require([n for n, _ in got] == list(range(24)), "each message at one member", got)
        in_turn([index for _, index in got], len(members), "the messages")
    quiet(publisher, *left, *right)


@check
def group_goes_on_when_a_member_goes(test):
    members, number = subscribed(test, 3, test.channel(), group="workers")
    publisher = session_on(test, test.channel())
    members[0].leave(test.channel(), number)
    members[1].close()
    until_gone(publisher, members[1].number)
    for n in range(6):
        publisher.send(MESSAGE, b"%d" % n, channel=number)
    for n in range(6):
        says(members[2], b"%d" % n)
    quiet(publisher, members[0], members[2])


@check
def group_on_two_channels_sends_to_those_that_subscribe_there(test):
    # Groups of one name are one group, but a message goes only to a member that subscribes its channel.
    first, second = test.channel("a"), test.channel("b")
    one, two, publisher = test.sessions(3)
    a, b = one.open(first, True, group="g"), two.open(second, True, group="g")
    publisher.open(first), publisher.open(second)
    for n in range(4):
        publisher.send(MESSAGE, b"a%d" % n, channel=a)
        publisher.send(MESSAGE, b"b%d" % n, channel=b)
    for n in range(4):
        says(one, b"a%d" % n)
        says(two, b"b%d" % n)
    quiet(one, two, publisher)


@check
def group_takes_turns_across_channels(test):
    # The turn is the group's, so it does not begin anew on each channel.
    names = [test.channel(f"job{n}") for n in range(12)]
    members, publisher = test.sessions(3), test.session()
    numbers = [publisher.open(name) for name in names]
    for member in members:
        for name in names:
            member.open(name, True, group="g")
    given_in_turn(publisher, numbers, members, "the messages of 12 channels")
    given_in_turn(publisher, [number for number in numbers for _ in range(2)], members, "two of each channel")


@check
def group_of_a_pattern_takes_turns_across_channels(test):
    members, publisher = test.sessions(3), test.session()
    for member in members:
        require(member.open(test.channel("*"), True, group="g") == 0, "channel 0", member.opened)
    numbers = [publisher.open(test.channel(f"job{n}")) for n in range(12)]
    given_in_turn(publisher, numbers, members, "the messages of 12 channels")


@check
def group_takes_turns_on_short_lived_channels(test):
    # A channel that lives for one message each, as for jobs that are named by a number.
    members, publisher = test.sessions(3), test.session()
    for member in members:
        member.open(test.channel("*"), True, group="g")
    order = []
    for n in range(9):
        name = test.channel(f"job{n}")
        number = publisher.open(name)
        publisher.send(MESSAGE, b"%d" % n, channel=number)
        publisher.leave(name, number)
        index, frame = the_one(members)
        require(frame.type == MESSAGE and frame.payload == b"%d" % n, f"message {n}", str(frame))
        order.append(index)
    in_turn(order, 3, "the messages of channels that live for one message")
    quiet_but_for_announcements(publisher, *members)


@check
def group_takes_turns_whatever_its_members_came_by(test):
    members, publisher = test.sessions(4), test.session()
    for member, channel in zip(members, ("a.b", "a.*", "*.b", "a.>")):
        member.open(test.channel(channel), True, group="g")
    number = publisher.open(test.channel("a.b"))
    given_in_turn(publisher, [number] * 20, members, "the messages")


@check
def group_member_without_echo_is_passed_over(test):
    name = test.channel()
    [member, other], number = subscribed(test, 2, name, group="g", echo=False)
    for n in range(6):
        member.send(MESSAGE, b"%d" % n, channel=number)
    for n in range(6):
        says(other, b"%d" % n)
    other.leave(name, number)
    member.send(MESSAGE, b"for no one", channel=number)
    quiet(member, other)


OVERLAPS = [  # what a session subscribes first, what is then refused (either way round), as (channel, options)
    (("a.*", {"group": "g"}), (">", {})), (("a.*", {"group": "g"}), ("a.b", {})),
    (("a.*", {"group": "g"}), ("a.b", {"group": "g"})), (("a.*", {"group": "g"}), ("a.b", {"group": "h"})),
    (("a.*", {"group": "g"}), ("*.b", {})), (("a.b.*", {"group": "g"}), ("a.>", {"group": "g"})),
    (("a.b", {"group": "g"}), ("*.*", {})), (("a.>", {"group": "g"}), ("*.*.c", {})),
    (("*", {"group": "g"}), (">", {"group": "g"})), (("a.*.c", {"group": "g"}), ("a.b.*", {"group": "h"})),
    (("*.b.>", {"group": "g"}), ("a.>", {})), (("a.b.>", {"group": "g"}), ("a.*.c", {})),
]
DISJOINT = [
    (("a.*", {"group": "g"}), ("b.*", {"group": "g"})), (("a.*", {"group": "g"}), ("a.b.c", {})),
    (("a.*", {"group": "g"}), ("a.*.*", {"group": "g"})), (("a.>", {"group": "g"}), ("a", {})),
    (("a.b", {"group": "g"}), ("a.c", {"group": "h"})), (("a.b.>", {"group": "g"}), ("a.b", {})),
    (("*.b", {"group": "g"}), ("*.c", {})), (("a.*.c", {"group": "g"}), ("*.b.d", {})),
]


@check
def overlap_with_a_group_is_refused(test):
    def one(case):
        (first, options), (second, others) = case
        session = test.session()
        session.open(test.channel(first), True, **options)
        session.send(OPEN, {"channel": test.channel(second), "subscribe": True, **others}, id=6)
        session.refused("overlap", id=6)
        session.leave(test.channel(first), session.opened["number"])
        session.open(test.channel(second), True, **others)
        quiet(session)
        session.close()
    every(OVERLAPS + [pair[::-1] for pair in OVERLAPS], one)


@check
def what_does_not_overlap_is_taken(test):
    def one(case):
        session = test.session()
        for channel, options in case:
            session.open(test.channel(channel), True, **options)
        quiet(session)
        session.close()
    every(DISJOINT + [pair[::-1] for pair in DISJOINT], one)


@check
def overlap_that_was_refused_leaves_no_trace(test):
    session, publisher = test.session(), session_on(test, test.channel("x"))
    number = publisher.open(test.channel("x"))
    session.open(test.channel("*"), True, group="g")
    session.send(OPEN, {"channel": test.channel(">"), "subscribe": True}, id=6)
    session.refused("overlap", id=6)
    publisher.send(MESSAGE, b"once", channel=number)
    session.expect(OPENED, id=0, channel=number)
    says(session, b"once")
    session.leave(test.channel("*"), 0)
    publisher.send(MESSAGE, b"after", channel=number)
    quiet(publisher, session)


@check
def overlap_by_new_options(test):
    # An OPEN of a name or pattern that is open replaces it, so it overlaps others only.
    session = test.session()
    session.open(test.channel("a"), True)
    session.open(test.channel("*"), True)
    session.send(OPEN, {"channel": test.channel("a"), "subscribe": True, "group": "g"}, id=6)
    session.refused("overlap", id=6)
    publisher = session_on(test, test.channel("a"))
    publisher.send(MESSAGE, b"once", channel=publisher.open(test.channel("a")))
    says(session, b"once")  # the subscription of before is still there
    session.leave(test.channel("*"), 0)
    session.open(test.channel("a"), True, group="g")
    session.open(test.channel("a"), True, group="h")
    session.open(test.channel("a"), True)
    session.open(test.channel("*"), True)
    quiet(session)


@check
def overlap_is_of_subscriptions_of_one_session(test):
    name = test.channel("a.b")
    one, two = test.sessions(2)
    one.open(name)  # to publish: not a subscription
    one.open(test.channel("a.>"), respond=True)  # to respond: not one either
    one.open(test.channel("a.*"), True, group="g")
    two.open(test.channel(">"), True)  # another session
    one.open(name, respond=True)
    quiet(one, two)


@check
def groups_of_two_names_are_two_groups(test):
    left, right = test.sessions(2), test.sessions(3)
    for group, members in (("left", left), ("right", right)):
        for member in members:
            member.open(test.channel("*"), True, group=group)
    publisher = test.session()
    numbers = [publisher.open(test.channel(f"job{n}")) for n in range(6)]
    for n, number in enumerate(numbers):
        publisher.send(MESSAGE, b"%d" % n, channel=number)
    quiet(publisher)
    for members in (left, right):
        frames = [frame for member in members for frame in member.before_pong() if frame.type == MESSAGE]
        got = sorted(int(frame.payload) for frame in frames)
        require(got == list(range(6)), "each message at one member", got)


MATCHES = {  # pattern -> the names below it that it matches
    "*": {"a", "b"}, ">": {"a", "b", "a.b", "a.c", "b.b", "a.b.c", "a.b.c.d"}, "a.*": {"a.b", "a.c"},
    "*.b": {"a.b", "b.b"}, "*.*": {"a.b", "a.c", "b.b"}, "a.>": {"a.b", "a.c", "a.b.c", "a.b.c.d"},
    "a.*.c": {"a.b.c"}, "a.*.>": {"a.b.c", "a.b.c.d"}, "*.>": {"a.b", "a.c", "b.b", "a.b.c", "a.b.c.d"},
    "*.*.*": {"a.b.c"}, "a.b.>": {"a.b.c", "a.b.c.d"}, "b.>": {"b.b"}, "A.*": set(),
}


@check
def patterns_match_what_they_should(test):
    publisher = test.session()
    names = sorted(MATCHES[">"])
    numbers = {name: publisher.open(test.channel(name)) for name in names}

    def one(pattern):
        subscriber = test.session()
        subscriber.open(test.channel(pattern), True)
        for name in names * 2:
            publisher.send(MESSAGE, name.encode(), channel=numbers[name])
        wanted = [name for name in names if name in MATCHES[pattern]]
        for turn in (1, 2):
            for name in wanted:
                if turn == 1:  # announced before the first message only
                    body = subscriber.expect(OPENED, id=0, channel=numbers[name]).json()
                    require(body["channel"] == test.channel(name), f"an announcement of {name}", body)
                    require(body["subscribe"] is True, "subscribe true", body)
                subscriber.expect(MESSAGE, channel=numbers[name], payload=name.encode(), sender=publisher.number)
        quiet(publisher, subscriber)
        subscriber.close()
    every(MATCHES, one)


@check
def pattern_finds_channels_that_come_later(test):
    subscriber, publisher = test.sessions(2)
    subscriber.open(test.channel(">"), True)
    for suffix in ("new", "newer.still"):
        number = publisher.open(test.channel(suffix))
        quiet(subscriber)  # announced before its first message, not when it is opened
        publisher.send(MESSAGE, b"x", channel=number)
        subscriber.expect(OPENED, id=0, channel=number)
        says(subscriber, b"x")


@check
def own_message_through_a_pattern(test):
    # OPEN: the echo of a message on a channel that only the pattern subscribes. Once, or not with echo false.
    for echo in (True, False):
        session = test.session()
        session.open(test.channel("*"), True, echo=echo)
        number = session.open(test.channel("x"), False)
        session.send(MESSAGE, b"mine", channel=number)
        frames = [frame for frame in session.before_pong() if frame.type != OPENED]
        wanted = [b"mine"] if echo else []
        require([frame.payload for frame in frames] == wanted, f"the payloads {wanted}", list(map(str, frames)))


@check
def matching_twice_receives_once(test):
    name = test.channel("a.b")
    publisher = session_on(test, name)
    number = publisher.open(name)

    def one(channels):
        subscriber = test.session()
        for channel in channels:
            subscriber.open(test.channel(channel), True)
        publisher.send(MESSAGE, b"once", channel=number)
        publisher.send(MESSAGE, b"twice", channel=number)
        if "a.b" not in channels:
            subscriber.expect(OPENED, id=0, channel=number)
        says(subscriber, b"once")
        says(subscriber, b"twice")
        quiet(publisher, subscriber)
        subscriber.close()
    every([["a.b", "a.*"], ["a.*", "a.b"], ["a.*", "a.>"], [">", "*.b", "a.*", "a.b"]], one)


@check
def leaving_one_of_two_that_match(test):
    # Leaving the pattern leaves the name. OPEN for the other way round: "no message of it follows" can be read as the
    # channel or as that subscription, and a new announcement may come or not; the message comes once at most.
    name, pattern = test.channel("a.b"), test.channel("a.*")
    publisher = session_on(test, name)
    number = publisher.open(name)
    subscriber = test.session()
    subscriber.open(name, True), subscriber.open(pattern, True)
    subscriber.leave(pattern, 0)
    publisher.send(MESSAGE, b"by name", channel=number)
    says(subscriber, b"by name")
    subscriber.open(pattern, True)
    subscriber.leave(name, number)
    publisher.send(MESSAGE, b"by pattern", channel=number)
    quiet(publisher)
    frames = [frame for frame in subscriber.before_pong() if frame.type != OPENED]
    require([f.payload for f in frames] in ([b"by pattern"], []), "the message once at most", list(map(str, frames)))


# ---------------------------------------------------------------- inboxes

@check
def inbox_of_another_session(test):
    sender, receiver, third = test.sessions(3)
    for kind, payload in ((KIND_BYTES, bytes(range(256))), (KIND_TEXT, b"text"), (KIND_JSON, b"{}"), (KIND_BYTES, b"")):
        sender.send(MESSAGE, payload, flags=kind, channel=inbox(receiver))
        receiver.expect(MESSAGE, flags=kind, id=0, channel=inbox(receiver), sender=sender.number, payload=payload)
    quiet(sender, receiver, third)


@check
def inbox_of_the_session_itself(test):
    session = test.session()
    session.send(MESSAGE, b"note to self", channel=inbox(session))
    session.expect(MESSAGE, channel=inbox(session), sender=session.number, payload=b"note to self")
    quiet(session)


@check
def inbox_of_nobody(test):
    session, gone = test.sessions(2)

    def one(number):
        session.send(MESSAGE, b"x", channel=INBOX | number)
        session.refused("no_such_session", channel=INBOX | number)
    every([UNUSED, 0x7fffffff], one)
    gone.send(BYE, {"reason": "done"})
    gone.ends()
    until_gone(session, gone.number)
    quiet(session)


@check
def inbox_of_session_0(test):
    # OPEN: no session has the number 0: not there (no_such_session), or no such frame (bad_frame).
    session = test.session()
    session.send(MESSAGE, b"x", channel=INBOX)
    session.refused("no_such_session", "bad_frame", channel=INBOX)


@check
def inbox_with_the_receipt_flag(test):
    # An inbox is not durable. OPEN: that is said of channels only, so bad_frame is taken too.
    sender, receiver = test.sessions(2)
    sender.send(MESSAGE, b"x", flags=RECEIPT, id=7, channel=inbox(receiver))
    sender.refused("not_durable", "bad_frame", id=7, channel=inbox(receiver))
    quiet(receiver)


# ---------------------------------------------------------------- presence

def members_of(session):
    opened = session.opened
    require(isinstance(opened.get("members"), list) and type(opened.get("count")) is int, "members and count", opened)
    return {(member.get("number"), member.get("name")) for member in opened["members"]}


def presence_of(session, type, number, other):
    body = session.expect(type, id=0, channel=number).json()
    require((body.get("number"), body.get("name")) == (other.number, other.name), f"{NAMES[type]} of {other.name}", body)


@check
def presence_members_and_count(test):
    name = test.channel()
    ada, bob, eve = test.session("Ada"), test.session("Bob"), test.session("Eve")
    ada.open(name, True, presence=True)
    # "the sessions subscribed to this name": by now the asking session is one of them.
    require(members_of(ada) == {(ada.number, "Ada")} and ada.opened["count"] == 1, "Ada herself", ada.opened)
    number = bob.open(name, False)  # not subscribed, so not a member
    eve.open(test.channel("b"), True)
    quiet(ada)
    bob.open(name, True, group="g")  # a member of a group is subscribed
    presence_of(ada, JOINED, number, bob)
    eve.open(name, True, presence=True)
    presence_of(ada, JOINED, number, eve)
    everyone = {(s.number, s.name) for s in (ada, bob, eve)}
    require(members_of(eve) == everyone and eve.opened["count"] == 3, "three members", eve.opened)
    quiet(ada, bob, eve)  # Bob didn't ask for presence


@check
def presence_is_silent_unless_asked_for(test):
    session, other = test.sessions(2)
    session.open(test.channel(), True)
    require("members" not in session.opened, "no members", session.opened)
    other.open(test.channel(), True)
    quiet(session)


@check
def presence_tells_who_comes_and_goes(test):
    name = test.channel()
    ada, bob = test.session("Ada"), test.session("Bob")
    number = ada.open(name, True, presence=True)
    bob.open(name, True)
    presence_of(ada, JOINED, number, bob)
    bob.open(name, True)  # again: nothing new
    quiet(bob, ada)
    bob.open(name, False)  # no longer subscribed
    presence_of(ada, PARTED, number, bob)
    bob.open(name, True)
    presence_of(ada, JOINED, number, bob)
    bob.leave(name, number)
    presence_of(ada, PARTED, number, bob)
    quiet(ada, bob)


@check
def presence_tells_of_every_kind_of_end(test):
    watcher = test.session("Watcher")
    number = watcher.open(test.channel(), True, presence=True)

    def bye(session):
        session.send(BYE, {"reason": "done"})

    def error(session):
        session.send(0x7f)

    def one(end):
        session = test.session(f"Ends by {end.__name__}")
        session.open(test.channel(), True)
        presence_of(watcher, JOINED, number, session)
        end(session)
        presence_of(watcher, PARTED, number, session)
        quiet(watcher)
    every([bye, error, Connection.close, Connection.reset, Connection.half_close], one)


@check
def presence_counts_names_not_patterns(test):
    watcher, other = test.sessions(2)
    number = watcher.open(test.channel("x"), True, presence=True)
    other.open(test.channel("*"), True)
    quiet(other, watcher)
    late = test.session()
    late.open(test.channel("x"), True, presence=True)
    presence_of(watcher, JOINED, number, late)
    require(members_of(late) == {(watcher.number, watcher.name), (late.number, late.name)}, "two members", late.opened)


@check
def presence_ends_with_leave(test):
    watcher, other = test.sessions(2)
    number = watcher.open(test.channel(), True, presence=True)
    watcher.leave(test.channel(), number)
    other.open(test.channel(), True)
    quiet(other, watcher)


@alone
def presence_lists_1000_and_counts_all(test):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096) if hard != resource.RLIM_INFINITY else 4096, hard))
    for _ in range(1003):
        connection = test.connect()
        connection.send(HELLO, {"protocol": "parley/1"})
        frame = connection.receive()
        if frame.type == ERROR and frame.json()["code"] == "server_full":
            raise Skip("server_full before there were 1,003 sessions")
        require(frame.type == WELCOME, "WELCOME", str(frame))
        connection.number = frame.json()["number"]
        connection.open(test.channel(), True)
    watcher = test.session()
    watcher.open(test.channel(), True, presence=True)
    members = members_of(watcher)
    require(len(members) == 1000 == len(watcher.opened["members"]), "1,000 different members", len(members))
    require(watcher.opened["count"] == 1004, "a count of 1,004", watcher.opened["count"])


# ---------------------------------------------------------------- REQUEST and REPLY

@check
def request_and_reply_are_verbatim(test):
    [responder], number = responding(test, 1, test.channel())
    requester = session_on(test, test.channel())

    def one(case):
        kind, payload, id = case
        requester.send(REQUEST, payload, flags=kind, id=id, channel=number)
        responder.expect(REQUEST, flags=kind, id=id, channel=number, sender=requester.number, payload=payload)
        answer = payload[::-1]
        responder.send(REPLY, answer, flags=kind, id=id, channel=inbox(requester))
        requester.expect(REPLY, flags=kind, id=id, channel=inbox(requester), sender=responder.number, payload=answer)
    every([(KIND_BYTES, bytes(range(256)), 1), (KIND_TEXT, b"", 0xffff), (KIND_JSON, b'{"a":1}', 300),
           (KIND_TEXT, b"\xff\xfe", 2), (KIND_BYTES, test.random.randbytes(100_000), 1)], one)
    quiet(requester, responder)


@check
def requests_go_to_one_responder_in_turn(test):
    responders, number = responding(test, 3, test.channel())
    requester = session_on(test, test.channel())
    asked_in_turn(requester, [number] * 12, responders, "the requests")
    quiet(requester, *responders)


@check
def requester_that_responds_may_be_asked_by_itself(test):
    name = test.channel()
    session, other = test.sessions(2)
    number = session.open(name, respond=True)
    session.send(REQUEST, b"alone", id=7, channel=number)
    session.expect(REQUEST, id=7, channel=number, sender=session.number, payload=b"alone")
    session.send(REPLY, b"answer", id=7, channel=inbox(session))
    session.expect(REPLY, id=7, channel=inbox(session), sender=session.number, payload=b"answer")
    other.open(name, respond=True)
    counts = {session.number: 0, other.number: 0}
    for id in range(1, 9):
        session.send(REQUEST, b"x", id=id, channel=number)
        [(index, frame)] = collect([session, other], 1)
        require(frame.type == REQUEST and frame.id == id, f"REQUEST {id}", str(frame))
        responder = (session, other)[index]
        responder.send(REPLY, b"y", id=id, channel=inbox(session))
        session.expect(REPLY, id=id, sender=responder.number)
        counts[responder.number] += 1
    require(set(counts.values()) == {4}, "each of the two to be asked 4 times", counts)
    quiet(session, other)


@check
def subscribing_never_makes_a_responder(test):
    name = test.channel("x")
    responders, number = responding(test, 2, name)
    subscribers = subscribed(test, 2, name)[0] + subscribed(test, 2, name, group="g")[0]
    patterns = test.sessions(2)
    patterns[0].open(test.channel("*"), True)
    patterns[1].open(test.channel(">"), True, group="g")
    requester = session_on(test, name)
    asked_in_turn(requester, [number] * 8, responders, "the requests")
    for responder in responders:
        responder.leave(name, number)
    requester.send(REQUEST, b"x", id=9, channel=number)
    requester.refused("no_responders", id=9, channel=number)
    quiet_but_for_announcements(requester, *responders, *subscribers, *patterns)


@check
def responding_is_not_subscribing(test):
    responders, number = responding(test, 2, test.channel())
    publisher, watcher = session_on(test, test.channel()), test.session()
    watcher.open(test.channel(), True, presence=True)
    require(watcher.opened["count"] == 1, "one subscriber, the watcher", watcher.opened)
    publisher.send(MESSAGE, b"x", channel=number)
    says(watcher, b"x")
    quiet(publisher, watcher, *responders)


@check
def session_that_subscribes_and_responds_gets_both(test):
    [session], number = subscribed(test, 1, test.channel(), respond=True)
    requester = session_on(test, test.channel())
    requester.send(MESSAGE, b"message", channel=number)
    requester.send(REQUEST, b"request", id=3, channel=number)
    says(session, b"message")
    session.expect(REQUEST, id=3, payload=b"request")
    session.send(REPLY, b"reply", id=3, channel=inbox(requester))
    requester.expect(REPLY, id=3, payload=b"reply")
    quiet(session, requester)


@check
def responders_by_pattern_take_turns_across_channels(test):
    responders, requester = test.sessions(3), test.session()
    for responder in responders:
        responder.open(test.channel("*"), respond=True)
    numbers = [requester.open(test.channel(f"c{n}")) for n in range(12)]
    asked_in_turn(requester, numbers, responders, "the requests on 12 channels")


@check
def responders_by_name_take_turns_across_channels(test):
    names = [test.channel(f"c{n}") for n in range(12)]
    responders, requester = test.sessions(3), test.session()
    for responder in responders:
        for name in names:
            responder.open(name, respond=True)
    asked_in_turn(requester, [requester.open(name) for name in names], responders, "the requests on 12 channels")


@check
def responders_on_names_and_patterns_take_turns_together(test):
    responders, requester = test.sessions(4), test.session()
    for responder, channel in zip(responders, ("a.b", "a.*", "*.b", "a.>")):
        responder.open(test.channel(channel), respond=True)
    number = requester.open(test.channel("a.b"))
    asked_in_turn(requester, [number] * 16, responders, "the requests")


@check
def responder_by_name_and_pattern_has_one_turn(test):
    one, two, requester = test.sessions(3)
    one.open(test.channel("x"), respond=True)
    one.open(test.channel("*"), respond=True)
    two.open(test.channel("x"), respond=True)
    asked_in_turn(requester, [requester.open(test.channel("x"))] * 10, [one, two], "the requests")


@check
def responder_by_pattern_gets_an_announcement_first(test):
    # `subscribe` and `respond` of OPENED say what the session does there.
    def one(subscribe):
        responder, requester = test.sessions(2)
        responder.open(test.channel("*"), subscribe, respond=True)
        name = test.channel(f"s{int(subscribe)}")
        number = requester.open(name)
        for id in (1, 2):
            requester.send(REQUEST, b"x", id=id, channel=number)
            if id == 1:
                body = responder.expect(OPENED, id=0, channel=number).json()
                told = (body["channel"], body["subscribe"], body["respond"])
                require(told == (name, subscribe, True), f"subscribe {subscribe}, respond true", body)
            responder.expect(REQUEST, id=id, channel=number, sender=requester.number)
            responder.send(REPLY, b"y", id=id, channel=inbox(requester))
            requester.expect(REPLY, id=id)
        requester.send(MESSAGE, b"message", channel=number)
        if subscribe:
            says(responder, b"message")
        quiet(requester, responder)
        responder.close()
    every([False, True], one)


@check
def announcement_to_a_subscriber_says_that_it_does_not_respond(test):
    subscriber, publisher = test.session(), session_on(test, test.channel("x"))
    subscriber.open(test.channel("*"), True)
    number = publisher.open(test.channel("x"))
    publisher.send(MESSAGE, b"x", channel=number)
    body = subscriber.expect(OPENED, id=0, channel=number).json()
    require((body["subscribe"], body["respond"]) == (True, False), "subscribe true, respond false", body)
    says(subscriber, b"x")


@check
def leaving_ends_responding(test):
    def one(channel):
        responder, requester = test.sessions(2)
        number = responder.open(test.channel(channel), respond=True)
        asked = requester.open(test.channel("x"))
        requester.send(REQUEST, b"x", id=1, channel=asked)
        if channel != "x":
            responder.expect(OPENED, id=0, channel=asked)
        responder.expect(REQUEST, id=1)
        responder.leave(test.channel(channel), number)
        requester.send(REQUEST, b"x", id=2, channel=asked)
        requester.refused("no_responders", id=2, channel=asked)
        responder.send(REPLY, b"y", id=1, channel=inbox(requester))
        requester.expect(REPLY, id=1)
        quiet(requester, responder)
        responder.close()
    every(["x", "*"], one)


@check
def replies_may_come_out_of_order(test):
    [responder], number = responding(test, 1, test.channel())
    requester = session_on(test, test.channel())
    ids = test.random.sample(range(1, 0x10000), 500)
    for id in ids:
        requester.send(REQUEST, b"%d" % id, id=id, channel=number)
    for id in ids:
        responder.expect(REQUEST, id=id)
    test.random.shuffle(ids)
    for id in ids:
        responder.send(REPLY, b"%d" % id, id=id, channel=inbox(requester))
    for id in ids:
        requester.expect(REPLY, id=id, payload=b"%d" % id)
    quiet(requester, responder)


@check
def two_requesters_may_use_one_id(test):
    [responder], number = responding(test, 1, test.channel())
    one, two = session_on(test, test.channel()), session_on(test, test.channel())
    for requester in (one, two):
        requester.send(REQUEST, b"x", id=9, channel=number)
        responder.expect(REQUEST, id=9, sender=requester.number)
    for requester in (two, one):
        responder.send(REPLY, b"for %d" % requester.number, id=9, channel=inbox(requester))
        requester.expect(REPLY, id=9, payload=b"for %d" % requester.number)
    quiet(one, two, responder)


@check
def no_responders(test):
    requester, other = session_on(test, test.channel()), test.session()
    number = requester.open(test.channel())
    for subscribe in (False, True):  # subscribers do not count
        requester.open(test.channel(), subscribe)
        other.open(test.channel(), subscribe)
        for _ in range(2):  # and the id is free again
            requester.send(REQUEST, b"x", id=4, channel=number)
            requester.refused("no_responders", id=4, channel=number)
    quiet(requester, other)


@check
def responder_gone_at_once(test):
    def bye(session):
        session.send(BYE, {"reason": "done"})

    def one(end):
        [responder], number = responding(test, 1, test.channel())
        requester = session_on(test, test.channel())
        for id in (1, 2):
            requester.send(REQUEST, b"x", id=id, channel=number)
            responder.expect(REQUEST, id=id)
        end(responder)
        codes = []
        for _ in range(2):
            frame = requester.expect(ERROR, timeout=1.0)
            codes.append((frame.id, frame.json()["code"]))
        require(sorted(codes) == [(1, "responder_gone"), (2, "responder_gone")], "responder_gone for 1 and 2", codes)
        requester.send(REQUEST, b"x", id=1, channel=number)  # the id is free again, and no responder is left
        requester.refused("no_responders", id=1, channel=number)
        quiet(requester)
    every([bye, Connection.close, Connection.reset], one)


@check
def responder_may_answer_after_leave(test):
    # Only its end counts as "gone"; it was asked, so its REPLY is not forbidden.
    [responder], number = responding(test, 1, test.channel())
    requester = session_on(test, test.channel())
    requester.send(REQUEST, b"x", id=3, channel=number)
    responder.expect(REQUEST, id=3)
    responder.leave(test.channel(), number)
    responder.send(REPLY, b"late, but here", id=3, channel=inbox(requester))
    requester.expect(REPLY, id=3, payload=b"late, but here")
    quiet(requester, responder)


@check
def reply_from_a_session_that_was_not_asked(test):
    [responder], number = responding(test, 1, test.channel())
    requester, forger = session_on(test, test.channel()), session_on(test, test.channel())
    requester.send(REQUEST, b"x", id=21, channel=number)
    responder.expect(REQUEST, id=21)
    forger.send(REPLY, b"forged", id=21, channel=inbox(requester))
    forger.refused("forbidden", id=21, channel=inbox(requester))
    requester.send(REPLY, b"to myself", id=21, channel=inbox(requester))
    requester.refused("forbidden", id=21, channel=inbox(requester))
    quiet(requester)
    responder.send(REPLY, b"true", id=21, channel=inbox(requester))
    requester.expect(REPLY, id=21, sender=responder.number, payload=b"true")
    quiet(requester, forger, responder)


@check
def reply_with_a_wrong_id_or_to_a_wrong_inbox(test):
    [responder], number = responding(test, 1, test.channel())
    requester, other = session_on(test, test.channel()), test.session()
    requester.send(REQUEST, b"x", id=21, channel=number)
    responder.expect(REQUEST, id=21)
    responder.send(REPLY, b"wrong id", id=22, channel=inbox(requester))
    responder.refused("forbidden", id=22, channel=inbox(requester))
    responder.send(REPLY, b"wrong inbox", id=21, channel=inbox(other))
    responder.refused("forbidden", id=21, channel=inbox(other))
    responder.send(REPLY, b"not there", id=21, channel=INBOX | UNUSED)
    responder.refused("forbidden", "no_such_session", id=21, channel=INBOX | UNUSED)  # OPEN: both fit
    quiet(requester, other)
    responder.send(REPLY, b"right", id=21, channel=inbox(requester))
    requester.expect(REPLY, id=21, payload=b"right")


@check
def second_reply_is_forbidden(test):
    [responder], number = responding(test, 1, test.channel())
    requester = session_on(test, test.channel())
    requester.send(REQUEST, b"x", id=30, channel=number)
    responder.expect(REQUEST, id=30)
    responder.send(REPLY, b"first", id=30, channel=inbox(requester))
    responder.send(REPLY, b"second", id=30, channel=inbox(requester))
    responder.refused("forbidden", id=30, channel=inbox(requester))
    requester.expect(REPLY, id=30, payload=b"first")
    quiet(requester, responder)


@check
def reply_to_a_requester_that_went(test):
    # OPEN: the requester isn't there (no_such_session), its request neither (forbidden); silence would do.
    [responder], number = responding(test, 1, test.channel())
    requester, observer = session_on(test, test.channel()), test.session()
    requester.send(REQUEST, b"x", id=30, channel=number)
    responder.expect(REQUEST, id=30)
    requester.close()
    until_gone(observer, requester.number)
    responder.send(REPLY, b"anybody?", id=30, channel=inbox(requester))
    code = responder.outcome(id=30, channel=inbox(requester))
    require(code in ("no_such_session", "forbidden", "silence"), "no_such_session, forbidden or silence", code)


@check
def id_in_use(test):
    [responder], number = responding(test, 1, test.channel())
    requester = session_on(test, test.channel())
    other_number = requester.open(test.channel("b"))
    requester.send(REQUEST, b"first", id=40, channel=number)
    responder.expect(REQUEST, id=40, payload=b"first")
    for channel in (number, other_number):  # an id is the session's, whatever the channel
        if channel == other_number:
            responder.open(test.channel("b"), respond=True)
        requester.send(REQUEST, b"second", id=40, channel=channel)
        requester.refused("id_in_use", id=40, channel=channel)
    requester.send(REQUEST, b"another id", id=41, channel=number)
    responder.expect(REQUEST, id=41)
    responder.send(REPLY, b"answer", id=40, channel=inbox(requester))
    requester.expect(REPLY, id=40, payload=b"answer")
    requester.send(REQUEST, b"third", id=40, channel=number)
    responder.expect(REQUEST, id=40, payload=b"third")
    quiet(requester, responder)


@check
def open_may_use_the_id_of_a_waiting_request(test):
    # id_in_use is said of REQUESTs only.
    [responder], number = responding(test, 1, test.channel())
    requester = session_on(test, test.channel())
    requester.send(REQUEST, b"x", id=1, channel=number)
    responder.expect(REQUEST, id=1)
    requester.open(test.channel("b"), id=1)
    requester.send(PING, b"", id=1)
    requester.expect(PONG, id=1)
    responder.send(REPLY, b"y", id=1, channel=inbox(requester))
    requester.expect(REPLY, id=1, payload=b"y")


@check
def receipt_flag_on_a_channel_that_is_not_durable(test):
    [subscriber], number = subscribed(test, 1, test.channel())
    publisher = session_on(test, test.channel())
    publisher.send(MESSAGE, b"keep me", flags=RECEIPT | KIND_TEXT, id=55, channel=number)
    publisher.refused("not_durable", id=55, channel=number)
    publisher.send(MESSAGE, b"plain", channel=number)
    says(subscriber, b"plain")
    quiet(publisher, subscriber)


@check
def receipt_flag_on_a_request(test):
    # OPEN: the flag has a meaning for MESSAGE only: refused, or delivered as it is.
    [responder], number = responding(test, 1, test.channel())
    requester = session_on(test, test.channel())
    requester.send(REQUEST, b"x", flags=RECEIPT, id=5, channel=number)
    code = requester.outcome(id=5, channel=number)
    require(code in ("bad_frame", "not_durable", "silence"), "bad_frame, not_durable or delivery", code)
    if code == "silence":
        responder.expect(REQUEST, flags=RECEIPT, id=5)
    quiet(responder)


@check
def acknowledgements_on_a_channel_that_is_not_durable(test):
    def one(case):
        type, payload = case
        session = test.session()
        number = session.open(test.channel(), True)
        session.send(type, payload, channel=number)
        session.refused("not_durable", channel=number)
        quiet(session)
        session.close()
    every([(ACK, bytes(8)), (ACK, bytes(16)), (NAK, bytes(12)), (RENEW, bytes(8)), (RENEW, bytes(16)),
           (ACK, b"\xff" * 16)], one)


@check
def acknowledgements_on_a_channel_that_is_not_open(test):
    session = test.session()

    def one(case):
        type, payload = case
        session.send(type, payload, channel=UNUSED)
        session.refused("not_open", channel=UNUSED)
    every([(ACK, bytes(8)), (NAK, bytes(12)), (RENEW, bytes(16))], one)
    quiet(session)


# ---------------------------------------------------------------- message headers

HEADER_BLOCKS = [  # the server passes on what it has not read, so also what no receiver can read
    with_headers({"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, b"content"),
    with_headers({}, b""), with_headers({"a": "\u00e9", "b": ""}, bytes(range(256))),
    with_headers(b"", b"no JSON at all"), with_headers(b"[1]", b"x"), with_headers({"A": 1}, b"upper case, a number"),
    with_headers({"pad": "x" * 60_000}, b"almost as long as a u16 says"), b"\xff\xffshorter than it says", b"\0", b"",
]


@check
def headers_of_messages_are_passed_on_unread(test):
    [by_name], number = subscribed(test, 1, test.channel("x"))
    by_pattern, grouped, publisher = test.session(), test.session(), session_on(test, test.channel("x"))
    by_pattern.open(test.channel("*"), True)
    grouped.open(test.channel("x"), True, group="g")
    publisher.send(MESSAGE, b"first", channel=number)
    by_pattern.expect(OPENED, id=0, channel=number)
    for session in (by_name, by_pattern, grouped):
        says(session, b"first")

    def one(case):
        kind, payload = case
        fields = {"flags": HEADERS | kind, "payload": payload}
        publisher.send(MESSAGE, channel=number, **fields)
        for session in (by_name, by_pattern, grouped):
            session.expect(MESSAGE, id=0, channel=number, sender=publisher.number, **fields)
        publisher.send(MESSAGE, channel=inbox(by_name), **fields)
        by_name.expect(MESSAGE, id=0, channel=inbox(by_name), sender=publisher.number, **fields)
    every([(kind, payload) for kind in (KIND_BYTES, KIND_TEXT, KIND_JSON) for payload in HEADER_BLOCKS], one)
    quiet(publisher, by_name, by_pattern, grouped)


@check
def messages_with_and_without_headers_keep_their_order(test):
    [subscriber], number = subscribed(test, 1, test.channel())
    publisher = session_on(test, test.channel())
    sent = []
    for n in range(2000):
        text, flags = b"%d" % n, test.random.choice((0, 0, 0, HEADERS, KIND_JSON, HEADERS | KIND_TEXT))
        sent.append((flags, with_headers({"n": str(n)}, text) if flags & HEADERS else text))
    publisher.send_raw(b"".join(encode(MESSAGE, payload, flags=flags, channel=number, sender=publisher.number)
                                for flags, payload in sent))
    for flags, payload in sent:
        subscriber.expect(MESSAGE, flags=flags, payload=payload)
    quiet(publisher, subscriber)


@check
def headers_of_requests_and_replies_are_passed_on_unread(test):
    [responder], number = responding(test, 1, test.channel())
    requester = session_on(test, test.channel())

    def one(payload):
        requester.send(REQUEST, payload, flags=HEADERS | KIND_TEXT, id=5, channel=number)
        responder.expect(REQUEST, flags=HEADERS | KIND_TEXT, id=5, channel=number, sender=requester.number,
                         payload=payload)
        answer = with_headers({"error": "out_of_stock"}, payload)
        responder.send(REPLY, answer, flags=HEADERS, id=5, channel=inbox(requester))
        requester.expect(REPLY, flags=HEADERS, id=5, channel=inbox(requester), sender=responder.number, payload=answer)
    every(HEADER_BLOCKS, one)
    quiet(requester, responder)


@check
def headers_are_returned_by_the_echo_channel(test):
    session = test.session()
    number = session.open("$echo")

    def one(payload):
        session.send(REQUEST, payload, flags=HEADERS, id=5, channel=number)
        session.expect(REPLY, flags=HEADERS, id=5, channel=inbox(session), sender=0, payload=payload)
        session.send(MESSAGE, payload, flags=HEADERS, channel=number)
        session.expect(MESSAGE, flags=HEADERS, channel=number, payload=payload)
    every(HEADER_BLOCKS, one)
    quiet(session)


@check
def headers_with_the_receipt_flag(test):
    # A channel that is not durable: refused as without headers.
    [subscriber], number = subscribed(test, 1, test.channel())
    publisher = session_on(test, test.channel())
    publisher.send(MESSAGE, with_headers({}), flags=RECEIPT | HEADERS, id=55, channel=number)
    publisher.refused("not_durable", id=55, channel=number)
    quiet(publisher, subscriber)


# ---------------------------------------------------------------- $echo

@check
def echo_channel_answers_requests(test):
    session = test.session()
    number = session.open("$echo")

    def one(case):
        kind, payload, id = case
        session.send(REQUEST, payload, flags=kind, id=id, channel=number)
        session.expect(REPLY, flags=kind, id=id, channel=inbox(session), sender=0, payload=payload)
    every([(KIND_BYTES, bytes(range(256)), 1), (KIND_TEXT, b"", 0xffff), (KIND_JSON, b"{}", 2), (KIND_TEXT, b"\xff", 1),
           (KIND_BYTES, test.random.randbytes(session.welcome["limits"]["payload"]), 3)], one)
    quiet(session)


@check
def echo_channel_returns_messages_to_their_sender(test):
    # To its sender only: not to another subscriber, not to a pattern. It does not depend on `subscribe`.
    # OPEN: the returned MESSAGE's `sender` is the session (verbatim) or 0 (the server returns it).
    other, wide = test.sessions(2)
    other.open("$echo", True)
    wide.open(">", True)

    def one(subscribe):
        session = test.session()
        number = session.open("$echo", subscribe)
        session.send(MESSAGE, b"hello", flags=KIND_TEXT, channel=number)
        frame = session.expect(MESSAGE, flags=KIND_TEXT, id=0, channel=number, payload=b"hello")
        require(frame.sender in (session.number, 0), "the session's number or 0 as sender", str(frame))
        quiet(session)
        session.close()
    every([True, False], one)
    quiet(other)
    strays = [frame for frame in wide.before_pong() if frame.payload == b"hello"]
    require(not strays, "nothing of $echo for the pattern >", strays and str(strays[0]))


# ---------------------------------------------------------------- the end of a session

@check
def bye_flushes_and_closes(test):
    name = test.channel()
    [subscriber], number = subscribed(test, 1, name)
    session = session_on(test, name)
    for n in range(300):
        session.send(MESSAGE, b"%d" % n, channel=number)
        session.send(PING, b"%d" % n, id=n)
    session.send(BYE, {"reason": "done"})
    for n in range(300):
        session.expect(PONG, id=n, payload=b"%d" % n)
        says(subscriber, b"%d" % n)
    session.ends()
    quiet(subscriber)


@check
def bye_flushes_much(test):
    # 8 MiB wait for the session when it says BYE: all of it arrives before the end. Because of the small receive buffer
    # most of it is in the server, not in the system's buffers. The observer shows that the server has handled it all.
    name, session = test.channel(), test.session(receive_buffer=65536)
    session.open(name, True)
    [observer], number = subscribed(test, 1, name)
    payload = test.random.randbytes(65536)
    for _ in range(128):
        session.send(MESSAGE, payload, channel=number)
        says(observer, payload)
    session.send(BYE, {"reason": "done"})
    for _ in range(128):
        says(session, payload)
    session.ends()


@check
def half_close_answers_what_was_sent(test):
    # OPEN: the page doesn't speak of it. What was sent whole is answered, and the server closes soon.
    [subscriber], number = subscribed(test, 1, test.channel())
    session = session_on(test, test.channel())
    session.send(MESSAGE, b"last words", channel=number)
    session.send(PING, b"last ping", id=1)
    session.half_close()
    session.expect(PONG, id=1, payload=b"last ping")
    session.ends()
    says(subscriber, b"last words")
    quiet(subscriber)


@check
def end_in_the_middle_of_a_frame(test):
    [subscriber], number = subscribed(test, 1, test.channel(), presence=True)

    def one(case):
        cut, end = case
        session = test.session()
        session.open(test.channel(), True)
        presence_of(subscriber, JOINED, number, session)
        session.send_raw(encode(MESSAGE, b"x" * 1000, channel=number, sender=session.number)[:cut])
        end(session)
        presence_of(subscriber, PARTED, number, session)
        quiet(subscriber)
    every([(cut, end) for cut in (1, 15, 16, 500, 1015) for end in (Connection.reset, Connection.close)], one)


# ---------------------------------------------------------------- load

def cut_oddly(chance, data):
    """The data in pieces of all sizes: often a few bytes, sometimes much more than a frame."""
    at = 0
    while at < len(data):
        size = chance.choice((chance.randint(1, 17), chance.randint(1, 400), chance.randint(1, 70_000)))
        yield data[at:at + size]
        at += size


def mixed_traffic(chance, numbers, sender, frames):
    """A stream of frames on several channels, with PINGs and extensions between; and what must come of it."""
    stream, expected, pings = bytearray(), {number: [] for number in numbers}, []
    for _ in range(frames):
        dice = chance.random()
        if dice < 0.03:
            pings.append(chance.randbytes(chance.randint(0, 125)))
            stream += encode(PING, pings[-1], id=len(pings), sender=sender)
        elif dice < 0.06:
            stream += encode(chance.randint(0x80, 0xff), chance.randbytes(chance.randint(0, 300)), sender=sender)
        else:
            top = 1024 if dice < 0.98 else 8192 if dice < 0.999 else 120_000
            payload, kind = chance.randbytes(chance.randint(0, top)), chance.randrange(3)
            number = chance.choice(numbers)
            expected[number].append((kind, payload))
            stream += encode(MESSAGE, payload, flags=kind, channel=number, sender=sender)
    return bytes(stream), expected, pings


@alone
def mixed_traffic_cut_at_odd_places(test):
    publisher, subscriber = test.sessions(2)
    names = [test.channel(f"c{n}") for n in range(8)]
    numbers = [publisher.open(name) for name in names]
    for name in names[:6]:
        subscriber.open(name, True)
    subscriber.open(test.channel("*"), True)  # the last two come through a pattern
    stream, expected, pings = mixed_traffic(test.random, numbers, publisher.number, 20_000)
    problems = []
    reader = threading.Thread(target=verify_traffic, daemon=True,
                              args=(subscriber, publisher.number, expected, problems))
    reader.start()
    for piece in cut_oddly(test.random, stream):
        publisher.send_raw(piece, 20)
    for index, payload in enumerate(pings):
        publisher.expect(PONG, id=index + 1, payload=payload)
    reader.join(20)
    if problems:
        raise problems[0]
    require(not reader.is_alive(), "all messages", "too few after 20 s")
    quiet(publisher, subscriber)


def verify_traffic(subscriber, sender, expected, problems):
    following = {number: 0 for number in expected}
    left = sum(map(len, expected.values()))
    try:
        while left:
            frame = subscriber.receive(10)
            if frame.type == OPENED and frame.id == 0:
                continue
            require(frame.type == MESSAGE and frame.sender == sender and frame.id == 0, "MESSAGE", str(frame))
            at = following[frame.channel]
            kind, payload = expected[frame.channel][at]
            same = (frame.flags, frame.payload) == (kind, payload)
            require(same, f"message {at} of its channel: kind {kind}, {show(payload)}", str(frame))
            following[frame.channel] += 1
            left -= 1
    except Mismatch as problem:
        problems.append(problem)
    except (Closed, Silence) as problem:
        problems.append(Mismatch(f"{left} more messages", f"{problem}"))


def garbage(chance):
    """Bytes a server may meet: noise, noise after a good HELLO's bytes, a HELLO with some bytes changed, cut frames."""
    hello = encode(HELLO, pack_json({"protocol": "parley/1", "name": "x"}))
    kind = chance.randrange(5)
    if kind == 0:
        return chance.randbytes(chance.randint(0, 2000))
    if kind == 1:
        return hello + chance.randbytes(chance.randint(1, 2000))
    if kind == 2:
        broken = bytearray(hello)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        return bytes(broken)
    if kind == 3:
        return hello[:chance.randrange(len(hello))]
    type = chance.randrange(0x80)
    return hello + HEADER.pack(type, chance.randrange(256), chance.randrange(0x10000), chance.randrange(1 << 32),
                               chance.randrange(1 << 32), chance.randrange(1 << 32))


def throw_garbage(settings, seed):
    """One connection. Whatever the server answers must be proper frames, and then it must close."""
    chance = random.Random(seed)
    connection = Connection(settings.host, settings.port)
    try:
        connection.send_raw(garbage(chance))
        if chance.random() < 0.3:
            connection.reset()
            return
        connection.half_close()
        deadline = time.monotonic() + settings.handshake_time + 3
        while True:
            try:
                connection.receive(deadline - time.monotonic())
            except Closed:
                return
            except Silence:
                raise Mismatch("the end of a garbage connection", f"still open (seed {seed!r})") from None
    except Mismatch as problem:
        raise Mismatch(problem.expected, f"{problem.got} (garbage seed {seed!r})") from None
    finally:
        connection.close()


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def serve_while(futures, publisher, observer, number):
    """Messages and requests must go on while the garbage comes."""
    turn = 0
    while not all(future.done() for future in futures) or turn < 20:
        turn += 1
        text, id = b"turn %d" % turn, turn % 0xffff + 1
        publisher.send(MESSAGE, text, channel=number)
        says(observer, text)
        publisher.send(REQUEST, text, id=id, channel=number)
        observer.expect(REQUEST, id=id, payload=text)
        observer.send(REPLY, text, id=id, channel=inbox(publisher))
        publisher.expect(REPLY, id=id, payload=text)
    return turn


@alone
def garbage_connections_do_not_disturb_a_session(test):
    [observer], number = subscribed(test, 1, test.channel(), respond=True)
    publisher = session_on(test, test.channel())
    before = descriptors(test.pid) if test.pid else None
    seed = test.random.randrange(1 << 32)
    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(throw_garbage, test.settings, f"{seed}:{n}") for n in range(400)]
        serve_while(futures, publisher, observer, number)
    for future in futures:
        future.result()
    quiet(publisher, observer)
    if before is not None:
        wait_for_descriptors(test, before)


def wait_for_descriptors(test, before):
    """There is no event for it, so this asks again and again. Two more may be the runtime's own."""
    deadline = time.monotonic() + test.settings.handshake_time + 4
    while (now := descriptors(test.pid)) > before + 2:
        require(time.monotonic() < deadline, f"{before} descriptors again", now)
        time.sleep(0.05)


@alone
def descriptors_are_back_after_many_sessions(test):
    if not test.pid:
        raise Skip("needs --pid")
    watcher = test.session()
    watcher.open(test.channel(), True)
    before = descriptors(test.pid)
    for end in (Connection.close, Connection.reset, Connection.half_close) * 40:
        session = test.session()
        session.open(test.channel(), True)
        end(session)
    quiet(watcher)
    wait_for_descriptors(test, before)


class Flood:
    """A publisher and a neighbour that reads; the publisher is at most `window` messages ahead of the neighbour,
    so that the neighbour is never the slow one. The stuck session never reads, but goes on talking: it is slow, not
    silent."""
    size, count, window = 65536, 1024, 64  # 64 MiB in all

    def __init__(self, publisher, neighbour, stuck, number):
        self.publisher, self.neighbour, self.stuck, self.number = publisher, neighbour, stuck, number
        self.credit = threading.Semaphore(self.window)
        self.stopped = False
        self.lost = []  # what the publisher met that it should not

    def payload(self, n):
        return struct.pack(">Q", n) * (self.size // 8)

    def publish(self):
        for n in range(self.count):
            while not self.credit.acquire(timeout=0.2):
                self.stay_alive()
            if self.stopped:
                return
            # The server may hold the publisher back for as long as it waits for the stuck session.
            self.publisher.send(MESSAGE, self.payload(n), channel=self.number, timeout=20)

    def stay_alive(self):
        """Neither the publisher, while it waits for the neighbour, nor the stuck session must seem dead."""
        self.stuck.send(0x80, b"I talk, but don't listen")
        try:
            self.publisher.fill(0)
            if frame := self.publisher.poll():  # answers PINGs
                self.lost.append(f"the publisher got {frame}")
        except Silence:
            pass
        except Closed as problem:
            self.lost.append(f"the publisher was closed: {problem}")
            self.stopped = True
            self.credit.release()

    def read(self, deadline):
        """Reads all messages in order, and answers the numbers of the sessions that parted meanwhile."""
        parted, n = [], 0
        while n < self.count:
            frame = self.receive(deadline, f"message {n}")
            if frame.type == PARTED:
                parted.append(frame.json()["number"])
                continue
            require(frame.type == MESSAGE and frame.payload == self.payload(n), f"message {n}", str(frame))
            n += 1
            self.credit.release()
        return parted

    def receive(self, deadline, what):
        try:
            return self.neighbour.receive(deadline - time.monotonic())
        except (Silence, Closed) as problem:
            raise Mismatch(what, "; ".join([f"{problem}", *self.lost])) from None


@pressing
def subscriber_that_stops_reading(test):
    name = test.channel()
    publisher, neighbour = session_on(test, name), test.session("Neighbour")
    number = neighbour.open(name, True, presence=True)
    stuck = test.session("Stuck", receive_buffer=65536)
    stuck.open(name, True)
    presence_of(neighbour, JOINED, number, stuck)
    flood, deadline = Flood(publisher, neighbour, stuck, number), time.monotonic() + 20
    writer = threading.Thread(target=flood.publish, daemon=True)
    writer.start()
    try:
        parted = flood.read(deadline)
        while stuck.number not in parted:
            frame = flood.receive(deadline, "PARTED of the session that doesn't read")
            parted.append(frame.json()["number"])
    finally:
        flood.stopped = True
        flood.credit.release()
        writer.join(5)
    require(parted == [stuck.number], "only the stuck session to part", parted)
    drain(stuck, flood)
    quiet(publisher, neighbour)


def drain(stuck, flood):
    """What the stuck session still gets: messages in order without a gap, then perhaps the ERROR, then the end."""
    n = 0
    while True:
        try:
            frame = stuck.receive(5)
        except Closed:
            return  # disconnected, perhaps in the middle of a frame
        except Silence:
            raise Mismatch("the end of the session that didn't read", f"still open after {n} messages") from None
        if frame.type == ERROR:
            require(frame.json()["code"] == "slow_consumer", "slow_consumer", str(frame))
            return stuck.ends()
        require(frame.type == MESSAGE and frame.payload == flood.payload(n), f"message {n}", str(frame))
        n += 1


class Stuck:
    """A session with a small receive buffer that does not read, but goes on talking, so it is not silent."""

    def __init__(self, test, channel, **options):
        self.session = test.session(receive_buffer=65536)
        self.number = self.session.open(channel, **options)

    def stay_alive(self):
        self.session.send(0x80, b"I talk, but do not read")


def keep_alive(stuck, others, seconds):
    """Lets time pass: the stuck session talks, the others answer the server's PINGs. Returns what else comes."""
    frames, deadline = [], time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        stuck.stay_alive()
        selector = selectors.DefaultSelector()
        for other in others:
            selector.register(other.socket, selectors.EVENT_READ, other)
        with contextlib.closing(selector):
            for key, _ in selector.select(min(left, 0.5)):
                with contextlib.suppress(Silence):
                    key.data.fill(0)
                while (frame := key.data.poll()) is not None:
                    frames.append((key.data, frame))
    return frames


@alone
def responder_without_room_is_passed_over(test):
    # Two responders, one of which does not read. 40 MiB of requests for each: the one that reads gets what the other
    # has no room for, and no request waits.
    name = test.channel()
    stuck = Stuck(test, name, respond=True)
    [reader], number = responding(test, 1, name)
    requester = session_on(test, name)
    payload, count, window = bytes(65536), 1280, 16
    answered, asked = 0, 0
    deadline = time.monotonic() + 20
    while asked < count:
        for _ in range(window):
            asked += 1
            requester.send(REQUEST, payload, id=asked, channel=number, timeout=20)
        stuck.stay_alive()
        for frame in reader.before_pong():
            require(frame.type == REQUEST, "REQUEST", str(frame))
            reader.send(REPLY, b"y", id=frame.id, channel=inbox(requester))
            answered += 1
        require(time.monotonic() < deadline, f"{count} requests taken within 20 s", asked)
    wrong = [frame for frame in requester.before_pong() if frame.type != REPLY]
    require(not wrong, "REPLY", wrong and str(wrong[0]))
    for frame in reader.before_pong():
        reader.send(REPLY, b"y", id=frame.id, channel=inbox(requester))
        answered += 1
    require(answered > count * 5 // 9, f"more than half of {count} requests at the responder that reads", answered)
    for _ in range(count - answered):
        stuck.session.expect(REQUEST)  # it was not closed
    quiet(stuck.session, reader)


@pressing
def requests_alone_close_no_responder(test):
    # The only responder does not read for longer than a slow consumer may: the requester waits, no session is closed.
    name = test.channel()
    stuck = Stuck(test, name, respond=True)
    requester, other = session_on(test, name), session_on(test, name)
    payload, count = bytes(65536), 1024  # 64 MiB, more than the server and all buffers of the system together hold
    stream = b"".join(encode(REQUEST, payload, id=id, channel=stuck.number, sender=requester.number)
                      for id in range(1, count + 1))
    writer = threading.Thread(target=requester.send_raw, args=(stream, 40), daemon=True)
    writer.start()
    strays = keep_alive(stuck, [other], 1.6 * test.settings.slow_consumer_timeout)
    require(not strays, "no frame", strays and str(strays[0][1]))
    require(writer.is_alive(), "the requester to wait", "all of its requests were taken")
    for id in range(1, count + 1):
        try:
            frame = stuck.session.receive(10)
        except (Closed, Silence) as problem:
            raise Mismatch(f"REQUEST {id}", f"{problem}") from None
        require(frame.type == REQUEST and frame.id == id, f"REQUEST {id}", str(frame))
    writer.join(5)
    stuck.session.send(REPLY, b"y", id=count, channel=inbox(requester))
    while (frame := requester.receive()).type == ERROR:  # the first ones may be older than the request time
        require(frame.json()["code"] == "no_reply", "no_reply", str(frame))
    require(frame.type == REPLY and frame.id == count, f"REPLY {count}", str(frame))
    quiet(stuck.session, other)


@pressing
def slow_subscriber_is_told_why(test):
    # It reads about 1 MiB a second of what comes much faster. The server may find that too slow, and then whole frames
    # that are not yet written are dropped: ERROR slow_consumer comes next, in time for a client that goes on reading.
    name = test.channel()
    subscriber = test.session(receive_buffer=65536)
    number = subscriber.open(name, True)
    publisher = session_on(test, name)
    stream = b"".join(encode(MESSAGE, bytes(65536), channel=number, sender=publisher.number) for _ in range(1024))
    threading.Thread(target=publisher.send_raw, args=(stream, 40), daemon=True).start()
    deadline, count = time.monotonic() + 2 * test.settings.slow_consumer_timeout, 0
    while time.monotonic() < deadline:
        try:
            frame = subscriber.receive()
        except (Closed, Silence) as problem:
            raise Mismatch("ERROR slow_consumer, or another MESSAGE", f"{problem} after {count} of them") from None
        if frame.type == ERROR:
            require(frame.json()["code"] == "slow_consumer", "slow_consumer", str(frame))
            return subscriber.ends()
        require(frame.type == MESSAGE and len(frame.payload) == 65536, "MESSAGE", str(frame))
        count += 1
        time.sleep(0.06)


@pressing
def slow_responder_stays(test):
    # It reads about 1 MiB of requests a second and answers each, while far more of them wait.
    name, seconds, answered = test.channel(), 1.8 * test.settings.slow_consumer_timeout, 0
    responder = test.session(receive_buffer=65536)
    number = responder.open(name, respond=True)
    requester = session_on(test, name)
    stream = b"".join(encode(REQUEST, bytes(65536), id=id, channel=number, sender=requester.number)
                      for id in range(1, 1025))
    threading.Thread(target=requester.send_raw, args=(stream, 40), daemon=True).start()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            frame = responder.receive()
        except (Closed, Silence) as problem:
            raise Mismatch("another REQUEST", f"{problem} after {answered}") from None
        require(frame.type == REQUEST, "REQUEST", str(frame))
        responder.send(REPLY, b"y", id=frame.id, channel=inbox(requester))
        answered += 1
        time.sleep(0.06)


@alone
def requester_that_does_not_read_holds_up_no_one(test):
    # 32 MiB of replies for a requester that does not read: the responder is not held up, other requesters are
    # answered, and each request of the first ends in its REPLY or in no_reply.
    name = test.channel()
    [responder], number = responding(test, 1, name)
    requester = Stuck(test, name)
    other = session_on(test, name)
    payload, count = bytes(65536), 512
    requester.session.send_raw(b"".join(encode(REQUEST, b"x", id=id, channel=number, sender=requester.session.number)
                                        for id in range(1, count + 1)))
    for id in range(1, count + 1):
        responder.expect(REQUEST, id=id)
    began = time.monotonic()
    for id in range(1, count + 1):
        responder.send(REPLY, payload, id=id, channel=inbox(requester.session), timeout=10)
    quiet(responder)  # taken, and none of them is refused
    other.send(REQUEST, b"another", id=1, channel=number)
    responder.expect(REQUEST, id=1, sender=other.number, payload=b"another")
    responder.send(REPLY, b"answer", id=1, channel=inbox(other))
    other.expect(REPLY, id=1, payload=b"answer")
    took = time.monotonic() - began
    require(took < 4, "the responder and the other requester not to wait", f"{took:.1f} s")
    outcomes = {}
    for _ in range(count):
        try:
            frame = requester.session.receive(5)
        except (Closed, Silence) as problem:
            raise Mismatch(f"an outcome of {count} requests", f"{problem} after {len(outcomes)}") from None
        good = frame.type == REPLY and frame.payload == payload or \
            frame.type == ERROR and frame.json()["code"] == "no_reply" and frame.channel in (number, 0)
        require(good and frame.id not in outcomes, "REPLY or ERROR no_reply, once for each id", str(frame))
        outcomes[frame.id] = frame.type
    require(ERROR in outcomes.values() and REPLY in outcomes.values(), "some of both", set(outcomes.values()))
    quiet(requester.session, responder, other)


# ---------------------------------------------------------------- running

class Report:
    def __init__(self):
        self.passed = self.failed = 0
        self.lock = threading.Lock()

    def run(self, function, settings):
        name, test = function.__name__, None
        began = time.monotonic()
        try:
            test = Check(settings, name)
            function(test)
            line = f"ok {name}"
        except Mismatch as problem:
            line = f"FAIL {name}: expected {problem.expected}, got {problem.got}"
        except Skip as why:
            line = f"skip {name}: {why}"
        except (Closed, Silence, OSError) as problem:
            line = f"FAIL {name}: expected an answer, got {type(problem).__name__}: {problem} ({place(problem)})"
        except Exception as problem:  # a fault of this client must not hide the other checks
            line = f"FAIL {name}: expected the check to run, got {type(problem).__name__}: {problem} ({place(problem)})"
        finally:
            if test:
                test.close()
        if settings.times:
            line += f"  [{time.monotonic() - began:.2f} s]"
        self.note(line)

    def note(self, line):
        with self.lock:
            self.passed += line.startswith("ok ")
            self.failed += line.startswith("FAIL ")
            print(line, flush=True)


def place(problem):
    """The lines of this file that led to the problem."""
    here = [frame.lineno for frame in traceback.extract_tb(problem.__traceback__) if frame.filename == __file__]
    return "line " + ", ".join(map(str, here[1:]))


def run_all(settings):
    chosen = [(function, kind) for function, kind in CHECKS if settings.only in function.__name__]
    if not chosen:
        sys.exit(f"no check has {settings.only!r} in its name")
    report = Report()

    def started(of_kind):
        threads = [threading.Thread(target=report.run, args=(function, settings), daemon=True)
                   for function, kind in chosen if kind == of_kind]
        for thread in threads:
            thread.start()
        return threads

    for function, kind in chosen:
        if settings.phase and kind == settings.phase:
            report.run(function, settings)
    if settings.phase:
        return report
    waiting_threads = started("waiting")
    for function, kind in chosen:
        if kind == "quick":
            report.run(function, settings)
    for thread in waiting_threads:
        thread.join()
    for thread in started("pressing"):
        thread.join()
    for function, kind in chosen:
        if kind == "alone":
            report.run(function, settings)
    return report


def main():
    parser = argparse.ArgumentParser(description="Holds a Parley/1 server against the specification.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pid", type=int, help="the server's process, to count its file descriptors (Linux)")
    parser.add_argument("--request-time", type=float, default=60, help="how long the server waits for a REPLY, seconds")
    parser.add_argument("--handshake-time", type=float, default=5, help="how long the server waits for a HELLO, seconds")
    parser.add_argument("--slow-consumer-timeout", type=float, default=5,
                        help="how long a session that does not read may delay its publishers, seconds")
    parser.add_argument("--only", default="", help="only checks whose name contains this")
    parser.add_argument("--seed", type=int, default=None, help="for the random bytes; printed, to run the same again")
    parser.add_argument("--times", action="store_true", help="how long each check took")
    parser.add_argument("--phase", choices=("before", "after"), help="only the checks before or after a restart")
    parser.add_argument("--run", default=uuid.uuid4().hex[:8],
                        help="in the names of channels, so that runs don't meet; the same before and after a restart")
    settings = parser.parse_args()
    if settings.seed is None:
        settings.seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {settings.seed}", flush=True)
    report = run_all(settings)
    print(f"{report.passed} passed, {report.failed} failed", flush=True)
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
