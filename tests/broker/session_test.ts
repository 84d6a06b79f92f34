import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Transport } from "../../lib/broker/peer.ts";
import { Router } from "../../lib/broker/router.ts";
import { Echo } from "../../lib/broker/echo.ts";
import { Session } from "../../lib/broker/session.ts";
import { DEFAULT_LIMITS } from "../../lib/limits.ts";
import { encodeControl, PROTOCOL } from "../../lib/wire/control.ts";
import { encodeFrame, Type } from "../../lib/wire/header.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { FakePeer } from "./fake_peer.ts";

/** A session whose connection is the test. */
class Bench implements Disposable {
  readonly log = new RecordedLog();
  readonly outbox = new FakePeer(0);
  /** What was asked of the connection. */
  readonly responder: string[] = [];
  readonly session: Session;

  constructor(heartbeatSeconds = 30) {
    const limits = { ...DEFAULT_LIMITS, heartbeatSeconds };
    let uuids = 0;
    const context = {
      router: new Router(limits, () => 0),
      limits,
      server: { name: "parley", version: "0" },
      nextNumber: () => 17,
      uuid: () => `uuid-${++uuids}`,
      log: this.log.log,
      authenticator: undefined,
      echo: new Echo(),
      now: () => performance.now(),
    };
    const transport: Transport = {
      outbox: this.outbox,
      pause: () => this.responder.push("pause"),
      resume: () => this.responder.push("resume"),
      finish: (reason) => {
        this.responder.push(`finish ${reason}`);
        this.session.ended(reason);
      },
    };
    this.session = new Session(
      context,
      transport,
      { address: "192.0.2.1", port: 4711 },
      () => this.responder.push("forget"),
    );
  }

  /** Gives the session a frame; whether it took it. */
  give(frame: Uint8Array): boolean {
    return this.session.receive(frame, frame.length) === frame.length;
  }

  greet(): this {
    assert(this.give(encodeControl({ type: Type.HELLO }, { protocol: PROTOCOL })));
    this.outbox.sent.length = 0;
    return this;
  }

  /** Lets `seconds` pass. */
  tick(seconds: number): void {
    for (let i = 0; i < seconds; i++) this.session.tick();
  }

  [Symbol.dispose](): void {
    this.session.ended("reset"); // there is a timer while it is not greeted
  }
}

const PONG = encodeFrame({ type: Type.PONG, sender: 17 });

Deno.test("a bug of ours is told as internal with a reference; what it was is for the log alone", () => {
  using bench = new Bench().greet();
  bench.session.failed(new Error("a secret of the server's"));
  const error = JSON.parse(bench.outbox.sent[0]);
  assertEquals([error.code, error.fatal], ["internal", true]);
  assertMatch(error.message, /uuid-2/);
  assert(!error.message.includes("secret"));
  assertEquals(bench.responder, ["finish internal", "forget"]);
  const [line] = bench.log.all("internal error");
  assertEquals([line.level, line.reference, line.session], ["error", "uuid-2", "uuid-1"]);
  assertMatch(`${line.error}`, /secret/);
});

Deno.test("whoever was heard of within a heartbeat is neither asked nor closed", () => {
  using bench = new Bench(10).greet();
  for (let i = 0; i < 10; i++) {
    bench.tick(10);
    bench.give(PONG);
  }
  assertEquals([bench.outbox.sent, bench.responder], [[], []]);
});

Deno.test("silence is asked about once, and ends the session when it has lasted two heartbeats", () => {
  using bench = new Bench(10).greet();
  bench.tick(11);
  assertEquals(bench.outbox.sent, [""]);
  bench.tick(9);
  assertEquals([bench.outbox.sent, bench.responder], [[""], []]);
  bench.tick(1);
  assertEquals(bench.responder, ["finish timeout", "forget"]);
  bench.tick(50);
  assertEquals([bench.outbox.sent.length, bench.responder.length], [2, 2]);
});

Deno.test("the time a session is held back for does not count as silence", () => {
  using bench = new Bench(10).greet();
  bench.outbox.room = 0;
  assert(!bench.give(encodeFrame({ type: Type.PING, sender: 17 })), "its PONG has no room");
  assertEquals(bench.responder, ["pause"]);
  bench.tick(100);
  assertEquals(bench.responder, ["pause"]);
  bench.outbox.room = Infinity;
  for (const waiter of bench.outbox.waiters) waiter();
  assertEquals(bench.responder, ["pause", "resume"]);
  bench.tick(21);
  assertEquals(bench.responder.slice(2), ["finish timeout", "forget"]);
});

Deno.test("a session ends once, whatever is said of it afterwards", () => {
  using bench = new Bench().greet();
  bench.session.ended("eof");
  bench.session.ended("reset");
  bench.session.onSlowConsumer();
  bench.session.shutDown();
  bench.session.failed(new Error("late"));
  assertEquals([bench.responder, bench.outbox.sent], [["forget"], []]);
  assertEquals(bench.log.all("closed").map(({ reason }) => reason), ["eof"]);
});
