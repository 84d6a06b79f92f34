import { assertEquals } from "@std/assert";
import {
  encodeFrame,
  FIRST_EXTENSION,
  putHeader,
  putU32,
  readHeader,
  RULES,
  Type,
  u16,
  u32,
} from "../../lib/wire/header.ts";
import { typeName } from "../../lib/wire/type_name.ts";
import { HEADER_BYTES } from "../../lib/limits.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { VALID } from "./vectors.ts";

Deno.test("the golden frames hold every type of the protocol", () => {
  const types = new Set(VALID.map(({ header }) => header.type).filter((type) => type < FIRST_EXTENSION));
  assertEquals([...types].sort((a, b) => a - b), Object.values(Type));
  assertEquals(types.size, 19);
});

Deno.test("a golden frame is read as the fields it was made of", () => {
  for (const { name, hex, header } of VALID) assertEquals(readHeader(Uint8Array.fromHex(hex)), header, name);
});

Deno.test("the fields of a golden frame are written as its bytes", () => {
  for (const { name, hex, header } of VALID) {
    const bytes = Uint8Array.fromHex(hex);
    assertEquals(encodeFrame(header, bytes.subarray(HEADER_BYTES)).toHex(), hex, name);
  }
});

Deno.test("a type is called what the protocol calls it", () => {
  for (const { name, header } of VALID) {
    if (header.type < FIRST_EXTENSION) assertEquals(typeName(header.type), name.split(" ")[0]);
  }
  assertEquals(typeName(0x07), "unknown type 0x07");
  assertEquals(typeName(0x7f), "unknown type 0x7f");
  assertEquals(typeName(0x80), "extension 0x80");
  assertEquals(typeName(0xff), "extension 0xff");
});

Deno.test("each type has its rule, and no other byte has one", () => {
  const ruled = [...RULES.entries()].flatMap(([type, rule]) => rule === undefined ? [] : [[rule.name, type]]);
  assertEquals(RULES.length, 256);
  assertEquals(Object.fromEntries(ruled), Type);
});

Deno.test("golden frames come from the side that the rules name", () => {
  for (const { name, from, header } of VALID) {
    const allowed = RULES[header.type]?.from ?? "both";
    assertEquals(allowed === "both" ? from : allowed, from, name);
  }
});

Deno.test("integers are big-endian and unsigned up to their last bit", () => {
  const bytes = Uint8Array.fromHex("00" + "ffffffff" + "80000000" + "01020304");
  assertEquals(u16(bytes, 1), 0xffff);
  assertEquals(u16(bytes, 9), 0x0102);
  assertEquals(u32(bytes, 1), 2 ** 32 - 1);
  assertEquals(u32(bytes, 5), 2 ** 31);
  assertEquals(u32(bytes, 9), 0x0102_0304);
  putU32(bytes, 1, 2 ** 31 + 1);
  assertEquals(bytes.toHex(), "00" + "80000001" + "80000000" + "01020304");
});

Deno.test("any header that is written is read back, and the bytes around it stay", () => {
  const random = seeded(seedFrom());
  const edges = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
  const any32 = () => random.pick([random.pick(edges), random.int(2 ** 32)]);
  for (let round = 0; round < 1000; round++) {
    const header = {
      type: random.int(256),
      flags: random.int(256),
      id: random.int(65_536),
      length: any32(),
      channel: any32(),
      sender: any32(),
    };
    const bytes = random.bytes(40);
    const before = bytes.slice();
    const at = random.int(bytes.length - HEADER_BYTES + 1);
    putHeader(bytes, at, header.type, header.flags, header.id, header.length, header.channel, header.sender);
    assertEquals(readHeader(bytes, at), header);
    assertEquals(bytes.subarray(0, at), before.subarray(0, at));
    assertEquals(bytes.subarray(at + HEADER_BYTES), before.subarray(at + HEADER_BYTES));
  }
});

Deno.test("a frame is made of a header, whose missing fields are 0, and the payload", () => {
  assertEquals(encodeFrame({ type: Type.PING }).toHex(), "04" + "00".repeat(15));
  assertEquals(
    encodeFrame({ type: Type.PONG, id: 0x0102 }, new Uint8Array([7, 8])).toHex(),
    "05000102" + "00000002" + "00000000" + "00000000" + "0708",
  );
});
