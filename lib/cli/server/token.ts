/**
 * `parley-server token`: issue, list, revoke, rotate.
 *
 * @module
 */

import { isName } from "../../auth/claims.ts";
import { FolderStorage } from "../../state/folder.ts";
import { grantsProblem } from "../../auth/grants.ts";
import { Keys } from "../../auth/keys.ts";
import { type ListedToken, Registry } from "../../auth/registry.ts";
import type { Storage } from "../../state/storage.ts";
import { Tokens } from "../../auth/tokens.ts";
import { type ConfigSources, loadConfig, type Loaded } from "../../config/load.ts";
import { ParleyError } from "../../errors.ts";
import { MAX_NAME_LENGTH } from "../../limits.ts";
import type { Values } from "../../config/option.ts";
import { SERVER, TOKEN, type TOKEN_OPTIONS } from "../../config/server_options.ts";
import { Exit } from "../failures.ts";
import { printError } from "../output.ts";
import { checkClock } from "./security.ts";
import { formatHelp } from "../settings.ts";
import { visible, visibleJson } from "../terminal.ts";

const USAGE =
  `Usage: parley-server token issue --name NAME [--publish 'PATTERN']... [--subscribe 'PATTERN']...
                                  [--respond 'PATTERN']... [--direct] [--expires 30d]
                                                                print a new token
       parley-server token list                                 every token, without the token itself
       parley-server token revoke ID                            end it, and its sessions within seconds
       parley-server token rotate [--overlap 30d]               sign with a new key from now on

A token is shown once and kept nowhere: give it to its owner, who sets PARLEY_TOKEN. Put patterns in quotes, the
shell has its own ideas of * and >. --state must be the server's; ID may be the beginning of one.

`;

type TokenValues = Values<typeof TOKEN_OPTIONS>;

/** The commands, each with the operands it takes and the options beside `state`, `json` and `help`. */
const COMMANDS: Readonly<Record<string, { operands: number; options: readonly string[] }>> = {
  issue: { operands: 0, options: ["name", "publish", "subscribe", "respond", "direct", "expires"] },
  list: { operands: 0, options: [] },
  revoke: { operands: 1, options: [] },
  rotate: { operands: 0, options: ["overlap"] },
};
const COMMON_OPTIONS = ["state", "json", "help"];

/** The token registry and keys of a state folder. */
interface TokenDesk {
  readonly tokens: Tokens;
  readonly registry: Registry;
  readonly keys: Keys;
}

/** Opens the registry and keys in `storage`. */
export function openTokens(storage: Storage): TokenDesk {
  const registry = new Registry(storage, Date.now);
  const keys = new Keys(storage, Date.now);
  const tokens = new Tokens({ keys, registry, now: Date.now, uuid: () => crypto.randomUUID() });
  return { tokens, registry, keys };
}

/** Runs `parley-server token ARGS`; resolves to the exit code. */
export async function tokenCommand(from: ConfigSources): Promise<number> {
  const loaded = loadConfig(TOKEN, from);
  const { values, operands: [command, operand] } = loaded;
  if (values.help) {
    console.log(USAGE + formatHelp(TOKEN));
    return Exit.DONE;
  }
  const wrong = usageProblems(loaded);
  if (wrong.length > 0) {
    for (const text of wrong) printError(`parley-server: ${text}`);
    return Exit.WRONG_USAGE;
  }
  const state = loaded.sources.state === "default" ? serverState(from) : values.state;
  const hasState = isThere(state);
  if (!hasState && command !== "issue") {
    if (command === "list") {
      printError(`no tokens, because there is no folder ${state}; ${NAME_STATE}`);
      return Exit.DONE;
    }
    throw new ParleyError("bad_argument", `there is no state folder ${state}; ${NAME_STATE}`);
  }
  const desk = openTokens(new FolderStorage(state));
  switch (command) {
    case "issue":
      checkClock(Date.now());
      if (!hasState) printError(`parley-server: ${state} is new; a server uses it with --state`);
      await issue(desk, values);
      break;
    case "list":
      await list(desk, state, values.json);
      break;
    case "revoke":
      await revoke(desk, operand, values.json);
      break;
    default:
      checkClock(Date.now());
      await rotate(desk, values);
  }
  return Exit.DONE;
}

const NAME_STATE = "name the one of your server with --state";

/** What is wrong with the command line; one line each. */
function usageProblems(
  { values, sources, problems, operands: [command, ...rest] }: Loaded<typeof TOKEN_OPTIONS>,
): string[] {
  const wrong = problems.map(({ text }) => text);
  const known = Object.hasOwn(COMMANDS, command ?? "") ? COMMANDS[command] : undefined;
  if (known === undefined) {
    const came = command === undefined ? "token" : `token ${JSON.stringify(command)}`;
    return [...wrong, `${came}: the commands are issue, list, revoke and rotate; token --help tells more`];
  }
  const strange = Object.entries(sources)
    .filter(([name, source]) => source === "flag" && ![...known.options, ...COMMON_OPTIONS].includes(name));
  for (const [name] of strange) wrong.push(`--${name} is not for token ${command}; token --help tells more`);
  if (rest.length !== known.operands) {
    const takes = known.operands === 1 ? "one ID, which token list shows" : "options only";
    wrong.push(
      `token ${command} takes ${takes}${
        rest.length > 0 ? `, but got ${rest.map((text) => JSON.stringify(text)).join(" ")}` : ""
      }`,
    );
  }
  if (command !== "issue") return wrong;
  const { name, publish, subscribe, respond } = values;
  if (name === undefined) wrong.push("token issue needs --name, who the token is for");
  else if (!isName(name)) {
    wrong.push(`--name must have 1 to ${MAX_NAME_LENGTH} characters and no control characters`);
  }
  for (const [option, patterns] of Object.entries({ publish, subscribe, respond })) {
    const problem = grantsProblem(patterns);
    if (problem !== undefined) wrong.push(`--${option}: ${problem}`);
  }
  return wrong;
}

