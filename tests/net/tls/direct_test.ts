import { assert, assertEquals, assertRejects } from "@std/assert";
import { BUFFER_BYTES } from "../../../lib/limits.ts";
import { BufferPool } from "../../../lib/net/buffers.ts";
import type { Socket } from "../../../lib/net/socket.ts";
import type { TlsConnection } from "../../../lib/net/tls/acceptor.ts";
import { dialTls } from "../../../lib/net/tls/dial.ts";
import { canServeDirectly, directAcceptor } from "../../../lib/net/tls/implementation.ts";
import { readFirstRecord } from "../../../lib/net/tls/first_record.ts";
import { DEADLINE_MS, within } from "../../harness/deadline.ts";
import { authority, good, readAll, writeAll, writeUntilStuck } from "./fixtures.ts";

const ignore = !canServeDirectly();

/** Both ends of a connection. `read` counts the bytes read from TCP; `writeError` makes writes to TCP fail. */
async function pair() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const options = { caCerts: [authority.certificate], withinMs: DEADLINE_MS };
  const dialled = dialTls({ hostname: "127.0.0.1", port: listener.addr.port }, options);
  const tcp = await listener.accept();
  listener.close();
  const counter: { read: number; writeError?: Error } = { read: 0 };
  const front: Socket = {
    async read(bytes) {
      const count = await tcp.read(bytes);
      counter.read += count ?? 0;
      return count;
    },
    write: (bytes) => counter.writeError ? Promise.reject(counter.writeError) : tcp.write(bytes),
    closeWrite: () => tcp.closeWrite(),
    close: () => tcp.close(),
  };
  const firstRecord = await readFirstRecord(front);
  const server: TlsConnection = await directAcceptor(good).open(front, firstRecord, new BufferPool());
  await within(server.handshake(), "end of the handshake");
  return { client: await dialled, server, counter };
}

Deno.test({ name: "TCP is read only while a read waits for plaintext", ignore }, async () => {
  const { client, server, counter } = await pair();
  const before = counter.read;
  const { taken, stuck } = await writeUntilStuck(client);
  stuck.catch(() => {});
  assert(taken > 256 * 1024, `only ${taken} bytes were sent`);
  assert(counter.read - before <= BUFFER_BYTES[0], `${counter.read - before} bytes were read`);
  assertEquals(await within(server.read(new Uint8Array(1)), "a byte"), 1);
  // One record of at most 16 KiB was needed for it.
  assert(counter.read - before <= 64 * 1024, `${counter.read - before} bytes were read for a single one`);
  server.close();
  client.close();
  await within(server.closed, "end of the connection");
});

Deno.test({ name: "reads and writes after close fail", ignore }, async () => {
  const { client, server } = await pair();
  server.close();
  const { Interrupted } = Deno.errors;
  await within(assertRejects(() => server.read(new Uint8Array(1)), Interrupted), "end of a read");
  await within(assertRejects(() => server.write(new Uint8Array(1)), Interrupted), "end of a write");
  await within(assertRejects(() => server.closeWrite(), Interrupted), "end of closeWrite");
  await within(server.closed, "end of the connection");
  client.close();
});

Deno.test(
  { name: "closing while the end of the direction is being written loses nothing", ignore },
  async () => {
    const { client, server } = await pair();
    const sent = 512 * 1024;
    await writeAll(server, new Uint8Array(sent));
    const ending = server.closeWrite();
    server.close();
    assertEquals((await readAll(client)).length, sent);
    await within(ending, "end of the direction");
    await within(server.closed, "end of the connection");
    client.close();
  },
);

Deno.test({ name: "an error of TCP reaches the write and the read that wait", ignore }, async () => {
  const { client, server, counter } = await pair();
  counter.writeError = new Deno.errors.ConnectionReset("as the kernel says it");
  const read = assertRejects(() => server.read(new Uint8Array(1)), Deno.errors.ConnectionReset, "the kernel");
  await assertRejects(() => server.write(new Uint8Array(1)), Deno.errors.ConnectionReset, "the kernel");
  await within(read, "end of the read");
  server.close();
  await within(server.closed, "end of the connection");
  client.close();
});

Deno.test("TLS is served directly from Deno 2.9.5 on", () => {
  const versions = ["2.6.10", "2.8.6", "2.9.4", "2.9.5", "2.9.6", "2.9.10+1a2b3c4", "2.10.0", "3.0.0-rc.1"];
  const direct = versions.filter((version) => canServeDirectly(version));
  assertEquals(direct, versions.slice(3));
});
