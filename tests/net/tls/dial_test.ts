import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ParleyError } from "../../../lib/errors.ts";
import { dialTls, type TlsDialOptions } from "../../../lib/net/tls/dial.ts";
import { describeServerFailure } from "../../../lib/net/tls/reasons.ts";
import { DEADLINE_MS } from "../../harness/deadline.ts";
import { authority, clientHello, identity, otherAuthority, Served } from "./fixtures.ts";

type Target = { hostname: string; port: number };

/** The error of dialling `target`, which must have `code`; its message without the address in front. */
async function failure(target: Target, code: string, options: Partial<TlsDialOptions> = {}): Promise<string> {
  const all = { caCerts: [authority.certificate], withinMs: DEADLINE_MS, ...options };
  const error = await assertRejects(() => dialTls(target, all), ParleyError);
  assertEquals(error.code, code, error.message);
  return error.message.replace(`${target.hostname}:${target.port} `, "");
}

/** A plain TCP server that runs `serve` for each connection. */
function plain(serve: (conn: Deno.TcpConn) => Promise<unknown>): Disposable & { target: Target } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async () => {
    for await (const conn of listener) await serve(conn).finally(() => conn.close());
  })();
  return {
    target: { hostname: "127.0.0.1", port: listener.addr.port },
    [Symbol.dispose]: () => listener.close(),
  };
}

Deno.test("a certificate is valid for its names and addresses", async () => {
  await using served = new Served();
  for (const hostname of ["127.0.0.1", "localhost"]) {
    const target = { ...served.target, hostname };
    const client = await dialTls(target, { caCerts: [authority.certificate], withinMs: DEADLINE_MS });
    await served.accepted();
    client.close();
  }
});

Deno.test("an unknown CA is reported, with or without another CA given", async () => {
  await using served = new Served();
  for (const caCerts of [[], [otherAuthority.certificate]]) {
    assertMatch(
      await failure(served.target, "untrusted", { caCerts }),
      /^has a certificate from a CA that is not known here; give that CA's certificate/,
    );
  }
});

Deno.test("an expired certificate is reported with its date", async () => {
  await using served = new Served({ served: await identity({ daysAgo: 200 }) });
  assertMatch(
    await failure(served.target, "untrusted"),
    /^has a certificate that expired \(\d{4}-\d\d-\d\d\); have it renewed there, .*\(it says \d{4}-\d\d-\d\dT/,
  );
});

Deno.test("a certificate that is not valid yet is reported with its date", async () => {
  await using served = new Served({ served: await identity({ daysAgo: -20 }) });
  assertMatch(
    await failure(served.target, "untrusted"),
    /^has a certificate that is not valid yet \(\d{4}-\d\d-\d\d\); check that the clock here is right/,
  );
});

Deno.test("a certificate for other names is reported with its names", async () => {
  const hosts = ["hub.example", "192.0.2.7", "2001:db8::7"];
  await using served = new Served({ served: await identity({ hosts }) });
  for (const hostname of ["127.0.0.1", "localhost"]) {
    assertMatch(
      await failure({ ...served.target, hostname }, "untrusted"),
      new RegExp(`^has a certificate that is not for ${hostname}, but for hub.example, 192.0.2.7, 2001:`),
    );
  }
});

Deno.test("a server that does not speak TLS is reported", async () => {
  using server = plain(async (conn) => {
    await conn.read(new Uint8Array(16 * 1024));
    await conn.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await conn.read(new Uint8Array(1024)).catch(() => {});
  });
  assertMatch(
    await failure(server.target, "not_parley"),
    /^does not speak TLS; connect without TLS, or check the port$/,
  );
});

Deno.test("a server that disconnects during the handshake is reported", async () => {
  using server = plain(async (conn) => await conn.read(new Uint8Array(16 * 1024)));
  assertMatch(
    await failure(server.target, "unreachable"),
    /^closed the connection during the TLS handshake; /,
  );
});

Deno.test("a server that refuses the handshake is reported with its alert", async () => {
  using server = plain(async (conn) => {
    await conn.read(new Uint8Array(16 * 1024));
    await conn.write(new Uint8Array([0x15, 3, 3, 0, 2, 2, 70])); // protocol_version
    await conn.read(new Uint8Array(1024)).catch(() => {});
  });
  assertMatch(await failure(server.target, "unreachable"), /^refused the TLS handshake: .*ProtocolVersion/);
});

Deno.test("if nothing listens, the error is that of plain TCP", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  assertMatch(
    await failure({ hostname: "127.0.0.1", port: listener.addr.port }, "unreachable"),
    /^nothing listens on 127\.0\.0\.1:\d+; start a server there/,
  );
});

Deno.test("a server that never answers fails at the deadline", async () => {
  const heard = Promise.withResolvers<void>();
  using server = plain(async (conn) => {
    await conn.read(new Uint8Array(16 * 1024));
    await heard.promise;
  });
  assertMatch(
    await failure(server.target, "unreachable", { withinMs: 200 }),
    /^accepts connections, but has not answered the TLS handshake within 0\.2 s; /,
  );
  heard.resolve();
});

Deno.test("a handshake that is done by the time a stopped process runs again is not late", async () => {
  using server = plain(() => heard.promise);
  const heard = Promise.withResolvers<void>();
  const tls = {
    // What ended the handshake is read after overdue timers have run, as it is after SIGSTOP and SIGCONT.
    handshake: () => {
      const done = new Promise<void>((resolve) => setTimeout(resolve, 320));
      for (const until = performance.now() + 340; performance.now() < until;);
      return done;
    },
    close: () => {},
  };
  const { startTls } = Deno;
  let tcp: Deno.TcpConn;
  Deno.startTls = (conn) => {
    tcp = conn as Deno.TcpConn;
    return Promise.resolve(tls as unknown as Deno.TlsConn);
  };
  try {
    assertEquals(await dialTls(server.target, { withinMs: 300 }) as unknown, tls);
  } finally {
    Deno.startTls = startTls;
    tcp!.close();
    heard.resolve();
  }
});

Deno.test("a CA that is not a certificate is refused before connecting", async () => {
  const target = { hostname: "127.0.0.1", port: 1 };
  assertMatch(await failure(target, "bad_argument", { caCerts: ["junk"] }), /contains no certificate in PEM/);
});

Deno.test("nothing but the ClientHello is sent before the server is verified", async () => {
  const received: number[] = [];
  using server = plain(async (conn) => {
    received.push(await conn.read(new Uint8Array(16 * 1024)) ?? 0);
    received.push(await conn.closeWrite().then(() => conn.read(new Uint8Array(1024))) ?? 0);
  });
  await failure(server.target, "unreachable");
  assertEquals(received[0] > 0 && received[0] <= 2 * clientHello.length, true);
});

Deno.test("an unknown error of Deno is passed on unchanged", () => {
  const { code, text } = describeServerFailure(new Error("the moon is full"), "hub");
  assertEquals(code, "unreachable");
  assertMatch(text, /the moon is full/);
  assertEquals(
    describeServerFailure(new Error("invalid peer certificate: Revoked"), "hub").code,
    "untrusted",
  );
});
