/**
 * An established session as other sessions and the server see it: who it is, what it has open, what went through it.
 *
 * @module
 */

import type { ErrorCode } from "../errors.ts";
import { encodeError } from "../wire/control.ts";
import type { Identity, Permissions } from "./authenticator.ts";
import type { Remote, SessionContext } from "./context.ts";
import type { FlowControl, HeldOn } from "./flow_control.ts";
import type { AcceptedClient } from "./handshake.ts";
import type { Outbox, Peer, Transport, Turn } from "./peer.ts";
import { PendingRequests } from "./pending_requests.ts";
import type { StoredSession } from "./stored/stored_session.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Work } from "./work_budget.ts";

/** See the module's comment. */
export class SessionPeer implements Peer {
  readonly number: number;
  readonly name: string;
  /** The identity that the client's token proved, if the server asks for tokens. */
  readonly identity: Identity | undefined;
  readonly outbox: Outbox;
  readonly permissions: Permissions;
  readonly remote: Remote;
  isEnded = false;
  /** Messages that came from the client, and that were sent to it. */
  messagesIn = 0;
  messagesOut = 0;
  /** Both in the last second. */
  rate = 0;
  #before = 0;

  protected readonly context: SessionContext;
  protected readonly transport: Transport;
  protected readonly flow: FlowControl;
  // Made when first needed: most of many sessions are idle, and each should cost little.
  protected subscriptions: Subscriptions | undefined;
  protected stored: StoredSession | undefined;
  #pendingRequests: PendingRequests<Peer> | undefined;
  #requestTurn: Turn | undefined;

  constructor(
    context: SessionContext,
    transport: Transport,
    flow: FlowControl,
    client: AcceptedClient,
    remote: Remote,
  ) {
    this.remote = remote;
    this.context = context;
    this.transport = transport;
    this.flow = flow;
    this.outbox = transport.outbox;
    this.number = context.router.nextNumber();
    this.name = client.name ?? `guest-${this.number}`;
    this.identity = client.identity;
    this.permissions = client.permissions;
  }

  get requestTurn(): Turn {
    return this.#requestTurn ??= { last: 0 };
  }

  get pendingRequests(): PendingRequests<Peer> {
    return this.#pendingRequests ??= new PendingRequests<Peer>();
  }

  knows(number: number): boolean {
    return this.subscriptions?.knows(number) === true;
  }

  told(number: number): void {
    this.openSubscriptions().told(number);
  }

  refuse(code: ErrorCode, message: string, id: number, channel: number): void {
    const { router, budget } = this.context;
    budget.spend(Work.CONTROL);
    router.counters.refusals.add(code, message, this, this.subscriptions?.get(channel)?.channel.name);
    const frame = encodeError(code, message, id, channel);
    this.outbox.send(frame, 0, frame.length);
  }

  /** The names and patterns that it has open. */
  get open(): Iterable<string> {
    return this.subscriptions?.names() ?? [];
  }

  /** How many they are. */
  get openCount(): number {
    return this.subscriptions?.count ?? 0;
  }

  /** What holds it back, if anything does. */
  get heldOn(): HeldOn | undefined {
    return this.flow.heldOn;
  }

  /** For how long it has been held back, in milliseconds. */
  get heldMs(): number {
    return this.flow.heldMs;
  }

  /** Called once a second: measures the rate. */
  measure(): void {
    const total = this.messagesIn + this.messagesOut;
    this.rate = total - this.#before;
    this.#before = total;
  }

  /** How long until its rate allows another message from elsewhere than its connection, in milliseconds. */
  rateWaitMs(): number {
    return this.flow.rateWaitMs();
  }

  /** Counts a message from elsewhere than its connection. */
  spend(bytes: number): void {
    this.messagesIn++;
    this.flow.spend(1, bytes);
  }

  protected openSubscriptions(): Subscriptions {
    const { router, limits, budget, newStoredSession } = this.context;
    this.stored ??= newStoredSession?.(this, this.identity?.subject ?? "", this.flow.resume);
    return this.subscriptions ??= new Subscriptions(
      this,
      router.channels,
      limits.channels,
      this.permissions,
      budget,
      this.stored,
    );
  }
}
