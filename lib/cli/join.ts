/**
 * The first start of a server with tokens: one token, and one link that holds all it takes to get in.
 *
 * @module
 */

import { KEY_OVERLAP_SECONDS } from "../limits.ts";
import type { Server } from "../server_api.ts";
import type { ServerConfig } from "../server_options.ts";
import { formatLink } from "../wire/link.ts";
import { addressForOthers } from "./security.ts";
import { openTokens } from "./token.ts";

/**
 * Issues the first token and prints the link, on stdout and nowhere else: it is a secret, and the log is none.
 */
export async function join(
  server: Server,
  { host, state }: Pick<ServerConfig, "host" | "state">,
): Promise<void> {
  const { token } = await openTokens(state).tokens.issue({
    name: "first",
    publish: [">"],
    subscribe: [">"],
    direct: true,
    expiresInSeconds: KEY_OVERLAP_SECONDS,
  });
  const link = formatLink({
    hostname: addressForOthers(host),
    port: server.port,
    tls: server.url.startsWith("parleys:"),
    ca: server.authority,
    token,
  });
  const days = KEY_OVERLAP_SECONDS / 86_400;
  console.error(`\nTo join from anywhere, within ${days} days (keep it secret, it is shown only now):\n`);
  console.log(`parley ping --url '${link}'`);
  console.error(
    "\nMore tokens, with fewer rights: parley-server token issue --name NAME --publish PATTERN ...\n",
  );
}
