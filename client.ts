/**
 * The program `parley`.
 *
 * @module
 */

import { main } from "./lib/cli/client/main.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
