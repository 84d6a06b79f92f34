"""A small blocking Parley/1 client, written from the specification page alone.

It shares no code with the server. Every frame it receives is held against the page's tables (`audit`), so any check
that talks to the server also checks the headers of what comes back.

A Connection belongs to one thread at a time: reading may answer the server's PING, which must not land in the middle
of a frame another thread is writing.
"""

import json
import re
import socket
import struct
import time
from datetime import datetime
from typing import NamedTuple

HEADER = struct.Struct(">BBHIII")  # type, flags, id, length, channel, sender
DEADLINE = 4.0  # seconds to wait for something that should come at once
WAITS = 4  # the parts that a wait is made of, so that it is noticed if the machine stands still in one of them
LATE = 0.1  # seconds by which a wait may end late on a busy machine
INBOX = 0x80000000

HELLO, WELCOME, ERROR, PING, PONG, BYE = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
OPEN, OPENED, LEAVE, LEFT, JOINED, PARTED = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15
MESSAGE, REQUEST, REPLY = 0x20, 0x21, 0x22
ACK, POSITION, NAK, RENEW = 0x30, 0x31, 0x32, 0x33

NAMES = {
    HELLO: "HELLO", WELCOME: "WELCOME", ERROR: "ERROR", PING: "PING", PONG: "PONG", BYE: "BYE",
    OPEN: "OPEN", OPENED: "OPENED", LEAVE: "LEAVE", LEFT: "LEFT", JOINED: "JOINED", PARTED: "PARTED",
    MESSAGE: "MESSAGE", REQUEST: "REQUEST", REPLY: "REPLY", ACK: "ACK", POSITION: "POSITION",
    NAK: "NAK", RENEW: "RENEW",
}
CLIENT_ONLY = {HELLO, OPEN, LEAVE, NAK, RENEW}
SERVER_ONLY = {WELCOME, ERROR, OPENED, LEFT, JOINED, PARTED, POSITION}
JSON_TYPES = {HELLO, WELCOME, ERROR, BYE, OPEN, OPENED, LEAVE, LEFT, JOINED, PARTED}
RELAYED = {MESSAGE, REQUEST, REPLY}  # may carry another session's number in `sender`

KIND_BYTES, KIND_TEXT, KIND_JSON, KIND_RESERVED = 0, 1, 2, 3
RECEIPT = 0x04
HEADERS = 0x08  # the payload of a MESSAGE, REQUEST or REPLY begins with message headers
CONTROL_LIMIT = 16384  # bytes of JSON that a client may send in one frame

FATAL = {  # the page's table of errors: code -> fatal
    "bad_frame": True, "bad_hello": True, "unsupported_protocol": True, "too_large": True, "unauthorized": True,
    "server_full": True, "slow_consumer": True, "timeout": True, "shutting_down": True, "bad_payload": False,
    "bad_channel": False, "not_open": False, "forbidden": False, "no_responders": False, "responder_gone": False,
    "no_reply": False, "id_in_use": False, "not_durable": False, "not_stored": False, "fenced": False,
    "epoch_changed": False, "no_such_session": False, "overlap": False, "limit": False, "internal": True,
}


class Mismatch(Exception):
    """What the page asks for, and what the server did."""

    def __init__(self, expected, got):
        super().__init__(f"expected {expected}, got {got}")
        self.expected, self.got = expected, got


class Closed(Exception):
    """The connection has ended (end of stream or reset)."""


class Silence(Exception):
    """Nothing (or no whole frame) arrived before the deadline."""


