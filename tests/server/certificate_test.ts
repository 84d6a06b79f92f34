/** The certificate of a running server: which one is served, and what the log says of it. */

import { assertEquals, assertRejects } from "@std/assert";
import { connect, ParleyError, serve, type Server } from "../../lib/mod.ts";
import { type Differences, makeRoot, makeSigned } from "../certificates/flawed.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";
import { RecordedLog } from "../harness/recorded_log.ts";

/** A server whose certificate can be replaced. */
async function serveFile(first: Differences = {}) {
  const folder = makeFolder();
  const root = await makeRoot();
  const tls = { certificateFile: `${folder.path}/server.pem`, keyFile: `${folder.path}/key.pem` };
  const replace = async (differences: Differences) => {
    const { certificate, key } = await makeSigned(root, differences);
    await Promise.all([
      Deno.writeTextFile(tls.certificateFile, certificate),
      Deno.writeTextFile(tls.keyFile, key),
    ]);
  };
  await replace(first);
  const log = new RecordedLog();
  const server = await serve({ tls, log: log.log });
  const connects = async () => {
    await using client = await connect({ url: server.url, ca: root.certificate });
    return client.sessionId > 0;
  };
  const close = async () => {
    await server.close();
    folder[Symbol.dispose]();
  };
  return { server: server as Server, log, replace, connects, [Symbol.asyncDispose]: close };
}

const EXPIRED = "the certificate has expired and clients refuse it; renew it and send SIGHUP";
const KEPT = "cannot renew the certificate; the one from before stays";

Deno.test({
  name: "a certificate that clients would refuse does not replace the one in use; the log has the reason",
  ignore: !MAY_USE_FILES,
  async fn() {
    await using served = await serveFile();
    const cases: [Differences, RegExp][] = [
      [{ from: -100, until: -1 }, /server\.pem is not used: the certificate has expired/],
      [{ from: 1 }, /not valid yet/],
      [{ isAuthority: true }, /marked as an authority \(CA:TRUE\)/],
      [{ names: [] }, /no name or address in subjectAltName/],
    ];
    for (const [differences, reason] of cases) {
      await served.replace(differences);
      await served.server.reload();
      const { level, reason: said } = served.log.all(KEPT).at(-1)!;
      assertEquals([level, reason.test(`${said}`)], ["error", true], `${said}`);
      assertEquals(await served.connects(), true);
    }
    assertEquals(served.log.all(KEPT).length, cases.length);
    await served.replace({ until: 60 });
    await served.server.reload();
    assertEquals(served.log.all("certificate renewed; sessions go on").length, 1);
    assertEquals(await served.connects(), true);
  },
});

Deno.test({
  name: "a start warns of a certificate that clients refuse, and says what to do",
  ignore: !MAY_USE_FILES,
  async fn() {
    for (
      const [differences, words] of [
        [{ isAuthority: true }, "make it with basicConstraints=CA:FALSE"],
        [{ names: [] }, "parley-server certs"],
        [{ from: -100, until: -1 }, EXPIRED],
        [{ from: 1 }, "check this machine's clock"],
      ] as const
    ) {
      await using served = await serveFile(differences);
      const warnings = served.log.lines.filter(({ level }) => level === "warn");
      assertEquals(warnings.map(({ message }) => message.includes(words)), [true]);
      const { code } = await assertRejects(() => served.connects(), ParleyError);
      assertEquals(code, "untrusted");
    }
  },
});

Deno.test({
  name: "a start does not warn of a good certificate, and logs what it is for",
  ignore: !MAY_USE_FILES,
  async fn() {
    await using served = await serveFile();
    assertEquals(served.log.lines.filter(({ level }) => level !== "info"), []);
    assertEquals(served.log.all("certificate").map(({ hosts }) => hosts), [["localhost", "127.0.0.1"]]);
  },
});
