/**
 * Opens the part of a server that verifies tokens, and logs what happens to its folder.
 *
 * @module
 */

import type { ExternalTokens } from "../auth/external_tokens.ts";
import type { AuthService } from "../auth/service.ts";
import { keysLocation } from "../config/external_tokens.ts";
import { EXTERNAL_TOKEN_SECONDS, type Limits } from "../limits.ts";
import { failure, type Log } from "../logging/log.ts";
import { FolderStorage } from "../state/folder.ts";
import type { Storage } from "../state/storage.ts";
import type { ExternalIssuerOptions, ServeOptions } from "./api.ts";

/** Loads it only now: with its cryptography it takes a tenth of the time to start a server, and most need none. */
export async function openAuthService(
  { auth, state = "parley-state" }: ServeOptions,
  limits: Limits,
  log: Log,
): Promise<AuthService> {
  const { AuthService } = await import("../auth/service.ts"); // with all its cryptography, if it is needed
  const storage = new FolderStorage(state);
  const issuer = typeof auth === "object" ? auth : undefined;
  const external = issuer && await externalTokensOf(issuer, storage, log);
  const authService = new AuthService(
    storage,
    {
      readFailed: (error) =>
        log.error("cannot read the state folder; what was known before stays in force", {
          state,
          ...failure(error),
        }),
      readAgain: () => log.info("the state folder can be read again", { state }),
      writeFailed: (error) =>
        log.warn("cannot record when tokens are used; the server goes on", { state, ...failure(error) }),
      writtenAgain: () => log.info("the uses of tokens are recorded again", { state }),
      notWritten: (tokens, error) =>
        log.warn("the last uses of tokens were not written", { state, tokens, ...failure(error) }),
    },
    limits.handshakeMs * 0.7,
    external,
  ); // a rejection that comes after its deadline would not be received
  await authService.open();
  if (issuer && external) {
    const { issuer: name, audience, keys: from } = issuer;
    log.info("tokens of another issuer are accepted", { issuer: name, audience, keys: external.keys, from });
  }
  return authService;
}

async function externalTokensOf(
  { issuer, audience, keys, maxLifetimeSeconds = EXTERNAL_TOKEN_SECONDS }: ExternalIssuerOptions,
  storage: Storage,
  log: Log,
): Promise<ExternalTokens> {
  const { externalTokens } = await import("../auth/external.ts");
  return externalTokens({ issuer, audience, maxLifetimeSeconds }, [keys].flat().map(keysLocation), storage, {
    failed: (from, error, known) => {
      const then = known > 0 ? "those from before stay in force" : "no token signed with them is accepted";
      log.error(`cannot read the keys of another issuer; ${then}`, { from, keys: known, ...failure(error) });
    },
    again: (from, keys) => log.info("the keys of another issuer can be read again", { from, keys }),
    changed: (from, keys) => log.info("the keys of another issuer have changed", { from, keys }),
  });
}