class Frame(NamedTuple):
    type: int
    flags: int
    id: int
    channel: int
    sender: int
    payload: bytes

    def json(self):
        """The payload as the JSON object the page says it is."""
        try:
            value = json.loads(self.payload.decode("utf-8"))
        except ValueError as problem:
            raise Mismatch("a UTF-8 JSON payload", f"{self} ({problem})") from None
        if not isinstance(value, dict):
            raise Mismatch("a JSON object", str(self))
        return value

    def __str__(self):
        name = NAMES.get(self.type, f"type 0x{self.type:02x}")
        payload = repr(self.payload[:120]) + ("..." if len(self.payload) > 120 else "")
        return (f"{name}(flags=0x{self.flags:02x} id={self.id} channel=0x{self.channel:x} sender={self.sender} "
                f"{len(self.payload)} bytes {payload})")


def encode(type, payload=b"", *, flags=0, id=0, channel=0, sender=0, length=None):
    """A frame as bytes. `length` may be given falsely, to send a header that promises something else."""
    return HEADER.pack(type, flags, id, len(payload) if length is None else length, channel, sender) + payload


def pack_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def with_headers(headers, content=b""):
    """The payload of a frame with the HEADERS flag: a u16 length, the headers (a dict, or bytes as they are), the
    content."""
    block = headers if isinstance(headers, bytes) else pack_json(headers)
    return struct.pack(">H", len(block)) + block + content


def decode(buffer):
    """Takes one whole frame off the front of a bytearray, or answers None if there isn't one yet."""
    if len(buffer) < HEADER.size:
        return None
    type, flags, id, length, channel, sender = HEADER.unpack_from(buffer)
    end = HEADER.size + length
    if len(buffer) < end:
        return None
    payload = bytes(buffer[HEADER.size:end])
    del buffer[:end]
    return Frame(type, flags, id, channel, sender, payload)


# ---------------------------------------------------------------- what the page says of any frame from a server

def audit(frame):
    """Raises Mismatch if a server must not send this frame, whatever the conversation."""
    def need(condition, expected):
        if not condition:
            raise Mismatch(expected, str(frame))

    need(frame.type in NAMES and frame.type not in CLIENT_ONLY, "a frame type that a server sends")
    need(frame.flags & 0xf0 == 0, "flag bits 4-7 to be 0")
    need(frame.flags & HEADERS == 0 or frame.type in RELAYED, "message headers on MESSAGE, REQUEST and REPLY only")
    if frame.type not in RELAYED:
        need(frame.sender == 0, "sender 0 on a frame of the server's own")
    if frame.type in (WELCOME, BYE, JOINED, PARTED, POSITION):
        need(frame.id == 0, "id 0")
    if frame.type in (WELCOME, PING, PONG, BYE):
        need(frame.channel == 0, "channel 0")
    if frame.type in (LEFT, REQUEST, REPLY):
        need(frame.id != 0, "an id other than 0")
    if frame.type in (JOINED, PARTED, MESSAGE, REQUEST):
        need(frame.channel != 0, "a channel other than 0")
    if frame.type in (PING, PONG):
        need(len(frame.payload) <= 125, "at most 125 bytes of payload")
    if frame.type in (ACK, POSITION):
        need(len(frame.payload) == 8 or frame.type == POSITION and len(frame.payload) == 12, "8 bytes of payload")
    if frame.type in JSON_TYPES:
        frame.json()
    if frame.type == ERROR:
        audit_error(frame)
    if frame.type == OPENED:
        audit_opened(frame)
    if frame.type == WELCOME:
        clock(frame.json(), frame)


def audit_error(frame):
    body = frame.json()
    if body.get("code") not in FATAL:
        raise Mismatch("an error code of the page", str(frame))
    if not isinstance(body.get("message"), str) or not body["message"]:
        raise Mismatch("an ERROR with a message", str(frame))
    if body.get("fatal") is not FATAL[body["code"]]:
        raise Mismatch(f"{body['code']} with fatal={FATAL[body['code']]}", str(frame))
    if body["code"] == "unauthorized":
        clock(body, frame)


