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
  pending.asker.ledger.asking.set(pending.id, pending);
  pending.asked.ledger.owing.add(pending);
}

/** What `asked` owes `asker` under `id`, if it owes it anything. */
export function debt(asker: Peer, asked: Peer, id: number): Pending | undefined {
  const pending = asker.ledger.asking.get(id);
  return pending?.asked === asked ? pending : undefined;
}

/** Strikes out a debt: paid, or no longer to be paid. */
export function strike(pending: Pending): void {
  pending.asker.ledger.asking.delete(pending.id);
  pending.asked.ledger.owing.delete(pending);
}

/** Strikes out all debts of a session that ended, and calls `lost` for each request it leaves unanswered. */
export function strikeAll(peer: Peer, lost: (pending: Pending) => void): void {
  for (const pending of peer.ledger.asking.values()) strike(pending);
  for (const pending of peer.ledger.owing) {
    strike(pending);
    lost(pending);
  }
}

/** Strikes out what `asker` has waited for beyond its deadline, and calls `late` for it. Looks at the oldest only. */
export function strikeLate(asker: Peer, now: number, late: (pending: Pending) => void): void {
  for (const pending of asker.ledger.asking.values()) {
    if (pending.deadline > now) return;
    strike(pending);
    late(pending);
  }
}
