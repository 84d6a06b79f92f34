import { assertEquals, assertMatch } from "@std/assert";
import { describeFailure, exitCodeOf } from "../../lib/cli/failures.ts";
import { ParleyError } from "../../lib/errors.ts";

for (
  const [code, connecting, connected] of [
    ["bad_argument", 2, 2],
    ["bad_channel", 2, 2],
    ["unreachable", 3, 3],
    ["not_parley", 3, 3],
    ["disconnected", 3, 3],
    ["shutting_down", 3, 3],
    ["server_full", 3, 3],
    ["timeout", 3, 5],
    ["bad_payload", 3, 1],
    ["unsupported_protocol", 1, 1],
    ["unauthorized", 4, 4],
    ["forbidden", 4, 4],
    ["no_responders", 3, 5],
    ["responder_gone", 3, 5],
    ["no_reply", 3, 5],
    ["too_large", 3, 1],
    ["slow_consumer", 3, 1],
    ["internal", 3, 1],
  ] as const
) {
  Deno.test(`${code} is exit code ${connecting} before WELCOME, and ${connected} after it`, () => {
    const error = new ParleyError(code, "");
    assertEquals([exitCodeOf(error, false), exitCodeOf(error, true)], [connecting, connected]);
  });
}

Deno.test("a failure says what to try, once", () => {
  assertEquals(
    describeFailure(new ParleyError("forbidden", "not permitted to publish on x")),
    "not permitted to publish on x; use a token that permits it",
  );
  assertEquals(describeFailure(new ParleyError("forbidden", "no; try y")), "no; try y");
});

Deno.test("an unexpected error is one line too", () => {
  assertMatch(describeFailure(new TypeError("a\nb")), /^TypeError: a\\nb; .*report it/);
  assertMatch(describeFailure("thrown text"), /^thrown text; /);
  assertEquals(exitCodeOf(new TypeError(""), true), 1);
});
