/**
 * The requests of one session that wait for their reply: those it has sent, and those it has yet to answer.
 *
 * A request stands in both sessions' books, so adding, finding and removing one costs the same however many sessions
 * there are.
 *
 * @module
 */

/** A REQUEST that waits for its REPLY. */
export interface PendingRequest<P> {
  readonly requester: P;
  readonly responder: P;
  readonly id: number;
  /** The number of the channel it was sent on. */
  readonly channel: number;
  /** When it is given up, in milliseconds of the broker's clock. */
  readonly deadline: number;
}

/** A session, as far as it has pending requests. */
interface Owner<P> {
  readonly pendingRequests: PendingRequests<P>;
}

/** Adds `request` to the books of both its sessions. */
export function addRequest<P extends Owner<P>>(request: PendingRequest<P>): void {
  request.requester.pendingRequests.addSent(request);
  request.responder.pendingRequests.addReceived(request);
}

/** Removes `request` from the books of both its sessions: it is answered, or never will be. */
export function removeRequest<P extends Owner<P>>(request: PendingRequest<P>): void {
  request.requester.pendingRequests.remove(request);
  request.responder.pendingRequests.remove(request);
}

/** The pending requests of one session. */
export class PendingRequests<P> {
  /** Those it has sent by id, oldest first. */
  readonly #sent = new Map<number, PendingRequest<P>>();
  /** Those it has yet to answer. */
  readonly #received = new Set<PendingRequest<P>>();

  /** How many it has sent. */
  get sent(): number {
    return this.#sent.size;
  }

  /** How many it has yet to answer. */
  get received(): number {
    return this.#received.size;
  }

  /** The request it has sent under `id`, if that waits for its reply. */
  find(id: number): PendingRequest<P> | undefined {
    return this.#sent.get(id);
  }

  /**
   * Those it has sent, oldest first. They may be removed meanwhile. To begin anew after each would cost more the more
   * have been removed before.
   */
  inOrder(): IterableIterator<PendingRequest<P>> {
    return this.#sent.values();
  }

  /** Those it has yet to answer and those it has sent. They may be removed meanwhile. */
  *all(): Iterable<PendingRequest<P>> {
    yield* this.#received;
    yield* this.#sent.values();
  }

  /** See {@linkcode addRequest}. */
  addSent(request: PendingRequest<P>): void {
    this.#sent.set(request.id, request);
  }

  /** See {@linkcode addRequest}. */
  addReceived(request: PendingRequest<P>): void {
    this.#received.add(request);
  }

  /** See {@linkcode removeRequest}. */
  remove(request: PendingRequest<P>): void {
    if (this.#sent.get(request.id) === request) this.#sent.delete(request.id);
    this.#received.delete(request);
  }
}
