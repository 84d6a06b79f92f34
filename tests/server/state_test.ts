/** A state folder that cannot be locked or written: the server goes on, and it stops in time. */

import { assert, assertEquals } from "@std/assert";
import { connect, serve } from "../../lib/mod.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { openTokenDesk } from "../harness/token_desk.ts";
import { ADA } from "../auth/fixtures.ts";

/** A server whose state folder has one token, with the folder prepared by `prepare` before it starts. */
async function serveState(prepare: (path: string) => Disposable | void) {
  const folder = makeFolder();
  const { token } = await openTokenDesk(folder.path).tokens.issue(ADA);
  const prepared = prepare(folder.path);
  const log = new RecordedLog();
  const server = await serve({ auth: true, state: folder.path, limits: { drainMs: 500 }, log: log.log });
  const close = async () => {
    await server.close();
    prepared?.[Symbol.dispose]();
    folder[Symbol.dispose]();
  };
  return { server, log, token, [Symbol.asyncDispose]: close };
}

Deno.test({
  name:
    "closing gives up on a lock that another process holds, within the drain time, and says what is not written",
  ignore: !MAY_USE_FILES,
  async fn() {
    await using served = await serveState((path) => {
      const file = Deno.openSync(`${path}/.lock`, { write: true });
      file.lockSync(true);
      return file;
    });
    await using client = await connect({ url: served.server.url, token: served.token });
    await client.ping();
    await served.server.reload(); // begins to write the use of the token, and waits for the lock
    const start = performance.now();
    await served.server.close();
    assert(performance.now() - start < 3000);
    const [{ level, tokens, reason }] = served.log.all("the last uses of tokens were not written");
    assertEquals([level, tokens], ["warn", 1]);
    assert(`${reason}`.includes("another process holds the lock"), `${reason}`);
    assertEquals(served.log.lines.at(-1)!.message, "stopped");
  },
});

Deno.test({
  name:
    "a server whose state folder cannot be written starts, accepts tokens, and warns once without a stack",
  ignore: !MAY_USE_FILES,
  async fn() {
    await using served = await serveState((path) => {
      Deno.removeSync(`${path}/.lock`);
      Deno.mkdirSync(`${path}/.lock`); // even root cannot write this
    });
    await using client = await connect({ url: served.server.url, token: served.token });
    await client.ping();
    await served.server.reload();
    const line = await served.log.until("cannot record when tokens are used; the server goes on");
    assertEquals([line.level, line.error], ["warn", undefined]);
    assert(`${line.reason}`.includes("cannot write"), `${line.reason}`);
    await client.ping();
    assertEquals(served.log.lines.filter(({ level }) => level === "error"), []);
  },
});
