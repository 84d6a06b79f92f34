/**
 * What a scrape of `/metrics` costs a server with many sessions: its time, and what others notice of it.
 */

import { assert } from "@std/assert";
import { type Header, Type } from "../../lib/wire/header.ts";
import { LoadFreeClock } from "../harness/load_free_clock.ts";
import { MAY_INSPECT } from "../harness/permissions.ts";
import { RawClient } from "../harness/raw_client.ts";
import { ServerProcess } from "../harness/server_process.ts";
import { sized } from "../hostile/size.ts";

/** Each of them has a channel of its own open. */
const SESSIONS = sized(2_000, 9_900);
const SCRAPES = 15;
const SCRAPE_MS = 50;
const PAUSE_MS = 10;

Deno.test({
  name:
    `with ${SESSIONS} sessions, a scrape takes under ${SCRAPE_MS} ms, and nobody waits over ${PAUSE_MS} ms for it`,
  ignore: !MAY_INSPECT,
  fn: async () => {
    const limits = ["--max-connections", "20000", "--max-connections-per-address", "20000"];
    await using server = await ServerProcess.start({ args: ["--web", "127.0.0.1:0", ...limits] });
    const { url } = await server.log.until("web");
    using stack = new DisposableStack();
    for (let at = 0; at < SESSIONS; at += 100) {
      await Promise.all(Array.from({ length: 100 }, async (_, index) => {
        const client = stack.use(await RawClient.greet(server));
        await client.open(`busy.${at + index}`);
      }));
    }
    await (await fetch(`${url}/health/live`)).text(); // the first request of this process takes longer
    using clock = new LoadFreeClock(server.pid);
    const pinger = stack.use(await RawClient.greet(server));
    const times: number[] = [];
    const pauses: number[] = [];
    for (let at = 0; at < SCRAPES; at++) {
      let isUnderWay = true;
      const start = clock.now();
      const scrape = fetch(`${url}/metrics`).then(async (response) => {
        const text = await response.text();
        times.push(clock.now() - start);
        isUnderWay = false;
        assert(text.includes(`\nparley_sessions ${SESSIONS + 2}\n`), text);
      });
      let longest = 0;
      while (isUnderWay) longest = Math.max(longest, await roundTrip(pinger, clock));
      pauses.push(longest);
      await scrape;
    }
    const said = `${SESSIONS} sessions: scrapes of ${list(times)} ms, pauses of ${list(pauses)} ms`;
    // The first ones load and compile what the others use.
    assert(median(times.slice(3)) < SCRAPE_MS, said);
    assert(median(pauses.slice(3)) < PAUSE_MS, said);
  },
});

/** How long a PING takes to be answered. */
async function roundTrip(client: RawClient, clock: LoadFreeClock): Promise<number> {
  const start = clock.now();
  const header: Partial<Header> = { id: 1 };
  await client.send(client.frame(Type.PING, header));
  await client.expect(Type.PONG);
  return clock.now() - start;
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];
}

function list(values: readonly number[]): string {
  return values.map((ms) => ms.toFixed(1)).join(", ");
}
