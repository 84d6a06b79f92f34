/**
 * The main module of the store's threads: one writes, one reads. The first call says which; the others are its methods.
 *
 * `deno task compile` includes this file by its path.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { Reader } from "./reader.ts";
import type { Call, Result } from "./store_thread.ts";
import { Writer } from "./writer.ts";

/** The part of a worker's scope that is used here; the DOM's types of it are not loaded. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<Call>) => void;
  postMessage(message: Result): void;
};

scope.onmessage = ({ data }) => {
  answer(data, () => {
    const [role, path, epoch] = data.args as [string, string, string];
    const failed = (problem: string) => scope.postMessage({ id: 0, value: problem });
    const database = role === "write" ? new Writer(path, epoch, failed) : new Reader(path);
    scope.onmessage = ({ data: call }) => {
      const method = Reflect.get(database, call.method) as (...args: readonly unknown[]) => unknown;
      answer(call, () => method.call(database, ...call.args));
      if (database instanceof Writer && call.method === "commit") database.checkpoint();
    };
  });
};

/** Does what a call asks for, and posts its result. */
function answer({ id }: Call, action: () => unknown): void {
  try {
    scope.postMessage({ id, value: action() });
  } catch (error) {
    const code = error instanceof ParleyError ? error.code : "internal";
    scope.postMessage({
      id,
      problem: { code, message: error instanceof Error ? error.message : String(error) },
    });
  }
}
