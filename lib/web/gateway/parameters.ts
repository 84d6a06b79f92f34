/**
 * What the path, the query and the headers of a request say to the gateway, checked.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { ParleyError } from "../../errors.ts";
import { MAX_KEY_CHARACTERS } from "../../limits.ts";

/** The error of a request that is not as it must be. */
export function badRequest(message: string): ParleyError {
  return new ParleyError("bad_argument", message);
}

/**
 * The channel or pattern that a path names behind its first segment.
 *
 * @throws {ParleyError} `bad_channel` if it cannot be decoded; whether it follows the rules for names is for others to say
 */
export function channelIn({ pathname }: URL): string {
  const text = pathname.slice(pathname.indexOf("/", 1) + 1);
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ParleyError("bad_channel", `${JSON.stringify(text)} is not percent-encoded UTF-8`);
  }
}

/**
 * The value of each of `known` in a query.
 *
 * @throws {ParleyError} `bad_argument` for any other name, which is most likely a mistake
 */
export function queryOf<N extends string>(
  { searchParams }: URL,
  known: readonly N[],
): Partial<Record<N, string>> {
  const found: Partial<Record<string, string>> = {};
  for (const [name, value] of searchParams) {
    if (!(known as readonly string[]).includes(name)) {
      const may = known.length === 0 ? "there are none" : `there is ${known.join(", ")}`;
      throw badRequest(`there is no parameter ${JSON.stringify(name)}; ${may}`);
    }
    found[name] = value;
  }
  return found as Partial<Record<N, string>>;
}

/**
 * The number that a parameter has, `standard` if it is left out.
 *
 * @throws {ParleyError} `bad_argument` if it is none from `least` to `most`
 */
export function numberIn(
  name: string,
  text: string | undefined,
  { least, most, standard }: { readonly least: number; readonly most: number; readonly standard: number },
): number {
  if (text === undefined) return standard;
  const value = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw badRequest(`${name} must be a number from ${least} to ${most}; it is ${JSON.stringify(text)}`);
}

/**
 * The `Idempotency-Key` of a request, with or without the quotes that its specification asks for.
 *
 * @throws {ParleyError} `bad_argument` if it cannot be one
 */
export function idempotencyKey({ headers }: IncomingMessage): string | undefined {
  const value = headers["idempotency-key"];
  if (value === undefined) return undefined;
  const key = /^"(.*)"$/.exec(String(value))?.[1] ?? String(value);
  if (/^[\x21-\x7e]+$/.test(key) && key.length <= MAX_KEY_CHARACTERS) return key;
  throw badRequest(`Idempotency-Key must be 1 to ${MAX_KEY_CHARACTERS} visible ASCII characters`);
}

/** Aborted if the client goes before it has the whole response. */
export function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  const closed = () => {
    // For a response that is complete it would cost as much as all else that is done for a small request.
    if (response.writableFinished) return;
    controller.abort(new ParleyError("disconnected", "the client has gone before it had its response"));
  };
  if (response.closed) closed();
  else response.once("close", closed);
  return controller.signal;
}
