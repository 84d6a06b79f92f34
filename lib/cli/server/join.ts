/**
 * The first start of a server that requires tokens: issues one token, and prints a join link that holds it.
 *
 * @module
 */

import { fstatSync } from "node:fs";
import { ALL_GRANTS } from "../../auth/grants.ts";
import { FolderStorage } from "../../state/folder.ts";
import type { Storage } from "../../state/storage.ts";
import type { Logging } from "../../logging/setup.ts";
import type { Server } from "../../server/api.ts";
import { TOKEN_OPTIONS } from "../../config/command_options.ts";
import type { ServerConfig } from "../../config/server_options.ts";
import { type LinkConfig, linkTo } from "./link.ts";
import { securityOf } from "./security.ts";
import { openTokens } from "./token.ts";

/** The options that determine the join link. */
type JoinConfig = LinkConfig & Pick<ServerConfig, "state">;

/**
 * Finds out before the server listens whether {@linkcode join} will be able to issue a token, if it has to.
 *
 * @throws {ParleyError} `bad_argument` if the state folder cannot be read, or has no tokens and cannot be written
 */
export async function checkJoin(config: JoinConfig): Promise<void> {
  const storage = new FolderStorage(config.state);
  const tokens = await openTokens(storage).registry.list();
  if (tokens.length === 0 && !isJournal()) await storage.checkWritable();
}

/**
 * Issues the first token of `server` and prints the join link; does nothing if there are tokens. The link is a secret, so
 * it goes to stdout and never to the log. If stdout is the log, as under systemd, it logs how to issue a token instead.
 */
export async function join(
  server: Server,
  config: JoinConfig,
  { logger: log, print }: Pick<Logging, "logger" | "print">,
): Promise<void> {
  if (isJournal()) {
    if ((await openTokens(new FolderStorage(config.state)).registry.list()).length > 0) return;
    log.warn("no tokens yet, and no join link is printed, because this log would keep it; issue a token", {
      command: "parley-server token issue --name NAME --publish PATTERN --subscribe PATTERN",
      state: config.state,
    });
    return;
  }
  const token = await issueFirst(new FolderStorage(config.state));
  if (token === undefined) return;
  const { tls, isPublic } = securityOf(config);
  const link = await linkTo(config, { port: server.port, authority: server.authority, token });
  const days = TOKEN_OPTIONS.expires.default / 86_400;
  const origin = isPublic ? "any machine that can reach this one" : "this machine";
  await print(
    `\nTo join from ${origin}: parley ping --url 'LINK', with the link below. It is valid for ${days} days.`,
  );
  if (isPublic && !tls) {
    await print(
      "The connection is not encrypted: others can read the token. Clients send it only with --insecure.",
    );
  }
  if (tls && server.authority === undefined) {
    await print("Clients must trust the authority of your certificate, or need it with --ca.");
  }
  await print("Anyone with the link has every permission. Keep it secret; it is shown only once.\n");
  if (!await printLink(link)) {
    await print("parley-server: cannot write to stdout, so the link is lost; issue a token with token issue");
  }
  await print(
    "\nFor tokens with fewer permissions: parley-server token issue --name NAME --publish 'PATTERN' ...\n",
  );
}

/**
 * Issues the first token of `storage`; undefined if there are tokens already. If several servers start at once, one
 * issues a token and the others wait for it.
 */
export async function issueFirst(storage: Storage): Promise<string | undefined> {
  // Without the lock first: a server that has tokens must not need a folder that can be written.
  if ((await openTokens(storage).registry.list()).length > 0) return undefined;
  return await storage.exclusive(async () => {
    const { tokens, registry } = openTokens(unlocked(storage));
    if ((await registry.list()).length > 0) return undefined;
    const { token } = await tokens.issue({
      name: "first",
      ...ALL_GRANTS,
      expiresInSeconds: TOKEN_OPTIONS.expires.default,
    });
    return token;
  });
}

/** `storage` without its lock, for a caller that holds the lock. */
function unlocked(storage: Storage): Storage {
  return {
    locate: (name) => storage.locate(name),
    read: (name, access) => storage.read(name, access),
    write: (name, text, access) => storage.write(name, text, access),
    stamp: (name) => storage.stamp(name),
    exclusive: (action) => action(),
    checkWritable: () => storage.checkWritable(),
  };
}

/** Writes `line` to stdout; resolves to whether that succeeded. */
async function printLink(line: string): Promise<boolean> {
  try {
    let bytes: Uint8Array = new TextEncoder().encode(`${line}\n`);
    while (bytes.length > 0) bytes = bytes.subarray(await Deno.stdout.write(bytes));
    return true;
  } catch {
    return false;
  }
}

/** Whether stdout goes to systemd's journal, as `JOURNAL_STREAM=DEVICE:INODE` says (systemd.exec(5)). */
function isJournal(): boolean {
  const stream = Deno.env.get("JOURNAL_STREAM");
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(1);
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
