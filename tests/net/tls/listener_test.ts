import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { ParleyError } from "../../../lib/errors.ts";
import { LINGER_MS } from "../../../lib/limits.ts";
import { dialTls } from "../../../lib/net/tls/dial.ts";
import { DEADLINE_MS, within } from "../../harness/deadline.ts";
import {
  authority,
  good,
  greeting,
  identity,
  otherAuthority,
  readAll,
  Served,
  writeAll,
  writeUntilStuck,
} from "./fixtures.ts";

const MiB = 1024 * 1024;

/** More than the relay and both kernels' buffers hold, on any machine we have seen. */
const MOST_IN_FLIGHT = 32 * MiB;

/** Bytes that tell where they belong. */
function pattern(length: number): Uint8Array {
  return new Uint8Array(length).map((_, index) => index % 251);
}

// Bytes

Deno.test("bytes go both ways unchanged, in pieces of any size", async () => {
  await using served = new Served();
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

Deno.test("either side may end its direction and still read the other's", async () => {
  await using served = new Served();
  const { client, server } = await served.pair();
  await client.closeWrite();
  assertEquals((await readAll(server)).length, 0);
  await writeAll(server, pattern(MiB));
  await server.closeWrite();
  assertEquals(await readAll(client), pattern(MiB));
  client.close();
});

Deno.test("what is written before close arrives, as it does over TCP", async () => {
  await using served = new Served();
  const { client, server } = await served.pair();
  const reading = readAll(client);
  await writeAll(server, pattern(3 * MiB));
  server.close();
  assertEquals((await reading).length, 3 * MiB);
  client.close();
});

Deno.test("the end of the server's direction is an end of TCP, too", async () => {
  await using served = new Served();
  const { client, server, lost, relayed } = await proxied(served);
  await server.closeWrite();
  assertEquals(await within(lost, "end of TCP"), "ended");
  client.close();
  await relayed;
});

Deno.test("a client that is gone without goodbye ends the server's read, and does not stop its writes", async () => {
  await using served = new Served();
  const { client, server, cut, relayed } = await proxied(served);
  cut();
  await within(writeAll(server, new Uint8Array(MOST_IN_FLIGHT)), "end of the write");
  await within(assertRejects(() => readAll(server), Deno.errors.UnexpectedEof), "end of the read");
  client.close();
  await relayed;
});

/**
 * Both ends of a new connection with a wire between that can be `cut`, as by a killed client: TCP ends, TLS does not.
 * `lost` is how the server's direction of TCP came to an end.
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
  Deno.test(`nobody reads: the ${writer}'s write waits, and goes on when somebody does`, async () => {
    await using served = new Served();
    const { client, server } = await served.pair();
    const [from, to] = writer === "client" ? [client, server] : [server, client];
    const { taken, stuck } = await writeUntilStuck(from);
    assert(taken < MOST_IN_FLIGHT, `${taken} bytes were taken in for a reader that does not read`);
    const all = readAll(to);
    const last = await within(stuck, "end of the write");
    await from.closeWrite();
    assertEquals((await all).length, taken + last);
    client.close();
  });
}

Deno.test("closing on a peer that does nothing lets go of everything at once", async () => {
  const served = new Served();
  const { client, server } = await served.pair();
  const closed = performance.now();
  server.close();
  served.listener.close();
  await within(served.listener.closed, "end of the relay");
  assert(performance.now() - closed < LINGER_MS, "it took as long as with a peer that stopped reading");
  client.close();
});

Deno.test("closing on a peer that stopped reading settles the write and lets go of everything", async () => {
  const served = new Served();
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

Deno.test("strangers who stop in the handshake are gone at the deadline, and hinder nobody", async () => {
  await using served = new Served({ handshakeMs: 400 });
  const beginnings: [RegExp, Uint8Array][] = [
    [/^127\.0\.0\.1: it sent no whole TLS greeting within 0\.4 s$/, new Uint8Array(0)],
    [/^127\.0\.0\.1: it sent no whole TLS greeting within 0\.4 s$/, greeting.subarray(0, 3)],
    [
      /^127\.0\.0\.1: it sent no whole TLS greeting within 0\.4 s$/,
      greeting.subarray(0, greeting.length - 1),
    ],
    [/^127\.0\.0\.1: it did not finish the TLS handshake within 0\.4 s$/, greeting],
  ];
  for (const [expected, beginning] of beginnings) {
    const stranger = await Deno.connect(served.target);
    await writeAll(stranger, beginning);
    const { client } = await served.pair(); // meanwhile
    assertMatch(await served.refused(), expected);
    await readAll(stranger); // ends
    stranger.close();
    client.close();
  }
});

Deno.test("a client that speaks no TLS is told so in TLS, and the log in words", async () => {
  await using served = new Served();
  const stranger = await Deno.connect(served.target);
  await writeAll(stranger, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 20, ...new Uint8Array(28)]));
  assertMatch(await served.refused(), /^127\.0\.0\.1: it does not speak TLS; /);
  const alert = await readAll(stranger);
  assertEquals([...alert.subarray(0, 2)], [0x15, 3], "a TLS alert");
  stranger.close();
});

Deno.test("a client that knows no TLS from 1.2 on is refused", async () => {
  await using served = new Served();
  const stranger = await Deno.connect(served.target);
  // A ClientHello of TLS 1.1: version, 32 random bytes, no session, one cipher, no compression, secure renegotiation.
  const hello = [3, 2, ...new Uint8Array(32), 0, 0, 2, 0xc0, 0x13, 1, 0, 0, 5, 0xff, 1, 0, 1, 0];
  await writeAll(
    stranger,
    new Uint8Array([0x16, 3, 1, 0, hello.length + 4, 1, 0, 0, hello.length, ...hello]),
  );
  assertMatch(
    await served.refused(),
    /it offers no TLS version or cipher of ours; it must speak TLS 1\.2 or later/,
  );
  await readAll(stranger);
  stranger.close();
});

Deno.test("a client that does not know the CA says so, and the log says what to do", async () => {
  await using served = new Served();
  await assertRejects(() => dialTls(served.target, { withinMs: DEADLINE_MS }), ParleyError);
  assertMatch(
    await served.refused(),
    /does not know the CA of our certificate; give it the CA file.*\(UnknownCA\)/,
  );
});

Deno.test("a client that hangs up before or in its greeting is refused with how far it came", async () => {
  await using served = new Served();
  (await Deno.connect(served.target)).close();
  assertMatch(await served.refused(), /it closed the connection without sending anything$/);
  const stranger = await Deno.connect(served.target);
  await writeAll(stranger, greeting.subarray(0, 10));
  await stranger.closeWrite();
  assertMatch(await served.refused(), /after 10 bytes, in the middle of its TLS greeting$/);
  stranger.close();
  const another = await Deno.connect(served.target);
  await writeAll(another, greeting);
  await another.read(new Uint8Array(1)); // the server's answer
  another.close();
  assertMatch(await served.refused(), /it (closed|reset) the connection during the TLS handshake$/);
});

Deno.test("who may not even begin is closed unread, and counts as nothing", async () => {
  const asked: string[] = [];
  await using served = new Served({
    arrived: (address) => {
      asked.push(address);
      return asked.length > 1;
    },
  });
  const stranger = await Deno.connect(served.target);
  assertEquals((await readAll(stranger)).length, 0);
  stranger.close();
  const { client } = await served.pair();
  assertEquals(asked, ["127.0.0.1", "127.0.0.1"]);
  client.close();
});

Deno.test("a program on this machine that gets in between is not taken for the client", async () => {
  await using served = new Served();
  const real = Deno.connect;
  const stranger = await real(served.target);
  let intruder: Deno.TcpConn | undefined;
  Deno.connect = (async (options: Deno.ConnectOptions) => {
    intruder = await real(options);
    return await real(options);
  }) as typeof Deno.connect;
  try {
    await writeAll(stranger, greeting);
    assertMatch(await served.refused(), /another program on this machine got in between$/);
  } finally {
    Deno.connect = real;
    intruder?.close();
  }
  await readAll(stranger);
  stranger.close();
});

// Its life

Deno.test("a renewed certificate is for those who connect from then on; the others go on", async () => {
  await using served = new Served();
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

Deno.test("a certificate and key that do not fit are refused, and the old ones stay", async () => {
  await using served = new Served();
  const { key } = await identity();
  for (const wrong of [{ ...good, key }, { ...good, cert: "no certificate" }, { ...good, key: "" }]) {
    const error = assertThrows(() => served.listener.renew(wrong), ParleyError);
    assertEquals(error.code, "bad_argument");
    assertMatch(error.message, /^cannot serve TLS with this certificate and key: /);
    assertThrows(() => new Served({ served: wrong }), ParleyError);
  }
  const { client } = await served.pair();
  client.close();
});

Deno.test("close ends handshakes under way and leaves connections alone", async () => {
  const served = new Served();
  const { client, server } = await served.pair();
  const stranger = await Deno.connect(served.target);
  await writeAll(stranger, greeting);
  await stranger.read(new Uint8Array(1)); // it is in the middle of the handshake now
  served.listener.close();
  served.listener.close();
  assertMatch(await served.refused(), /this server stopped listening/);
  stranger.close();
  await client.write(new Uint8Array(3));
  assertEquals(await server.read(new Uint8Array(10)), 3);
  client.close();
  assertEquals(await server.read(new Uint8Array(10)), null);
  server.close();
  await within(served.listener.closed, "end of the listener");
});

Deno.test("an address in use is an error, as with plain TCP", async () => {
  await using served = new Served();
  const events = { accepted() {}, acceptFailed() {}, refused() {} };
  const { TlsListener } = await import("../../../lib/net/tls/listener.ts");
  const { hostname, port } = served.target;
  assertThrows(() => new TlsListener(hostname, port, good, 1000, events), Deno.errors.AddrInUse);
});
