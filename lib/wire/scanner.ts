/**
 * A {@linkcode FrameScanner} that says in words what is wrong as soon as anything is: for a server, and for tools.
 *
 * @module
 */

import { type Fault, type FrameHandler, FrameScanner } from "./frame_scanner.ts";
import { Type } from "./header.ts";
import { describeFault, type Violation } from "./violation.ts";

export type { FrameHandler, Role } from "./frame_scanner.ts";

/** Cuts the byte stream of one connection into runs and frames. */
export class Scanner extends FrameScanner {
  /** Set once the stream has broken the protocol. Nothing is read any more. */
  violation: Violation | undefined;

  override scan(bytes: Uint8Array, end: number, handler: FrameHandler): number {
    const taken = super.scan(bytes, end, handler);
    if (this.fault !== undefined) this.violation ??= describeFault(this, bytes, taken);
    return taken;
  }

  protected override ownFault(type: number, id: number, sender: number): Fault | undefined {
    if (type === Type.HELLO && this.isGreeted) return "second_hello";
    if (type === Type.HELLO && sender !== 0) return "hello_sender";
    return type === Type.ACK && this.role === "server" && id !== 0 ? "ack_id" : undefined;
  }
}
