/**
 * The folders of the server for commands that work on them.
 *
 * @module
 */

import { type ConfigSources, loadConfig } from "../../config/load.ts";
import { SERVER } from "../../config/server_options.ts";

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
  name: "state" | "certs",
  sources: ConfigSources,
): ServerFolder {
  const { values, problems, warnings } = loadConfig(SERVER, { ...sources, args: [] });
  const concerned = problems.filter(({ options }) =>
    options.length === 0 || options.includes(name) || options.includes("config")
  );
  return { path: values[name], problems: concerned.map(({ text }) => text), warnings };
}
