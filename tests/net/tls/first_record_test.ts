import { assertEquals, assertRejects } from "@std/assert";
import { readFirstRecord, TruncatedFirstRecord } from "../../../lib/net/tls/first_record.ts";

/** A socket that returns `chunks`, one per read, then ends. */
function source(...chunks: Uint8Array[]) {
  let reads = 0;
  return {
    get reads() {
      return reads;
    },
    read(bytes: Uint8Array): Promise<number | null> {
      const chunk = chunks[reads++];
      if (chunk === undefined) return Promise.resolve(null);
      bytes.set(chunk);
      return Promise.resolve(chunk.length);
    },
  };
}

/** A TLS handshake record of `length` bytes after its header. */
function record(length: number): Uint8Array {
  const bytes = new Uint8Array(5 + length).map((_, index) => index);
  bytes.set([0x16, 3, 1, length >> 8, length & 0xff]);
  return bytes;
}

Deno.test("reads until the first record is complete, wherever it is split", async () => {
  const whole = record(40);
  for (let cut = 1; cut < whole.length; cut++) {
    const socket = source(whole.slice(0, cut), whole.slice(cut));
    assertEquals(await readFirstRecord(socket), whole, `cut at ${cut}`);
    assertEquals(socket.reads, 2, `cut at ${cut}`);
  }
});

Deno.test("the record may arrive byte by byte, and be as long as TLS allows", async () => {
  const whole = record(16 * 1024);
  assertEquals(await readFirstRecord(source(...[...whole].map((byte) => new Uint8Array([byte])))), whole);
});

Deno.test("bytes after the record in the same read are returned too", async () => {
  const both = new Uint8Array([...record(10), 0x16, 3]);
  assertEquals(await readFirstRecord(source(both)), both);
});

Deno.test("bytes that cannot be TLS are returned at once", async () => {
  const table = [
    new TextEncoder().encode("G"),
    new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"),
    new Uint8Array([1, 0, 0, 0, 0, 0, 0, 20]), // a HELLO of Parley
    new Uint8Array([0x16, 3, 1, 0xff, 0xff]), // longer than any record
  ];
  for (const bytes of table) {
    const socket = source(bytes, new Uint8Array(1));
    assertEquals(await readFirstRecord(socket), bytes);
    assertEquals(socket.reads, 1);
  }
});

Deno.test("the error of an early end says how many bytes had arrived", async () => {
  const nothing = await assertRejects(() => readFirstRecord(source()), TruncatedFirstRecord);
  assertEquals(nothing.message, "it closed the connection without sending anything");
  const some = await assertRejects(
    () => readFirstRecord(source(record(40).slice(0, 20))),
    TruncatedFirstRecord,
  );
  assertEquals(some.message, "it closed the connection after 20 bytes, in the middle of its TLS ClientHello");
});
