/**
 * What a source of another issuer's public keys is, and what the file and the URL have in common.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { MAX_KEY_SET_BYTES } from "../limits.ts";
import { type ExternalKey, parseKeys } from "./external_keys.ts";

/** What a source reports. A failure is reported when it begins, not as long as it lasts. */
export interface KeySourceEvents {
  /** The keys of `from` cannot be read. Those that were known stay in force: there are `keys` of them. */
  failed(from: string, error: unknown, keys: number): void;
  /** They can be read again. */
  again(from: string, keys: number): void;
  /** There are other keys than before. */
  changed(from: string, keys: number): void;
}

/** Keys of another issuer. */
export interface KeySource {
  /** The file or the URL. */
  readonly from: string;
  /** The keys as of the last successful read. */
  readonly keys: readonly ExternalKey[];
  /** Reads them for the first time. Rejects if that fails for a reason that does not pass by itself. */
  open(): Promise<void>;
  /** Looks whether they have changed, if it is time to. Called once a second; never rejects. */
  refresh(): Promise<void>;
  /** Looks at once: a token names a key that is not known. May be called for any number of tokens. */
  refetch(): Promise<void>;
  /** Looks at once: the operator has said so. */
  reload(): Promise<void>;
  /** Ends a fetch under way. */
  close(): Promise<void>;
}

/** Remembers what was last reported of a source. */
export class KeyReports {
  readonly #from: string;
  readonly #events: KeySourceEvents;
  #isFailing = false;
  #ids: string | undefined;

  constructor(from: string, events: KeySourceEvents) {
    this.#from = from;
    this.#events = events;
  }

  failed(error: unknown, keys: readonly ExternalKey[]): void {
    if (!this.#isFailing) this.#events.failed(this.#from, error, keys.length);
    this.#isFailing = true;
  }

  read(keys: readonly ExternalKey[]): void {
    const ids = JSON.stringify(keys.map(({ id, kid }) => [id, kid]));
    if (this.#isFailing) this.#events.again(this.#from, keys.length);
    else if (this.#ids !== undefined && this.#ids !== ids) this.#events.changed(this.#from, keys.length);
    this.#isFailing = false;
    this.#ids = ids;
  }
}

/** The error of keys that are too long. */
export function tooLong(from: string): ParleyError {
  return new ParleyError(
    "bad_argument",
    `${from} has more than ${MAX_KEY_SET_BYTES} bytes, too many for keys`,
  );
}

/** Reads the text of a stream, and ends it if it is too long for keys. */
export async function readBounded(stream: ReadableStream<Uint8Array> | null, from: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const chunk of stream ?? []) { // leaving the loop cancels the stream
    length += chunk.length;
    if (length > MAX_KEY_SET_BYTES) throw tooLong(from);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** As `parseKeys`, with where the keys are in the error. */
export async function parsed(from: string, text: string): Promise<ExternalKey[]> {
  try {
    return await parseKeys(text);
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    throw new ParleyError(error.code, `${from} ${error.message}`);
  }
}
