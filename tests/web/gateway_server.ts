/**
 * A server with HTTP for tests of the gateway, and curl for it.
 *
 * @module
 */

import { type Client, connect, serve, type ServeOptions, type Server } from "../../lib/mod.ts";
import { curl, type CurlAnswer, HAS_CURL } from "../harness/curl.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";
import { RecordedLog } from "../harness/recorded_log.ts";

/** What a test has. */
export interface Served {
  readonly server: Server;
  readonly log: RecordedLog;
  /** A client over TCP. */
  readonly client: Client;
  /** Runs `curl ARGS URL`. */
  readonly http: (path: string, ...args: string[]) => Promise<CurlAnswer>;
}

/** Registers a test that needs curl, with a server of its own, with durable channels `d.>` and history on `h.>`. */
export function gatewayTest(
  name: string,
  fn: (served: Served) => Promise<void>,
  options: ServeOptions = {},
): void {
  Deno.test({
    name,
    ignore: !HAS_CURL || !MAY_USE_FILES,
    async fn() {
      using folder = makeFolder();
      const log = new RecordedLog();
      await using server = await serve({
        web: { port: 0 },
        stored: [{ channels: "d.>", storage: "durable" }, { channels: "h.>", storage: "history" }],
        store: `${folder.path}/store`,
        log: log.log,
        ...options,
      });
      await using client = await connect({ url: server.url });
      await fn({ server, log, client, http: (path, ...args) => curl(...args, `${server.webUrl}${path}`) });
    },
  });
}

/** What a problem says. */
export function problem(
  { status, headers, body }: CurlAnswer,
): [status: number, code: string, detail: string] {
  if (headers.get("content-type") !== "application/problem+json") {
    throw new Error(`not a problem, but ${status} ${headers.get("content-type")}: ${body}`);
  }
  const { code, detail, status: told } = JSON.parse(body);
  if (told !== status) throw new Error(`the problem says ${told}, the status is ${status}`);
  return [status, code, detail];
}
