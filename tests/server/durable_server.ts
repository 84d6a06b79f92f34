/**
 * A server with durable channels, for tests that may use files.
 *
 * @module
 */

import { serve } from "../../lib/server/serve.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";

/** Registers a test that needs a folder. */
export function fileTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !MAY_USE_FILES, fn });
}

/** A running server. Disposing of it closes it, and removes its store if that is a folder of its own. */
export interface DurableServer extends AsyncDisposable {
  readonly hostname: string;
  readonly port: number;
}

/** Starts a server with the durable channels `d.>` in the folder `store`, or in one of its own. */
export async function serveDurable(store?: string): Promise<DurableServer> {
  const folder = store === undefined ? makeFolder() : undefined;
  const server = await serve({
    port: 0,
    stored: [{ channels: "d.>", storage: "durable" }],
    store: store ?? `${folder!.path}/store`,
  });
  return {
    hostname: server.hostname,
    port: server.port,
    async [Symbol.asyncDispose]() {
      await server.close();
      folder?.[Symbol.dispose]();
    },
  };
}
