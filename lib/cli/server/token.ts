/**
 * `parley-server token`: issues, lists and revokes tokens, and rotates the key that signs them.
 *
 * @module
 */

import { isName } from "../../auth/claims.ts";
import { FolderStorage } from "../../state/folder.ts";
import { grantsProblem } from "../../auth/grants.ts";
import { Keys } from "../../auth/keys.ts";
import { type ListedToken, Registry } from "../../auth/registry.ts";
import { Revocations } from "../../auth/revocations.ts";
import type { Storage } from "../../state/storage.ts";
import { Tokens } from "../../auth/tokens.ts";
import { type ConfigSources, loadConfig, type Loaded } from "../../config/load.ts";
import { ParleyError } from "../../errors.ts";
import { MAX_NAME_LENGTH } from "../../limits.ts";
import type { Values } from "../../config/option.ts";
import { LINK_OPTIONS, TOKEN, type TOKEN_OPTIONS } from "../../config/command_options.ts";
import { Exit } from "../failures.ts";
import { printError } from "../output.ts";
import { exists, folderOfServer, strayOptions } from "./folders.ts";
import { type LinkSource, linkSource } from "./link.ts";
import { checkClock } from "./security.ts";
import { formatHelp } from "../settings.ts";
import { visible, visibleJson } from "../terminal.ts";

const STATE_HINT = "give your server's folder with --state";

const USAGE =
  `Usage: parley-server token issue --name NAME [--publish 'PATTERN']... [--subscribe 'PATTERN']...
             [--respond 'PATTERN']... [--direct] [--monitor | --admin] [--expires 30d] [--link]
                                                     print a new token, or a join link
       parley-server token list                      list the issued tokens: id, grants and validity
       parley-server token revoke ID                 revoke a token; its sessions end within seconds
       parley-server token revoke --external JTI     revoke a token of your own backend (--auth-keys) by its id
       parley-server token rotate [--overlap 30d]    sign tokens with a new key from now on

A token is shown once and not stored: its owner sets it as PARLEY_TOKEN. With --link its owner gets address,
token and authority in one: parley context add NAME LINK, or PARLEY_URL. Put patterns in quotes, because * and >
have a meaning to the shell. --state must be that of the server. ID may be the beginning of an id.

Examples:
  parley-server token issue --name sensor-7 --publish 'sensors.7' --expires 90d
  parley-server token issue --name Ada --publish 'chat.>' --subscribe 'chat.>' --link --host hub.example
  parley-server token list --json
  parley-server token revoke 5f0c
  parley-server token rotate --overlap 1d

`;

type TokenValues = Values<typeof TOKEN_OPTIONS>;

/** The commands: how many operands each takes, and its options besides {@linkcode COMMON_OPTIONS}. */
const COMMANDS: Readonly<Record<string, { operands: number; options: readonly string[] }>> = {
  issue: {
    operands: 0,
    options: [
      "name",
      "publish",
      "subscribe",
      "respond",
      "direct",
      "monitor",
      "admin",
      "expires",
      "link",
      ...Object.keys(LINK_OPTIONS),
    ],
  },
  list: { operands: 0, options: [] },
  revoke: { operands: 1, options: ["external"] },
  rotate: { operands: 0, options: ["overlap"] },
};
const COMMON_OPTIONS = ["state", "json", "help"];

/** The tokens and keys of a state folder. */
interface TokenStore {
  readonly tokens: Tokens;
  readonly registry: Registry;
  readonly keys: Keys;
}

/** Opens the tokens and keys in `storage`. */
export function openTokens(storage: Storage): TokenStore {
  const registry = new Registry(storage, Date.now);
  const keys = new Keys(storage, Date.now);
  const tokens = new Tokens({ keys, registry, now: Date.now, uuid: () => crypto.randomUUID() });
  return { tokens, registry, keys };
}

