/**
 * Opens the part of a server that verifies tokens, and logs what happens to its folder.
 *
 * @module
 */

import type { AuthService } from "../auth/service.ts";
import type { Limits } from "../limits.ts";
import { failure, type Log } from "../logging/log.ts";
import { FolderStorage } from "../state/folder.ts";
import type { ServeOptions } from "./api.ts";

/** Loads it only now: with its cryptography it takes a tenth of the time to start a server, and most need none. */
export async function openAuthService(
  { state = "parley-state" }: ServeOptions,
  limits: Limits,
  log: Log,
): Promise<AuthService> {
  const { AuthService } = await import("../auth/service.ts"); // with all its cryptography, if it is needed
  const authService = new AuthService(new FolderStorage(state), {
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
  }, limits.handshakeMs * 0.7); // a rejection that comes after its deadline would not be received
  await authService.open();
  return authService;
}
