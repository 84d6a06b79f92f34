/**
 * The server's own channels besides `$echo`: on `$stats` and those below it the server tells of itself, by those below
 * `$admin` it is told what to do. `lib/wire/stats.ts` says what they carry.
 *
 * A request there is answered by the server. Answers may take a while, so each session has a bound of those under way.
 *
 * @module
 */

import { ApplicationError, ParleyError } from "../errors.ts";
import { HEADER_BYTES, type Limits, MAX_SERVER_ASK_BYTES, MAX_SERVER_REQUESTS } from "../limits.ts";
import { encodeContent } from "../wire/content.ts";
import { encodeFrame, INBOX, Kind, MESSAGE_HEADERS, Type, u16 } from "../wire/header.ts";
import { decodeMessageHeaders, ERROR_HEADER } from "../wire/message_headers.ts";
import { type AdminRequests, STATS, type StatsRequests } from "../wire/stats.ts";
import type { Channel } from "./channel.ts";
import type { Channels } from "./channels.ts";
import type { Peer } from "./peer.ts";
import { Work, type WorkBudget } from "./work_budget.ts";

/** A channel on which the server answers. */
export type ServerRequest = keyof StatsRequests | keyof AdminRequests;

/** Every one of these channels, and the grant that it needs. */
const GRANTS: Readonly<Record<ServerRequest | typeof STATS, "monitor" | "admin">> = {
  "$stats": "monitor",
  "$stats.now": "monitor",
  "$stats.history": "monitor",
  "$stats.sessions": "monitor",
  "$stats.channels": "monitor",
  "$stats.why": "monitor",
  "$stats.slow": "monitor",
  "$stats.refusals": "monitor",
  "$stats.config": "monitor",
  "$stats.set_aside": "monitor",
  "$admin.disconnect": "admin",
  "$admin.consumer": "admin",
  "$admin.set_aside": "admin",
};

/** The names of these channels. */
export const SERVER_CHANNELS: readonly string[] = Object.freeze(Object.keys(GRANTS));

/** The grant that `channel` needs, if it is one of these. */
export function grantFor(channel: string): "monitor" | "admin" | undefined {
  return Object.hasOwn(GRANTS, channel) ? GRANTS[channel as ServerRequest] : undefined;
}

/** What a request holds: a JSON object, whose keys are yet to be checked. */
export type Ask = Readonly<Record<string, unknown>>;

/** Answers the requests of sessions that may send them. */
export interface ServerAnswers {
  /**
   * Resolves to the reply, as JSON. A `ParleyError` or an `ApplicationError` that it rejects with is for the session; what
   * else it rejects with is a bug.
   */
  answer(channel: ServerRequest, ask: Ask, from: Peer): Promise<string>;
  /** A request failed because of a bug. Returns a reference to what the log says about it. */
  failed(error: unknown): string;
}

/** What {@linkcode ServerChannels} need of their server. */
export interface ServerChannelsContext {
  readonly channels: Channels;
  readonly budget: WorkBudget;
  readonly limits: Pick<Limits, "payloadBytes">;
  readonly answers: ServerAnswers;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const FAILED = "responder_failed";

/** See the module's comment. */
export class ServerChannels {
  readonly #context: ServerChannelsContext;
  /** The ids of the requests that are under way, of sessions that have any. */
  readonly #waiting = new Map<Peer, Set<number>>();
  #isTelling = false;

  constructor(context: ServerChannelsContext) {
    this.#context = context;
  }

