/**
 * The first thing a TLS client says, read before anything is spent on it: until it has all come, a stranger costs one
 * descriptor and a small buffer.
 *
 * @module
 */

import type { Socket } from "../socket.ts";

/** A TLS record: type, version (2 bytes), length (2 bytes), then that many bytes. */
const RECORD_HEADER_BYTES = 5;

/** The type of the record every TLS client begins with. */
const HANDSHAKE = 0x16;

/** The longest a record may be; one that claims more is for TLS to refuse. */
const MAX_RECORD_BYTES = 16 * 1024;

/** Room for the greeting of every client we have seen. */
const USUAL_BYTES = 2 * 1024;

/** The connection ended before the greeting was whole. */
export class FirstRecordCut extends Error {
  /** `count` is how many bytes had come. */
  constructor(count: number) {
    super(
      count === 0
        ? "it closed the connection without sending anything"
        : `it closed the connection after ${count} bytes, in the middle of its TLS greeting`,
    );
  }
}

/**
 * Reads from `socket` until the first TLS record is whole, or cannot be one. Returns all that came, which may be more.
 * Whoever calls it sees to the deadline.
 *
 * @throws {FirstRecordCut} the connection ended before
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
    if (more === null) throw new FirstRecordCut(count);
    count += more;
  }
  return bytes.subarray(0, count);
}

/** How long `bytes[0, count)` will be when the record in it is whole; as long as it is where that needs no waiting. */
function lengthOf(bytes: Uint8Array, count: number): number {
  if (bytes[0] !== HANDSHAKE) return count;
  if (count < RECORD_HEADER_BYTES) return RECORD_HEADER_BYTES;
  const length = bytes[3] << 8 | bytes[4];
  return length > MAX_RECORD_BYTES ? count : RECORD_HEADER_BYTES + length;
}
