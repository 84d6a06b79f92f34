import { assert, assertEquals, assertThrows } from "@std/assert";
import { ACCEPT_BACKOFF_MS, MAX_ACCEPT_BACKOFF_MS } from "../../lib/limits.ts";
import { type Accepted, Listener } from "../../lib/net/listener.ts";
import { within } from "../harness/deadline.ts";

/** A listening socket whose `accept` returns the outcomes that the test adds, in order. */
class FakeListener {
  readonly addr = { transport: "tcp", hostname: "127.0.0.1", port: 7253 };
  closed = false;
  readonly #outcomes: Promise<Deno.TcpConn>[] = [];
  #waiting: PromiseWithResolvers<Deno.TcpConn> | undefined;

  accept(): Promise<Deno.TcpConn> {
    const outcome = this.#outcomes.shift();
    if (outcome !== undefined) return outcome;
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }

  /** A client connects. */
  connect(): FakeConn {
    const conn = new FakeConn();
    this.#add(Promise.resolve(conn as unknown as Deno.TcpConn));
    return conn;
  }

  /** Accepting fails. */
  fail(error: Error): void {
    const failure = Promise.reject(error);
    failure.catch(() => {}); // it may never be accepted
    this.#add(failure);
  }

  close(): void {
    this.closed = true;
    this.fail(new Deno.errors.BadResource("closed"));
  }

  #add(outcome: Promise<Deno.TcpConn>): void {
    if (this.#waiting === undefined) this.#outcomes.push(outcome);
    else this.#waiting.resolve(outcome);
    this.#waiting = undefined;
  }
}

/** An accepted connection. */
class FakeConn {
  readonly remoteAddr = { transport: "tcp", hostname: "192.0.2.1", port: 4711 };
  closed = false;
  noDelay = false;

  setNoDelay(): void {
    this.noDelay = true;
  }

  close(): void {
    this.closed = true;
  }
}

/** Makes a listener on a fake socket, and collects its events. */
function listen() {
  const fake = new FakeListener();
  const accepted: Accepted[] = [];
  const waits: number[] = [];
  let event = Promise.withResolvers<void>();
  const notify = () => {
    event.resolve();
    event = Promise.withResolvers();
  };
  const real = Deno.listen;
  Deno.listen = (() => fake) as unknown as typeof Deno.listen;
  try {
    const listener = new Listener("127.0.0.1", 0, {
      accepted: (connection) => {
        accepted.push(connection);
        notify();
      },
      acceptFailed: (_, waitMs) => {
        waits.push(waitMs);
        notify();
      },
    });
    return {
      fake,
      listener,
      accepted,
      waits,
      nextEvent: () => within(event.promise, "event of the listener"),
    };
  } finally {
    Deno.listen = real;
  }
}

Deno.test("a listener passes on each connection with its address, and takes a free port if 0 was requested", async () => {
  const accepted = Promise.withResolvers<Accepted>();
  const listener = new Listener("127.0.0.1", 0, {
    accepted: accepted.resolve,
    acceptFailed: accepted.reject,
  });
  assert(listener.address.port > 0);
  const client = await Deno.connect({ hostname: "127.0.0.1", port: listener.address.port });
  const { socket, address, port } = await within(accepted.promise, "connection");
  assertEquals([address, port], ["127.0.0.1", client.localAddr.port]);
  client.close();
  assertEquals(await socket.read(new Uint8Array(1)), null);
  socket.close();
  listener.close();
  listener.close();
  await within(listener.closed, "end of the listener");
});

Deno.test("a listener on a port in use throws", async () => {
  const events = { accepted: () => {}, acceptFailed: () => {} };
  const listener = new Listener("127.0.0.1", 0, events);
  assertThrows(() => new Listener("127.0.0.1", listener.address.port, events), Deno.errors.AddrInUse);
  listener.close();
  await listener.closed;
});

Deno.test("accepted connections have setNoDelay", async () => {
  const { fake, listener, nextEvent } = listen();
  const conn = fake.connect();
  await nextEvent();
  assert(conn.noDelay);
  listener.close();
  await listener.closed;
});

Deno.test("accept errors are reported and retried, with a growing wait", async () => {
  const { fake, listener, accepted, waits, nextEvent } = listen();
  const tooMany = new Error("Too many open files");
  for (let i = 0; i < 3; i++) {
    fake.fail(tooMany);
    await nextEvent();
  }
  assertEquals(waits, [ACCEPT_BACKOFF_MS, ACCEPT_BACKOFF_MS * 2, ACCEPT_BACKOFF_MS * 4]);
  fake.connect();
  await nextEvent();
  assertEquals(accepted.length, 1);
  fake.fail(tooMany);
  await nextEvent();
  assertEquals(waits[3], ACCEPT_BACKOFF_MS, "a success resets the wait");
  assert(waits.every((ms) => ms <= MAX_ACCEPT_BACKOFF_MS));
  listener.close();
  await within(listener.closed, "end of the listener during its wait");
});

Deno.test("a connection that arrives while the listener closes is closed, and not passed on", async () => {
  const { fake, listener, accepted } = listen();
  const conn = fake.connect(); // accepted, but the loop has not run yet
  listener.close();
  await within(listener.closed, "end of the listener");
  assertEquals([accepted.length, conn.closed], [0, true]);
});

Deno.test("closing is not reported as an accept error", async () => {
  const { fake, listener, waits } = listen();
  listener.close();
  await within(listener.closed, "end of the listener");
  assertEquals([fake.closed, waits], [true, []]);
});
