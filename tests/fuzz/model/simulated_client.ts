/**
 * A client of the model: it sends what its schedule says, and reads all, some or nothing of what the server sends.
 *
 * @module
 */

import { HEADER_BYTES } from "../../../lib/limits.ts";
import type { ErrorPayload, Member, Opened, Welcome } from "../../../lib/wire/control.ts";
import { encodeFrame, readHeader, Type, u32 } from "../../../lib/wire/header.ts";
import { type FrameHandler, Scanner } from "../../../lib/wire/scanner.ts";
import { inbox, type OpenOptions } from "../../harness/raw_client.ts";
import type { Expectations } from "./invariants.ts";
import { covers, OpenState } from "./open_state.ts";
import type { SimulatedSocket } from "./simulated_socket.ts";

/** How a client reads: always, with pauses that the schedule decides, or not before the schedule has ended. */
export type Reading = "always" | "sometimes" | "never";

/** A request that this client was asked to answer. */
export interface ReceivedRequest {
  readonly id: number;
  readonly requester: number;
}

/** OPEN and LEAVE use ids from here, requests those below. */
const FIRST_CONTROL_ID = 60_000;
/** The largest payload the server makes. */
const MAX_PAYLOAD = 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One connection of the model, seen from the client. */
export class SimulatedClient implements FrameHandler {
  readonly index: number;
  readonly socket: SimulatedSocket;
  readonly reading: Reading;
  /** 0 before WELCOME. */
  number = 0;
  /** The codes of fatal ERRORs that ended the session. */
  fatalCode: string | undefined;
  /** Channel numbers by name, of the names this client has open. */
  readonly opened = new Map<string, number>();
  /** What it has open, as far as the server has answered. */
  readonly openState: OpenState = new OpenState((pattern, before, after) =>
    this.#expectations.deliveries.changed(this, pattern, before, after)
  );
  /** How many messages to its inbox and on `$echo` have come, by channel and sender; or were sent before WELCOME. */
  seenDirect: Map<string, number> = new Map();
  readonly receivedRequests: ReceivedRequest[] = [];
  /** Ids of requests without a reply or an ERROR so far. */
  readonly pendingIds = new Set<number>();
  readonly #expectations: Expectations;
  readonly #scanner = new Scanner("client", MAX_PAYLOAD);
  readonly #sequences = new Map<number, number>();
  /** The numbers that it has been told, and names. */
  readonly #told = new Map<number, string>();
  #rest = new Uint8Array(0);
  #lastId = 0;
  #lastControlId = FIRST_CONTROL_ID;

  constructor(index: number, socket: SimulatedSocket, reading: Reading, expectations: Expectations) {
    this.index = index;
    this.socket = socket;
    this.reading = reading;
    this.#expectations = expectations;
    socket.isRead = reading !== "never";
  }

  /** Whether the session is established and has not ended. */
  get isReady(): boolean {
    return this.number > 0 && this.fatalCode === undefined && !this.socket.closed && !this.socket.saidEnd;
  }

  hello(name: string): void {
    this.#send(Type.HELLO, {}, { protocol: "parley/1", name });
  }

  open(open: OpenOptions & { readonly channel: string }): void {
    this.openState.ask(open.channel, open);
    this.#send(Type.OPEN, { id: this.#nextControlId() }, open);
  }

  leave(channel: string): void {
    this.opened.delete(channel);
    this.openState.ask(channel, undefined);
    this.#send(Type.LEAVE, { id: this.#nextControlId() }, { channel });
  }

