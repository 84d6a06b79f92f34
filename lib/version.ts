/**
 * The version of Parley, written once: in deno.json.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };

/** The version of this program, as WELCOME and `--version` say it. */
export const VERSION: string = config.version;
