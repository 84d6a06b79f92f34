/**
 * The folder in which `parley` keeps what belongs to its user: contexts, and the names of channels for completion.
 *
 * @module
 */

import { FolderStorage } from "../../state/folder.ts";
import type { Storage } from "../../state/storage.ts";

/** Environment variables. */
export type Environment = Readonly<Record<string, string>>;

/**
 * The path of the folder: `parley` in the user's state folder, as the XDG Base Directory Specification has it. Undefined
 * if the environment does not say where that is, as in a service without a home.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { userFolder } from "./user_folder.ts";
 *
 * assertEquals(userFolder({ XDG_STATE_HOME: "/home/ada/.state" }, "linux"), "/home/ada/.state/parley");
 * assertEquals(userFolder({ HOME: "/home/ada" }, "linux"), "/home/ada/.local/state/parley");
 * assertEquals(userFolder({}, "linux"), undefined);
 * ```
 */
export function userFolder(env: Environment, os: string = Deno.build.os): string | undefined {
  const { XDG_STATE_HOME: state, HOME: home, LOCALAPPDATA: local } = env;
  if (state?.startsWith("/")) return `${state}/parley`;
  if (os === "windows") return local ? `${local}\\parley` : undefined;
  return home ? `${home}/.local/state/parley` : undefined;
}

/** The files in that folder; undefined if there is none. They are the user's alone: see {@linkcode FolderStorage}. */
export function userStorage(env: Environment): Storage | undefined {
  const path = userFolder(env);
  return path === undefined ? undefined : new FolderStorage(path);
}
