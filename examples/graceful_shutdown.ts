/**
 * A program that ends in order: at Ctrl-C or SIGTERM it takes no more requests, finishes those it has, sends what it has
 * published, and says goodbye. Nothing that it accepted is lost.
 *
 * `deno run --allow-net --allow-env examples/graceful_shutdown.ts`, `parley request reports.make march`, then Ctrl-C
 * while it works.
 *
 * @module
 */

import { connect } from "@parley/parley";

const WORK_MS = 500;
/** How long requests that are being handled may take at the end. */
const STOP_MS = 10_000;

const client = await connect({ url: Deno.env.get("PARLEY_URL") });
const responder = await client.respond("reports.make", async (request) => {
  console.log(`making ${request.text()}`);
  await work(request.signal);
  await client.publish("reports.made", request.text());
  return `report of ${request.text()}`;
});
console.log("answering on reports.make");

const signals = ["SIGINT", "SIGTERM"] as const;
const asked = new Promise<string>((resolve) => {
  for (const signal of signals) Deno.addSignalListener(signal, () => resolve(signal));
});
// Also ends if the connection is over for good.
const reason = await Promise.race([asked, responder.finished]);
console.log(`${reason}: finishing`);
await responder.stop({ timeoutMs: STOP_MS }); // the server sends new requests to other responders
await client.close(); // fails if something published is not known to have reached the server
console.log("done");
Deno.exit(); // the signal listeners would keep the program alive

/** Work that takes a while. It is given up if no reply can be sent any more. */
function work(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, WORK_MS);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
