/**
 * What happens when one session's end makes another resume, whose end makes a third one resume, and so on: real
 * sessions and connections over sockets of the test.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Echo } from "../../lib/broker/echo.ts";
import { Router } from "../../lib/broker/router.ts";
import { Session } from "../../lib/broker/session.ts";
import { WorkBudget } from "../../lib/broker/work_budget.ts";
import { DEFAULT_LIMITS, HEADER_BYTES } from "../../lib/limits.ts";
import { Connection } from "../../lib/net/connection.ts";
import { ConnectionLimiter } from "../../lib/net/connection_limiter.ts";
import { ReadScheduler } from "../../lib/net/read_scheduler.ts";
import { encodeControl, PROTOCOL } from "../../lib/wire/control.ts";
import { encodeFrame, readHeader, Type } from "../../lib/wire/header.ts";
import { newServerChannels, turnOfLoop } from "../broker/test_broker.ts";
import { within } from "../harness/deadline.ts";
import { concat } from "../harness/raw_client.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { CountingPool, FakeSocket } from "../net/fake_socket.ts";

const KiB = 1024;
const ADDRESS = "192.0.2.1";
const SESSIONS = 1600;
const LIMITS = {
  ...DEFAULT_LIMITS,
  payloadBytes: 4 * KiB,
  pendingBytes: 8 * KiB,
  slowConsumerTimeoutMs: 600_000,
  drainMs: 200,
};

/** A server whose clients are fake sockets; everything else is as `lib/server/serve.ts` puts it together. */
class FakeServer {
  readonly limiter = new ConnectionLimiter(SESSIONS, SESSIONS);
  readonly pool = new CountingPool();
  readonly log = new RecordedLog();
  readonly sessions = new Set<Session>();
  readonly connections = new Set<Connection>();
  readonly errors: unknown[] = [];
  /** The deepest that `receive` calls were nested. */
  depth = 0;
  readonly #scheduler = new ReadScheduler();
  readonly #budget = new WorkBudget((error) => this.errors.push(error));
  readonly #router = new Router(LIMITS, () => performance.now(), this.#budget);
  readonly #context = {
    router: this.#router,
    serverChannels: newServerChannels(this.#router, this.#budget, LIMITS),
    echo: new Echo(),
    budget: this.#budget,
    now: () => performance.now(),
    time: () => new Date().toISOString(),
    authenticator: undefined,
    limits: LIMITS,
    log: this.log.log,
    server: { name: "parley", version: "test" },
    uuid: () => crypto.randomUUID(),
  };

  /** Connects a client that has sent HELLO and reads nothing after the answer to its first frames. */
  connect(): FakeSocket {
    assertEquals(this.limiter.acquire(ADDRESS), undefined);
    const socket = new FakeSocket();
    let session!: Session;
    const connection = new Connection(socket, this.pool, LIMITS, (transport) => {
      const remote = { address: ADDRESS, port: 1 };
      session = new Session(this.#context, transport, remote, () => this.sessions.delete(session));
      const receive = session.receive.bind(session);
      let nested = 0;
      session.receive = (bytes, end) => {
        nested = ++FakeServer.nesting;
        this.depth = Math.max(this.depth, nested);
        try {
          return receive(bytes, end);
        } finally {
          FakeServer.nesting--;
        }
      };
      return session;
    }, this.#scheduler);
    this.sessions.add(session);
    this.connections.add(connection);
    connection.closed.then(() => {
      this.connections.delete(connection);
      this.limiter.release(ADDRESS);
    });
    connection.start();
    socket.push(encodeControl({ type: Type.HELLO }, { protocol: PROTOCOL }));
    return socket;
  }

  static nesting = 0;
}

/** Resolves once `isSo`. */
async function until(isSo: () => boolean, what: string): Promise<void> {
  const waiting = async () => {
    while (!isSo()) await turnOfLoop();
  };
  await within(waiting(), what);
}

/** An OPEN of the channel of session `number`. */
function open(sender: number, number: number, subscribe: boolean): Uint8Array {
  return encodeControl({ type: Type.OPEN, id: 1, sender }, { channel: `of.${number}`, subscribe });
}

/** The channel number in the first OPENED that a client was sent. */
function channelOf({ written }: FakeSocket): number | undefined {
  for (let at = 0; at < written.length;) {
    const { type, channel, length } = readHeader(written, at);
    if (type === Type.OPENED) return channel;
    at += HEADER_BYTES + length;
  }
  return undefined;
}

/** A server on which each session waits for the next one, and none reads; and the sockets of the sessions. */
async function ring(last: (number: number) => Uint8Array): Promise<[FakeServer, FakeSocket[]]> {
  const server = new FakeServer();
  const sockets: FakeSocket[] = [];
  for (let i = 0; i < SESSIONS; i++) sockets.push(server.connect());
  await until(() => server.log.all("greeted").length === SESSIONS, "WELCOME of all sessions");
  sockets.forEach((socket, i) => socket.push(open(i + 1, i + 1, true)));
  await until(() => sockets.every((socket) => channelOf(socket) !== undefined), "OPENED of all sessions");
  for (const socket of sockets) socket.acceptsByHand = true;
  sockets.forEach((socket, i) => {
    const sender = i + 1;
    const next = sender % SESSIONS;
    const header = { type: Type.MESSAGE, channel: channelOf(sockets[next]), sender };
    const message = encodeFrame(header, new Uint8Array(4000));
    socket.push(concat([open(sender, next + 1, false), message, message, message, message, last(sender)]));
  });
  await until(() => [...server.connections].every(({ outbox }) => !outbox.hasRoom(16)), "full outboxes");
  return [server, sockets];
}

Deno.test("1,600 sessions that wait for each other in a ring end one after the other, never from within each other", async () => {
  // Each of them fails as soon as it goes on: a frame of no known type.
  const [server, sockets] = await ring((sender) => encodeFrame({ type: 0x7f, sender }, new Uint8Array()));
  sockets[0].fail();
  await until(() => server.connections.size === 0, "end of all connections");
  assertEquals([server.limiter.open, server.sessions.size, server.pool.lent.size], [0, 0, 0]);
  assertEquals([server.depth, server.errors], [1, []]);
  assert(server.log.all("internal error").length === 0);
});

Deno.test("1,600 sessions that wait for each other end when the server stops", async () => {
  const [server] = await ring(() => new Uint8Array());
  for (const session of server.sessions) session.shutDown();
  await until(() => server.connections.size === 0, "end of all connections");
  assertEquals([server.limiter.open, server.pool.lent.size, server.depth], [0, 0, 1]);
});
