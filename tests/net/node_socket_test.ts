/** The connections of Node and Bun, on Deno's own `node:net` and `node:tls`. */

import { assertEquals, assertRejects } from "@std/assert";
import { connectTcp, SecureSocket } from "../../lib/net/node_socket.ts";
import type { Socket } from "../../lib/net/socket.ts";
import { within } from "../harness/deadline.ts";
import { isGranted } from "../harness/permissions.ts";
import { authority, good, otherAuthority } from "./tls/fixtures.ts";

const NEVER = new AbortController().signal;
const BYTES = new Uint8Array(300_000).map((_, at) => at % 251);

/** A server that sends back what it receives, and ends when the client does. */
function echo(listener: Deno.Listener): Disposable & { readonly port: number } {
  (async () => {
    for await (const conn of listener) {
      conn.readable.pipeTo(conn.writable).catch(() => {}); // the client may refuse the certificate
    }
  })();
  return { port: (listener.addr as Deno.NetAddr).port, [Symbol.dispose]: () => listener.close() };
}

/** Sends all of BYTES, and receives them. */
async function exchange(socket: Socket): Promise<void> {
  const received = new Uint8Array(BYTES.length);
  const read = (async () => {
    for (let at = 0; at < received.length;) {
      const count = await socket.read(received.subarray(at, at + 10_000));
      if (count === null) throw new Error(`the end after ${at} bytes`);
      at += count;
    }
  })();
  for (let at = 0; at < BYTES.length;) at += await socket.write(BYTES.subarray(at));
  await within(read, "all that was sent");
  assertEquals(received, BYTES);
}

Deno.test("a TCP connection reads what comes, in pieces of any size, and the end", async () => {
  using server = echo(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const socket = await connectTcp({ hostname: "127.0.0.1", port: server.port }, NEVER);
  await exchange(socket);
  await socket.closeWrite();
  assertEquals(await within(socket.read(new Uint8Array(1)), "end of the stream"), null);
  socket.close();
});

Deno.test("a read that waits fails when the connection is closed", async () => {
  using server = echo(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const socket = await connectTcp({ hostname: "127.0.0.1", port: server.port }, NEVER);
  const failed = assertRejects(() => socket.read(new Uint8Array(1)), Error, "closed");
  socket.close();
  await failed;
});

Deno.test("an address where nothing listens is refused, and a signal ends the attempt", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const target = { hostname: "127.0.0.1", port: listener.addr.port };
  await assertRejects(() => connectTcp(target, AbortSignal.abort(new Error("given up"))), Error, "given up");
  listener.close();
  const error: Error & { code?: string } = await assertRejects(() => connectTcp(target, NEVER), Error);
  assertEquals(error.code, "ECONNREFUSED");
});

// node:tls asks for the permission to read the system's authorities.
Deno.test({ name: "TLS is verified by the CA that is given", ignore: !isGranted("sys") }, async () => {
  const { cert, key } = good;
  using server = echo(Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key }));
  const secure = async (caCerts: string[]) => {
    const tcp = await connectTcp({ hostname: "127.0.0.1", port: server.port }, NEVER);
    return new SecureSocket(tcp, { hostname: "127.0.0.1", caCerts });
  };
  const socket = await (await secure([authority.certificate])).handshake();
  await exchange(socket);
  socket.close();
  const refused = await secure([otherAuthority.certificate]);
  await assertRejects(() => refused.handshake(), Error, "UnknownIssuer");
  refused.close();
});
