/**
 * Starts servers with HTTP and HTTPS for tests.
 *
 * @module
 */

import { serve, type ServeOptions, type Server } from "../../lib/mod.ts";
import { curl, type CurlAnswer } from "../harness/curl.ts";
import { makeFolder } from "../harness/folder.ts";
import { isGranted, MAY_USE_FILES } from "../harness/permissions.ts";
import { RecordedLog } from "../harness/recorded_log.ts";

/** `ws` looks at two variables of the environment, so a server with HTTP may need more than the network. */
export const MAY_SERVE_WEB: boolean = isGranted("env");

/** A server, and how to reach it. */
export interface Served {
  readonly server: Server;
  /** `http://127.0.0.1:PORT`, or with `https:`. */
  readonly url: string;
  readonly log: RecordedLog;
  /** The authority to trust, if it is HTTPS. */
  readonly ca: string | undefined;
  /** The folder of tokens, with `auth`. */
  readonly state: string;
  /** Runs curl on a path. */
  curl(path: string, ...args: string[]): Promise<CurlAnswer>;
}

/** Registers a test over HTTP and one over HTTPS, each with a server of its own. */
export function webTest(
  name: string,
  fn: (served: Served) => Promise<void>,
  { ignore = false, ...options }: ServeOptions & { ignore?: boolean } = {},
): void {
  for (const tls of [false, true]) {
    Deno.test({
      name: `${tls ? "HTTPS" : "HTTP"}: ${name}`,
      ignore: ignore || !MAY_SERVE_WEB || (tls && !MAY_USE_FILES),
      async fn() {
        using folder = tls || options.auth ? makeFolder() : undefined;
        const log = new RecordedLog();
        await using server = await serve({
          web: { port: 0 },
          tls,
          certs: `${folder?.path}/certs`,
          state: `${folder?.path}/state`,
          log: log.log,
          ...options,
        });
        const url = server.webUrl!;
        const trust = tls ? ["--cacert", `${folder!.path}/certs/ca.pem`] : [];
        const run = (path: string, ...args: string[]) => curl(...trust, ...args, `${url}${path}`);
        await fn({ server, url, log, ca: server.authority, state: `${folder?.path}/state`, curl: run });
      },
    });
  }
}