  /** Handles the REQUEST `bytes[start, end)` on one of the channels. */
  request(channel: Channel, from: Peer, bytes: Uint8Array, start: number, end: number): void {
    const id = u16(bytes, start + 2);
    const waiting = this.#waiting.get(from) ?? new Set();
    if (waiting.has(id) || from.pendingRequests.find(id) !== undefined) {
      const message = `request ${id} still waits for its reply; use another id`;
      return from.refuse("id_in_use", message, id, channel.number);
    }
    if (waiting.size >= MAX_SERVER_REQUESTS) {
      const message =
        `${waiting.size} requests of this session wait for a reply of the server, the limit; ask again when one is answered`;
      return from.refuse("limit", message, id, channel.number);
    }
    this.#context.budget.spend(Work.CONTROL);
    waiting.add(id);
    this.#waiting.set(from, waiting);
    const reply = (frame: Uint8Array) => {
      waiting.delete(id);
      if (waiting.size === 0) this.#waiting.delete(from);
      this.#reply(channel, from, id, frame);
    };
    this.#answer(channel.name as ServerRequest, from, bytes, start, end).then(
      (json) => reply(this.#encodeReply(from, id, json)),
      (error) => reply(this.#encodeError(from, id, error)),
    );
  }

  /** Whether a session is subscribed to `$stats`. */
  get isWatched(): boolean {
    const channel = this.#context.channels.find(STATS);
    return channel !== undefined && channel.route.all.length > 0;
  }

  /** Tells the sessions that are subscribed to `$stats` what there is to tell. To be called once a second. */
  tick(): void {
    if (!this.#isTelling && this.isWatched) this.#tell();
  }

  async #tell(): Promise<void> {
    this.#isTelling = true;
    try {
      const channel = this.#context.channels.find(STATS)!;
      const [first] = channel.route.all;
      const json = await this.#context.answers.answer("$stats.now", {}, first.peer);
      const frame = encodeFrame(
        { type: Type.MESSAGE, flags: Kind.JSON, channel: channel.number },
        encoder.encode(json),
      );
      const { all } = channel.route; // as it is now: sessions may have come and gone meanwhile
      this.#context.budget.spend(all.length * Work.SEND);
      for (const { peer } of all) {
        // A session without room misses one: the next tells the same, and more recently.
        if (!peer.isEnded && peer.outbox.hasRoom(frame.length)) peer.outbox.send(frame, 0, frame.length);
      }
    } catch (error) {
      this.#context.answers.failed(error);
    } finally {
      this.#isTelling = false;
    }
  }

  async #answer(
    channel: ServerRequest,
    from: Peer,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): Promise<string> {
    const ask = decodeAsk(bytes[start + 1], bytes.subarray(start + HEADER_BYTES, end)); // the bytes are reused later
    return await this.#context.answers.answer(channel, ask, from);
  }

  #reply(channel: Channel, to: Peer, id: number, frame: Uint8Array): void {
    if (to.isEnded) return;
    if (to.outbox.hasRoom(frame.length)) {
      to.outbox.send(frame, 0, frame.length);
      to.outbox.answered(frame.length);
    } else {
      const message = "the reply came while this session did not read; it was dropped";
      to.refuse("no_reply", message, id, channel.number);
    }
  }

  #encodeReply(to: Peer, id: number, json: string): Uint8Array {
    const content = encoder.encode(json);
    const { payloadBytes } = this.#context.limits;
    if (content.length > payloadBytes) {
      const message =
        `the reply would have ${content.length} bytes, and ${payloadBytes} may be sent; ask for less`;
      return this.#encodeError(to, id, new ParleyError("too_large", message));
    }
    return encodeFrame({ type: Type.REPLY, flags: Kind.JSON, id, channel: inboxOf(to) }, content);
  }

  #encodeError(to: Peer, id: number, error: unknown): Uint8Array {
    const [code, message] = error instanceof ParleyError || error instanceof ApplicationError
      ? [error.code, error.message]
      : [FAILED, `the server failed; its log has the details under ${this.#context.answers.failed(error)}`];
    const { flags, payload } = encodeContent("text", encoder.encode(message), { [ERROR_HEADER]: code });
    return encodeFrame({ type: Type.REPLY, flags, id, channel: inboxOf(to) }, payload);
  }
}

function inboxOf({ number }: Peer): number {
  return (number | INBOX) >>> 0;
}

/** Decodes what a request holds; nothing at all is an empty object. */
function decodeAsk(flags: number, payload: Uint8Array): Ask {
  if (payload.length > MAX_SERVER_ASK_BYTES) {
    throw problem(`takes at most ${MAX_SERVER_ASK_BYTES} bytes, got ${payload.length}`);
  }
  const block = (flags & MESSAGE_HEADERS) === 0 ? { contentAt: 0 } : decodeMessageHeaders(payload);
  if ("problem" in block) throw problem(`is not well-formed: ${block.problem}`);
  const content = payload.subarray(block.contentAt);
  if (content.length === 0) return {};
  let ask: unknown;
  try {
    ask = JSON.parse(decoder.decode(content));
  } catch {
    throw problem("must be a JSON object, and is not JSON");
  }
  if (typeof ask !== "object" || ask === null || Array.isArray(ask)) {
    throw problem(`must be a JSON object, got ${Array.isArray(ask) ? "an array" : String(ask)}`);
  }
  return ask as Ask;
}

function problem(what: string): ParleyError {
  return new ParleyError("bad_payload", `a request to the server ${what}`);
}
