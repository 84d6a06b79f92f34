/**
 * The relay of the TLS workload: passes the bytes of one client to the other, over Deno's TLS connections.
 *
 * Usage: tls_relay.ts PORT CERT KEY
 *
 * @module
 */

import { ROLES } from "./brokers/relay.ts";

async function serve(port: number, certFile: string, keyFile: string): Promise<void> {
  const [cert, key] = await Promise.all([certFile, keyFile].map((file) => Deno.readTextFile(file)));
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port, cert, key });
  const subscribers = new Set<Deno.Conn>();
  for await (const conn of listener) {
    // A probe that only checks whether the port is open fails the handshake, which is no error.
    handle(conn, subscribers).catch(() => subscribers.delete(conn));
  }
}

/** As in `bench/relay.ts`, for two roles only. */
async function handle(conn: Deno.Conn, subscribers: Set<Deno.Conn>): Promise<void> {
  const chunk = new Uint8Array(256 * 1024);
  let isPublisher = false;
  while (true) {
    const count = await conn.read(chunk);
    if (count === null) throw new Error("the client is gone");
    const bytes = chunk.subarray(0, count);
    if (isPublisher) {
      for (const subscriber of subscribers) await writeAll(subscriber, bytes);
      continue;
    }
    isPublisher = count === 1 && bytes[0] === ROLES.publisher;
    if (count === 1 && bytes[0] === ROLES.subscriber) subscribers.add(conn);
    await writeAll(conn, bytes);
  }
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

if (import.meta.main) {
  const [port, cert, key] = Deno.args;
  await serve(Number(port), cert, key);
}
