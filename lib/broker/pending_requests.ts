/**
 * The book-keeping of requests: only the one who was asked can answer, and nobody waits for one who is gone.
 *
 * Each session's {@linkcode Ledger} holds both sides of a debt, so asking, answering and leaving cost the same however
 * many sessions there are.
 *
 * @module
 */

import type { Ledger, Peer, Pending } from "./peer.ts";

/** An empty ledger. */
export function newLedger(): Ledger {
  return { asking: new Map(), owing: new Set() };
}

/** Notes that `pending.asked` owes `pending.asker` an answer. */
export function owe(pending: Pending): void {
  pending.requester.pendingRequests.asking.set(pending.id, pending);
  pending.responder.pendingRequests.owing.add(pending);
}

/** What `asked` owes `asker` under `id`, if it owes it anything. */
export function debt(requester: Peer, responder: Peer, id: number): Pending | undefined {
  const pending = requester.pendingRequests.asking.get(id);
  return pending?.responder === responder ? pending : undefined;
}

/** Strikes out a debt: paid, or no longer to be paid. */
export function strike(pending: Pending): void {
  pending.requester.pendingRequests.asking.delete(pending.id);
  pending.responder.pendingRequests.owing.delete(pending);
}

/** Strikes out all debts of a session that ended, and calls `lost` for each request it leaves unanswered. */
export function strikeAll(peer: Peer, lost: (pending: Pending) => void): void {
  for (const pending of peer.pendingRequests.asking.values()) strike(pending);
  for (const pending of peer.pendingRequests.owing) {
    strike(pending);
    lost(pending);
  }
}

/** Strikes out what `asker` has waited for beyond its deadline, and calls `late` for it. Looks at the oldest only. */
export function strikeLate(requester: Peer, now: number, late: (pending: Pending) => void): void {
  for (const pending of requester.pendingRequests.asking.values()) {
    if (pending.deadline > now) return;
    strike(pending);
    late(pending);
  }
}
