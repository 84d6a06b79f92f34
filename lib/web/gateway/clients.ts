/**
 * The clients by which HTTP requests reach this server's own broker: one for each address and token, used by all of its
 * requests, and closed when it has not been used for a while. So everything that the broker checks, limits and refuses
 * is what it is for any other session.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { delay } from "@std/async";
import type { ReconnectingClient } from "../../client/client.ts";
import { connectOver } from "../../client/connect.ts";
import { ParleyError } from "../../errors.ts";
import { GATEWAY_CLIENT_BYTES, GATEWAY_IDLE_MS, MAX_GATEWAY_CLIENTS } from "../../limits.ts";
import type { Socket } from "../../net/socket.ts";

/** Who sends a request. */
export interface Requester {
  /** The address that it comes from. */
  readonly address: string;
  /** Its bearer token, if it has one. */
  readonly token: string | undefined;
}

/** A client that requests share. */
interface Shared {
  readonly client: Promise<ReconnectingClient>;
  /** How many requests use it. */
  uses: number;
  /** When the last of them ended. */
  usedAt: number;
  /** Whether it is known to be over. */
  isOver: boolean;
}

/** See the module's comment. */
export class Clients {
  readonly #dial: (address: string) => Socket;
  readonly #now: () => number;
  /** By address and a digest of the token: the map holds no secret. */
  readonly #shared = new Map<string, Shared>();
  readonly #own = new Set<ReconnectingClient>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;

  /**
   * @param dial gives the server a connection that comes from an address, and returns the other end of it
   * @param now a clock in milliseconds that never goes back
   */
  constructor(dial: (address: string) => Socket, now: () => number) {
    this.#dial = dial;
    this.#now = now;
  }

  /** How many clients there are. */
  get size(): number {
    return this.#shared.size + this.#own.size;
  }

  /**
   * Does something with the requester's shared client.
   *
   * @throws {ParleyError} `unauthorized`, `server_full`, or whatever else the server refuses the client with
   */
  async use<T>(requester: Requester, act: (client: ReconnectingClient) => Promise<T>): Promise<T> {
    const shared = this.#find(requester);
    shared.uses++;
    try {
      return await act(await shared.client);
    } finally {
      shared.uses--;
      shared.usedAt = this.#now();
    }
  }

  /** A client of the requester's own, to be closed by the caller. */
  async open(requester: Requester): Promise<ReconnectingClient> {
    const client = await this.#connect(requester);
    this.#own.add(client);
    client.closed.then(() => this.#own.delete(client));
    return client;
  }

  /** Closes all. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    const shared = [...this.#shared.values()].map(({ client }) => client.then((client) => client.close()));
    await Promise.allSettled([...shared, ...[...this.#own].map((client) => client.close())]);
  }

  #find(requester: Requester): Shared {
    const key = keyOf(requester);
    const known = this.#shared.get(key);
    if (known !== undefined && !known.isOver) return known;
    if (known === undefined && this.#shared.size >= MAX_GATEWAY_CLIENTS) this.#makeRoom();
    const shared: Shared = { client: this.#connect(requester), uses: 0, usedAt: this.#now(), isOver: false };
    const over = () => {
      shared.isOver = true;
      if (this.#shared.get(key) === shared) this.#shared.delete(key);
    };
    shared.client.then((client) => client.closed.then(over), over);
    this.#shared.set(key, shared);
    this.#timer ??= setInterval(() => this.sweep(), GATEWAY_IDLE_MS / 4);
    return shared;
  }

  async #connect({ address, token }: Requester): Promise<ReconnectingClient> {
    if (this.#isClosed) throw shuttingDown();
    const client = await connectOver(() => this.#dial(address), {
      name: token === undefined ? "http" : undefined,
      token,
      reconnect: false,
      pendingBytes: GATEWAY_CLIENT_BYTES,
      onError: () => {}, // of a message that had its answer before the server refused it
    });
    await delay(0); // sessions have a turn: the first client of a server takes milliseconds to make
    if (!this.#isClosed) return client;
    await client.close();
    throw shuttingDown();
  }

  #makeRoom(): void {
    let oldest: [key: string, shared: Shared] | undefined;
    for (const entry of this.#shared) {
      if (entry[1].uses === 0 && (oldest === undefined || entry[1].usedAt < oldest[1].usedAt)) oldest = entry;
    }
    if (oldest === undefined) {
      const text = `${MAX_GATEWAY_CLIENTS} addresses and tokens use HTTP at once, the limit; try again later`;
      throw new ParleyError("server_full", text);
    }
    this.#drop(...oldest);
  }

  /** Closes those that nothing has used for a while. It calls itself. */
  sweep(): void {
    const now = this.#now();
    for (const [key, shared] of this.#shared) {
      if (shared.uses === 0 && now - shared.usedAt >= GATEWAY_IDLE_MS) this.#drop(key, shared);
    }
    if (this.#shared.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #drop(key: string, shared: Shared): void {
    this.#shared.delete(key);
    shared.client.then((client) => client.close("idle")).catch(() => {}); // it has ended by itself
  }
}

function shuttingDown(): ParleyError {
  return new ParleyError("shutting_down", "this server is shutting down; try again later");
}

function keyOf({ address, token }: Requester): string {
  return token === undefined ? address : `${address} ${createHash("sha256").update(token).digest("base64")}`;
}
