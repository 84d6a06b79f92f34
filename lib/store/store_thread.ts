/**
 * A thread of the store, as the main thread sees it: it makes calls, and each has a result.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";

/** What the thread is to do. */
export interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** What came of it: a value, or a problem. With id 0 it is a notice: the disk failed, and is tried again. */
export interface Result {
  readonly id: number;
  readonly value?: unknown;
  readonly problem?: { readonly code: ParleyError["code"]; readonly message: string };
}

/** The thread has ended, by itself or because it was told to: what became of a call is not known. */
export class ThreadEnded extends ParleyError {}

/** A call that has no result yet. */
interface Pending {
  resolve(value: unknown): void;
  reject(error: ParleyError): void;
}

/** A thread that writes or reads the database at `path`. */
export class StoreThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #failed: (problem: string) => void;
  /** A thread that waits for a failing disk to be tried again would not end otherwise, nor would the process. */
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  #lastId = 0;
  #ended: ThreadEnded | undefined;
  /** Resolves once the database is open. */
  readonly opened: Promise<unknown>;

  /**
   * @param epoch that of a database which is made now
   * @param failed is told of an error of the disk, each time that it is tried again
   */
  constructor(
    role: "write" | "read",
    path: string,
    epoch: string = "",
    failed: (problem: string) => void = () => {},
  ) {
    this.#failed = failed;
    this.#worker = new Worker(new URL("./thread.ts", import.meta.url), {
      type: "module",
      name: `store ${role}`,
    });
    this.#worker.onmessage = ({ data }: MessageEvent<Result>) => this.#settle(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end(event.message);
    };
    this.opened = this.call("open", role, path, epoch, this.#stop);
  }

  /**
   * Calls `method` with `args`, which are copied, except for shared memory.
   *
   * @throws {ThreadEnded} if the thread ended before the call had a result
   */
  call<T>(method: string, ...args: unknown[]): Promise<T> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, { resolve, reject });
    this.#worker.postMessage({ id, method, args });
    return promise as Promise<T>;
  }

  /** Ends the thread. Calls without a result fail. */
  terminate(): void {
    Atomics.store(this.#stop, 0, 1);
    Atomics.notify(this.#stop, 0);
    this.#worker.terminate();
    this.#end("the store is closed");
  }

  #settle({ id, value, problem }: Result): void {
    if (id === 0) return this.#failed(value as string);
    const pending = this.#pending.get(id)!;
    this.#pending.delete(id);
    if (problem === undefined) pending.resolve(value);
    else pending.reject(new ParleyError(problem.code, problem.message));
  }

  #end(reason: string): void {
    this.#ended = new ThreadEnded("internal", `the thread of the store has ended: ${reason}`);
    for (const { reject } of this.#pending.values()) reject(this.#ended);
    this.#pending.clear();
  }
}
