/**
 * The last ERROR frames that a server sent, and how many of each code.
 *
 * @module
 */

import type { ErrorCode } from "../errors.ts";

/** To which session an ERROR frame was sent, as far as that is known. */
export interface Refused {
  /** 0 before the session was established. */
  readonly number: number;
  readonly name: string;
  readonly remote: { readonly address: string };
}

/** An ERROR frame that was sent. */
export interface RefusalRecord {
  /** In milliseconds since 1970. */
  time: number;
  code: ErrorCode;
  /** What the log says, or the client was told. Never a token or a payload. */
  message: string;
  /** 0 if none was established. */
  session: number;
  name: string;
  address: string;
  /** The name of the channel, or nothing. */
  channel: string;
}

/** See the module's comment. */
export class Refusals {
  /** How many there were, ever, of each code that there were any of. */
  readonly byCode: Partial<Record<ErrorCode, number>> = {};
  /** Written anew, the oldest first: a client that is refused all the time must not make garbage. */
  readonly #records: RefusalRecord[] = [];
  readonly #most: number;
  #next = 0;

  /** @param most how many are remembered */
  constructor(most: number) {
    this.#most = most;
  }

  /** An ERROR frame is sent. */
  add(code: ErrorCode, message: string, to: Refused, channel: string = ""): void {
    this.byCode[code] = (this.byCode[code] ?? 0) + 1;
    let record = this.#records[this.#next];
    if (record === undefined) this.#records[this.#next] = record = newRecord(code);
    this.#next = (this.#next + 1) % this.#most;
    record.time = Date.now();
    record.code = code;
    record.message = message;
    record.session = to.number;
    record.name = to.name;
    record.address = to.remote.address;
    record.channel = channel;
  }

  /** Those that are remembered, newest first. */
  *last(): Iterable<Readonly<RefusalRecord>> {
    const { length } = this.#records;
    for (let i = 1; i <= length; i++) yield this.#records[(this.#next - i + this.#most) % this.#most];
  }
}

function newRecord(code: ErrorCode): RefusalRecord {
  return { time: 0, code, message: "", session: 0, name: "", address: "", channel: "" };
}
