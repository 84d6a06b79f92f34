/**
 * An established session: it opens and leaves channels, publishes, sends requests and replies.
 *
 * It checks everything that concerns one client against the protocol, and leaves to the router what concerns others.
 *
 * @module
 */

import { type ControlName, decodeControl } from "../wire/control.ts";
import { countFrames, INBOX, RULES, Type, u16, u32 } from "../wire/header.ts";
import { typeName } from "../wire/type_name.ts";
import type { FrameHandler } from "../wire/scanner.ts";
import { type OpenChannel, publishProblem, receiptProblem } from "./open_channel.ts";
import type { Refusal } from "./open_rules.ts";
import { SessionPeer } from "./session_peer.ts";
import { Work } from "./work_budget.ts";

/** A session from its WELCOME to its end. */
export class ActiveSession extends SessionPeer implements FrameHandler {
  /** The session has ended: other sessions can no longer reach it. */
  end(): void {
    this.isEnded = true;
    this.context.router.leave(this);
    this.stored?.end();
    this.subscriptions?.leaveAll();
  }

  run(bytes: Uint8Array, from: number, to: number, count: number, channel: number): number {
    if (this.isEnded || !this.flow.mayHandle()) return from;
    const open = this.subscriptions?.get(channel);
    // The way of most runs, short enough to be compiled as one piece.
    const taken = open?.isRouted === true
      ? this.context.router.publish(open.channel, this, bytes, from, to, count, this.flow.resume)
      : this.#publishElsewhere(open, bytes, from, to, count, channel);
    if (taken !== to) return this.#takeInPart(open, bytes, from, taken);
    this.messagesIn += count;
    this.flow.spend(count, to - from);
    return to;
  }