/** The state folder of a server that would be started here: its variable and its file may name another. */
function serverState(from: ConfigSources): string {
  return loadConfig(SERVER, { ...from, args: [] }).values.state;
}

async function issue({ tokens }: TokenDesk, values: TokenValues): Promise<void> {
  const { publish, subscribe, respond, direct } = values;
  const request = {
    name: values.name!,
    publish,
    subscribe,
    respond,
    direct,
    expiresInSeconds: values.expires,
  };
  const { token, issued } = await tokens.issue(request);
  if (publish.length + subscribe.length + respond.length === 0 && !direct) {
    printError(
      "parley-server: this token allows nothing but $echo; grant with --publish, --subscribe, --respond, --direct",
    );
  }
  if (values.json) {
    console.log(visibleJson({ ...issued, token }));
    return;
  }
  const { id, name, expiresAtMs } = issued;
  printError(`issued ${id} to ${visible(name)}, valid until ${timeText(expiresAtMs)}; it is shown only now:`);
  console.log(token);
}

async function revoke({ tokens }: TokenDesk, prefix: string, asJson: boolean): Promise<void> {
  const revoked = await tokens.revoke(prefix);
  if (asJson) console.log(visibleJson(revoked));
  else printError(`revoked ${revoked.id} of ${visible(revoked.name)}; its sessions end within seconds`);
}

async function rotate({ tokens, registry }: TokenDesk, { overlap, json }: TokenValues): Promise<void> {
  const untilMs = await tokens.rotate(overlap);
  const now = Date.now();
  const cut = (await registry.list()).filter(({ revokedAtMs, expiresAtMs }) =>
    revokedAtMs === undefined && expiresAtMs > Math.max(now, untilMs)
  );
  if (json) {
    console.log(visibleJson({ acceptedUntilMs: untilMs, endEarly: cut.map(({ id }) => id) }));
    return;
  }
  printError(
    untilMs <= now
      ? "new tokens are signed with a new key; those of before are worth nothing from now on"
      : `new tokens are signed with a new key; those of before are valid until ${
        timeText(untilMs)
      } at the latest`,
  );
  for (const { id, name, expiresAtMs } of cut) {
    printError(`  ends early: ${id} of ${visible(name)}, issued until ${timeText(expiresAtMs)}`);
  }
}

/** What has become of a token. */
type TokenStatus = "valid" | "expired" | "revoked" | "key ended";

async function list({ registry, keys }: TokenDesk, state: string, asJson: boolean): Promise<void> {
  const now = Date.now();
  await keys.refresh();
  const statusOf = ({ revokedAtMs, expiresAtMs, key }: ListedToken): TokenStatus => {
    if (revokedAtMs !== undefined) return "revoked";
    if (expiresAtMs <= now) return "expired";
    return keys.accepted(key) === undefined ? "key ended" : "valid";
  };
  const tokens = (await registry.list()).map((token) => ({ ...token, status: statusOf(token) }));
  if (asJson) {
    for (const token of tokens) console.log(visibleJson(token));
  } else if (tokens.length === 0) {
    printError(`no tokens in ${state}; make one with parley-server token issue --name NAME`);
  } else {
    printTable([
      ["ID", "NAME", "PUBLISH", "SUBSCRIBE", "RESPOND", "DIRECT", "VALID UNTIL", "LAST USED"],
      ...tokens.map((token) => [
        token.id,
        visible(token.name),
        token.publish.join(" ") || "-",
        token.subscribe.join(" ") || "-",
        token.respond.join(" ") || "-",
        token.direct ? "yes" : "-",
        validityText(token),
        token.lastUsedAtMs === undefined ? "never" : timeText(token.lastUsedAtMs),
      ]),
    ]);
  }
}

function validityText(
  { status, expiresAtMs, revokedAtMs }: ListedToken & { readonly status: TokenStatus },
): string {
  switch (status) {
    case "valid":
      return timeText(expiresAtMs);
    case "expired":
      return `expired ${timeText(expiresAtMs)}`;
    case "revoked":
      return `revoked ${timeText(revokedAtMs!)}`;
    default:
      return "its key was rotated out";
  }
}

function printTable(rows: readonly string[][]): void {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    console.log(row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd());
  }
}

function isThere(folder: string): boolean {
  try {
    Deno.statSync(folder);
    return true;
  } catch (error) {
    // Anything but that it is not there, the storage explains better.
    return !(error instanceof Deno.errors.NotFound);
  }
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/:\d\d\.\d+Z$/, "Z");
}
