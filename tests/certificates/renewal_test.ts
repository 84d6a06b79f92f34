/** Renewal: a new certificate is reported once, and a failure changes nothing. */

import { assertEquals } from "@std/assert";
import type { SourcedCertificate } from "../../lib/certificates/source.ts";
import { Renewal } from "../../lib/certificates/renewal.ts";

const certificate = (name: string): SourcedCertificate => ({ certificate: name, key: `key of ${name}` });

function makeRenewal() {
  const events: string[] = [];
  const harness = {
    events,
    reads: 0,
    read: (): Promise<SourcedCertificate> => Promise.resolve(certificate("first")),
    renewed: (_: SourcedCertificate) => {},
    renewal: undefined as unknown as Renewal,
  };
  harness.renewal = new Renewal({ read: () => (harness.reads++, harness.read()) }, certificate("first"), {
    renewed: (it) => {
      harness.renewed(it);
      events.push(it.certificate);
    },
    failed: (error) => events.push(String(error)),
  });
  return harness;
}

Deno.test("an unchanged certificate is not reported, another one is reported once", async () => {
  const harness = makeRenewal();
  await harness.renewal.check();
  harness.read = () => Promise.resolve(certificate("second"));
  await harness.renewal.check();
  await harness.renewal.check();
  assertEquals(harness.events, ["second"]);
});

Deno.test("each failure of the source is reported, and the next check tries again", async () => {
  const harness = makeRenewal();
  harness.read = () => Promise.reject(new Error("gone"));
  await harness.renewal.check();
  await harness.renewal.check();
  harness.read = () => Promise.resolve(certificate("second"));
  await harness.renewal.check();
  assertEquals(harness.events, ["Error: gone", "Error: gone", "second"]);
});

Deno.test("a certificate that cannot be used is tried again at the next check", async () => {
  const harness = makeRenewal();
  harness.read = () => Promise.resolve(certificate("second"));
  harness.renewed = () => {
    throw new Error("no such cipher");
  };
  await harness.renewal.check();
  harness.renewed = () => {};
  await harness.renewal.check();
  assertEquals(harness.events, ["Error: no such cipher", "second"]);
});

Deno.test("concurrent checks share one read", async () => {
  const harness = makeRenewal();
  await Promise.all([harness.renewal.check(), harness.renewal.check(), harness.renewal.check()]);
  assertEquals(harness.reads, 1);
});
