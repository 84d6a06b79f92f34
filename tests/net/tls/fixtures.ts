/**
 * Shared by the TLS tests: certificates made at load, and a listener whose events can be awaited.
 *
 * @module
 */

import {
  type KeyPair,
  makeAuthority,
  makeServerCertificate,
} from "../../../lib/certificates/certificates.ts";
import type { Socket } from "../../../lib/net/socket.ts";
import { dialTls } from "../../../lib/net/tls/dial.ts";
import type { TlsImplementation } from "../../../lib/net/tls/acceptor.ts";
import { canServeDirectly, directAcceptor } from "../../../lib/net/tls/implementation.ts";
import { type TlsIdentity, TlsListener } from "../../../lib/net/tls/listener.ts";
import { relayAcceptor } from "../../../lib/net/tls/relay.ts";
import { clientHello as recordClientHello } from "../../harness/client_hello.ts";
import { DEADLINE_MS, within } from "../../harness/deadline.ts";

const DAY_MS = 86_400_000;
const nowMs = Date.now(); // TLS asks the real clock

/** The CA that clients trust. */
export const authority: KeyPair = await makeAuthority(nowMs - 1000 * DAY_MS);
/** A CA that clients do not trust unless told to. */
export const otherAuthority: KeyPair = await makeAuthority(nowMs);

/** A server's certificate signed by `signer` `daysAgo`, valid for 90 days from then. */
export async function identity(
  { signer = authority, hosts = ["localhost", "127.0.0.1"], daysAgo = 0 } = {},
): Promise<TlsIdentity> {
  const made = await makeServerCertificate(signer, { hosts, nowMs: nowMs - daysAgo * DAY_MS });
  return { cert: made.certificate, key: made.key };
}

/** The certificate of most tests. */
export const good: TlsIdentity = await identity();

/** Items that can be awaited one by one. */
export class Queue<T> {
  readonly #items: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  add(item: T): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#items.push(item);
    else waiting(item);
  }

  next(what: string): Promise<T> {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift()!);
    return within(new Promise<T>((resolve) => this.#waiting.push(resolve)), what);
  }
}

/** The implementations of TLS that this runtime has. */
const implementations: ReadonlyMap<string, TlsImplementation> = new Map([
  ["relay", relayAcceptor],
  ...(canServeDirectly() ? [["direct", directAcceptor] as const] : []),
]);

/** The options of {@linkcode Served}, without the implementation. */
export type ServeOptions = Omit<NonNullable<ConstructorParameters<typeof Served>[0]>, "implementation">;

/** Registers a test for each implementation. `serve` makes a listener of that one. */
export function tlsTest(
  options: string | { name: string; ignore?: boolean; only?: "relay" | "direct" },
  test: (serve: (options?: ServeOptions) => Served, implementation: string) => Promise<void>,
): void {
  const { name, ignore, only } = typeof options === "string" ? { name: options } : options;
  for (const [title, implementation] of implementations) {
    if (only !== undefined && only !== title) continue;
    const serve = (options?: ServeOptions) => new Served({ ...options, implementation });
    Deno.test({ name: `${title}: ${name}`, ignore, fn: () => test(serve, title) });
  }
}

/** A listener and its events. Disposing of it waits until all of its connections have ended. */
export class Served implements AsyncDisposable {
  readonly listener: TlsListener;
  readonly #accepted = new Queue<Socket>();
  readonly #refused = new Queue<string>();
  readonly #open: Socket[] = [];

  constructor(
    { implementation, served = good, handshakeMs = DEADLINE_MS, arrived }: {
      implementation?: TlsImplementation;
      served?: TlsIdentity;
      handshakeMs?: number;
      arrived?: (address: string) => boolean;
    } = {},
  ) {
    this.listener = new TlsListener(
      "127.0.0.1",
      0,
      served,
      handshakeMs,
      {
        arrived,
        accepted: ({ socket }) => {
          this.#open.push(socket);
          this.#accepted.add(socket);
        },
        refused: (address, reason) => this.#refused.add(`${address}: ${reason}`),
        acceptFailed: (error) => {
          throw error;
        },
      },
      undefined,
      implementation,
    );
  }

  get target(): { hostname: string; port: number } {
    return { hostname: "127.0.0.1", port: this.listener.address.port };
  }

  accepted(): Promise<Socket> {
    return this.#accepted.next("accepted connection");
  }

  /** `address: reason`. */
  refused(): Promise<string> {
    return this.#refused.next("refused connection");
  }

  /** Both ends of a new connection. */
  async pair(caCerts: string[] = [authority.certificate]): Promise<{ client: Socket; server: Socket }> {
    const client = await dialTls(this.target, { caCerts, withinMs: DEADLINE_MS });
    return { client, server: await this.accepted() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.close();
    this.listener.close();
    await within(this.listener.closed, "end of the listener");
  }
}

/** The ClientHello of Deno's TLS client. */
export const clientHello: Uint8Array = await recordClientHello();

/** Reads until the end of the stream. A reset counts as the end. */
export async function readAll(socket: Pick<Socket, "read">): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  try {
    for (;;) {
      const bytes = new Uint8Array(64 * 1024);
      const count = await within(socket.read(bytes), "end of the stream");
      if (count === null) break;
      chunks.push(bytes.subarray(0, count));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Writes all of `bytes`. */
export async function writeAll(socket: Pick<Socket, "write">, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}

/** A write counts as stuck after this time. There is no event for a write that does not settle. */
const STUCK_MS = 300;

/** Writes until a write is stuck. Returns how many bytes were accepted before, and that write. */
export async function writeUntilStuck(
  socket: Pick<Socket, "write">,
): Promise<{ taken: number; stuck: Promise<number> }> {
  const chunk = new Uint8Array(256 * 1024);
  let taken = 0;
  for (;;) {
    const writing = socket.write(chunk);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) => timer = setTimeout(() => resolve(undefined), STUCK_MS));
    const count = await Promise.race([writing, late]);
    clearTimeout(timer);
    if (count === undefined) return { taken, stuck: writing };
    taken += count;
  }
}
