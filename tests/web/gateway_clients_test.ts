/** The clients that HTTP requests share, on a broker that does nothing but greet. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ParleyError } from "../../lib/errors.ts";
import { GATEWAY_IDLE_MS, HEADER_BYTES, MAX_GATEWAY_CLIENTS } from "../../lib/limits.ts";
import { memorySocketPair } from "../../lib/net/memory_socket.ts";
import type { Socket } from "../../lib/net/socket.ts";
import { Clients } from "../../lib/web/gateway/clients.ts";
import { encodeControl, encodeError } from "../../lib/wire/control.ts";
import { Type, u32 } from "../../lib/wire/header.ts";

/** One connection as the broker sees it. */
interface Session {
  readonly address: string;
  readonly token: string | undefined;
  readonly socket: Socket;
  /** Whether the client has said BYE or closed. */
  isOver: boolean;
}

/** Clients, what they connect to, and a clock. */
function start() {
  const sessions: Session[] = [];
  const clock = { now: 0 };
  const dial = (address: string): Socket => {
    const [theirs, ours] = memorySocketPair();
    greet(theirs, address);
    return ours;
  };
  const greet = async (socket: Socket, address: string) => {
    const bytes = new Uint8Array(20_000);
    await socket.read(bytes);
    const { token } = JSON.parse(
      new TextDecoder().decode(bytes.subarray(HEADER_BYTES, HEADER_BYTES + u32(bytes, 4))),
    );
    const session: Session = { address, token, socket, isOver: false };
    const number = sessions.push(session);
    await socket.write(token === "wrong" ? encodeError("unauthorized", "not valid", 0, 0) : welcome(number));
    while (await socket.read(bytes).catch(() => null) !== null) { /* PING and BYE */ }
    session.isOver = true;
    socket.close();
  };
  return { sessions, clock, clients: new Clients(dial, () => clock.now) };
}

function welcome(number: number): Uint8Array {
  return encodeControl({ type: Type.WELCOME }, {
    session: crypto.randomUUID(),
    number,
    name: "http",
    message: "hello",
    server: { name: "test", version: "0" },
    limits: { payload: 1000, channels: 10, pending: 10_000 },
    heartbeat: 0,
  });
}

const ADA = { address: "192.0.2.1", token: "a" };
const number = (clients: Clients, requester: { address: string; token: string | undefined }) =>
  clients.use(requester, (client) => Promise.resolve(client.sessionId));

Deno.test("requests of one address and token share a client, others do not", async () => {
  const { clients, sessions } = start();
  const requesters = [ADA, ADA, { ...ADA, token: "b" }, { ...ADA, address: "192.0.2.2" }, {
    ...ADA,
    token: undefined,
  }];
  const numbers = await Promise.all(requesters.map((requester) => number(clients, requester)));
  assertEquals(numbers, [1, 1, 2, 3, 4]);
  assertEquals(sessions.map(({ address, token }) => [address, token]), [
    ["192.0.2.1", "a"],
    ["192.0.2.1", "b"],
    ["192.0.2.2", "a"],
    ["192.0.2.1", undefined],
  ]);
  await clients.close();
});

Deno.test("a client that has ended is replaced", async () => {
  const { clients, sessions } = start();
  assertEquals(await number(clients, ADA), 1);
  sessions[0].socket.close();
  while (clients.size > 0) await new Promise((resolve) => setTimeout(resolve));
  assertEquals(await number(clients, ADA), 2);
  await clients.close();
});

Deno.test("a token that is refused is tried once for all requests that wait for it, and again for later ones", async () => {
  const { clients, sessions } = start();
  const wrong = { ...ADA, token: "wrong" };
  for (const expected of [1, 2]) {
    const requests = [number(clients, wrong), number(clients, wrong), number(clients, wrong)];
    for (const request of requests) {
      assertEquals((await assertRejects(() => request, ParleyError)).code, "unauthorized");
    }
    assertEquals(sessions.length, expected);
  }
  assertEquals(clients.size, 0);
  await clients.close();
});

Deno.test("what connects while all are closed is closed too", async () => {
  const { clients, sessions } = start();
  const opening = assertRejects(() => clients.open(ADA), ParleyError);
  const using = assertRejects(() => number(clients, { ...ADA, token: "b" }), ParleyError);
  await clients.close();
  assertEquals([(await opening).code, (await using).code], ["shutting_down", "shutting_down"]);
  while (sessions.length < 2 || !sessions.every(({ isOver }) => isOver)) {
    await new Promise((resolve) => setTimeout(resolve));
  }
});

Deno.test("a client that nothing uses is closed after a while, and one in use is not", async () => {
  const { clients, clock, sessions } = start();
  const done = Promise.withResolvers<void>();
  const using = clients.use({ ...ADA, token: "busy" }, () => done.promise);
  await number(clients, ADA);
  clock.now += GATEWAY_IDLE_MS - 1;
  clients.sweep();
  assertEquals(clients.size, 2);
  clock.now++;
  clients.sweep();
  assertEquals(clients.size, 1);
  while (!sessions.find(({ token }) => token === "a")!.isOver) {
    await new Promise((resolve) => setTimeout(resolve));
  }
  assertEquals(await number(clients, { ...ADA, token: "busy" }), 1);
  done.resolve();
  await using;
  clock.now += GATEWAY_IDLE_MS;
  clients.sweep();
  assertEquals(clients.size, 0);
});

Deno.test("there are only so many: the one that was idle longest makes room, and if none is idle the server is full", async () => {
  const { clients, clock } = start();
  const done = Promise.withResolvers<void>();
  const uses: Promise<void>[] = [];
  const requester = (i: number) => ({ address: `10.0.${i >> 8}.${i & 255}`, token: undefined });
  for (let i = 0; i < MAX_GATEWAY_CLIENTS; i++) {
    clock.now++;
    if (i === 7 || i === 9) await number(clients, requester(i));
    else uses.push(clients.use(requester(i), () => done.promise));
  }
  const before = await number(clients, requester(9));
  await number(clients, requester(5000)); // in place of 7
  assertEquals(await number(clients, requester(9)), before);
  uses.push(clients.use(requester(9), () => done.promise), clients.use(requester(5000), () => done.promise));
  const { code } = await assertRejects(() => number(clients, requester(7)), ParleyError);
  assertEquals([code, clients.size], ["server_full", MAX_GATEWAY_CLIENTS]);
  done.resolve();
  await Promise.all(uses);
  await clients.close();
});

Deno.test("closing closes the clients of event streams too, and no more are opened", async () => {
  const { clients, sessions } = start();
  const own = await clients.open(ADA);
  await number(clients, ADA);
  assertEquals([clients.size, sessions.length], [2, 2]);
  await clients.close();
  assertEquals(await own.closed, undefined);
  assert(sessions.every(({ isOver }) => isOver));
  assertEquals((await assertRejects(() => clients.open(ADA), ParleyError)).code, "shutting_down");
});
