/**
 * A relay between a client and a server, which can stop passing bytes.
 *
 * @module
 */

/** Passes bytes between each connection and the server at `port`. */
export class Relay implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly port = this.#listener.addr.port;
  readonly #target: number;
  readonly #conns = new Set<Deno.Conn>();
  readonly #work: Promise<void>[] = [];
  #passing = Promise.resolve();
  #resume: () => void = () => {};

  constructor(target: number) {
    this.#target = target;
    this.#work.push(this.#accept());
  }

  /** Passes nothing until `resume`, and closes nothing. */
  stall(): void {
    this.#passing = new Promise((resolve) => this.#resume = resolve);
  }

  /** Breaks all connections, and passes nothing until `resume`. */
  cut(): void {
    this.stall();
    for (const conn of [...this.#conns]) this.#close(conn);
  }

  /** Passes bytes again. */
  resume(): void {
    this.#resume();
    this.#passing = Promise.resolve();
  }

  async #accept(): Promise<void> {
    for await (const inner of this.#listener) {
      const outer = await Deno.connect({ hostname: "127.0.0.1", port: this.#target }).catch(() => undefined);
      if (outer === undefined) { // the server is being started again
        inner.close();
        continue;
      }
      this.#conns.add(inner).add(outer);
      this.#work.push(this.#pass(inner, outer), this.#pass(outer, inner));
    }
  }

  async #pass(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    const chunk = new Uint8Array(65_536);
    try {
      for (let count; (count = await from.read(chunk)) !== null;) {
        await this.#passing;
        for (let at = 0; at < count;) at += await to.write(chunk.subarray(at, count));
      }
    } catch {
      // One of the two has closed.
    }
    this.#close(from);
    this.#close(to);
  }

  #close(conn: Deno.Conn): void {
    if (!this.#conns.delete(conn)) return;
    try {
      conn.close();
    } catch {
      // Closed already.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resume();
    this.#listener.close();
    for (const conn of [...this.#conns]) this.#close(conn);
    await Promise.all(this.#work);
  }
}
