"""Makes sessions that wait for each other: none reads, each is full, and each has sent the one before it a message that
it has no room for, with a frame behind it that ends the session. Once the first is closed, each lets the next one go on
and end.

    chain.py PORT SESSIONS

Prints "waiting" when all of them wait. Then it keeps them open until its stdin ends.

Python, because Deno cannot make the buffers of a socket small: 1,600 sessions that do not read would take 4 GB of the
kernel's memory.
"""

import json
import select
import socket
import struct
import sys

HEADER = struct.Struct(">BBHIII")  # type, flags, id, length, channel, sender
HELLO, WELCOME, OPEN, OPENED, MESSAGE, INVALID = 0x01, 0x02, 0x10, 0x11, 0x20, 0x7F
BLOCKED_MS = 500  # a connection that takes nothing for so long is not read
FILLING = 8000  # bytes of a message that fills
MESSAGES = 100  # more than the buffers of a socket and what may be pending


class Client:
    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(("127.0.0.1", port))
        self.number = 0
        self.channel = 0
        self.rest = b""
        self.messages = MESSAGES
        self.send(HELLO, payload={"protocol": "parley/1"})

    def frame(self, type, id=0, channel=0, payload=b""):
        payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return HEADER.pack(type, 0, id, len(payload), channel, self.number) + payload

    def send(self, type, **fields):
        self.socket.sendall(self.frame(type, **fields))

    def expect(self, type):
        header = HEADER.unpack(self.read(HEADER.size))
        payload = json.loads(self.read(header[3]))
        if header[0] != type:
            raise SystemExit(f"expected a frame of type {type}, got {header} {payload}")
        return header, payload

    def read(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise SystemExit("the server closed a connection")
            data += more
        return data

    def fill(self):
        """Sends messages until the socket takes no more. Returns whether there is no more to send."""
        try:
            while self.messages > 0:
                self.rest = self.rest or self.frame(MESSAGE, channel=self.channel, payload=bytes(FILLING))
                self.rest = self.rest[self.socket.send(self.rest):]
                self.messages -= not self.rest
        except BlockingIOError:
            return False
        return True


def connect(port, count):
    clients = [Client(port) for _ in range(count)]
    for client in clients:
        client.number = client.expect(WELCOME)[1]["number"]
    return clients


def open_channels(clients, name, subscribe):
    for i, client in enumerate(clients):
        client.send(OPEN, id=1, payload={"channel": name(i), "subscribe": subscribe})
    for client in clients:
        client.channel = client.expect(OPENED)[0][4]


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    sessions, fillers = connect(port, count), connect(port, count)
    open_channels(sessions, lambda i: f"of.{i}", True)
    open_channels(fillers, lambda i: f"of.{i}", False)
    open_channels(sessions[1:], lambda i: f"of.{i}", False)  # each the channel of the one before it
    poll = select.poll()
    by_descriptor = {}
    for filler in fillers:
        filler.socket.setblocking(False)
        poll.register(filler.socket, select.POLLOUT)
        by_descriptor[filler.socket.fileno()] = filler
    while ready := poll.poll(BLOCKED_MS):
        for descriptor, _ in ready:
            if by_descriptor[descriptor].fill():
                poll.unregister(descriptor)
    for session in sessions[1:]:
        message = session.frame(MESSAGE, channel=session.channel, payload=b"no room")
        try:
            session.socket.sendall(message + session.frame(INVALID))
        except OSError:
            pass  # closed as a slow consumer already: this machine is slow, and the chain has one part more
    print("waiting", flush=True)
    sys.stdin.read()


main()