/** Runs `parley-server token ARGS`; resolves to the exit code. */
export async function tokenCommand(sources: ConfigSources): Promise<number> {
  const loaded = loadConfig(TOKEN, sources);
  const { values, operands: [command, operand] } = loaded;
  if (values.help) {
    console.log(USAGE + formatHelp(TOKEN));
    return Exit.DONE;
  }
  const problems = usageProblems(loaded);
  const server = loaded.origins.state === "default" ? folderOfServer("state", sources) : undefined;
  problems.push(...server?.problems ?? []);
  for (const text of (server ?? loaded).warnings) printError(`parley-server: ${text}`);
  if (problems.length > 0) {
    for (const text of problems) printError(`parley-server: ${text}`);
    return Exit.WRONG_USAGE;
  }
  const state = server?.path ?? values.state;
  const hasState = exists(state);
  const isNew = !hasState && (command === "issue" || values.external);
  if (!hasState && !isNew) {
    if (command === "list") {
      printError(`no tokens: there is no state folder ${state}; ${STATE_HINT}`);
      return Exit.DONE;
    }
    throw new ParleyError("bad_argument", `there is no state folder ${state}; ${STATE_HINT}`);
  }
  if (isNew) {
    printError(`parley-server: ${state} is a new state folder; start the server with the same --state`);
  }
  const store = openTokens(new FolderStorage(state));
  switch (command) {
    case "issue":
      checkClock(Date.now());
      await issue(store, values, values.link ? await linkSource(loaded, sources) : undefined);
      break;
    case "list":
      await list(store, state, values.json);
      break;
    case "revoke":
      if (values.external) await revokeExternal(state, operand, values.json);
      else await revoke(store, operand, values.json);
      break;
    default:
      checkClock(Date.now());
      await rotate(store, values);
  }
  return Exit.DONE;
}

/** The problems of the command line, one line each. */
function usageProblems(
  { values, origins, problems, operands: [command, ...rest] }: Loaded<typeof TOKEN_OPTIONS>,
): string[] {
  const found = problems.map(({ text }) => text);
  const known = Object.hasOwn(COMMANDS, command ?? "") ? COMMANDS[command] : undefined;
  if (known === undefined) {
    const given = command === undefined ? "token" : `token ${JSON.stringify(command)}`;
    return [...found, `${given}: the commands are issue, list, revoke and rotate; see token --help`];
  }
  found.push(...strayOptions(`token ${command}`, origins, [...known.options, ...COMMON_OPTIONS]));
  if (rest.length !== known.operands) {
    const operands = known.operands === 1 ? "one ID, as token list shows it" : "only options";
    found.push(
      `token ${command} takes ${operands}${
        rest.length > 0 ? `, but got ${rest.map((text) => JSON.stringify(text)).join(" ")}` : ""
      }`,
    );
  }
  if (command !== "issue") return found;
  const { name, publish, subscribe, respond, link } = values;
  const stray = Object.keys(LINK_OPTIONS).find((name) => origins[name as keyof typeof origins] === "flag");
  if (!link && stray !== undefined) found.push(`--${stray} is for a link; add --link`);
  if (name === undefined) found.push("token issue needs --name, the owner of the token");
  else if (!isName(name)) {
    found.push(`--name must have 1 to ${MAX_NAME_LENGTH} characters and no control characters`);
  }
  for (const [option, patterns] of Object.entries({ publish, subscribe, respond })) {
    const problem = grantsProblem(patterns);
    if (problem !== undefined) found.push(`--${option}: ${problem}`);
  }
  return found;
}

