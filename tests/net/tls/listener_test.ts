import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { ParleyError } from "../../../lib/errors.ts";
import { LINGER_MS } from "../../../lib/limits.ts";
import { dialTls } from "../../../lib/net/tls/dial.ts";
import { DEADLINE_MS, within } from "../../harness/deadline.ts";
import { seeded, seedFrom } from "../../harness/seeded.ts";
import {
  authority,
  clientHello,
  good,
  identity,
  otherAuthority,
  readAll,
  type Served,
  tlsTest,
  writeAll,
  writeUntilStuck,
} from "./fixtures.ts";

const MiB = 1024 * 1024;

/** More than all buffers between the two ends can hold, on any machine tested. */
const MOST_IN_FLIGHT = 32 * MiB;

/** Bytes whose values follow from their positions. */
function pattern(length: number): Uint8Array {
  return new Uint8Array(length).map((_, index) => index % 251);
}

// Bytes

tlsTest("bytes go both ways unchanged, in pieces of any size", async (serve) => {
  await using served = serve();
  const { client, server } = await served.pair();
  for (const [from, to] of [[client, server], [server, client]]) {
    for (const length of [1, 16, 1023, 1024, 1025, 16 * 1024 + 1, 3 * MiB + 7]) {
      const sent = pattern(length);
      const writing = writeAll(from, sent);
      const received = new Uint8Array(length);
      for (let at = 0; at < length;) {
        at += await within(to.read(received.subarray(at)), "bytes") ?? length + 1;
      }
      await writing;
      assert(received.every((byte, index) => byte === sent[index]), `${length} bytes`);
    }
  }
  client.close();
});

tlsTest("reads of any size return the stream, however the writes were cut", async (serve) => {
  const random = seeded(seedFrom());
  await using served = serve();
  const { client, server } = await served.pair();
  for (const [from, to] of [[client, server], [server, client]]) {
    const sent = random.bytes(2 * MiB);
    const writing = (async () => {
      for (let at = 0; at < sent.length;) {
        const end = Math.min(sent.length, at + 1 + random.int(random.pick([20, 5000, 300_000])));
        await writeAll(from, sent.subarray(at, end));
        at = end;
      }
    })();
    const received = new Uint8Array(sent.length);
    for (let at = 0; at < received.length;) {
      const size = 1 + random.int(random.pick([16, 1000, 40_000, 300_000]));
      at += await within(to.read(received.subarray(at, at + size)), "bytes") ?? received.length;
    }
    await writing;
    assert(received.every((byte, index) => byte === sent[index]));
  }
  client.close();
});

tlsTest("each side may end its direction and still read the other one", async (serve) => {
  await using served = serve();
  const { client, server } = await served.pair();
  await client.closeWrite();
  assertEquals((await readAll(server)).length, 0);
  await writeAll(server, pattern(MiB));
  await server.closeWrite();
  assertEquals(await readAll(client), pattern(MiB));
  client.close();
});

tlsTest("bytes written before close arrive, as over TCP", async (serve) => {
  await using served = serve();
  const { client, server } = await served.pair();
  const reading = readAll(client);
  await writeAll(server, pattern(3 * MiB));
  server.close();
  assertEquals((await reading).length, 3 * MiB);
  client.close();
});

tlsTest("ending the server's direction ends TCP in that direction too", async (serve) => {
  await using served = serve();
  const { client, server, lost, relayed } = await proxied(served);
  await server.closeWrite();
  assertEquals(await within(lost, "end of TCP"), "ended");
  client.close();
  await relayed;
});

tlsTest(
  "a client that disconnects without close_notify fails the server's read, then its writes",
  async (serve) => {
    await using served = serve();
    const { client, server, cut, relayed } = await proxied(served);
    cut();
    await within(assertRejects(() => readAll(server), Deno.errors.UnexpectedEof), "end of the read");
    const written = writeAll(server, new Uint8Array(MOST_IN_FLIGHT)).catch((error) => error);
    assertNotBlocked(await within(written, "end of the write"));
    client.close();
    await relayed;
  },
);

tlsTest(
  "a client that disconnects without close_notify does not block the server's writes",
  async (serve) => {
    await using served = serve();
    const { client, server, cut, relayed } = await proxied(served);
    cut();
    const written = writeAll(server, new Uint8Array(MOST_IN_FLIGHT)).catch((error) => error);
    assertNotBlocked(await within(written, "end of the write"));
    await within(server.read(new Uint8Array(1)).catch(() => {}), "end of the read");
    client.close();
    await relayed;
  },
);

/** A write to a client that is gone succeeds, its bytes discarded, or fails for that reason. */
function assertNotBlocked(error: unknown): void {
  const { UnexpectedEof, BrokenPipe, ConnectionReset } = Deno.errors;
  const isGone = [UnexpectedEof, BrokenPipe, ConnectionReset].some((reason) => error instanceof reason);
  assert(error === undefined || isGone, `${error}`);
}

