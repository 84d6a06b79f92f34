import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect } from "../../lib/client/connect.ts";
import type { Request } from "../../lib/client/message_types.ts";
import { ParleyError } from "../../lib/errors.ts";
import { serve } from "../../lib/server/serve.ts";

Deno.test("an option that is unknown or out of range fails at once, and says which", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  const failed = Promise.withResolvers<unknown>();
  const handler = (request: Request) => request.reply("", { kinds: "text" } as object);
  await using _responder = await client.respond("jobs", handler, { onError: failed.resolve });
  const cases: [() => Promise<unknown>, string][] = [
    [() => connect({ port: server.port, nmae: "Ada" } as object), '"nmae" is not an option'],
    [() => connect({ reconnect: { max: 1 } } as object), '"max" is not an option; there are initialMs'],
    [() => connect({ token: 12345 } as object), "token must be a string or a function, not a number"],
    [() => connect({ timeoutMs: NaN }), "timeoutMs must be a number above 0, not NaN"],
    [() => client.publish("a", "x", { header: {} } as object), '"header" is not an option'],
    [
      () => client.publish("a", "x", { kind: "xml" } as object),
      'kind must be bytes, text or json, not "xml"',
    ],
    [() => client.sendTo(5, "x", { echo: true } as object), '"echo" is not an option'],
    [() => client.subscribe("a", { grup: "w" } as object), '"grup" is not an option; there are group'],
    [() => client.subscribe("a", { group: "" }), 'group must be 1 to 64 characters without controls, not ""'],
    [() => client.request("jobs", "x", { timeout: 5 } as object), '"timeout" is not an option'],
    [() => client.respond("a", () => {}, { group: "w" } as object), '"group" is not an option'],
    [() => client.respond("a", () => {}, { concurrency: 0 }), "concurrency must be a number above 0, not 0"],
    [() => client.flush({ timeoutMs: -1 }), "timeoutMs must be a number above 0, not -1"],
    [() => client.ping({ signal: "now" } as object), 'signal must be an AbortSignal, not "now"'],
  ];
  await assertRejects(() => client.request("jobs", "x"), ParleyError, "the responder failed");
  assertStringIncludes(String(await failed.promise), '"kinds" is not an option');
  for (const [call, text] of cases) {
    assertEquals((await assertRejects(call, ParleyError, text)).code, "bad_argument");
  }
});