async function issue(
  { tokens }: TokenStore,
  values: TokenValues,
  link: LinkSource | undefined,
): Promise<void> {
  const { publish, subscribe, respond, direct, monitor, admin } = values;
  const request = {
    name: values.name!,
    publish,
    subscribe,
    respond,
    direct,
    monitor,
    admin,
    expiresInSeconds: values.expires,
  };
  const { token, issued } = await tokens.issue(request);
  if (publish.length + subscribe.length + respond.length === 0 && !direct && !monitor && !admin) {
    printError(
      "parley-server: this token permits only $echo; use --publish, --subscribe, --respond, --direct, " +
        "--monitor or --admin",
    );
  }
  const url = await link?.link(token);
  for (const text of link?.warnings ?? []) printError(`parley-server: ${text}`);
  if (values.json) {
    console.log(visibleJson({ ...issued, token, link: url }));
    return;
  }
  const { id, name, expiresAtMs } = issued;
  printError(
    `issued ${id} to ${visible(name)}, valid until ${formatTime(expiresAtMs)}; it is shown only once:`,
  );
  console.log(url ?? token);
}

async function revoke({ tokens }: TokenStore, prefix: string, asJson: boolean): Promise<void> {
  const revoked = await tokens.revoke(prefix);
  if (asJson) console.log(visibleJson(revoked));
  else printError(`revoked ${revoked.id} of ${visible(revoked.name)}; its sessions end within seconds`);
}

async function revokeExternal(state: string, id: string, asJson: boolean): Promise<void> {
  const revokedAtMs = await new Revocations(new FolderStorage(state), Date.now).add(id);
  if (asJson) console.log(visibleJson({ id, revokedAtMs }));
  else printError(`revoked ${visible(id)} of your own backend; its sessions end within seconds`);
}

async function rotate({ tokens, registry }: TokenStore, { overlap, json }: TokenValues): Promise<void> {
  const untilMs = await tokens.rotate(overlap);
  const now = Date.now();
  const endingEarly = (await registry.list()).filter(({ revokedAtMs, expiresAtMs }) =>
    revokedAtMs === undefined && expiresAtMs > Math.max(now, untilMs)
  );
  if (json) {
    console.log(visibleJson({ acceptedUntilMs: untilMs, endEarly: endingEarly.map(({ id }) => id) }));
    return;
  }
  printError(
    untilMs <= now
      ? "new tokens are signed with a new key; earlier tokens are no longer valid"
      : `new tokens are signed with a new key; earlier tokens are valid until ${
        formatTime(untilMs)
      } at the latest`,
  );
  for (const { id, name, expiresAtMs } of endingEarly) {
    printError(`  ends early: ${id} of ${visible(name)}, otherwise valid until ${formatTime(expiresAtMs)}`);
  }
}

/** The state of a token. `key ended`: the key that signed it is no longer accepted. */
type TokenStatus = "valid" | "expired" | "revoked" | "key ended";

async function list({ registry, keys }: TokenStore, state: string, asJson: boolean): Promise<void> {
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
    printError(`no tokens in ${state}; issue one with parley-server token issue --name NAME`);
  } else {
    printTable([
      ["ID", "NAME", "PUBLISH", "SUBSCRIBE", "RESPOND", "DIRECT", "SERVER", "VALID UNTIL", "LAST USED"],
      ...tokens.map((token) => [
        token.id,
        visible(token.name),
        token.publish.join(" ") || "-",
        token.subscribe.join(" ") || "-",
        token.respond.join(" ") || "-",
        token.direct ? "yes" : "-",
        token.admin ? "admin" : token.monitor ? "monitor" : "-",
        describeValidity(token),
        token.lastUsedAtMs === undefined ? "never" : formatTime(token.lastUsedAtMs),
      ]),
    ]);
  }
}

function describeValidity(
  { status, expiresAtMs, revokedAtMs }: ListedToken & { readonly status: TokenStatus },
): string {
  switch (status) {
    case "valid":
      return formatTime(expiresAtMs);
    case "expired":
      return `expired ${formatTime(expiresAtMs)}`;
    case "revoked":
      return `revoked ${formatTime(revokedAtMs!)}`;
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

function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(/:\d\d\.\d+Z$/, "Z");
}
