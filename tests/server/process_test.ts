/**
 * `server.ts` as a process of its own: signals, and running out of descriptors.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { RawClient, text, within } from "../raw_client.ts";
import { RecordedLog } from "./recorded_log.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Whether processes may be started and looked at; signals and /proc are as Linux has them. */
const MAY_RUN = Deno.build.os === "linux" &&
  Deno.permissions.querySync({ name: "run" }).state === "granted" &&
  Deno.permissions.querySync({ name: "read" }).state === "granted";

/** A running `server.ts`. */
class ServerProcess implements AsyncDisposable {
  readonly hostname = "127.0.0.1";
  port = 0;
  /** What it logs. */
  readonly log = new RecordedLog();
  readonly status: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #logging: Promise<void>;
  /** Rejects when the process has ended, with what it said: of interest only where it was to start. */
  readonly #endedEarly: Promise<never>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.status = child.status;
    this.#logging = this.log.follow(child.stderr);
    this.#endedEarly = this.#logging.then(() => {
      throw new Error(
        `the server ended; it said:\n${this.log.lines.map(({ message }) => message).join("\n")}`,
      );
    });
    this.#endedEarly.catch(() => {}); // later on it is meant to end
  }

  /** Starts a server that may have at most `descriptors`, or as many as this process. */
  static async start(descriptors?: number): Promise<ServerProcess> {
    const limit = descriptors === undefined ? "" : `ulimit -n ${descriptors};`;
    const script = `${limit} exec "$0" run -A server.ts --port 0 --log-format json`;
    const args = ["-c", script, Deno.execPath()];
    const command = new Deno.Command("sh", { args, cwd: ROOT, stdout: "null", stderr: "piped" });
    const server = new ServerProcess(command.spawn());
    try {
      const { port } = await Promise.race([server.log.until("listening"), server.#endedEarly]);
      server.port = Number(port);
      using _client = await RawClient.greet(server); // it listens to signals by now
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** How many descriptors the process has open. */
  descriptors(): number {
    return [...Deno.readDirSync(`/proc/${this.#child.pid}/fd`)].length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#logging;
    await this.status;
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name: `${signal} drains the server: everybody gets a BYE, and it exits with 0`,
    ignore: !MAY_RUN,
    fn: async () => {
      await using server = await ServerProcess.start();
      using ada = await RawClient.greet(server);
      server.kill(signal);
      assertEquals(text(await ada.expect(Type.BYE)), '{"reason":"shutting_down"}');
      await ada.end();
      ada.close();
      assertEquals((await within(server.status, "end of the server")).code, 0);
    },
  });
}

Deno.test({
  name: "a second signal ends the server at once",
  ignore: !MAY_RUN,
  fn: async () => {
    await using server = await ServerProcess.start();
    using slow = await RawClient.greet(server);
    const { number } = await slow.open("chat");
    for (let i = 0; i < 14; i++) await slow.send(slow.message(number, new Uint8Array(1024 * 1024)));
    server.kill("SIGTERM");
    await server.log.until("draining");
    const start = performance.now();
    server.kill("SIGINT");
    const { code } = await within(server.status, "end of the server");
    assertEquals(code, 1);
    assert(performance.now() - start < 3000, "the drain time is 5 s");
  },
});

Deno.test({
  name: "a server out of descriptors says so, serves who is there, and takes new clients once some are free",
  ignore: !MAY_RUN,
  fn: async () => {
    await using server = await ServerProcess.start(100);
    using control = await RawClient.greet(server);
    const strangers: RawClient[] = [];
    try {
      for (let i = 0; i < 100; i++) strangers.push(await RawClient.connect(server));
      const line = await server.log.until("cannot accept connections; trying again");
      assertEquals(line.level, "error");
      assertEquals(await control.barrier(), []);
    } finally {
      for (const stranger of strangers) stranger.close();
    }
    using late = await RawClient.greet(server);
    assertEquals(await late.barrier(), []);
    assertEquals(await control.barrier(), []);
  },
});

Deno.test({
  name: "hundreds of garbage connections leave no descriptors behind",
  ignore: !MAY_RUN,
  fn: async () => {
    await using server = await ServerProcess.start();
    using control = await RawClient.greet(server);
    const before = server.descriptors();
    const garbage = ["", "\x16\x03\x01\x02", "GET / HTTP/1.1\r\nHost: parley\r\n\r\n", "\0".repeat(5000)];
    for (let i = 0; i < 300; i++) {
      using stranger = await RawClient.connect(server);
      if (i % 3 === 0) await stranger.hello();
      await stranger.send(new TextEncoder().encode(garbage[i % garbage.length]));
      if (i % 5 === 0) await stranger.closeWrite();
    }
    assertEquals(await control.barrier(), []);
    // Each is gone at the latest when its lingering is over.
    const deadline = performance.now() + 15_000;
    while (server.descriptors() > before && performance.now() < deadline) await control.barrier();
    assertEquals(server.descriptors(), before);
  },
});
