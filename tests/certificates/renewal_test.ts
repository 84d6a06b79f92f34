/** Renewal: a new certificate is used once if it is no worse, a failure changes nothing, and expiry is warned of. */

import { assertEquals, assertMatch } from "@std/assert";
import { inspect } from "../../lib/certificates/inspection.ts";
import { Renewal } from "../../lib/certificates/renewal.ts";
import type { SourcedCertificate } from "../../lib/certificates/source.ts";
import { type Differences, makeSigned } from "./flawed.ts";
import { Clock, DAY_SECONDS } from "../auth/fixtures.ts";

const EXPIRED = "the certificate has expired and clients refuse it; renew it and send SIGHUP";
const SOON = "the certificate expires soon; renew it and send SIGHUP";

/** A self-signed certificate by the test's clock. */
const made = async (clock: Clock, differences: Differences = {}): Promise<SourcedCertificate> => {
  const { certificate, key } = await makeSigned(undefined, { nowMs: clock.ms, ...differences });
  return { certificate, key };
};

async function makeRenewal(differences: Differences = {}) {
  const clock = new Clock();
  const first = await made(clock, differences);
  const events: string[] = [];
  const harness = {
    clock,
    events,
    reads: 0,
    next: (): SourcedCertificate | Promise<SourcedCertificate> => first,
    use: (_: SourcedCertificate) => {},
    renewal: undefined as unknown as Renewal,
  };
  const source = { file: "server.pem", read: async () => (harness.reads++, await harness.next()) };
  harness.renewal = new Renewal(source, await inspect(first), {
    renewed: (certificate) => {
      harness.use(certificate);
      events.push(certificate.certificate);
    },
    failed: (error) => events.push((error as Error).message),
    warned: (message) => events.push(message),
  }, clock.now);
  return harness;
}

Deno.test("an unchanged certificate is not reported, another one is reported once", async () => {
  const harness = await makeRenewal();
  await harness.renewal.check();
  const second = await made(harness.clock);
  harness.next = () => second;
  await harness.renewal.check();
  await harness.renewal.check();
  assertEquals(harness.events, [second.certificate]);
});

Deno.test("a failure is reported once, and again if it is another, if asked to, and after a success", async () => {
  const harness = await makeRenewal();
  const first = harness.next;
  const fail = (message: string) => harness.next = () => Promise.reject(new Error(message));
  fail("gone");
  for (let count = 0; count < 3; count++) await harness.renewal.check();
  assertEquals(harness.events, ["gone"]);
  await harness.renewal.check({ repeat: true });
  fail("broken");
  await harness.renewal.check();
  harness.next = first;
  await harness.renewal.check();
  fail("broken");
  await harness.renewal.check();
  assertEquals(harness.events, ["gone", "gone", "broken", "broken"]);
});

Deno.test("a certificate that cannot be used is tried again at the next check", async () => {
  const harness = await makeRenewal();
  const second = await made(harness.clock);
  harness.next = () => second;
  harness.use = () => {
    throw new Error("no such cipher");
  };
  await harness.renewal.check();
  harness.use = () => {};
  await harness.renewal.check();
  assertEquals(harness.events, ["no such cipher", second.certificate]);
});

Deno.test("concurrent checks share one read", async () => {
  const harness = await makeRenewal();
  await Promise.all([harness.renewal.check(), harness.renewal.check(), harness.renewal.check()]);
  assertEquals(harness.reads, 1);
});

Deno.test("a new certificate with a flaw that the one in use does not have is not used, and the reason is said", async () => {
  for (
    const [differences, reason] of [
      [{ from: -100, until: -1 }, /^server\.pem is not used: the certificate has expired/],
      [{ from: 1 }, /^server\.pem is not used: the certificate is not valid yet/],
      [{ isAuthority: true }, /^server\.pem is not used: the certificate is marked as an authority/],
      [{ names: [] }, /^server\.pem is not used: the certificate has no name/],
    ] as const
  ) {
    const harness = await makeRenewal();
    const worse = await made(harness.clock, differences);
    harness.next = () => worse;
    harness.use = () => {
      throw new Error("used");
    };
    await harness.renewal.check();
    await harness.renewal.check();
    assertEquals(harness.events.length, 1);
    assertMatch(harness.events[0], reason);
  }
});

Deno.test("a certificate that is not valid yet is used as soon as it is", async () => {
  const harness = await makeRenewal();
  const next = await made(harness.clock, { from: 1 });
  harness.next = () => next;
  await harness.renewal.check();
  harness.clock.advance(DAY_SECONDS + 1);
  await harness.renewal.check();
  assertEquals(harness.events.slice(1), [next.certificate]);
});

Deno.test("a new certificate with the flaws of the one in use is used, with a warning", async () => {
  const harness = await makeRenewal({ isAuthority: true });
  harness.renewal.warn();
  const next = await made(harness.clock, { isAuthority: true });
  harness.next = () => next;
  await harness.renewal.check();
  assertEquals(harness.events.length, 3);
  assertMatch(harness.events[0], /marked as an authority/);
  assertEquals(harness.events.slice(1), [next.certificate, harness.events[0]]);
});

Deno.test("a certificate that runs out is warned of at 30, 7 and 1 days left and when it has expired, once each", async () => {
  const harness = await makeRenewal({ until: 365 });
  harness.renewal.warn();
  const warnedAt: [daysLeft: number, message: string][] = [];
  for (let hours = 0; hours < 367 * 24; hours += 6) {
    await harness.renewal.check();
    for (const message of harness.events.splice(0)) warnedAt.push([365 - hours / 24, message]);
    harness.clock.advance(6 * 3600);
  }
  assertEquals(warnedAt, [[30, SOON], [7, SOON], [1, SOON], [0, EXPIRED]]);
});

Deno.test("a server that starts late in the life of its certificate warns once, and goes on from there", async () => {
  const harness = await makeRenewal({ from: -360, until: 5 });
  harness.renewal.warn();
  await harness.renewal.check();
  assertEquals(harness.events, [SOON]);
  harness.clock.advance(5 * DAY_SECONDS);
  await harness.renewal.check();
  assertEquals(harness.events, [SOON, EXPIRED]);
  const next = await made(harness.clock);
  harness.next = () => next;
  await harness.renewal.check();
  harness.clock.advance(91 * DAY_SECONDS);
  await harness.renewal.check();
  assertEquals(harness.events.slice(2), [next.certificate, EXPIRED], "a renewed one is warned of anew");
});

Deno.test("a certificate of few days is not warned of before its renewal is due", async () => {
  const harness = await makeRenewal({ from: 0, until: 6 });
  harness.renewal.warn();
  harness.clock.advance(4 * DAY_SECONDS);
  await harness.renewal.check();
  assertEquals(harness.events, []);
  harness.clock.advance(1 * DAY_SECONDS);
  await harness.renewal.check();
  assertEquals(harness.events, [SOON]);
});
