/**
 * The requests of one session that wait for their reply: those it has sent, and those it has yet to answer.
 *
 * A request stands in both sessions' books, so adding, finding and removing one costs the same however many sessions
 * there are.
 *
 * @module
 */

import type { Peer } from "./peer.ts";

/** A REQUEST that waits for its REPLY. */
export interface PendingRequest {
  readonly requester: Peer;
  readonly responder: Peer;
  readonly id: number;
  /** The number of the channel it was sent on. */
  readonly channel: number;
  /** When it is given up, in milliseconds of the broker's clock. */
  readonly deadline: number;
}

/** The pending requests of one session. */
export class PendingRequests {
  /** Those it has sent by id, oldest first. */
  readonly #sent = new Map<number, PendingRequest>();
  /** Those it has yet to answer. */
  readonly #received = new Set<PendingRequest>();

  /** How many it has sent. */
  get sent(): number {
    return this.#sent.size;
  }

  /** How many it has yet to answer. */
  get received(): number {
    return this.#received.size;
  }

  /** The request it has sent under `id`, if that waits for its reply. */
  find(id: number): PendingRequest | undefined {
    return this.#sent.get(id);
  }

  /** The oldest one it has sent. */
  oldest(): PendingRequest | undefined {
    for (const request of this.#sent.values()) return request;
    return undefined;
  }

  /** Any one that it has sent or has yet to answer. */
  any(): PendingRequest | undefined {
    for (const request of this.#received) return request;
    return this.oldest();
  }

  /** Adds `request` to the books of both its sessions. */
  static add(request: PendingRequest): void {
    request.requester.pendingRequests.#sent.set(request.id, request);
    request.responder.pendingRequests.#received.add(request);
  }

  /** Removes `request` from the books of both its sessions: answered, or never to be answered. */
  static remove(request: PendingRequest): void {
    request.requester.pendingRequests.#sent.delete(request.id);
    request.responder.pendingRequests.#received.delete(request);
  }
}
