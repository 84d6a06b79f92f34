/**
 * One side of a measurement, in a thread of its own: two sides in one thread would be half as fast.
 *
 * `deno task compile` includes this file by its path.
 *
 * @module
 */

import { ParleyError } from "../../../errors.ts";
import type { Answer, Order } from "./plan.ts";
import { publishingSide } from "./publishing.ts";
import { requestingSide } from "./requesting.ts";
import type { RunningSide } from "./side.ts";

/** How often the main thread is told how far this one is, in milliseconds. */
const PROGRESS_MS = 100;

/** The part of a worker's scope that is used here; the DOM's types of it are not loaded. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(message: Answer): void;
};

scope.onmessage = ({ data: order }) => {
  if (order.type !== "open") return;
  const open = order.plan.workload === "request" ? requestingSide : publishingSide;
  open(order, fail).then((side) => {
    scope.onmessage = ({ data }) => obey(side, data);
    scope.postMessage({ type: "ready", storage: side.storage });
  }).catch(fail);
};

// What fails while many messages are sent at once fails as often; one report is enough.
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail(event.reason);
});

function obey(side: RunningSide, { type }: Order): void {
  switch (type) {
    case "start":
      setInterval(() => scope.postMessage({ type: "progress", messages: side.messages }), PROGRESS_MS);
      return side.start();
    case "count":
      return side.count();
    case "stop":
      scope.postMessage({ type: "stopped", counts: side.stop() });
  }
}

function fail(error: unknown): void {
  const code = error instanceof ParleyError ? error.code : "internal";
  scope.postMessage({
    type: "failed",
    code,
    message: error instanceof Error ? error.message : String(error),
  });
}
