/**
 * The folders of the server for commands that work on them.
 *
 * @module
 */

import { type ConfigSources, loadConfig } from "../../config/load.ts";
import { SERVER } from "../../config/server_options.ts";
import { storeFolder } from "../../server/options.ts";

/** A folder, or the problems that leave it unknown, one line each. */
export interface ServerFolder {
  readonly path: string;
  readonly problems: readonly string[];
  /** As in `Loaded`. */
  readonly warnings: readonly string[];
}

/**
 * The folder `name` of a server that is started here without flags. Its variable or its option file may set it, so a
 * mistake in the file is a problem here too: without it the command would silently use another folder than the server.
 */
export function folderOfServer(
  name: "state" | "certs" | "store",
  sources: ConfigSources,
): ServerFolder {
  const { values, problems, warnings } = loadConfig(SERVER, { ...sources, args: [] });
  // Unless it is set, the store is in the state folder.
  const concerning: readonly string[] = ["config", name, ...name === "store" ? ["state"] : []];
  const concerned = problems.filter(({ options }) =>
    options.length === 0 || options.some((option) => concerning.includes(option))
  );
  const path = name === "store" ? storeFolder(values) : values[name];
  return { path, problems: concerned.map(({ text }) => text), warnings };
}

/** Whether there is a folder, or whatever has that name. What opens it reports any other error better. */
export function exists(folder: string): boolean {
  try {
    Deno.statSync(folder);
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}

/** The options given as flags that the command `name` of a program with several does not take, one line each. */
export function strayOptions(
  name: string,
  origins: Readonly<Record<string, string>>,
  taken: readonly string[],
): string[] {
  const stray = Object.keys(origins).filter((option) =>
    origins[option] === "flag" && !taken.includes(option)
  );
  const [program] = name.split(" ");
  return stray.map((option) => `${name} does not take --${option}; see ${program} --help`);
}
