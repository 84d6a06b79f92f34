/**
 * The public keys of another issuer at a URL, which are fetched from time to time.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { KEY_COOLDOWN_MS, KEY_FETCH_MS, KEY_REFETCH_MS } from "../limits.ts";
import type { ExternalKey } from "./external_keys.ts";
import { KeyReports, type KeySource, type KeySourceEvents, parsed, readBounded } from "./key_source.ts";

/** What {@linkcode UrlKeys} needs besides a URL. */
export interface UrlKeysParts {
  readonly events: KeySourceEvents;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** How keys are fetched. Default: as the runtime does. */
  readonly fetch?: typeof fetch;
  /** How long that may take, in milliseconds. Default: three seconds. */
  readonly withinMs?: number;
}

/**
 * Keys at a URL. They are fetched at the start, every five minutes, and when a token names a key that is not known, but
 * never again within the cool-down of ten seconds, so that clients cannot make the server fetch. While they cannot be
 * fetched, those from before stay.
 *
 * jose's `createRemoteJWKSet` does not do: its cool-down begins only after a fetch that succeeded, so an issuer that is
 * down would be asked for every token; it drops keys that it cannot renew; and it reads answers of any length.
 */
export class UrlKeys implements KeySource {
  readonly from: string;
  readonly #url: URL;
  readonly #reports: KeyReports;
  readonly #now: () => number;
  readonly #fetch: typeof fetch;
  readonly #withinMs: number;
  readonly #closing = new AbortController();
  #keys: readonly ExternalKey[] = [];
  #isFailing = false;
  #fetchedAtMs = -Infinity;
  #fetching: Promise<void> | undefined;

  constructor(url: URL, { events, now, fetch = globalThis.fetch, withinMs = KEY_FETCH_MS }: UrlKeysParts) {
    this.from = url.href;
    this.#url = url;
    this.#reports = new KeyReports(url.href, events);
    this.#now = now;
    this.#fetch = fetch;
    this.#withinMs = withinMs;
  }

  get keys(): readonly ExternalKey[] {
    return this.#keys;
  }

  open(): Promise<void> {
    return this.reload();
  }

  refresh(): Promise<void> {
    const everyMs = this.#isFailing ? KEY_COOLDOWN_MS : KEY_REFETCH_MS;
    // Not awaited: a slow issuer must not delay what is refreshed with it.
    if (this.#now() - this.#fetchedAtMs >= everyMs) this.reload();
    return Promise.resolve();
  }

  refetch(): Promise<void> {
    if (this.#fetching === undefined && this.#now() - this.#fetchedAtMs < KEY_COOLDOWN_MS) {
      return Promise.resolve();
    }
    return this.reload();
  }

  reload(): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.resolve();
    return this.#fetching ??= this.#load().finally(() => this.#fetching = undefined);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#fetching;
  }

  /** Never rejects. */
  async #load(): Promise<void> {
    this.#fetchedAtMs = this.#now();
    try {
      this.#keys = await parsed(this.from, await this.#get());
      this.#isFailing = false;
      this.#reports.read(this.#keys);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#isFailing = true;
      this.#reports.failed(error, this.#keys);
    }
  }

  async #get(): Promise<string> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), this.#withinMs);
    try {
      const response = await this.#fetch(this.#url, {
        signal: AbortSignal.any([late.signal, this.#closing.signal]),
        redirect: "manual", // keys come from where the operator said, or not at all
        headers: { accept: "application/jwk-set+json, application/json, application/x-pem-file" },
      });
      if (response.status !== 200) {
        await response.body?.cancel();
        const hint = response.headers.has("location")
          ? "; redirects are not followed, give the URL itself"
          : "";
        throw notFetched(this.from, `it answered with status ${response.status}, not 200${hint}`);
      }
      return await readBounded(response.body, this.from);
    } catch (error) {
      if (error instanceof ParleyError) throw error;
      if (late.signal.aborted) {
        throw notFetched(this.from, `no whole answer within ${this.#withinMs / 1000} s`);
      }
      throw notFetched(this.from, reasonOf(error));
    } finally {
      clearTimeout(timer);
    }
  }
}

function notFetched(url: string, reason: string): ParleyError {
  return new ParleyError("bad_argument", `cannot fetch the keys ${url}: ${reason}`);
}

/** The runtime's reason. Since Deno 2.9 its error says only "fetch failed", and has the reason as its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message } = error.cause instanceof Error ? error.cause : error;
  return /UnknownIssuer/.test(message)
    ? `${message}; name its authority in the variable DENO_CERT, which takes the file of a certificate`
    : message;
}
