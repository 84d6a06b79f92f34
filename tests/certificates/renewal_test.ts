/** Renewal: another certificate is told of once, a failure changes nothing. */

import { assertEquals } from "@std/assert";
import type { SourcedCertificate } from "../../lib/certificates/source.ts";
import { Renewal } from "../../lib/certificates/renewal.ts";

const certificate = (name: string): SourcedCertificate => ({ certificate: name, key: `key of ${name}` });

function makeRenewal() {
  const told: string[] = [];
  const scene = {
    told,
    reads: 0,
    read: (): Promise<SourcedCertificate> => Promise.resolve(certificate("first")),
    renewed: (_: SourcedCertificate) => {},
    renewal: undefined as unknown as Renewal,
  };
  scene.renewal = new Renewal({ read: () => (scene.reads++, scene.read()) }, certificate("first"), {
    renewed: (it) => {
      scene.renewed(it);
      told.push(it.certificate);
    },
    failed: (error) => told.push(String(error)),
  });
  return scene;
}

Deno.test("the same certificate is no news; another one is, once", async () => {
  const scene = makeRenewal();
  await scene.renewal.look();
  scene.read = () => Promise.resolve(certificate("second"));
  await scene.renewal.look();
  await scene.renewal.look();
  assertEquals(scene.told, ["second"]);
});

Deno.test("a source that fails is told of each time, and the next look tries again", async () => {
  const scene = makeRenewal();
  scene.read = () => Promise.reject(new Error("gone"));
  await scene.renewal.look();
  await scene.renewal.look();
  scene.read = () => Promise.resolve(certificate("second"));
  await scene.renewal.look();
  assertEquals(scene.told, ["Error: gone", "Error: gone", "second"]);
});

Deno.test("a certificate that cannot be served is tried again, not taken for the one in use", async () => {
  const scene = makeRenewal();
  scene.read = () => Promise.resolve(certificate("second"));
  scene.renewed = () => {
    throw new Error("no such cipher");
  };
  await scene.renewal.look();
  scene.renewed = () => {};
  await scene.renewal.look();
  assertEquals(scene.told, ["Error: no such cipher", "second"]);
});

Deno.test("looks at once are one look", async () => {
  const scene = makeRenewal();
  await Promise.all([scene.renewal.look(), scene.renewal.look(), scene.renewal.look()]);
  assertEquals(scene.reads, 1);
});
