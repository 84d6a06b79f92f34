/**
 * TCP sockets through the functions of the C library, without promises.
 *
 * A load generator must cost less than the server that it measures. With `Deno.connect` it costs as much: a promise, a
 * task and a turn of the event loop for each read and write. Through Deno's foreign function interface, `send` and
 * `recv` cost little more than the system call, and one loop around `epoll` drives a thousand connections. On two cores
 * that is 3 gigabytes per second, or 130 thousand requests and answers; the asynchronous version reached a third. The
 * price is that it needs Linux.
 *
 * @module
 */

import type { Command } from "./brokers/broker.ts";

const libc = load();

function load() {
  if (Deno.build.os !== "linux") {
    throw new Error("the benchmark's load generator needs Linux (epoll); run it there, or in a container");
  }
  const { symbols } = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
    connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    listen: { parameters: ["i32", "i32"], result: "i32" },
    accept: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
    // Both return ssize_t. No call here is for 2 GiB, so the lower half is enough.
    send: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
    recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    epoll_create1: { parameters: ["i32"], result: "i32" },
    epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
    epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  });
  return symbols;
}

const AF_INET = 2, SOCK_STREAM = 1;
const SOL_SOCKET = 1, SO_REUSEADDR = 2, SO_LINGER = 13, SO_RCVTIMEO = 20;
const IPPROTO_TCP = 6, TCP_NODELAY = 1;
const MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000;
const EPOLL_CTL_ADD = 1, EPOLLIN = 1, EPOLLOUT = 4, EPOLLERR = 8, EPOLLHUP = 16, EPOLLET = 0x8000_0000;

const ANSWER_SECONDS = 5;
const ONE = Uint8Array.of(1, 0, 0, 0);
/** Target of `discard`. With MSG_TRUNC the kernel does not write to it. */
const discarded = new Uint8Array(1024 * 1024);

/** A connected TCP socket on this machine. */
export class RawSocket {
  /** The file descriptor. */
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
    libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ONE, ONE.length);
  }

  /** Connects to `port` of 127.0.0.1, which returns at once on loopback. */
  static connect(port: number): RawSocket {
    const fd = libc.socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) throw new Error("no more file descriptors; raise `ulimit -n`");
    if (libc.connect(fd, loopback(port), 16) < 0) {
      libc.close(fd);
      throw new Error(`cannot connect to 127.0.0.1:${port}`);
    }
    return new RawSocket(fd);
  }

  /** Sends as much of `bytes[from, end)` as the kernel accepts at once; returns how many bytes, possibly 0. */
  send(bytes: Uint8Array, from = 0, end: number = bytes.length): number {
    const view = from === 0 ? bytes : bytes.subarray(from);
    return Math.max(0, libc.send(this.fd, view, BigInt(end - from), MSG_DONTWAIT | MSG_NOSIGNAL));
  }

  /** Sends all of `bytes[0, end)`, however long it takes. */
  sendAll(bytes: Uint8Array, end: number = bytes.length): void {
    for (let at = 0; at < end;) {
      const sent = libc.send(this.fd, at === 0 ? bytes : bytes.subarray(at), BigInt(end - at), MSG_NOSIGNAL);
      if (sent < 0) throw new Error("the peer closed the connection");
      at += sent;
    }
  }

  /** Receives what has arrived. Returns the number of bytes, 0 at the end of the stream, -1 if nothing has arrived. */
  receive(into: Uint8Array): number {
    return libc.recv(this.fd, into, BigInt(into.length), MSG_DONTWAIT);
  }

  /** Like `receive`, but only counts: the kernel discards the bytes without copying them. */
  discard(): number {
    return libc.recv(this.fd, discarded, BigInt(discarded.length), MSG_DONTWAIT | MSG_TRUNC);
  }

  /** Sends `command` and waits at most `ANSWER_SECONDS` for its answer. */
  execute({ send, isAnswered }: Command): void {
    this.sendAll(send);
    this.await(isAnswered);
  }

  /** Receives until `isComplete`, waiting at most `ANSWER_SECONDS` for each part, and returns all bytes. */
  await(isComplete: (answer: Uint8Array) => boolean): Uint8Array {
    let answer = new Uint8Array(0);
    const part = new Uint8Array(64 * 1024);
    while (!isComplete(answer)) {
      const count = this.receiveSome(part);
      if (count === 0) throw new Error("the server closed the connection");
      if (count < 0) throw new Error(`the server did not answer within ${ANSWER_SECONDS} s`);
      const longer = new Uint8Array(answer.length + count);
      longer.set(answer);
      longer.set(part.subarray(0, count), answer.length);
      answer = longer;
    }
    return answer;
  }

  /** Receives as `receive` does, but waits at most `ANSWER_SECONDS` for something to arrive. */
  protected receiveSome(into: Uint8Array): number {
    const timeout = new Uint8Array(16); // a struct timeval
    timeout[0] = ANSWER_SECONDS;
    libc.setsockopt(this.fd, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length);
    return libc.recv(this.fd, into, BigInt(into.length), 0);
  }

  /** Closes with a reset, which does not keep the port busy for a minute as an orderly close does. */
  reset(): void {
    libc.setsockopt(this.fd, SOL_SOCKET, SO_LINGER, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), 8);
    this.close();
  }

  close(): void {
    libc.close(this.fd);
  }
}