def clock(body, frame):
    """The server's clock, in a WELCOME and in an ERROR `unauthorized`: RFC 3339, as seconds since 1970."""
    try:
        time = datetime.fromisoformat(body["time"].replace("Z", "+00:00"))
        if time.tzinfo is None:
            raise ValueError("no time zone")
        return time.timestamp()
    except (KeyError, AttributeError, ValueError) as problem:
        raise Mismatch("`time`, as RFC 3339 has it", f"{frame} ({problem!r})") from None


def audit_opened(frame):
    body = frame.json()
    good = (isinstance(body.get("channel"), str) and body.get("number") == frame.channel
            and all(isinstance(body.get(key), bool) for key in ("publish", "subscribe", "respond")))
    if not good:
        raise Mismatch("OPENED with channel, number (as in the header), publish, subscribe and respond", str(frame))
    audit_stored(body, frame)


def audit_stored(body, frame):
    """What OPENED says of a stored channel: whole, or not at all."""
    kinds = [key for key in ("durable", "history") if key in body]
    if not kinds:
        extra = [key for key in ("epoch", "first", "last", "stored") if key in body]
        if extra:
            raise Mismatch(f"no {extra[0]} of a channel that is not stored", str(frame))
        return
    good = (len(kinds) == 1 and body[kinds[0]] is True
            and isinstance(body.get("epoch"), str) and re.fullmatch("[A-Za-z0-9_-]{1,32}", body["epoch"])
            and type(body.get("first")) is int and type(body.get("last")) is int
            and body["first"] >= 1 and body["last"] >= body["first"] - 1)
    if not good:
        raise Mismatch("durable or history, epoch, first and last, which is first - 1 at the least", str(frame))
    if "stored" in body and (type(body["stored"]) is not int or body["stored"] < 0):
        raise Mismatch("stored, a whole number", str(frame))


# ---------------------------------------------------------------- a connection

