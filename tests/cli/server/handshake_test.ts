/**
 * Refusals of wrong tokens by a server that gives little time.
 *
 * @module
 */

import { assertFailure } from "../../harness/program.ts";
import { siteTest } from "../../harness/site.ts";

siteTest("a wrong token is refused as such, however short the time for a greeting is", async (site) => {
  const server = await site.serve("--auth", "--handshake-time", "1");
  for (let count = 0; count < 6; count++) {
    const ended = await site.parley(["ping", "--port", `${server.port}`, "--token", "wrong"]);
    assertFailure(ended, 4, /^parley: token not valid here/m);
  }
});
