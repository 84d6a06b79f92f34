import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ClientEvent, ResumedEvent } from "../../lib/client/events.ts";
import type { ConnectOptions, PresenceChange } from "../../lib/client/options.ts";
import { connect } from "../../lib/client/connect.ts";
import { ParleyError } from "../../lib/errors.ts";
import { serve } from "../../lib/server/serve.ts";
import { encodeFrame, Type } from "../../lib/wire/header.ts";
import { AwakeClock } from "../harness/awake_clock.ts";
import { playServer, WELCOME } from "./fake_server.ts";
import { next, texts } from "./messages.ts";
import { Relay } from "./relay.ts";

const SOON = { initialMs: 20, maxMs: 50 };

/** Connects, and collects the events. `until` waits for one. */
async function observed(options: ConnectOptions) {
  const events: ClientEvent[] = [];
  const waiters: (() => void)[] = [];
  const onEvent = (event: ClientEvent) => {
    events.push(event);
    for (const wake of waiters.splice(0)) wake();
  };
  const client = await connect({ reconnect: SOON, ...options, onEvent });
  const until = async <T extends ClientEvent["type"]>(type: T) => {
    while (true) {
      const found = events.findLast((event) => event.type === type);
      if (found !== undefined) return found as Extract<ClientEvent, { type: T }>;
      await new Promise<void>((resolve) => waiters.push(resolve));
    }
  };
  return { client, events, until };
}

Deno.test("after a restart of the server, subscriptions, groups, presence and responders are renewed", async () => {
  const first = await serve({ port: 0 });
  const { port } = first;
  const { client, events, until } = await observed({ port, name: "Ada" });
  let changed = Promise.withResolvers<PresenceChange>();
  const presence = (change: PresenceChange) => {
    changed.resolve(change);
    changed = Promise.withResolvers();
  };
  const chat = await client.subscribe("chat", { presence });
  const work = await client.subscribe("chat", { group: "w" });
  await using _responder = await client.respond("upper", (request) => request.text().toUpperCase());
  await first.close();
  const interrupted = await until("interrupted");
  assertEquals([interrupted.error.code, interrupted.subscriptions], ["shutting_down", ["chat"]]);
  await client.publish("chat", "kept 1");
  await client.publish("chat", "kept 2");
  await assertRejects(() => client.sendTo(5, "x"), ParleyError, "stale");
  await using server = await serve({ port });
  assertEquals((await client.request("upper", "again")).text(), "AGAIN");
  const resumed = await until("resumed") as ResumedEvent;
  assert(resumed.interruptedMs > 0 && !resumed.recovered);
  assertEquals(await texts(chat, 2), ["kept 1", "kept 2"]);
  while (chat.members.size < 2) await changed.promise; // the group has a connection of its own
  assertEquals([...chat.members.values()], ["Ada", "Ada"]);
  await client.publish("chat", "new");
  assertEquals((await next(chat)).text(), "new");
  await next(work);
  await client.flush();
  assertEquals(server.sessions, 2);
  await client.close();
  assertEquals(events[0].type, "connecting");
  assertEquals(events[1].type, "connected");
  assertEquals(events.at(-1), { type: "closed", error: undefined });
});

Deno.test("a request under way is not repeated, and what is not known to have arrived fails flush", async () => {
  await playServer(async (server) => {
    {
      using peer = await server.greet();
      await peer.open(5);
      await peer.expect(Type.MESSAGE);
      await peer.expect(Type.REQUEST);
    }
    using peer = await server.greet();
    await peer.drain();
  }, async (port) => {
    const { client, until } = await observed({ port });
    await client.publish("jobs", "lost?");
    const error = await assertRejects(() => client.request("jobs", "once"), ParleyError, "not repeated");
    assertEquals([error.code, error.fatal], ["interrupted", false]);
    assertEquals((await until("interrupted")).unconfirmed, 1);
    await until("resumed");
    await assertRejects(() => client.flush(), ParleyError, "1 message may not have reached the server");
    await client.flush();
    await client.close();
  });
});

Deno.test("what the server has confirmed in passing is not reported as lost", async () => {
  const confirmed = Promise.withResolvers<void>();
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5);
    await peer.expect(Type.MESSAGE);
    await peer.confirm();
    await peer.write(encodeFrame({ type: Type.PING, id: 7 }, new Uint8Array(0)));
    await peer.expect(Type.PONG); // so the client has read the confirmation
    confirmed.resolve();
    await peer.expect(Type.MESSAGE);
  }, async (port) => {
    const { client, until } = await observed({ port });
    await client.publish("jobs", "taken");
    await confirmed.promise;
    await client.publish("jobs", "in doubt");
    assertEquals((await until("interrupted")).unconfirmed, 1);
    await client.close().catch(() => {});
  });
});