class Connection:
    def __init__(self, host, port, *, receive_buffer=None):
        self.number = 0  # our session number, 0 until WELCOME
        self.name = None
        self.welcome = None
        self.answers_pings = True
        self.places = {}  # of each stored channel: the sequence of the next message, and how often it was delivered
        self._buffer = bytearray()
        self._pings = 0
        self.stood_still = 0.0  # seconds in which the machine stood still while we waited
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer is not None:  # must be set before connecting to have an effect on the window
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connected_at = time.monotonic()

    # ---- sending

    def send_raw(self, data, timeout=DEADLINE):
        """Sends bytes as they are. A server may close while we send; the reading side tells why, so that's no error."""
        self.socket.settimeout(timeout)
        try:
            self.socket.sendall(data)
        except TimeoutError:
            raise Mismatch("the server to take what is sent", f"nothing taken for {timeout:g} s") from None
        except OSError:
            pass

    def send(self, type, payload=b"", *, flags=0, id=0, channel=0, sender=None, length=None,
             timeout=DEADLINE):
        """Sends one frame. A dict is sent as JSON; `sender` is ours unless the check forges it."""
        if isinstance(payload, dict):
            payload = pack_json(payload)
        sender = self.number if sender is None else sender
        data = encode(type, payload, flags=flags, id=id, channel=channel, sender=sender, length=length)
        self.send_raw(data, timeout)

    # ---- receiving

    def receive(self, timeout=DEADLINE):
        """The next frame. Answers (and hides) the server's own PINGs; raises Silence, Closed or Mismatch.

        The time in which the machine stands still is given again: the server could not send either.
        """
        deadline = time.monotonic() + timeout
        while True:
            frame = self.poll()
            if frame is not None:
                return frame
            until = min(deadline, time.monotonic() + timeout / WAITS)
            try:
                self.fill(until)
            except Silence:
                late = time.monotonic() - until
                if late > LATE:
                    self.stood_still += late
                    deadline += late
                if time.monotonic() >= deadline:
                    raise

    def poll(self):
        """A frame that is already in the buffer, or None."""
        while (frame := decode(self._buffer)) is not None:
            audit(frame)
            if frame.type != PING or not self.answers_pings:
                return frame
            self.send(PONG, frame.payload, id=frame.id)
        return None

    def fill(self, deadline):
        """Reads once; with a deadline that has passed, only what is already here. Raises Silence or Closed."""
        # A non-blocking socket (timeout 0) raises BlockingIOError rather than TimeoutError; both mean "nothing yet".
        self.socket.settimeout(max(0.0, deadline - time.monotonic()))
        try:
            data = self.socket.recv(1 << 18)
        except (TimeoutError, BlockingIOError):
            raise Silence("nothing arrived" if not self._buffer else f"part of a frame: {bytes(self._buffer[:40])!r}") \
                from None
        except OSError as problem:
            raise Closed(f"{problem.strerror or problem}") from None
        if not data:
            part = bytes(self._buffer[:40])
            raise Closed("end of stream" + (f" in the middle of a frame: {part!r}" if part else ""))
        self._buffer += data

    # ---- the conversation

    def hello(self, name=None, timeout=DEADLINE, **more):
        """HELLO and WELCOME."""
        body = {"protocol": "parley/1", **more}
        if name is not None:
            body["name"] = name
        self.send(HELLO, body, sender=0)
        return self.welcomed(timeout)

    def welcomed(self, timeout=DEADLINE):
        self.welcome = self.expect(WELCOME, id=0, channel=0, timeout=timeout).json()
        self.number, self.name = self.welcome["number"], self.welcome["name"]
        return self.welcome

    def open(self, channel, subscribe=False, *, id=1, **more):
        """OPEN a name (or a pattern) and answer the number; the OPENED payload is kept in `opened`.

        `respond` and the other keys of OPEN are given by name.
        """
        self.send(OPEN, {"channel": channel, "subscribe": subscribe, **more}, id=id)
        frame = self.expect(OPENED, id=id)
        self.opened = frame.json()
        respond = more.get("respond", False)
        told = (self.opened["channel"], self.opened["subscribe"], self.opened["respond"])
        if told != (channel, subscribe, respond):
            raise Mismatch(f"OPENED of {channel!r} with subscribe={subscribe} and respond={respond}", str(frame))
        return frame.channel

    # ---- stored channels

    def stored(self, count, timeout=DEADLINE):
        """The next `count` MESSAGEs of stored channels, as (sequence, payload, times delivered before).

        Every frame must be a MESSAGE, a POSITION or an announcement. What comes with each is kept in `last_frames`.
        """
        got, self.last_frames = [], []
        while len(got) < count:
            try:
                frame = self.receive(timeout)
            except (Silence, Closed) as problem:
                raise Mismatch(f"{count} stored messages", f"{problem} after {got[-5:]} ({len(got)})") from None
            if (entry := self.take_stored(frame)) is not None:
                got.append(entry)
                self.last_frames.append(frame)
        return got

    def stored_before_pong(self):
        """As `stored`, but all that comes before a PONG."""
        frames = self.before_pong()
        return [entry for entry in map(self.take_stored, frames) if entry is not None]

    def take_stored(self, frame):
        """The sequence, payload and earlier deliveries of a MESSAGE; None for what may come between."""
        if frame.type == POSITION:
            sequence = int.from_bytes(frame.payload[:8], "big")
            before = int.from_bytes(frame.payload[8:], "big") if len(frame.payload) == 12 else None
            if before == 0:
                raise Mismatch("12 bytes of POSITION only if it was delivered before", str(frame))
            self.places[frame.channel] = [sequence, before]
            return None
        if frame.type == OPENED and frame.id == 0:
            return None
        if frame.type != MESSAGE or frame.channel not in self.places:
            raise Mismatch("MESSAGE after a POSITION", str(frame))
        place = self.places[frame.channel]
        sequence, before = place
        place[0] += 1
        place[1] = None  # the count is that one message's
        return sequence, frame.payload, before or 0

    def leave(self, channel, number, *, id=2):
        self.send(LEAVE, {"channel": channel}, id=id)
        self.expect(LEFT, id=id, channel=number)

    def expect(self, type, timeout=DEADLINE, **fields):
        """The next frame, which must be of this type and have these header fields (or `payload`)."""
        wanted = NAMES[type] + "".join(f" {key}={show(value)}" for key, value in fields.items())
        try:
            frame = self.receive(timeout)
        except (Silence, Closed) as problem:
            raise Mismatch(wanted, f"{problem}") from None
        if frame.type != type or any(getattr(frame, key) != value for key, value in fields.items()):
            raise Mismatch(wanted, str(frame))
        return frame

    def refused(self, *codes, id=0, channel=0, timeout=DEADLINE):
        """The next frame must be an ERROR with one of the codes. A fatal one must be followed by the end.

        `id` and `channel` are those of the frame that is answered. The page allows 0 for the channel; a fatal error
        may be about the connection rather than about one frame, so 0 is taken for its id too. None takes any: what
        was sent was noise that the server may have read as a header.
        """
        wanted = "ERROR " + " or ".join(codes)
        try:
            frame = self.receive(timeout)
        except (Silence, Closed) as problem:
            raise Mismatch(wanted, f"{problem}") from None
        body = frame.json() if frame.type == ERROR else {}
        if body.get("code") not in codes:
            raise Mismatch(wanted, str(frame))
        if id is not None and frame.id not in ({id, 0} if body["fatal"] else {id}):
            raise Mismatch(f"{wanted} with id {id}", str(frame))
        if channel is not None and frame.channel not in {channel, 0}:
            raise Mismatch(f"{wanted} with channel 0x{channel:x} or 0", str(frame))
        if body["fatal"]:
            self.ends()
        return body

    def ends(self, timeout=DEADLINE):
        """The server must close now. It may say BYE first. A reset counts: we may have sent what it never read."""
        try:
            frame = self.receive(timeout)
            if frame.type == BYE:
                frame = self.receive(timeout)
        except Closed:
            return
        except Silence:
            raise Mismatch("the server to close the connection", f"still open after {timeout:g} s") from None
        raise Mismatch("the end of the connection", str(frame))

    def before_pong(self, timeout=DEADLINE):
        """Sends PING and answers the frames that came before its PONG.

        The server answers in order, so this is how to see that nothing (more) arrives without sleeping.
        """
        self._pings += 1
        mark, id = struct.pack(">Q", 0xbaa0_0000_0000_0000 + self._pings), 0xf000 + self._pings % 0x0f00
        self.send(PING, mark, id=id)
        frames = []
        while True:
            try:
                frame = self.receive(timeout)
            except (Silence, Closed) as problem:
                raise Mismatch("PONG", f"{problem} after {[str(f) for f in frames]}") from None
            if frame.type == PONG and frame.payload == mark:
                if frame.id != id:
                    raise Mismatch(f"PONG with id {id}", str(frame))
                return frames
            frames.append(frame)

    def outcome(self, id=0, channel=0):
        """For what the page leaves open: the code of the ERROR that came, 'silence', or another frame's name."""
        self.send(PING, b"outcome", id=0xefff)
        try:
            frame = self.receive()
        except (Silence, Closed) as problem:
            raise Mismatch("an ERROR, or the session to go on", f"{problem}") from None
        if frame.type == PONG:
            return "silence"
        if frame.type == ERROR and frame.json()["fatal"]:
            self.ends()
            return frame.json()["code"]
        if frame.type == ERROR and frame.id != id:
            raise Mismatch(f"ERROR with id {id}", str(frame))
        self.expect(PONG, payload=b"outcome")
        return frame.json()["code"] if frame.type == ERROR else NAMES[frame.type]

    # ---- ending

    def half_close(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server was faster

    def reset(self):
        """Ends with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


def show(value):
    if isinstance(value, bytes) and len(value) > 60:
        return f"{value[:60]!r}... ({len(value)} bytes)"
    return repr(value)