/**
 * Both ends of a new connection through a TCP proxy. `cut` ends TCP without ending TLS, as a killed client does.
 * `lost` is how TCP ended in the server's direction.
 */
async function proxied(served: Served) {
  const tcp = await Deno.connect(served.target);
  const proxy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const near = await Deno.connect({ hostname: "127.0.0.1", port: proxy.addr.port });
  const far = await proxy.accept();
  proxy.close();
  const outwards = tcp.readable.pipeTo(far.writable);
  const lost = outwards.then(() => "ended", () => "failed");
  const relayed = Promise.allSettled([far.readable.pipeTo(tcp.writable), outwards]);
  const client = await Deno.startTls(near, { hostname: "127.0.0.1", caCerts: [authority.certificate] });
  await client.handshake();
  return { client, server: await served.accepted(), cut: () => tcp.close(), lost, relayed };
}

// Back-pressure

for (const writer of ["client", "server"] as const) {
  tlsTest(
    `without a reader the ${writer}'s write waits, and goes on when the other end reads`,
    async (serve) => {
      await using served = serve();
      const { client, server } = await served.pair();
      const [from, to] = writer === "client" ? [client, server] : [server, client];
      const { taken, stuck } = await writeUntilStuck(from);
      assert(taken < MOST_IN_FLIGHT, `${taken} bytes were buffered for an end that does not read`);
      const all = readAll(to);
      const last = await within(stuck, "end of the write");
      await from.closeWrite();
      assertEquals((await all).length, taken + last);
      client.close();
    },
  );
}

tlsTest("closing while the peer does nothing frees everything at once", async (serve) => {
  const served = serve();
  const { client, server } = await served.pair();
  const closed = performance.now();
  server.close();
  served.listener.close();
  await within(served.listener.closed, "end of the relay");
  assert(performance.now() - closed < LINGER_MS, "it took as long as with a peer that stopped reading");
  client.close();
});

tlsTest("closing while the peer does not read settles the write and frees everything", async (serve) => {
  const served = serve();
  const { client, server } = await served.pair();
  const { stuck } = await writeUntilStuck(server);
  const ends = [assertRejects(() => stuck), assertRejects(() => server.read(new Uint8Array(1)))];
  server.close();
  await within(Promise.all(ends), "end of the write and the read");
  served.listener.close();
  await within(served.listener.closed, "end of the relay", LINGER_MS + DEADLINE_MS);
  client.close();
});

// Handshakes that fail

tlsTest(
  "clients that stop in the handshake are closed at the deadline, and do not delay others",
  async (serve) => {
    await using served = serve({ handshakeMs: 400 });
    const beginnings: [RegExp, Uint8Array][] = [
      [/^127\.0\.0\.1: it sent no complete TLS ClientHello within 0\.4 s$/, new Uint8Array(0)],
      [/^127\.0\.0\.1: it sent no complete TLS ClientHello within 0\.4 s$/, clientHello.subarray(0, 3)],
      [
        /^127\.0\.0\.1: it sent no complete TLS ClientHello within 0\.4 s$/,
        clientHello.subarray(0, clientHello.length - 1),
      ],
      [/^127\.0\.0\.1: it did not finish the TLS handshake within 0\.4 s$/, clientHello],
    ];
    for (const [expected, beginning] of beginnings) {
      const peer = await Deno.connect(served.target);
      await writeAll(peer, beginning);
      const { client } = await served.pair(); // meanwhile
      assertMatch(await served.refused(), expected);
      await readAll(peer); // ends
      peer.close();
      client.close();
    }
  },
);

tlsTest("a client that does not speak TLS gets a TLS alert, and the log says why", async (serve) => {
  await using served = serve();
  const peer = await Deno.connect(served.target);
  await writeAll(peer, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 20, ...new Uint8Array(28)]));
  assertMatch(await served.refused(), /^127\.0\.0\.1: it does not speak TLS; /);
  const alert = await readAll(peer);
  assertEquals([...alert.subarray(0, 2)], [0x15, 3], "a TLS alert");
  peer.close();
});

tlsTest("a client without TLS 1.2 or later is refused", async (serve) => {
  await using served = serve();
  const peer = await Deno.connect(served.target);
  // A ClientHello of TLS 1.1: version, 32 random bytes, no session, one cipher, no compression, secure renegotiation.
  const hello = [3, 2, ...new Uint8Array(32), 0, 0, 2, 0xc0, 0x13, 1, 0, 0, 5, 0xff, 1, 0, 1, 0];
  await writeAll(
    peer,
    new Uint8Array([0x16, 3, 1, 0, hello.length + 4, 1, 0, 0, hello.length, ...hello]),
  );
  assertMatch(
    await served.refused(),
    /it offers no TLS version or cipher that this server has; it must speak TLS 1\.2 or later/,
  );
  await readAll(peer);
  peer.close();
});

