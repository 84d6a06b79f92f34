/**
 * The main module of the store's threads: one writes, one reads. The first call says which; the others are its methods.
 *
 * `deno task compile` includes this file by its path.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { STORE_TIDY_MS } from "../limits.ts";
import { Reader } from "./reader.ts";
import type { ReadRuns, SentCommit } from "./shapes.ts";
import type { Call, Result } from "./store_thread.ts";
import { Writer } from "./writer.ts";

/** The part of a worker's scope that is used here; the DOM's types of it are not loaded. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<Call>) => void;
  postMessage(message: Result, transfer: readonly ArrayBuffer[]): void;
};

scope.onmessage = ({ data }) => {
  answer(data, () => {
    const [role, path, epoch, stop] = data.args as [string, string, string, Int32Array<SharedArrayBuffer>];
    if (role === "write") serveWriter(path, epoch, stop);
    else serve(new Reader(path));
  });
};

function serveWriter(path: string, epoch: string, stop: Int32Array<SharedArrayBuffer>): void {
  const writer = new Writer(path, epoch, (problem) => scope.postMessage({ id: 0, value: problem }, []), stop);
  let timer: ReturnType<typeof setTimeout> | undefined;
  // In small steps with pauses, so that a commit never waits for more than one of them.
  const tidy = () => {
    const hasMore = [writer.tidy(), writer.lengthenLog()].includes(true);
    timer = hasMore ? setTimeout(tidy, STORE_TIDY_MS) : undefined;
    writer.checkpoint();
  };
  timer = setTimeout(tidy, STORE_TIDY_MS);
  serve(writer, ({ method, args }) => {
    if (method === "close") return clearTimeout(timer);
    if (method !== "commit") return;
    writer.checkpoint();
    if ((args[0] as SentCommit).deletedChannels.length > 0) timer ??= setTimeout(tidy, STORE_TIDY_MS);
  });
}

/** Answers calls of the methods of `served`. */
function serve(served: Writer | Reader, done: (call: Call) => void = () => {}): void {
  scope.onmessage = ({ data: call }) => {
    const method = Reflect.get(served, call.method) as (...args: readonly unknown[]) => unknown;
    answer(call, () => method.call(served, ...call.args));
    done(call);
  };
}

/** Does what a call asks for, and posts its result. */
async function answer({ id }: Call, action: () => unknown): Promise<void> {
  try {
    let value = action();
    if (value instanceof Promise) value = await value;
    scope.postMessage({ id, value }, buffersOf(value));
  } catch (error) {
    const code = error instanceof ParleyError ? error.code : "internal";
    const message = error instanceof Error ? error.message : String(error);
    scope.postMessage({ id, problem: { code, message } }, []);
  }
}

/** The buffers of what was read, which is not copied. */
function buffersOf(value: unknown): ArrayBuffer[] {
  const { bytes } = (value ?? {}) as Partial<ReadRuns>;
  return bytes instanceof Uint8Array ? [bytes.buffer] : [];
}
