/**
 * `parley-server token`: issue, list, revoke, rotate.
 *
 * @module
 */

import { FolderStorage } from "../auth/folder.ts";
import { Keys } from "../auth/keys.ts";
import { type ListedToken, Registry } from "../auth/registry.ts";
import { Tokens } from "../auth/tokens.ts";
import { loadConfig, type World } from "../config.ts";
import { TOKEN, type TOKEN_OPTIONS } from "../server_options.ts";
import type { Values } from "../options.ts";
import { formatHelp } from "./settings.ts";

const USAGE = `Usage: parley-server token issue --name NAME [--publish PATTERN]... [--subscribe PATTERN]...
                                  [--direct] [--expires 30d]    print a new token
       parley-server token list [--json]                        every token, without the token itself
       parley-server token revoke ID                            end it, and its sessions within seconds
       parley-server token rotate [--overlap 30d]               sign with a new key from now on

A token is shown once and kept nowhere: give it to its owner, who sets PARLEY_TOKEN.

`;

/** The token registry and keys of a state folder. */
export function openTokens(state: string): { tokens: Tokens; registry: Registry } {
  const storage = new FolderStorage(state);
  const registry = new Registry(storage, Date.now);
  const keys = new Keys(storage, Date.now);
  return { registry, tokens: new Tokens({ keys, registry, now: Date.now, uuid: () => crypto.randomUUID() }) };
}

/** Runs `parley-server token ARGS`; resolves to the exit code. */
export async function tokenCommand(world: World): Promise<number> {
  const { values, problems, operands } = loadConfig(TOKEN, world);
  if (values.help) {
    console.log(USAGE + formatHelp(TOKEN));
    return 0;
  }
  const wrong = problems.map(({ text }) => text);
  const [command, ...rest] = operands;
  const mostOperands = command === "revoke" ? 1 : 0;
  if (!["issue", "list", "revoke", "rotate"].includes(command)) {
    wrong.push(`token ${command ?? ""}: must be issue, list, revoke or rotate`.replace(" :", ":"));
  } else if (rest.length !== mostOperands) {
    wrong.push(
      mostOperands === 1 ? "revoke takes one ID; token list shows them" : `${command} takes options only`,
    );
  }
  if (command === "issue" && values.name === undefined) {
    wrong.push("issue needs --name, who the token is for");
  }
  if (wrong.length > 0) {
    for (const text of wrong) console.error(`parley-server: ${text}`);
    return 2;
  }
  const { tokens, registry } = openTokens(values.state);
  switch (command) {
    case "issue":
      await issue(tokens, values);
      break;
    case "list":
      list(await registry.list(), values.json);
      break;
    case "revoke": {
      const { id, name } = await tokens.revoke(rest[0]);
      console.error(`revoked ${id} of ${name}; its sessions end within seconds`);
      break;
    }
    default:
      await rotate(tokens, registry, values.overlap);
  }
  return 0;
}

async function issue(tokens: Tokens, values: Values<typeof TOKEN_OPTIONS>): Promise<void> {
  const { name, publish, subscribe, direct, expires } = values;
  const { token, issued } = await tokens.issue({
    name: name!,
    publish,
    subscribe,
    direct,
    expiresInSeconds: expires,
  });
  if (publish.length + subscribe.length === 0 && !direct) {
    console.error(
      "parley-server: this token allows nothing but $echo; grant with --publish, --subscribe, --direct",
    );
  }
  console.error(
    `issued ${issued.id} to ${name}, valid until ${timeText(issued.expiresAtMs)}; it is shown only now:`,
  );
  console.log(token);
}

async function rotate(tokens: Tokens, registry: Registry, overlap: number): Promise<void> {
  const untilMs = await tokens.rotate(overlap);
  console.error(`new tokens are signed with a new key; those of before are valid until ${timeText(untilMs)}`);
  const now = Date.now();
  for (const { id, name, expiresAtMs, revokedAtMs } of await registry.list()) {
    if (revokedAtMs === undefined && expiresAtMs > Math.max(now, untilMs)) {
      console.error(`  ends early: ${id} of ${name}, issued until ${timeText(expiresAtMs)}`);
    }
  }
}

function list(tokens: readonly ListedToken[], asJson: boolean): void {
  if (asJson) {
    for (const token of tokens) console.log(JSON.stringify(token));
    return;
  }
  if (tokens.length === 0) {
    console.error("no tokens; make one with parley-server token issue --name NAME");
    return;
  }
  const rows = [
    ["ID", "NAME", "PUBLISH", "SUBSCRIBE", "DIRECT", "EXPIRES", "LAST USED"],
    ...tokens.map((token) => [
      token.id,
      JSON.stringify(token.name).slice(1, -1),
      token.publish.join(" ") || "-",
      token.subscribe.join(" ") || "-",
      token.direct ? "yes" : "-",
      expiryText(token),
      token.lastUsedAtMs === undefined ? "never" : timeText(token.lastUsedAtMs),
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    console.log(row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd());
  }
}

function expiryText({ expiresAtMs, revokedAtMs }: ListedToken): string {
  if (revokedAtMs !== undefined) return `revoked ${timeText(revokedAtMs)}`;
  return `${expiresAtMs < Date.now() ? "expired " : ""}${timeText(expiresAtMs)}`;
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/:\d\d\.\d+Z$/, "Z");
}
