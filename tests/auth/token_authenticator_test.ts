/** Wrong tokens are answered later and later; valid and missing ones are not delayed. */

import { assertEquals } from "@std/assert";
import { TokenAuthenticator } from "../../lib/auth/token_authenticator.ts";
import { FAILURES_FORGOTTEN_MS, MAX_REMEMBERED_ADDRESSES } from "../../lib/limits.ts";
import { accepted, ADA, makeProcess, rejected } from "./fixtures.ts";

const ADDRESS = "192.0.2.1";

/** An authenticator whose delays are recorded and take no time. */
function makeAuthenticator() {
  const parts = makeProcess();
  const delays: number[] = [];
  const clock = { ms: 0 };
  const authenticator = new TokenAuthenticator(
    parts.tokens,
    () => clock.ms,
    (ms) => Promise.resolve(void delays.push(ms)),
  );
  return { ...parts, authenticator, delays, time: clock };
}

Deno.test("each wrong token of an address is rejected later than the one before, up to 3.2 s", async () => {
  const { authenticator, delays } = makeAuthenticator();
  for (let count = 0; count < 8; count++) rejected(await authenticator.verify("wrong", ADDRESS));
  assertEquals(delays, [100, 200, 400, 800, 1600, 3200, 3200, 3200]);
});

Deno.test("wrong tokens sent at the same time are delayed like those sent one after the other", async () => {
  const { authenticator, tokens, delays } = makeAuthenticator();
  const { token } = await tokens.issue(ADA);
  const wrong = Array.from({ length: 100 }, () => authenticator.verify("a.b.c", ADDRESS));
  accepted(await authenticator.verify(token, ADDRESS));
  for (const decision of await Promise.all(wrong)) rejected(decision);
  assertEquals(delays.slice(0, 7), [100, 200, 400, 800, 1600, 3200, 3200]);
  assertEquals(delays.length, 100, "and none for the valid token");
});

Deno.test("thousands of wrong tokens are delayed by 3.2 s at most", async () => {
  const { authenticator, delays } = makeAuthenticator();
  for (let count = 0; count < 2000; count++) await authenticator.verify("wrong", ADDRESS);
  assertEquals(delays.at(-1), 3200);
});

Deno.test("a valid token is accepted at once, whatever its address sent before", async () => {
  const { authenticator, tokens, delays } = makeAuthenticator();
  const { token } = await tokens.issue(ADA);
  await authenticator.verify("wrong", ADDRESS);
  assertEquals(accepted(await authenticator.verify(token, ADDRESS)).name, "Ada");
  assertEquals(delays, [100]);
});

Deno.test("a missing token is rejected at once and does not count as a failure", async () => {
  const { authenticator, delays } = makeAuthenticator();
  for (const none of [undefined, ""]) {
    assertEquals(rejected(await authenticator.verify(none, ADDRESS)).reason, "missing");
  }
  await authenticator.verify("wrong", ADDRESS);
  assertEquals(delays, [100]);
});

Deno.test("failures count per address, and are forgotten after a minute without one", async () => {
  const { authenticator, delays, time } = makeAuthenticator();
  await authenticator.verify("wrong", ADDRESS);
  await authenticator.verify("wrong", "192.0.2.2");
  time.ms += FAILURES_FORGOTTEN_MS - 1;
  await authenticator.verify("wrong", ADDRESS);
  time.ms += FAILURES_FORGOTTEN_MS;
  await authenticator.verify("wrong", ADDRESS);
  assertEquals(delays, [100, 100, 200, 100]);
});

Deno.test("a limited number of addresses is remembered; the least recent failure is forgotten first", async () => {
  const { authenticator, delays } = makeAuthenticator();
  await authenticator.verify("wrong", "first");
  await authenticator.verify("wrong", "second");
  for (let count = 0; count < MAX_REMEMBERED_ADDRESSES - 1; count++) {
    await authenticator.verify("wrong", `${count}`);
  }
  delays.length = 0;
  await authenticator.verify("wrong", "second");
  await authenticator.verify("wrong", "first");
  assertEquals(delays, [200, 100]);
});

Deno.test("an accepted session is checked by the same rules", async () => {
  const { authenticator, tokens, clock } = makeAuthenticator();
  const { token } = await tokens.issue(ADA);
  const identity = accepted(await authenticator.verify(token, ADDRESS));
  assertEquals(authenticator.check(identity), undefined);
  clock.advance(ADA.expiresInSeconds);
  assertEquals(authenticator.check(identity)?.reason, "expired");
});

Deno.test("the delay can be limited to less than a short handshake time", async () => {
  const { tokens } = makeProcess();
  const delays: number[] = [];
  const authenticator = new TokenAuthenticator(
    tokens,
    () => 0,
    (ms) => Promise.resolve(void delays.push(ms)),
    500,
  );
  for (let count = 0; count < 5; count++) await authenticator.verify("wrong", ADDRESS);
  assertEquals(delays, [100, 200, 400, 500, 500]);
});
