/**
 * The two transports that attacks use, and what they need: a certificate for all tests, and raw clients over either.
 *
 * @module
 */

import { ensureCertificate, type ServerCertificate } from "../../lib/certificates/folder.ts";
import { MemoryStorage } from "../../lib/state/storage.ts";
import { HEADER_BYTES } from "../../lib/limits.ts";
import { type Header, readHeader, u32 } from "../../lib/wire/header.ts";
import { within } from "../harness/deadline.ts";
import { RawClient } from "../harness/raw_client.ts";

/** Where a server listens, and the authority that its clients trust. */
export interface Target {
  readonly hostname: string;
  readonly port: number;
  readonly authority?: string;
}

/** How clients connect to a server. */
export interface Transport {
  readonly name: "TCP" | "TLS";
  readonly isTls: boolean;
  /** Connects, TLS handshake included, and sends nothing. */
  connect(target: Target): Promise<RawClient>;
}

export const TCP: Transport = {
  name: "TCP",
  isTls: false,
  connect: async ({ hostname, port }) => {
    const tcp = await Deno.connect({ hostname, port });
    tcp.setNoDelay(true);
    return remembered(new RawClient(tcp), tcp);
  },
};
export const TLS: Transport = {
  name: "TLS",
  isTls: true,
  connect: async (target) => {
    const tcp = await Deno.connect({ hostname: target.hostname, port: target.port });
    tcp.setNoDelay(true);
    return await overTls(tcp, target);
  },
};

/** Both, for attacks whose outcome depends on the transport. */
export const BOTH: readonly Transport[] = [TCP, TLS];

/** A raw client that speaks TLS over `tcp`. */
export async function overTls(tcp: Deno.TcpConn, { hostname, authority }: Target): Promise<RawClient> {
  const tls = await Deno.startTls(tcp, { hostname, caCerts: [authority!] });
  try {
    await tls.handshake();
  } catch (error) {
    tls.close();
    throw error;
  }
  // A raw client uses only what TCP and TLS connections have in common.
  const end = new TcpLike(tls);
  return remembered(new RawClient(end as unknown as Deno.TcpConn), end);
}

const sockets = new WeakMap<RawClient, Pick<Deno.TcpConn, "read">>();

function remembered(client: RawClient, socket: Pick<Deno.TcpConn, "read">): RawClient {
  sockets.set(client, socket);
  return client;
}

/** Reads the next `count` frames and counts them by type, keeping none: for floods, where a raw client is too slow. */
export async function countFrames(client: RawClient, count: number): Promise<Map<number, number>> {
  const socket = sockets.get(client)!;
  const types = new Map<number, number>();
  const bytes = new Uint8Array(256 * 1024);
  let filled = 0;
  for (let seen = 0; seen < count;) {
    const more = await within(socket.read(bytes.subarray(filled)), "answer to a flood");
    if (more === null) throw new Error(`the end of the stream after ${seen} of ${count} frames`);
    filled += more;
    let at = 0;
    for (; filled - at >= HEADER_BYTES && filled - at >= HEADER_BYTES + u32(bytes, at + 4); seen++) {
      types.set(bytes[at], (types.get(bytes[at]) ?? 0) + 1);
      at += HEADER_BYTES + u32(bytes, at + 4);
    }
    bytes.copyWithin(0, at, filled);
    filled -= at;
  }
  return types;
}

/** Frames that have come, by type. */
export interface Received {
  readonly types: Map<number, number>;
  /** How many have come of `type`. */
  count(type: number): number;
  /** Resolves at the end of the stream, or when the client is closed. */
  readonly ended: Promise<void>;
}

/** Reads all that comes from now on, as fast as it comes, and keeps nothing but the number of frames. */
export function readOn(client: RawClient, onFrame: (header: Header) => void = () => {}): Received {
  const types = new Map<number, number>();
  const socket = sockets.get(client)!;
  const header = new Uint8Array(HEADER_BYTES);
  let have = 0;
  let skip = 0;
  const take = (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) {
      if (skip > 0) {
        const skipped = Math.min(skip, bytes.length - at);
        skip -= skipped;
        at += skipped;
        continue;
      }
      while (have < HEADER_BYTES && at < bytes.length) header[have++] = bytes[at++];
      if (have < HEADER_BYTES) return;
      have = 0;
      skip = u32(header, 4);
      types.set(header[0], (types.get(header[0]) ?? 0) + 1);
      onFrame(readHeader(header, 0));
    }
  };
  const read = async () => {
    const bytes = new Uint8Array(16 * 1024);
    try {
      for (let count; (count = await socket.read(bytes)) !== null;) take(bytes.subarray(0, count));
    } catch {
      // Closed, by either side.
    }
  };
  return { types, count: (type) => types.get(type) ?? 0, ended: read() };
}

/** A TLS connection on which an end without close_notify is an end, as it is on TCP. */
class TcpLike {
  readonly #tls: Deno.TlsConn;

  constructor(tls: Deno.TlsConn) {
    this.#tls = tls;
  }

  async read(bytes: Uint8Array): Promise<number | null> {
    try {
      return await this.#tls.read(bytes);
    } catch (error) {
      if (error instanceof Deno.errors.UnexpectedEof || error instanceof Deno.errors.BrokenPipe) return null;
      throw error;
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#tls.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#tls.closeWrite();
  }

  close(): void {
    this.#tls.close();
  }
}

let made: Promise<ServerCertificate> | undefined;

/** The certificate of every attacked server. */
export function certificate(): Promise<ServerCertificate> {
  made ??= ensureCertificate(new MemoryStorage(), { hosts: ["127.0.0.1"], nowMs: Date.now() });
  return made;
}

/** A client whose bytes go through a relay that can drop them: `front` is the relay's connection to the server. */
export class RelayedClient implements Disposable {
  readonly client: RawClient;
  /** The connection to the server as it is on the wire, TLS records and all. */
  readonly front: Deno.TcpConn;
  readonly #back: Deno.TcpConn;

  private constructor(client: RawClient, front: Deno.TcpConn, back: Deno.TcpConn) {
    this.client = client;
    this.front = front;
    this.#back = back;
  }

  static async connect(transport: Transport, target: Target): Promise<RelayedClient> {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const [near, back, front] = await Promise.all([
      Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
      listener.accept(),
      Deno.connect({ hostname: target.hostname, port: target.port }),
    ]);
    for (const socket of [near, back, front]) socket.setNoDelay(true);
    relay(back, front);
    relay(front, back);
    const client = transport.isTls ? await overTls(near, target) : new RawClient(near);
    return new RelayedClient(client, front, back);
  }

  [Symbol.dispose](): void {
    this.client.close();
    for (const socket of [this.front, this.#back]) {
      try {
        socket.close();
      } catch {
        // Closed before, by the test.
      }
    }
  }
}

async function relay(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const bytes = new Uint8Array(16 * 1024);
  try {
    for (let count; (count = await from.read(bytes)) !== null;) {
      for (let at = 0; at < count;) at += await to.write(bytes.subarray(at, count));
    }
    await to.closeWrite();
  } catch {
    // One of the two is gone.
  }
}
