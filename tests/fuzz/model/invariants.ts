/**
 * What must hold in every turn of the model and at its end.
 *
 * @module
 */

import { CONTROL_RESERVE_BYTES, type Limits } from "../../../lib/limits.ts";
import { Deliveries, type Numbered } from "./deliveries.ts";
import { PresenceViews } from "./presence_views.ts";
import type { SimulatedClient } from "./simulated_client.ts";

/** What may be violated. The known seeds name the kind they find. */
export type Kind =
  /** An exception, an internal error, or a frame against the protocol. */
  | "failure"
  /** A session received from within the receiving of another: recursion that grows with the number of sessions. */
  | "nested receive"
  /** A turn did more work than its frames and the number of sessions account for. */
  | "work per turn"
  /** More bytes were pending for a session than its limit allows. */
  | "pending bytes"
  /** A session that always reads was closed as a slow consumer. */
  | "evicted reader"
  /** A message arrived twice, or after a later one. */
  | "order"
  /** A message that a session was promised never arrived. */
  | "lost message"
  /** A message arrived at a session that is not subscribed, or that has not been told the number of the channel. */
  | "unexpected message"
  /** A session was told that another came or went which was there already or was not; or knows others than there are. */
  | "presence"
  /** A request ended twice, or did not end. */
  | "request"
  /** A session stopped being read and was not resumed. */
  | "lost waiter"
  /** Something was left when all sessions were closed. */
  | "leak";

/** A violation. */
export interface Finding {
  readonly kind: Kind;
  readonly detail: string;
}

/**
 * Work that a turn may do beside what its frames cause. Closing a session that has 256 patterns of 10 segments takes
 * 7,000, and several may close in one turn.
 */
const BASE_WORK = 20_000;
/** Work that each frame may cause. */
const WORK_PER_FRAME = 40;
/** Work that each frame may cause for each session, any of which may receive it. */
const WORK_PER_FRAME_AND_SESSION = 12;

/** Control frames that one read may cause beyond the pending limit and its reserve. */
const PENDING_SLACK_BYTES = 64 * 1024;

/** What a turn did. */
export interface Turn {
  readonly work: number;
  /** The methods that account for most of the work. */
  readonly mostWork: string;
  readonly frames: number;
  readonly receiveDepth: number;
  /** For each session, the bytes not yet written. */
  readonly pending: readonly number[];
  readonly sessions: number;
}

/** Checks the invariants and keeps the first violation of each kind. */
export class Expectations {
  readonly findings: Finding[] = [];
  /** The largest share of the allowed work that a turn has used. */
  maxLoad = 0;
  /** Which messages came, and which should have. */
  readonly deliveries: Deliveries = new Deliveries((detail, kind) => this.violated(detail, kind));
  /** Which sessions are there, as far as others have been told. */
  readonly presence: PresenceViews = new PresenceViews((detail) => this.violated(detail, "presence"));
  readonly #limits: Limits;
  /** By receiver, channel and sender, the number of the last message. */
  readonly #received = new Map<string, number>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** After each turn. */
  turn({ work, mostWork, frames, receiveDepth, pending, sessions }: Turn): void {
    const allowed = BASE_WORK + frames * (WORK_PER_FRAME + WORK_PER_FRAME_AND_SESSION * sessions);
    this.maxLoad = Math.max(this.maxLoad, work / allowed);
    if (work > allowed) {
      this.violated(
        `${work} units (${mostWork}) for ${frames} frames and ${sessions} sessions; ${allowed} allowed`,
        "work per turn",
      );
    }
    if (receiveDepth > 1) this.violated(`${receiveDepth} sessions at once`, "nested receive");
    const most = this.#limits.pendingBytes + CONTROL_RESERVE_BYTES + PENDING_SLACK_BYTES;
    for (const bytes of pending) {
      if (bytes > most) this.violated(`${bytes} bytes for one session; ${most} allowed`, "pending bytes");
    }
  }

  /** A client received a message. */
  message(client: SimulatedClient, channel: number, sender: number, message: Numbered): void {
    this.deliveries.received(client, channel, sender, message);
    const { sequence } = message;
    const key = `${client.number} ${channel} ${sender}`;
    const last = this.#received.get(key) ?? 0;
    this.#received.set(key, sequence);
    if (sequence > last) return;
    this.violated(
      `session ${client.number} received message ${sequence} of ${sender} after ${last}`,
      "order",
    );
  }

  /** A client received a REPLY, or an ERROR for a request. */
  answered(client: SimulatedClient, id: number): void {
    if (client.pendingIds.delete(id)) return;
    this.violated(`request ${id} of session ${client.number} ended twice`, "request");
  }

  /** A client received an ERROR. */
  error(client: SimulatedClient, code: string, message: string): void {
    if (code === "internal") this.violated(message);
    if (code === "slow_consumer" && client.reading === "always") {
      this.violated(`session ${client.number} reads all the time: ${message}`, "evicted reader");
    }
  }

  /** Every client reads and every deadline has passed. */
  settled(clients: readonly SimulatedClient[]): void {
    this.deliveries.settled(clients);
    this.presence.settled(clients);
    for (const { isReady, socket, number, pendingIds } of clients) {
      if (!isReady) continue;
      if (socket.unreadBytes > 0) {
        this.violated(
          `session ${number} has sent ${socket.unreadBytes} bytes that are not read`,
          "lost waiter",
        );
      } else if (pendingIds.size > 0) {
        this.violated(`${pendingIds.size} requests of session ${number} have not ended`, "request");
      }
    }
  }

  /** All sessions are closed. `left` names what is not 0 although it should be. */
  ended(left: Readonly<Record<string, number>>): void {
    for (const [what, count] of Object.entries(left)) {
      if (count > 0) this.violated(`${count} ${what} left`, "leak");
    }
  }

  /** Records a violation. */
  violated(detail: string, kind: Kind = "failure"): void {
    if (!this.findings.some((finding) => finding.kind === kind)) this.findings.push({ kind, detail });
  }
}