Deno.test("a session id from before a restart reaches no other session", async () => {
  const first = await serve({ port: 0 });
  const { port } = first;
  const { client: ada, until } = await observed({ port });
  const grace = await connect({ port, reconnect: false });
  const { sessionId: gracesId } = grace;
  await first.close();
  await grace.closed;
  await using _server = await serve({ port });
  await until("resumed");
  await using another = await connect({ port });
  let isReached = false;
  (async () => {
    for await (const _message of another.inbox) isReached = true;
  })();
  await ada.sendTo(gracesId, "for Grace only");
  await assertRejects(() => ada.flush(), ParleyError, "no session");
  await another.ping();
  assertEquals(isReached, false);
  await ada.close();
});

Deno.test("unauthorized is final for a token, and each attempt asks a token function for another", async () => {
  const rejection = { code: "unauthorized", message: "expired", fatal: true };
  const tokens: unknown[] = [];
  await playServer(async (server) => {
    {
      using peer = await server.accept();
      tokens.push((await peer.expect(Type.HELLO)).json().token);
      await peer.control({ type: Type.WELCOME }, WELCOME);
      await peer.expect(Type.PING);
      await peer.control({ type: Type.ERROR }, rejection);
    }
    using peer = await server.accept();
    tokens.push((await peer.expect(Type.HELLO)).json().token);
    await peer.control({ type: Type.ERROR }, rejection);
    await peer.drain();
  }, async (port) => {
    let count = 0;
    const { client } = await observed({ port, token: () => `token-${++count}` });
    await assertRejects(() => client.ping(), ParleyError, "expired");
    assertEquals((await client.closed)?.code, "unauthorized");
    assertEquals((await assertRejects(() => client.publish("a", "x"), ParleyError)).code, "unauthorized");
  });
  assertEquals(tokens, ["token-1", "token-2"]);
});

Deno.test("a token function that fails while reconnecting is reported, and asked again", async () => {
  const first = await serve({ port: 0 });
  const { port } = first;
  let count = 0;
  const errors: ParleyError[] = [];
  const token = () => {
    if (++count === 2) throw new Error("no token today");
    return `token-${count}`;
  };
  const { client, until } = await observed({ port, token, onError: (error) => errors.push(error) });
  await first.close();
  await using _server = await serve({ port });
  await until("resumed");
  assert(count >= 3);
  assertEquals(errors.map(({ message }) => message), ["fetching a token failed: no token today"]);
  await client.close();
});

Deno.test("a message that waits for a connection fails if the client is closed before", async () => {
  const server = await serve({ port: 0 });
  const { client, until } = await observed({ port: server.port, reconnect: { ...SOON, keptBytes: 1 } });
  await server.close();
  await until("interrupted");
  const waiting = assertRejects(() => client.publish("chat", "too much"), ParleyError, "closed before");
  await client.close().catch(() => {});
  assertEquals((await waiting).code, "closed");
});

Deno.test("without reconnecting, a responder whose connection is over rejects, and so does a subscription", async () => {
  const server = await serve({ port: 0 });
  const client = await connect({ port: server.port, reconnect: false });
  const responder = await client.respond("jobs", () => {});
  const chat = await client.subscribe("chat");
  const finished = assertRejects(() => responder.finished, ParleyError);
  await server.close();
  assertEquals((await finished).code, "shutting_down");
  assertEquals((await assertRejects(() => chat.next(), ParleyError)).code, "shutting_down");
});

Deno.test("what is kept while there is no connection is bounded: then publish waits, and then it fails", async () => {
  const first = await serve({ port: 0 });
  const { port } = first;
  const { client, until } = await observed({ port, reconnect: { ...SOON, keptBytes: 4 } });
  const chat = await client.subscribe("chat");
  await first.close();
  await until("interrupted");
  await client.publish("chat", "1234");
  const waiting = client.publish("chat", "5".repeat(20));
  assertEquals(await Promise.race([waiting, Promise.resolve("waits")]), "waits");
  await assertRejects(() => client.publish("chat", "6", { timeoutMs: 1 }), ParleyError, "took longer");
  assertEquals(
    (await assertRejects(() => client.publish("chat", "7".repeat(8)), ParleyError)).code,
    "backlog_full",
  );
  await using _server = await serve({ port });
  await waiting;
  assertEquals(await texts(chat, 3), ["1234", "5".repeat(20), "6"]);
  await client.close();
});

