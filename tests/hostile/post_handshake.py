"""Sends TLS messages that come after the handshake, as many as a server takes: no TLS library of Deno can send them.

    post_handshake.py PORT COUNT EVERY
    post_handshake.py PORT renegotiate

The first sends COUNT KeyUpdates that ask for an answer, and a PING after every EVERY of them if that is not 0. It reads
no answer. The second asks for a new handshake of TLS 1.2. Prints "done"; "blocked" if the server reads no more; or
"closed" if it has closed the connection. Then it waits for the end of its stdin.

It calls OpenSSL's library, which Python's own module has loaded, because that module offers neither message.
"""

import ctypes
import json
import socket
import ssl
import struct
import sys

KEY_UPDATE_REQUESTED = 1
SSL_CTRL_SET_MAX_PROTO_VERSION = 124
SSL_WRITING = 2
TLS_1_2 = 0x0303
# The server reads no more if it takes nothing in any of these waits; in one of them the machine may have stood still.
BLOCKED_WAITS = 4
WAIT_MICROSECONDS = 250_000
HEADER = struct.Struct(">BBHIII")
HELLO, PING = 0x01, 0x04


def library():
    """The libssl that the module `ssl` is linked to."""
    with open("/proc/self/maps") as maps:
        path = next(line.split()[-1] for line in maps if "libssl" in line)
    lib = ctypes.CDLL(path)
    pointer, number = ctypes.c_void_p, ctypes.c_int
    for name, result, arguments in [
        ("TLS_client_method", pointer, []),
        ("SSL_CTX_new", pointer, [pointer]),
        ("SSL_CTX_ctrl", ctypes.c_long, [pointer, number, ctypes.c_long, pointer]),
        ("SSL_new", pointer, [pointer]),
        ("SSL_set_fd", number, [pointer, number]),
        ("SSL_connect", number, [pointer]),
        ("SSL_do_handshake", number, [pointer]),
        ("SSL_renegotiate", number, [pointer]),
        ("SSL_key_update", number, [pointer, number]),
        ("SSL_want", number, [pointer]),
        ("SSL_write", number, [pointer, ctypes.c_char_p, number]),
        ("SSL_read", number, [pointer, ctypes.c_char_p, number]),
    ]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def main():
    assert ssl.OPENSSL_VERSION  # keeps the module loaded
    port, what = int(sys.argv[1]), sys.argv[2]
    lib = library()
    tcp = socket.socket()
    # Small buffers, so that the server soon has answers that the kernel does not take.
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tcp.connect(("127.0.0.1", port))
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, WAIT_MICROSECONDS))
    context = lib.SSL_CTX_new(lib.TLS_client_method())
    if what == "renegotiate":
        lib.SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, TLS_1_2, None)
    tls = lib.SSL_new(context)
    lib.SSL_set_fd(tls, tcp.fileno())
    assert lib.SSL_connect(tls) == 1, "no handshake"

    def is_done(call):
        for _ in range(BLOCKED_WAITS):
            if call() > 0:
                return True
            if lib.SSL_want(tls) != SSL_WRITING:
                break
        return False

    def send(type, number, payload=b""):
        frame = HEADER.pack(type, 0, 0, len(payload), 0, number) + payload
        return is_done(lambda: lib.SSL_write(tls, frame, len(frame)))

    send(HELLO, 0, json.dumps({"protocol": "parley/1"}).encode())
    welcome = ctypes.create_string_buffer(4096)
    length = lib.SSL_read(tls, welcome, len(welcome))
    number = json.loads(welcome.raw[HEADER.size:length])["number"]
    is_open = True
    if what == "renegotiate":
        is_open = lib.SSL_renegotiate(tls) == 1 and lib.SSL_do_handshake(tls) == 1 and send(PING, number)
    else:
        every = int(sys.argv[3])
        for i in range(1, int(what) + 1):
            lib.SSL_key_update(tls, KEY_UPDATE_REQUESTED)
            is_open = is_done(lambda: lib.SSL_do_handshake(tls))
            if is_open and every > 0 and i % every == 0:
                is_open = send(PING, number)
            if not is_open:
                break
    if is_open:
        print("done", flush=True)
    else:
        print("blocked" if lib.SSL_want(tls) == SSL_WRITING else "closed", flush=True)
    sys.stdin.read()


main()
