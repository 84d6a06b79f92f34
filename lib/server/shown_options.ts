/**
 * The options of a server as `$stats.config` shows them, if the program that started it does not say.
 *
 * @module
 */

import type { Limits } from "../limits.ts";
import type { ConfigEntry } from "../wire/stats.ts";
import type { ServeOptions } from "./api.ts";

/** Shows the options given to `serve()`, and all limits. None of them is a secret. */
export function shownOptions(options: ServeOptions, limits: Readonly<Limits>): ConfigEntry[] {
  const { limits: given = {}, log: _log, config: _config, auth, ...others } = options;
  const shown: [string, unknown, boolean][] = [
    [
      "auth",
      auth === undefined ? false : typeof auth === "object" ? `tokens of ${auth.issuer}, too` : auth,
      auth !== undefined,
    ],
    ...Object.entries(others).map(([name, value]): [string, unknown, boolean] => [name, value, true]),
    ...Object.entries(limits).map(([name, value]): [string, unknown, boolean] => [
      `limits.${name}`,
      value,
      given[name as keyof Limits] !== undefined,
    ]),
  ];
  return shown.filter(([, value]) => value !== undefined).map(([option, value, isGiven]) => ({
    option,
    value: typeof value === "object" ? JSON.stringify(value) : String(value),
    source: isGiven ? "program" : "default",
  }));
}
