/**
 * The program `parley-server`.
 *
 * @module
 */

import { main } from "./lib/cli/server/main.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
