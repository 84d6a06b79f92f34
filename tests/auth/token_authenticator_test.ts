/** The door: who tries wrong tokens waits, and nobody else. */

import { assertEquals } from "@std/assert";
import { TokenAuthenticator } from "../../lib/auth/token_authenticator.ts";
import { FAILURES_FORGOTTEN_MS, MAX_REMEMBERED_ADDRESSES } from "../../lib/limits.ts";
import { ADA, admitted, process, refused } from "./fixtures.ts";

const ADDRESS = "192.0.2.1";

/** A door by a clock that stands, whose pauses are written down and take no time. */
function makeDoor() {
  const desk = process();
  const pauses: number[] = [];
  const clock = { ms: 0 };
  const authenticator = new TokenAuthenticator(
    desk.tokens,
    () => clock.ms,
    (ms) => Promise.resolve(void pauses.push(ms)),
  );
  return { ...desk, authenticator, pauses, time: clock };
}

Deno.test("each wrong token of an address is refused later than the one before, up to 3.2 s", async () => {
  const { authenticator, pauses } = makeDoor();
  for (let count = 0; count < 8; count++) refused(await authenticator.verify("wrong", ADDRESS));
  assertEquals(pauses, [100, 200, 400, 800, 1600, 3200, 3200, 3200]);
});

Deno.test("thousands of wrong tokens still wait no longer than 3.2 s", async () => {
  const { authenticator, pauses } = makeDoor();
  for (let count = 0; count < 2000; count++) await authenticator.verify("wrong", ADDRESS);
  assertEquals(pauses.at(-1), 3200);
});

Deno.test("a right token is let in at once, whatever its address did before", async () => {
  const { authenticator, tokens, pauses } = makeDoor();
  const { token } = await tokens.issue(ADA);
  await authenticator.verify("wrong", ADDRESS);
  assertEquals(admitted(await authenticator.verify(token, ADDRESS)).name, "Ada");
  assertEquals(pauses, [100]);
});

Deno.test("who has no token is told at once that one is needed, and it counts for nothing", async () => {
  const { authenticator, pauses } = makeDoor();
  for (const none of [undefined, ""]) {
    assertEquals(refused(await authenticator.verify(none, ADDRESS)).reason, "missing");
  }
  await authenticator.verify("wrong", ADDRESS);
  assertEquals(pauses, [100]);
});

Deno.test("one address does not slow another, and after a quiet minute it starts anew", async () => {
  const { authenticator, pauses, time } = makeDoor();
  await authenticator.verify("wrong", ADDRESS);
  await authenticator.verify("wrong", "192.0.2.2");
  time.ms += FAILURES_FORGOTTEN_MS - 1;
  await authenticator.verify("wrong", ADDRESS);
  time.ms += FAILURES_FORGOTTEN_MS;
  await authenticator.verify("wrong", ADDRESS);
  assertEquals(pauses, [100, 100, 200, 100]);
});

Deno.test("so many addresses are remembered and no more; the one that failed longest ago is forgotten", async () => {
  const { authenticator, pauses } = makeDoor();
  await authenticator.verify("wrong", "first");
  await authenticator.verify("wrong", "second");
  for (let count = 0; count < MAX_REMEMBERED_ADDRESSES - 1; count++) {
    await authenticator.verify("wrong", `${count}`);
  }
  pauses.length = 0;
  await authenticator.verify("wrong", "second");
  await authenticator.verify("wrong", "first");
  assertEquals(pauses, [200, 100]);
});

Deno.test("somebody let in is asked for again by the same rules", async () => {
  const { authenticator, tokens, clock } = makeDoor();
  const { token } = await tokens.issue(ADA);
  const identity = admitted(await authenticator.verify(token, ADDRESS));
  assertEquals(authenticator.check(identity), undefined);
  clock.advance(ADA.expiresInSeconds);
  assertEquals(authenticator.check(identity)?.reason, "expired");
});

Deno.test("a server whose greetings must be quick refuses in time", async () => {
  const { tokens } = process();
  const pauses: number[] = [];
  const authenticator = new TokenAuthenticator(
    tokens,
    () => 0,
    (ms) => Promise.resolve(void pauses.push(ms)),
    500,
  );
  for (let count = 0; count < 5; count++) await authenticator.verify("wrong", ADDRESS);
  assertEquals(pauses, [100, 200, 400, 500, 500]);
});
