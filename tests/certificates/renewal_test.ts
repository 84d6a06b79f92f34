/** Renewal: another certificate is told of once, a failure changes nothing. */

import { assertEquals } from "@std/assert";
import type { SourcedCertificate } from "../../lib/certificates/source.ts";
import { Renewal } from "../../lib/certificates/renewal.ts";

const certificate = (name: string): SourcedCertificate => ({ certificate: name, key: `key of ${name}` });

function makeRenewal() {
  const told: string[] = [];
  const harness = {
    told,
    reads: 0,
    read: (): Promise<SourcedCertificate> => Promise.resolve(certificate("first")),
    renewed: (_: SourcedCertificate) => {},
    renewal: undefined as unknown as Renewal,
  };
  harness.renewal = new Renewal({ read: () => (harness.reads++, harness.read()) }, certificate("first"), {
    renewed: (it) => {
      harness.renewed(it);
      told.push(it.certificate);
    },
    failed: (error) => told.push(String(error)),
  });
  return harness;
}

Deno.test("the same certificate is no news; another one is, once", async () => {
  const harness = makeRenewal();
  await harness.renewal.look();
  harness.read = () => Promise.resolve(certificate("second"));
  await harness.renewal.look();
  await harness.renewal.look();
  assertEquals(harness.told, ["second"]);
});

Deno.test("a source that fails is told of each time, and the next look tries again", async () => {
  const harness = makeRenewal();
  harness.read = () => Promise.reject(new Error("gone"));
  await harness.renewal.look();
  await harness.renewal.look();
  harness.read = () => Promise.resolve(certificate("second"));
  await harness.renewal.look();
  assertEquals(harness.told, ["Error: gone", "Error: gone", "second"]);
});

Deno.test("a certificate that cannot be served is tried again, not taken for the one in use", async () => {
  const harness = makeRenewal();
  harness.read = () => Promise.resolve(certificate("second"));
  harness.renewed = () => {
    throw new Error("no such cipher");
  };
  await harness.renewal.look();
  harness.renewed = () => {};
  await harness.renewal.look();
  assertEquals(harness.told, ["Error: no such cipher", "second"]);
});

Deno.test("looks at once are one look", async () => {
  const harness = makeRenewal();
  await Promise.all([harness.renewal.look(), harness.renewal.look(), harness.renewal.look()]);
  assertEquals(harness.reads, 1);
});