  /** Publishes a numbered message of `size` bytes, at least 8, on a channel or to an inbox. */
  publish(channel: number, size: number): void {
    const sequence = (this.#sequences.get(channel) ?? 0) + 1;
    this.#sequences.set(channel, sequence);
    const payload = new Uint8Array(size);
    const name = this.#told.get(channel);
    const isAccepted = channel >= inbox(0) || name !== undefined && this.openState.isOpen(name);
    const accepted = this.#expectations.deliveries.published(this, channel, isAccepted);
    const view = new DataView(payload.buffer);
    view.setUint32(0, sequence);
    view.setUint32(4, 2 * accepted + Number(isAccepted));
    this.socket.send(encodeFrame({ type: Type.MESSAGE, channel, sender: this.number }, payload));
  }

  /** Sends a request, unless all ids are pending. */
  request(channel: number): void {
    this.#lastId = this.#lastId % (FIRST_CONTROL_ID - 1) + 1;
    if (this.pendingIds.has(this.#lastId)) return;
    this.pendingIds.add(this.#lastId);
    this.#send(Type.REQUEST, { id: this.#lastId, channel }, {});
  }

  /** Answers the oldest request it has received. */
  reply(size: number): void {
    const request = this.receivedRequests.shift();
    if (request === undefined) return;
    const header = {
      type: Type.REPLY,
      id: request.id,
      channel: inbox(request.requester),
      sender: this.number,
    };
    this.socket.send(encodeFrame(header, new Uint8Array(size)));
  }

  ping(): void {
    this.#send(Type.PING, { id: 1 }, {});
  }

  bye(): void {
    this.#send(Type.BYE, {}, { reason: "done" });
  }

  /** Sends a frame that ends the session as `bad_frame`. */
  badFrame(): void {
    this.socket.send(encodeFrame({ type: 0x7f, sender: this.number }));
  }

  /** Reads what the server has written, if this client reads at the moment. */
  receive(): void {
    if (!this.socket.isRead) return;
    for (const bytes of this.socket.take()) this.#scan(bytes);
    // The server has closed its side; so does this one.
    if (this.socket.saidEnd) this.socket.end();
  }

  run(bytes: Uint8Array, from: number, to: number, _count: number, channel: number): number {
    for (let at = from; at < to;) {
      const [length, sender] = [u32(bytes, at + 4), u32(bytes, at + 12)];
      const payload = at + HEADER_BYTES;
      const counted = u32(bytes, payload + 4);
      this.#expectations.message(this, channel, sender, {
        sequence: u32(bytes, payload),
        accepted: counted >>> 1,
        isAccepted: counted % 2 === 1,
      });
      if (channel < inbox(0)) this.#mustKnow(channel);
      at += HEADER_BYTES + length;
    }
    return to;
  }

  skip(): boolean {
    return true;
  }

  frame(bytes: Uint8Array, from: number, to: number): boolean {
    const { type, id, channel, sender } = readHeader(bytes, from);
    const json = <T>() => JSON.parse(decoder.decode(bytes.subarray(from + HEADER_BYTES, to))) as T;
    switch (type) {
      case Type.WELCOME:
        this.number = json<Welcome>().number;
        this.#expectations.deliveries.welcomed(this);
        this.#scanner.greeted();
        break;
      case Type.OPENED:
        this.#opened(json<Opened>(), id);
        break;
      case Type.LEFT:
        this.#left(json<{ channel: string }>().channel, channel);
        break;
      case Type.JOINED:
      case Type.PARTED:
        this.#expectations.presence.changed(this, type, channel, json<Member>());
        break;
      case Type.PING:
        this.socket.send(encodeFrame({ type: Type.PONG, id, sender: this.number }));
        break;
      case Type.REQUEST:
        this.#mustKnow(channel);
        this.receivedRequests.push({ id, requester: sender });
        break;
      case Type.REPLY:
        this.#expectations.answered(this, id);
        break;
      case Type.ERROR: {
        const { code, fatal, message } = json<ErrorPayload>();
        if (fatal) this.fatalCode = code;
        this.#expectations.error(this, code, message);
        if (id >= FIRST_CONTROL_ID) this.openState.answered(false);
        // An ERROR about a REPLY names the inbox; the id is then one of the requester's.
        if (id > 0 && id < FIRST_CONTROL_ID && channel < inbox(0)) this.#expectations.answered(this, id);
        break;
      }
    }
    return true;
  }

  #opened(opened: Opened, id: number): void {
    const { channel, number } = opened;
    if (number !== 0) {
      this.#told.set(number, channel);
      this.#expectations.deliveries.named(number, channel);
    }
    if (id === 0) return;
    this.openState.answered(true);
    if (number === 0) return;
    this.opened.set(channel, number);
    this.#expectations.presence.opened(this, opened);
  }

  /** It forgets each number that the server must tell it again. */
  #left(left: string, channel: number): void {
    this.openState.answered(true);
    this.#expectations.presence.left(this, channel);
    for (const [number, name] of this.#told) {
      if (covers(left, name) && this.openState.confirmed(name) === undefined) this.#told.delete(number);
    }
  }

  #mustKnow(channel: number): void {
    if (this.#told.has(channel)) return;
    this.#expectations.violated(
      `session ${this.number} has not been told what channel ${channel} is`,
      "unexpected message",
    );
  }

  #scan(chunk: Uint8Array): void {
    const bytes = new Uint8Array(this.#rest.length + chunk.length);
    bytes.set(this.#rest);
    bytes.set(chunk, this.#rest.length);
    this.#rest = bytes.slice(this.#scanner.scan(bytes, bytes.length, this));
    const { violation } = this.#scanner;
    if (violation === undefined) return;
    this.#expectations.violated(`the server sent an invalid frame: ${violation.message}`);
  }

  #send(type: number, header: { id?: number; channel?: number }, payload: object): void {
    const bytes = encoder.encode(JSON.stringify(payload));
    this.socket.send(encodeFrame({ type, sender: this.number, ...header }, bytes));
  }

  #nextControlId(): number {
    this.#lastControlId = this.#lastControlId === 65_535 ? FIRST_CONTROL_ID : this.#lastControlId + 1;
    return this.#lastControlId;
  }
}
