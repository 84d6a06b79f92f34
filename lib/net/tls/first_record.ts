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
  /** @param count how many bytes had arrived */
  constructor(count: number) {
    super(
      count === 0
        ? "it closed the connection without sending anything"
        : `it closed the connection after ${count} bytes, in the middle of its TLS ClientHello`,
    );
  }
}

/**
 * Reads from `socket` until the first TLS record is complete, or the bytes cannot be TLS. Returns everything that was
 * read, which may be more than the record. It has no deadline of its own: the caller closes the socket.
 *
 * @throws {TruncatedFirstRecord} if the connection ends before that
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
    const more = await socket.read(bytes.subarray(count));
    if (more === null) throw new TruncatedFirstRecord(count);
    count += more;
  }
  return bytes.subarray(0, count);
}

/** How many bytes are needed to complete the record in `bytes[0, count)`; `count` if there is nothing to wait for. */
function lengthOf(bytes: Uint8Array, count: number): number {
  if (bytes[0] !== HANDSHAKE) return count;
  if (count < RECORD_HEADER_BYTES) return RECORD_HEADER_BYTES;
  const length = bytes[3] << 8 | bytes[4];
  return length > MAX_RECORD_BYTES ? count : RECORD_HEADER_BYTES + length;
}
