/**
 * `parley context`: saves servers under names.
 *
 * @module
 */

import { ParleyError } from "../../../errors.ts";
import type { Command, Context } from "../command.ts";
import type { ListedContext } from "../contexts.ts";
import { formatJoinUrl } from "../../../wire/join_url.ts";
import { readAuthority, readLink, readToken } from "../secrets.ts";
import { visible, visibleJson } from "../../terminal.ts";

/** The command. */
export const CONTEXT: Command = {
  name: "context",
  operands: {
    usage: "add NAME [LINK] | list | use NAME | remove NAME",
    min: 1,
    max: 3,
    choices: ["add", "list", "use", "remove"],
  },
  summary: "save servers under names, and choose one",
  details:
    "add saves the address or join link of a server; without a LINK it asks for one or reads stdin. A link may\n" +
    "have quotes around it or line breaks in it. --name, --token, --ca and --tls are saved with it. The first\n" +
    "context is used by every command that names no server; use chooses another, --context or PARLEY_CONTEXT\n" +
    "does so for one command. A link may hold a token, so contexts are in a file that only you can read, in\n" +
    "$XDG_STATE_HOME/parley or ~/.local/state/parley. list prints no secrets.",
  examples: [
    "parley context add local parley://127.0.0.1:7253 --name Ada",
    "parley context add home <link.txt",
    "parley context use home",
    "parley ping --context local",
    "parley context list",
    "parley context remove home",
  ],
  options: ["json"],
  endsByInterrupt: false,
  run,
};

/** How many arguments each action takes, its own name among them. */
const ACTIONS: Readonly<Record<string, readonly [min: number, max: number]>> = {
  add: [2, 3],
  list: [1, 1],
  use: [2, 2],
  remove: [2, 2],
};

async function run(context: Context): Promise<void> {
  const { values, operands, output, contexts, printStatus } = context;
  const [action, name, link] = operands;
  const [min, max] = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : [0, 0];
  if (operands.length < min || operands.length > max) {
    throw new ParleyError("bad_argument", `usage: parley context ${CONTEXT.operands.usage}`);
  }
  switch (action) {
    case "list":
      for (const listed of await contexts.list()) {
        await output.line(values.json ? visibleJson(listed) : formatContext(listed));
      }
      return;
    case "use":
      return await contexts.use(name);
    case "remove":
      return await contexts.remove(name);
    default: {
      const added = await add(name, link, context);
      const use = added.current ? "; commands that name no server use it" : "";
      printStatus(`saved ${formatContext(added).slice(2)}${use}`);
    }
  }
}

/** Adds a context: with the link, or with the address that the options give. Variables are not saved. */
async function add(
  name: string,
  link: string | undefined,
  { values, origins, contexts, host: { stdin } }: Context,
): Promise<ListedContext> {
  const isFlag = (...options: (keyof typeof origins)[]) =>
    options.some((option) => origins[option] === "flag");
  const server = isFlag("url")
    ? values.url
    : isFlag("host", "port")
    ? addressOf(values.host, values.port)
    : undefined;
  if (server !== undefined && link !== undefined) {
    throw new ParleyError("bad_argument", "give a LINK, or one of --url and --host with --port");
  }
  const given = server ?? (link === undefined || link === "-" ? await readLink(stdin) : link);
  return await contexts.add(name, given, {
    as: isFlag("name") ? values.name : undefined,
    token: isFlag("token") ? await readToken(values.token, origins.token) : undefined,
    ca: isFlag("ca") ? await readAuthority(values.ca) : undefined,
    tls: isFlag("tls") && values.tls,
  });
}

function addressOf(hostname: string, port: number): string {
  return formatJoinUrl({ hostname, port, tls: false, ca: undefined, token: undefined });
}

function formatContext({ name, url, as, token, current }: ListedContext): string {
  const details = [...(as === undefined ? [] : [`as ${visible(as)}`]), ...(token ? ["with a token"] : [])];
  return `${current ? "*" : " "} ${name}  ${[url, ...details].join(", ")}`;
}
