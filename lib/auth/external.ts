/**
 * Makes what verifies tokens of another issuer. Loaded only by a server that accepts some.
 *
 * @module
 */

import type { Storage } from "../state/storage.ts";
import { type ExternalIssuer, ExternalTokens } from "./external_tokens.ts";
import { FileKeys } from "./file_keys.ts";
import type { KeySourceEvents } from "./key_source.ts";
import { Revocations } from "./revocations.ts";
import { UrlKeys } from "./url_keys.ts";

/**
 * Makes what verifies tokens of `issuer`, by the real clock.
 *
 * @param locations where its public keys are
 * @param storage that of the server's own tokens, which also has the ids of revoked ones
 */
export function externalTokens(
  issuer: ExternalIssuer,
  locations: readonly ({ readonly url: URL } | { readonly file: string })[],
  storage: Storage,
  events: KeySourceEvents,
): ExternalTokens {
  const now = () => performance.now();
  const sources = locations.map((location) =>
    "url" in location ? new UrlKeys(location.url, { events, now }) : new FileKeys(location.file, events)
  );
  return new ExternalTokens(issuer, {
    sources,
    revocations: new Revocations(storage, Date.now),
    now: Date.now,
  });
}