tlsTest("if a client does not know the CA, the log says what to do", async (serve) => {
  await using served = serve();
  await assertRejects(() => dialTls(served.target, { withinMs: DEADLINE_MS }), ParleyError);
  assertMatch(
    await served.refused(),
    /does not know the CA of this server's certificate; give it the CA file.*\(UnknownCA\)/,
  );
});

tlsTest(
  "if a client disconnects before or in its ClientHello, the reason says how far it came",
  async (serve) => {
    await using served = serve();
    (await Deno.connect(served.target)).close();
    assertMatch(await served.refused(), /it closed the connection without sending anything$/);
    const peer = await Deno.connect(served.target);
    await writeAll(peer, clientHello.subarray(0, 10));
    await peer.closeWrite();
    assertMatch(await served.refused(), /after 10 bytes, in the middle of its TLS ClientHello$/);
    peer.close();
    const another = await Deno.connect(served.target);
    await writeAll(another, clientHello);
    await another.read(new Uint8Array(1)); // the server's answer
    another.close();
    assertMatch(await served.refused(), /it (closed|reset) the connection during the TLS handshake$/);
  },
);

tlsTest(
  "a connection turned away on arrival is closed unread, and neither accepted nor refused",
  async (serve) => {
    const asked: string[] = [];
    await using served = serve({
      arrived: (address) => {
        asked.push(address);
        return asked.length > 1;
      },
    });
    const peer = await Deno.connect(served.target);
    assertEquals((await readAll(peer)).length, 0);
    peer.close();
    const { client } = await served.pair();
    assertEquals(asked, ["127.0.0.1", "127.0.0.1"]);
    client.close();
  },
);

tlsTest({
  name: "another program that connects to the inner listener is not taken for the client",
  only: "relay",
}, async (serve) => {
  await using served = serve();
  const real = Deno.connect;
  const peer = await real(served.target);
  let other: Deno.TcpConn | undefined;
  Deno.connect = (async (options: Deno.ConnectOptions) => {
    other = await real(options);
    return await real(options);
  }) as typeof Deno.connect;
  try {
    await writeAll(peer, clientHello);
    assertMatch(await served.refused(), /another program on this machine connected to the inner listener$/);
  } finally {
    Deno.connect = real;
    other?.close();
  }
  await readAll(peer);
  peer.close();
});

// Certificate and closing

tlsTest("a renewed certificate is used for new connections; existing ones go on", async (serve) => {
  await using served = serve();
  const before = await served.pair();
  served.listener.renew(await identity({ signer: otherAuthority }));
  const after = await served.pair([otherAuthority.certificate]);
  const refused = await assertRejects(() => served.pair(), ParleyError);
  assertEquals(refused.code, "untrusted");
  for (const { client, server } of [before, after]) {
    await client.write(new Uint8Array([7]));
    assertEquals(await server.read(new Uint8Array(10)), 1);
    client.close();
  }
});

tlsTest(
  "a certificate and key that do not match are refused, and the old ones stay in use",
  async (serve) => {
    await using served = serve();
    const { key } = await identity();
    for (const wrong of [{ ...good, key }, { ...good, cert: "no certificate" }, { ...good, key: "" }]) {
      const error = assertThrows(() => served.listener.renew(wrong), ParleyError);
      assertEquals(error.code, "bad_argument");
      assertMatch(error.message, /^cannot serve TLS with this certificate and key: /);
      assertThrows(() => serve({ served: wrong }), ParleyError);
    }
    const { client } = await served.pair();
    client.close();
  },
);

tlsTest("close aborts handshakes in progress and leaves connections open", async (serve) => {
  const served = serve();
  const { client, server } = await served.pair();
  const peer = await Deno.connect(served.target);
  await writeAll(peer, clientHello);
  await peer.read(new Uint8Array(1)); // it is in the middle of the handshake now
  served.listener.close();
  served.listener.close();
  assertMatch(await served.refused(), /this server stopped listening/);
  peer.close();
  await client.write(new Uint8Array(3));
  assertEquals(await server.read(new Uint8Array(10)), 3);
  client.close();
  assertEquals(await server.read(new Uint8Array(10)), null);
  server.close();
  await within(served.listener.closed, "end of the listener");
});

tlsTest("an address in use is an error, as with plain TCP", async (serve) => {
  await using served = serve();
  const events = { accepted() {}, acceptFailed() {}, refused() {} };
  const { TlsListener } = await import("../../../lib/net/tls/listener.ts");
  const { hostname, port } = served.target;
  assertThrows(() => new TlsListener(hostname, port, good, 1000, events), Deno.errors.AddrInUse);
});