Deno.test("publishing, requesting and coming back work on more channels than may be open at once", async () => {
  const limits = { channels: 8 };
  const first = await serve({ port: 0, limits });
  const { port } = first;
  const { client, until } = await observed({ port });
  const other = await observed({ port });
  const all = await other.client.subscribe("jobs.>");
  const names = Array.from({ length: 50 }, (_, at) => `jobs.${at}`);
  const channels = async () => {
    const received = [];
    while (received.length < names.length) received.push((await next(all)).channel);
    return received;
  };
  const received = channels();
  await Promise.all(names.map((name) => client.publish(name, "at once")));
  assertEquals(await received, names);
  await client.flush();
  const replies = await Promise.allSettled(names.map((name) => client.request(name, "anyone?")));
  assert(replies.every((reply) => reply.status === "rejected" && reply.reason.code === "no_responders"));
  await first.close();
  await Promise.all([until("interrupted"), other.until("interrupted")]);
  await Promise.all(names.map((name) => client.publish(name, "kept")));
  await using _server = await serve({ port, limits });
  await Promise.all([until("resumed"), other.until("resumed")]);
  await client.flush();
  await Promise.all([client.close(), other.client.close()]);
});

Deno.test("what is published while there is no connection can be refused, and is lost if none comes back", async () => {
  for (const keptBytes of [4, 0]) {
    const server = await serve({ port: 0 });
    const { client, until } = await observed({ port: server.port, reconnect: { ...SOON, keptBytes } });
    await server.close();
    await until("interrupted");
    if (keptBytes > 0) {
      await client.publish("chat", "1");
      await assertRejects(() => client.close(), ParleyError, "1 message not sent");
    } else {
      const error = await assertRejects(() => client.publish("chat", "1"), ParleyError);
      assertEquals(error.code, "interrupted");
      await client.close();
    }
  }
});

Deno.test("a server that drains is left for the next address at once", async () => {
  const first = await serve({ port: 0 });
  await using second = await serve({ port: 0 });
  const { client, until } = await observed({ url: [first.url, second.url] });
  const chat = await client.subscribe("chat");
  await first.close();
  await until("resumed");
  await client.publish("chat", "here");
  assertEquals([await texts(chat, 1), second.sessions], [["here"], 1]);
  await client.close();
});

Deno.test("a network that stalls is noticed within twice the heartbeat", async () => {
  await using server = await serve({ port: 0, limits: { heartbeatSeconds: 1 } });
  await using relay = new Relay(server.port);
  const { client, until } = await observed({ port: relay.port });
  relay.stall();
  using clock = new AwakeClock();
  const { error } = await until("interrupted");
  const tookMs = clock.now();
  assert(error.code === "timeout" && tookMs < 2_500, `${error.code} after ${tookMs} ms`);
  relay.resume();
  await until("resumed");
  await client.close();
});

Deno.test("200 clients whose server restarts come back spread over time", async () => {
  const first = await serve({ port: 0, limits: { connectionsPerAddress: 1000 } });
  const { port } = first;
  const times: number[] = [];
  const resumed = Promise.withResolvers<void>();
  const onEvent = (event: ClientEvent) => {
    if (event.type === "resumed" && times.push(performance.now()) === 200) resumed.resolve();
  };
  const clients = await Promise.all(Array.from({ length: 200 }, () => connect({ port, onEvent })));
  await first.close();
  // Timers that are spread evenly over the same second show how much of it this machine stalled.
  const evenly = Array.from({ length: 200 }, (_, index) => {
    return new Promise<number>((resolve) => setTimeout(() => resolve(performance.now()), 5 * index));
  });
  await using _server = await serve({ port, limits: { connectionsPerAddress: 1000 } });
  await resumed.promise;
  const spreadMs = times[180] - times[20];
  const even = await Promise.all(evenly);
  const evenMs = even[180] - even[20];
  assert(spreadMs > evenMs / 4, `the middle 160 clients came within ${spreadMs} ms, of timers ${evenMs} ms`);
  assert(times.at(-1)! - times[0] < 10_000);
  await Promise.all(clients.map((client) => client.close()));
});

Deno.test("closing during an attempt to connect ends it, and no other follows", async () => {
  const server = await serve({ port: 0 });
  let attempts = 0;
  const closing = Promise.withResolvers<void>();
  const client = await connect({
    port: server.port,
    reconnect: { initialMs: 100 },
    onEvent: ({ type }) => {
      if (type === "connecting" && ++attempts > 1) closing.resolve(client.close());
    },
  });
  await server.close();
  await closing.promise;
  assertEquals(await client.closed, undefined);
  assertEquals(attempts, 2);
});

Deno.test("closing while there is no connection ends the attempts", async () => {
  const server = await serve({ port: 0 });
  const { client, until } = await observed({ port: server.port, reconnect: { initialMs: 60_000 } });
  const chat = await client.subscribe("chat");
  await server.close();
  await until("interrupted");
  const loop = chat.next();
  await client.close();
  assertEquals((await loop).done, true);
  assertEquals(await client.closed, undefined);
});
