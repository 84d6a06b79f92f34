#!/usr/bin/env python3
"""A Parley client in Python, with nothing but the standard library. docs/protocol.md has the rest of the protocol.

    python3 examples/client.py request text.upper 'make me loud'
    python3 examples/client.py publish chat.lobby 'hello from Python'
    python3 examples/client.py subscribe 'chat.*'
    python3 examples/client.py respond text.upper

The server is PARLEY_URL (parley://127.0.0.1:7253 if not set; parleys:// for TLS, PARLEY_CA is then the server's ca.pem),
the token PARLEY_TOKEN.
"""

import json
import os
import socket
import ssl
import struct
import sys
from urllib.parse import urlsplit

HEADER = struct.Struct(">BBHIII")  # type, flags, id, length, channel, sender
HELLO, WELCOME, ERROR, PING, PONG, BYE, OPEN, OPENED = 1, 2, 3, 4, 5, 6, 0x10, 0x11
MESSAGE, REQUEST, REPLY = 0x20, 0x21, 0x22
TEXT, HEADERS, INBOX = 1, 8, 0x80000000


class ParleyError(Exception):
    pass


class Client:
    """One connection. Its methods wait, and answer the server's PINGs while they do."""

    def __init__(self, url="parley://127.0.0.1:7253", name=None, token=None, ca=None):
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port or 7253), timeout=10)
        if address.scheme == "parleys":
            context = ssl.create_default_context(cafile=ca)
            self.socket = context.wrap_socket(self.socket, server_hostname=address.hostname)
        self.stream = self.socket.makefile("rb")
        self.session = 0  # our number, 0 until WELCOME
        self.last_id = 0
        self.channels = {}  # name -> number
        self.names = {}  # number -> name
        hello = {"protocol": "parley/1", "name": name, "token": token}
        self.send(HELLO, {key: value for key, value in hello.items() if value})
        welcome = self.wait_for(WELCOME)
        self.session, self.name = welcome["number"], welcome["name"]
        self.socket.settimeout(None)

    def send(self, type, payload=b"", flags=0, id=0, channel=0):
        if isinstance(payload, dict):
            payload = json.dumps(payload).encode()
        self.socket.sendall(HEADER.pack(type, flags, id, len(payload), channel, self.session) + payload)

    def receive(self):
        """The next frame that is for the caller: (type, flags, id, channel, sender, payload)."""
        while True:
            header = self.stream.read(HEADER.size)
            if len(header) < HEADER.size:
                raise ParleyError("the server closed the connection")
            type, flags, id, length, channel, sender = HEADER.unpack(header)
            payload = self.stream.read(length)
            if type == PING:
                self.send(PONG, payload, id=id)
            elif type == OPENED:
                self.names[channel] = json.loads(payload)["channel"]
                if id:
                    return type, flags, id, channel, sender, payload
            elif type == BYE or type == ERROR:
                said = json.loads(payload)
                raise ParleyError(said["message"] if type == ERROR else f"the server says {said['reason']}")
            elif type < 0x80:  # other types are extensions, to be skipped
                if flags & HEADERS:  # the content comes behind a block of message headers
                    payload = payload[2 + int.from_bytes(payload[:2], "big"):]
                return type, flags, id, channel, sender, payload

    def wait_for(self, wanted, id=0):
        """The frame of this type and id. Messages that come before it are dropped: use another connection for those."""
        while True:
            frame = self.receive()
            if frame[0] == wanted and frame[2] == id:
                return json.loads(frame[5]) if wanted in (WELCOME, OPENED) else frame

    def next_id(self):
        self.last_id = self.last_id % 0xFFFF + 1
        return self.last_id

    def open(self, name, subscribe=False, respond=False):
        """Opens a channel unless it is open, and returns its number. A pattern has none."""
        if subscribe or respond or name not in self.channels:
            id = self.next_id()
            self.send(OPEN, {"channel": name, "subscribe": subscribe, "respond": respond}, id=id)
            self.channels[name] = self.wait_for(OPENED, id)["number"]
        return self.channels[name]

    def publish(self, channel, text):
        self.send(MESSAGE, text.encode(), TEXT, channel=self.open(channel))

    def request(self, channel, text):
        number, id = self.open(channel), self.next_id()
        self.send(REQUEST, text.encode(), TEXT, id, number)
        return self.wait_for(REPLY, id)[5].decode()

    def messages(self, pattern):
        """Yields (channel, sender, text) for each message."""
        self.open(pattern, subscribe=True)
        while True:
            type, _, _, channel, sender, payload = self.receive()
            if type == MESSAGE:
                yield self.names[channel], sender, payload.decode(errors="replace")

    def respond(self, channel, handler):
        """Answers each request with what `handler` makes of its text."""
        self.open(channel, respond=True)
        while True:
            type, _, id, _, sender, payload = self.receive()
            if type == REQUEST:
                self.send(REPLY, handler(payload.decode()).encode(), TEXT, id, INBOX | sender)

    def close(self):
        """Says goodbye once the server has taken everything. Raises its error if it refused something."""
        self.send(PING)
        self.wait_for(PONG)
        self.send(BYE, {"reason": "done"})
        self.socket.close()


def main(command, channel, text=""):
    environment = os.environ.get
    url = environment("PARLEY_URL", "parley://127.0.0.1:7253")
    client = Client(url, "python", environment("PARLEY_TOKEN"), environment("PARLEY_CA"))
    if command == "publish":
        client.publish(channel, text)
    elif command == "request":
        print(client.request(channel, text))
    elif command == "respond":
        client.respond(channel, str.upper)
    else:
        for name, sender, text in client.messages(channel):
            print(name, sender, text, flush=True)
    client.close()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (ParleyError, OSError) as error:
        sys.exit(f"client.py: {error}")
