/**
 * Reads the first TLS record of a client, the ClientHello, before any TLS state is allocated for it. Until the record
 * is complete, a client costs one file descriptor and a small buffer.
 *
 * @module
 */

import type { Socket } from "../socket.ts";

/** A TLS record: type, version (2 bytes), length (2 bytes), then that many bytes. */
const RECORD_HEADER_BYTES = 5;

/** The type of the record that every TLS client sends first. */
const HANDSHAKE = 0x16;

/** The longest record that TLS allows. A longer one is not waited for; the TLS library refuses it. */
const MAX_RECORD_BYTES = 16 * 1024;

/** Room for the ClientHello of every client tested. */
const USUAL_BYTES = 2 * 1024;

/** The connection ended before the first record was complete. */
export class TruncatedFirstRecord extends Error {
  /** Whether nothing had arrived: most likely a health check. */
  readonly isEmpty: boolean;

  /** @param count how many bytes had arrived */
  constructor(count: number) {
    super(
      count === 0
        ? "it closed the connection without sending anything"
        : `it closed the connection after ${count} bytes, in the middle of its TLS ClientHello`,
    );
    this.isEmpty = count === 0;
  }
}

/** What came is the header that a proxy puts before what its client sends. */
export class ProxyHeader extends Error {
  constructor() {
    super("it sent a PROXY protocol header, which Parley does not read: turn it off in the proxy");
  }
}

/** The beginnings of a PROXY protocol header, version 1 and 2. */
const PROXY_HEADERS = ["PROXY ", "\r\n\r\n\0\r"];

/**
 * Reads from `socket` until the first TLS record is complete, or the bytes cannot be TLS. Returns everything that was
 * read, which may be more than the record. It has no deadline of its own: the caller closes the socket.
 *
 * @throws {TruncatedFirstRecord} if the connection ends before that
 * @throws {ProxyHeader} if it is none
 */
export async function readFirstRecord(socket: Pick<Socket, "read">): Promise<Uint8Array> {
  let bytes = new Uint8Array(USUAL_BYTES);
  let count = 0;
  for (let needed = RECORD_HEADER_BYTES; count < needed; needed = lengthOf(bytes, count)) {
    if (needed > bytes.length) {
      const longer = new Uint8Array(needed);
      longer.set(bytes);
      bytes = longer;
    }
    let more: number | null;
    try {
      more = await socket.read(bytes.subarray(count));
    } catch (error) {
      // Health checks often end with a reset.
      if (count === 0 && error instanceof Deno.errors.ConnectionReset) throw new TruncatedFirstRecord(0);
      throw error;
    }
    if (more === null) throw new TruncatedFirstRecord(count);
    count += more;
  }
  const start = String.fromCharCode(...bytes.subarray(0, Math.min(count, 6)));
  if (PROXY_HEADERS.includes(start)) throw new ProxyHeader();
  return bytes.subarray(0, count);
}

/** How many bytes are needed to complete the record in `bytes[0, count)`; `count` if there is nothing to wait for. */
function lengthOf(bytes: Uint8Array, count: number): number {
  if (bytes[0] !== HANDSHAKE) return count;
  if (count < RECORD_HEADER_BYTES) return RECORD_HEADER_BYTES;
  const length = bytes[3] << 8 | bytes[4];
  return length > MAX_RECORD_BYTES ? count : RECORD_HEADER_BYTES + length;
}
