/**
 * `parley-server`: arguments in, one assembled server out.
 *
 * @module
 */

import { main } from "./lib/cli/server/main.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
