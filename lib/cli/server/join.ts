/**
 * The first start of a server with tokens: one token, and one link that holds all it takes to get in.
 *
 * @module
 */

import { fstatSync } from "node:fs";
import { ALL_GRANTS } from "../../auth/grants.ts";
import { describeCertificate } from "../../certificates/certificates.ts";
import { FolderStorage } from "../../state/folder.ts";
import type { Storage } from "../../state/storage.ts";
import type { Log } from "../../logging/log.ts";
import type { Server } from "../../server/api.ts";
import { type ServerConfig, TOKEN_OPTIONS } from "../../config/server_options.ts";
import { formatJoinUrl } from "../../wire/join_url.ts";
import { printError } from "../output.ts";
import { addressForOthers, securityOf } from "./security.ts";
import { openTokens } from "./token.ts";

/** The options that decide on the link. */
type JoinConfig = Pick<ServerConfig, "host" | "state" | "auth" | "tls" | "tlsCert" | "insecure">;

/**
 * Where `server` has no tokens yet, issues the first one and prints the link, on stdout and nowhere else: it is a
 * secret, and the log is none. Where stdout is the log, as under systemd, it says instead how to make a token.
 */
export async function join(server: Server, config: JoinConfig, log: Log): Promise<void> {
  if (isJournal()) {
    if ((await openTokens(new FolderStorage(config.state)).registry.list()).length > 0) return;
    log.warn("there are no tokens yet, and no join link is printed, because this log would keep it", {
      instead: "parley-server token issue --name NAME --publish PATTERN --subscribe PATTERN",
      state: config.state,
    });
    return;
  }
  const token = await issueFirst(new FolderStorage(config.state));
  if (token === undefined) return;
  const { tls, isPublic } = securityOf(config);
  const link = formatJoinUrl({
    hostname: await hostnameOf(config),
    port: server.port,
    tls,
    ca: server.authority,
    token,
  });
  const days = TOKEN_OPTIONS.expires.default / 86_400;
  const where = isPublic ? "any machine that reaches this one" : "this machine";
  printError(
    `\nTo join from ${where}, within ${days} days: parley ping --url 'LINK', with this link for LINK.`,
  );
  if (isPublic && !tls) {
    printError(
      "It is not encrypted: clients send the token only if told --insecure, and others can read it.",
    );
  }
  if (tls && server.authority === undefined) {
    printError("Clients must know the authority of your certificate, or be given it with --ca.");
  }
  printError("It lets in whoever has it, to do everything. Keep it secret; it is shown only now.\n");
  print(link);
  printError(
    "\nMore tokens, with fewer rights: parley-server token issue --name NAME --publish 'PATTERN' ...\n",
  );
}

/**
 * Issues the first token of `storage`; nothing where there are tokens already. Of several servers that start at once
 * only one does: the others wait until it has.
 */
export function issueFirst(storage: Storage): Promise<string | undefined> {
  return storage.exclusive(async () => {
    const { tokens, registry } = openTokens(alone(storage));
    if ((await registry.list()).length > 0) return undefined;
    const { token } = await tokens.issue({
      name: "first",
      ...ALL_GRANTS,
      expiresInSeconds: TOKEN_OPTIONS.expires.default,
    });
    return token;
  });
}

/** `storage` for whoever is alone with it already. */
function alone(storage: Storage): Storage {
  return {
    locate: (name) => storage.locate(name),
    read: (name, access) => storage.read(name, access),
    write: (name, text, access) => storage.write(name, text, access),
    stamp: (name) => storage.stamp(name),
    exclusive: (action) => action(),
  };
}

/** What the link calls this machine: by a name its certificate is for, where somebody else made that. */
async function hostnameOf({ host, tlsCert }: JoinConfig): Promise<string> {
  const address = addressForOthers(host);
  if (tlsCert === undefined) return address;
  const { hosts } = await describeCertificate(await Deno.readTextFile(tlsCert));
  if (hosts.includes(address)) return address;
  return hosts.find((name) => !name.startsWith("*.")) ?? address;
}

/** Writes `line` to stdout, at once; nobody need read it. */
function print(line: string): void {
  try {
    let bytes: Uint8Array = new TextEncoder().encode(`${line}\n`);
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
  } catch {
    printError("parley-server: nobody reads stdout, so the link is lost; make a token with token issue");
  }
}

/** Whether stdout goes to systemd's journal, which says so as `JOURNAL_STREAM=DEVICE:INODE` (systemd.exec(5)). */
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