  /** A part of a run was taken, or nothing: the session is paused until the rest can be. */
  #takeInPart(open: OpenChannel | undefined, bytes: Uint8Array, from: number, taken: number): number {
    if (taken === from && open?.isRouted) this.flow.holdBack(open.channel);
    this.flow.pauseUnless(false);
    if (taken > from) {
      this.flow.resume(); // the budget is spent
      const count = countFrames(bytes, from, taken);
      this.messagesIn += count;
      this.flow.spend(count, taken - from);
    }
    return taken;
  }

  /** Handles a run to an inbox, to `$echo`, to a stored channel, or to one on which the session may not publish. */
  #publishElsewhere(
    open: OpenChannel | undefined,
    bytes: Uint8Array,
    from: number,
    to: number,
    count: number,
    channel: number,
  ): number {
    if (open?.publisher !== undefined) {
      this.context.budget.spend(Work.RUN);
      if (!this.flow.hasRoom()) return from;
      if (open.publisher.append(bytes, from, to, count, 0, this.flow.resume)) return to;
      this.flow.holdBack(open.channel);
      return from;
    }
    if (channel >= INBOX) return this.#direct(bytes, from, to, count, channel) ? to : from;
    if (open?.isEcho) {
      if (!this.flow.hasRoom(to - from)) return from;
      this.context.budget.spend(Work.FRAME);
      this.outbox.send(bytes, from, to);
      this.outbox.answered(to - from);
      this.messagesOut += count;
      return to;
    }
    if (!this.flow.hasRoom()) return from;
    this.#refuse(publishProblem(open, channel), 0, channel);
    return to;
  }

  #direct(bytes: Uint8Array, from: number, to: number, count: number, channel: number): boolean {
    this.context.budget.spend(Work.FRAME);
    if (!this.flow.hasRoom()) return false;
    const number = channel - INBOX;
    if (!this.permissions.mayDirect && number !== this.number) {
      this.refuse("forbidden", "this session's token does not allow to write to others' inboxes", 0, channel);
      return true;
    }
    const { router } = this.context;
    if (router.direct(number, this, bytes, from, to, count, this.flow.resume)) return true;
    this.flow.holdBack(router.find(number)!);
    return false;
  }

  frame(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.isEnded) return false;
    // Most of these are answered: a session that does not read its answers is paused. A REPLY is not, and must not wait
    // until the responder has read the requests behind it.
    if (bytes[from] !== Type.REPLY && !this.flow.hasRoom(to - from)) return false;
    if (!this.flow.mayHandle()) return false;
    this.context.budget.spend(Work.FRAME);
    const pending = this.outbox.pending;
    const isMessage = RULES[bytes[from]]?.payload === "content";
    const isTaken = this.flow.pauseUnless(this.#handle(bytes, from, to));
    this.outbox.answered(this.outbox.pending - pending);
    if (!isTaken) return false;
    if (isMessage) this.messagesIn++;
    this.flow.spend(1, to - from);
    return true;
  }

  skip(bytes: number): boolean {
    if (this.isEnded || !this.flow.mayHandle()) return false;
    this.context.budget.spend(1);
    this.flow.spend(1, bytes);
    return true;
  }

  /** Handles a frame. Returns false if the same frame must be offered again, once `resume` is called. */
  #handle(bytes: Uint8Array, from: number, to: number): boolean {
    const type = bytes[from];
    const id = u16(bytes, from + 2);
    const channel = u32(bytes, from + 8);
    switch (type) {
      case Type.PING:
        this.context.echo.pong(this.outbox, bytes, from, to);
        return true;
      case Type.PONG:
        return true;
      case Type.BYE:
        if (this.stored?.waitsForReceipts()) return false; // they come before the end
        if (this.#decode("BYE", bytes, from, to, 0) !== undefined) this.transport.finish("bye");
        return true;
      case Type.OPEN: {
        const open = this.#decode("OPEN", bytes, from, to, id);
        return open === undefined || this.openSubscriptions().open(open, id);
      }
      case Type.LEAVE: {
        const leave = this.#decode("LEAVE", bytes, from, to, id);
        if (leave !== undefined) this.openSubscriptions().leave(leave.channel, id);
        return true;
      }
      case Type.REQUEST:
        return this.#request(bytes, from, to, id, channel);
      case Type.REPLY:
        return this.#reply(bytes, from, to, id, channel);
      case Type.MESSAGE: // with the receipt flag; others come as runs
        return this.#store(bytes, from, to, id, channel);
      case Type.ACK:
      case Type.NAK:
      case Type.RENEW:
        this.#acknowledge(bytes, from, to, channel);
        return true;
      default:
        throw new Error(`the scanner let ${typeName(type)} pass`);
    }
  }

  #request(bytes: Uint8Array, from: number, to: number, id: number, channel: number): boolean {
    const open = this.subscriptions?.get(channel);
    const { router } = this.context;
    if (open === undefined || !open.mayPublish) {
      router.counters.requestRefused();
      this.#refuse(publishProblem(open, channel), id, channel);
      return true;
    }
    if (open.isEcho) {
      this.messagesOut++;
      this.context.echo.reply(this, bytes, from, to);
      return true;
    }
    if (open.isServerOwn) {
      this.messagesIn--; // looking at the counters must not change them
      this.context.serverChannels.request(open.channel, this, bytes, from, to);
      return true;
    }
    const isTaken = router.requests.request(open.channel, this, id, bytes, from, to, this.flow.resume);
    if (!isTaken) this.flow.holdBack(open.channel);
    return isTaken;
  }

  #reply(bytes: Uint8Array, from: number, to: number, id: number, channel: number): boolean {
    const { router } = this.context;
    const number = channel - INBOX;
    const requester = router.find(number);
    if (requester !== undefined && router.requests.reply(requester, this, id, bytes, from, to)) return true;
    if (!this.flow.hasRoom()) return false;
    if (requester === undefined) {
      this.refuse("no_such_session", `session ${number}, which asked, is gone`, id, channel);
    } else {
      this.refuse(
        "forbidden",
        `session ${number} does not wait for a reply ${id} from this session`,
        id,
        channel,
      );
    }
    return true;
  }

  #refuse({ code, message }: Refusal, id: number, channel: number): void {
    this.refuse(code, message, id, channel);
  }

  /** Stores a message that wants a receipt. */
  #store(bytes: Uint8Array, from: number, to: number, id: number, channel: number): boolean {
    const open = this.subscriptions?.get(channel);
    const stored = this.stored;
    if (open?.publisher === undefined || stored === undefined || !open.channel.stored?.isDurable) {
      this.#refuse(receiptProblem(Type.MESSAGE, open, channel), id, channel);
      return true;
    }
    if (stored.hasRoomForReceipt() && open.publisher.append(bytes, from, to, 1, id, this.flow.resume)) {
      return true;
    }
    this.flow.holdBack(open.channel);
    return false;
  }

  /** Handles ACK, NAK or RENEW. */
  #acknowledge(bytes: Uint8Array, from: number, to: number, channel: number): void {
    const open = this.subscriptions?.get(channel);
    const stored = open?.channel.stored;
    if (!stored?.isDurable) return this.#refuse(receiptProblem(bytes[from], open, channel), 0, channel);
    this.stored?.acknowledge(stored, bytes, from, to);
  }

  /** Decodes a control payload. If it is malformed, answers `bad_payload` and returns nothing. */
  #decode<N extends Exclude<ControlName, "HELLO">>(
    name: N,
    bytes: Uint8Array,
    from: number,
    to: number,
    id: number,
  ) {
    this.context.budget.spend(2 * Work.CONTROL); // with the answer
    const decoded = decodeControl(name, bytes, from, to);
    if ("value" in decoded) return decoded.value;
    this.refuse("bad_payload", decoded.problem, id, 0);
    return undefined;
  }
}