/** Listens on `port` of 127.0.0.1. The result is for `accept` and a {@linkcode Poller} only. */
export function listen(port: number): RawSocket {
  const fd = libc.socket(AF_INET, SOCK_STREAM, 0);
  libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ONE, ONE.length);
  if (libc.bind(fd, loopback(port), 16) < 0 || libc.listen(fd, 4096) < 0) {
    throw new Error(`cannot listen on 127.0.0.1:${port}`);
  }
  return new RawSocket(fd);
}

/** Accepts the next connection of a listening socket. */
export function accept(listener: RawSocket): RawSocket {
  return new RawSocket(libc.accept(listener.fd, null, null));
}

/** A `struct sockaddr_in`. */
function loopback(port: number): Uint8Array<ArrayBuffer> {
  const address = new Uint8Array(16);
  new DataView(address.buffer).setUint16(0, AF_INET, true);
  address.set([port >>> 8, port, 127, 0, 0, 1], 2);
  return address;
}

/** `struct epoll_event` is packed on x86-64 only. */
const EVENT_BYTES = Deno.build.arch === "x86_64" ? 12 : 16;
const DATA_AT = EVENT_BYTES - 8;
const MAX_EVENTS = 1024;

/** Waits for many sockets at once. */
export class Poller {
  readonly #fd = libc.epoll_create1(0);
  readonly #events = new Uint8Array(EVENT_BYTES * MAX_EVENTS);
  readonly #view = new DataView(this.#events.buffer);

  /** Watches `socket` for bytes to receive; its events carry `tag`. */
  add(socket: RawSocket, tag: number): void {
    this.#add(socket, tag, EPOLLIN);
  }

  /** Watches `socket` for bytes to receive and for room to send, reported once per change. */
  addSender(socket: RawSocket, tag: number): void {
    this.#add(socket, tag, (EPOLLIN | EPOLLOUT | EPOLLET) >>> 0);
  }

  #add(socket: RawSocket, tag: number, events: number): void {
    const event = new Uint8Array(EVENT_BYTES);
    const view = new DataView(event.buffer);
    view.setUint32(0, events, true);
    view.setInt32(DATA_AT, tag, true);
    if (libc.epoll_ctl(this.#fd, EPOLL_CTL_ADD, socket.fd, event) < 0) throw new Error("epoll_ctl failed");
  }

  /** Waits at most `ms` milliseconds. Returns how many events there are, for the methods below. */
  wait(ms: number): number {
    return Math.max(0, libc.epoll_wait(this.#fd, this.#events, MAX_EVENTS, ms));
  }

  /** The tag of the socket of event `index`. */
  tag(index: number): number {
    return this.#view.getInt32(index * EVENT_BYTES + DATA_AT, true);
  }

  /** Whether there is something to receive: bytes, the end of the stream or an error. */
  isReadable(index: number): boolean {
    return (this.#flags(index) & (EPOLLIN | EPOLLERR | EPOLLHUP)) !== 0;
  }

  /** Whether there is room to send. */
  isWritable(index: number): boolean {
    return (this.#flags(index) & EPOLLOUT) !== 0;
  }

  #flags(index: number): number {
    return this.#view.getUint32(index * EVENT_BYTES, true);
  }
}
