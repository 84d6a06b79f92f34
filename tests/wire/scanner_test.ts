import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { isErrorCode } from "../../lib/errors.ts";
import { openProblem } from "../../lib/broker/open_rules.ts";
import { HEADER_BYTES, MAX_CONTROL_BYTES, MAX_PING_BYTES, MAX_RUN_BYTES } from "../../lib/limits.ts";
import { type ControlName, decodeControl, type Open, PROTOCOL, SCHEMAS } from "../../lib/wire/control.ts";
import { FIRST_EXTENSION, type Header, INBOX, Type } from "../../lib/wire/header.ts";
import { typeName } from "../../lib/wire/type_name.ts";
import { channelProblem } from "../../lib/wire/names.ts";
import type { Role } from "../../lib/wire/scanner.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { concat, conversation, headerOnly, message, ping, Recorder } from "./recorder.ts";
import { INVALID, type RefusedVector, SESSION, VALID } from "./vectors.ts";

/** The two ends of a connection, each with the side that writes what it reads. */
const ENDS: readonly { reader: Role; writer: Role }[] = [
  { reader: "server", writer: "client" },
  { reader: "client", writer: "server" },
];
const extension = headerOnly({ type: 0x9a, flags: 0xff, id: 1, channel: 9 });

/** The frames that a receiver hands on, in hex: all but the extensions. */
function known(frames: readonly Uint8Array[]): string[] {
  return frames.filter((frame) => frame[0] < FIRST_EXTENSION).map((frame) => frame.toHex());
}

// Runs

Deno.test("runs end where the channel changes, another frame comes, or an extension is skipped", () => {
  const [five, six, inbox] = [message(5), message(6), message(INBOX + 5)];
  const [text, json] = [message(5, "hi", { flags: 1 }), message(5, "{}", { flags: 2 })];
  const wantsReceipt = message(5, "keep", { id: 1, flags: 4 });
  const table: readonly (readonly [string, Uint8Array[], string[]])[] = [
    ["one message is a run", [five], ["1 on 5"]],
    ["neighbours of one channel are one run", [five, text, five], ["3 on 5"]],
    ["content kinds may mix", [five, text, json, five], ["4 on 5"]],
    ["each channel has its own", [five, five, six, five], ["2 on 5", "1 on 6", "1 on 5"]],
    ["an inbox is not the channel of the same number", [five, inbox], ["1 on 5", `1 on ${INBOX + 5}`]],
    ["another frame stands between", [five, ping(), ping(), five], ["1 on 5", "PING", "PING", "1 on 5"]],
    ["a message that wants a receipt comes alone", [five, wantsReceipt, five], [
      "1 on 5",
      "MESSAGE",
      "1 on 5",
    ]],
    ["an extension is skipped", [five, extension, extension, five], ["1 on 5", "1 on 5"]],
  ];
  for (const [name, frames, calls] of table) {
    const recorder = new Recorder("server").greet();
    recorder.push(...frames);
    assertEquals(recorder.calls, calls, name);
    assertEquals(recorder.frames, known(frames), name);
    assertEquals([recorder.left, recorder.scanner.violation], [0, undefined], name);
  }
});

Deno.test("a client gets the messages of several senders as one run", () => {
  const recorder = new Recorder("client").greet();
  recorder.push(message(5), message(5, "hi", { sender: 18 }), message(5, "", { sender: 0x7fff_ffff }));
  assertEquals(recorder.calls, ["3 on 5"]);
});

Deno.test("ten thousand small messages are one run", () => {
  const recorder = new Recorder("server").greet();
  recorder.push(...Array<Uint8Array>(10_000).fill(message(5)));
  assertEquals(recorder.calls, ["10000 on 5"]);
});

Deno.test("a run is no longer than it may be", () => {
  const twenty = message(5, "four"); // 20 bytes
  const lengths: readonly (readonly [number, string[]])[] = [
    [60, ["3 on 5", "3 on 5", "1 on 5"]],
    [79, ["3 on 5", "3 on 5", "1 on 5"]],
    [80, ["4 on 5", "3 on 5"]],
    [20, Array(7).fill("1 on 5")],
  ];
  for (const [maxRun, calls] of lengths) {
    const recorder = new Recorder("server", { maxRun }).greet();
    recorder.push(...Array<Uint8Array>(7).fill(twenty));
    assertEquals(recorder.calls, calls, `${maxRun} bytes`);
  }
  const recorder = new Recorder("server").greet();
  recorder.push(...Array<Uint8Array>(MAX_RUN_BYTES / HEADER_BYTES + 1).fill(message(5)));
  assertEquals(recorder.calls, [`${MAX_RUN_BYTES / HEADER_BYTES} on 5`, "1 on 5"]);
});

Deno.test("a message longer than a run may be is a run of its own", () => {
  const recorder = new Recorder("server", { maxRun: 40 }).greet();
  recorder.push(message(5), message(5, "x".repeat(100)), message(5), message(5));
  assertEquals(recorder.calls, ["1 on 5", "1 on 5", "2 on 5"]);
});

Deno.test("what is not whole waits for its rest", () => {
  const recorder = new Recorder("server").greet();
  const last = message(5, "last");
  for (const cut of [1, HEADER_BYTES - 1, HEADER_BYTES, last.length - 1]) {
    assertEquals(recorder.push(message(5), last.subarray(0, cut)), HEADER_BYTES);
    assertEquals(recorder.left, cut);
    assertEquals(recorder.push(last.subarray(cut)), last.length);
  }
  assertEquals(recorder.calls, Array(8).fill("1 on 5"));
  assertEquals(recorder.push(), 0);
});

// A sink that refuses

Deno.test("a run or frame that is refused is offered again, and nothing behind it before", () => {
  const frames = [message(5), message(5), ping(), message(6), extension, ping()];
  const offers = ["2 on 5", "PING", "1 on 6", "PING"];
  for (const [refused, offer] of offers.entries()) {
    const recorder = new Recorder("server").greet();
    recorder.accepts = () => recorder.calls.length !== refused;
    recorder.push(...frames);
    assertEquals(recorder.calls, [...offers.slice(0, refused), `${offer} refused`]);
    assertEquals(recorder.frames, known(frames).slice(0, recorder.frames.length));

    recorder.accepts = () => true;
    recorder.takes = (count) => count;
    recorder.push();
    assertEquals(recorder.calls.slice(refused + 1), offers.slice(refused));
    assertEquals([recorder.frames, recorder.left], [known(frames), 0]);
  }
});

Deno.test("a run that was refused grows by what came in the meantime", () => {
  const recorder = new Recorder("server").greet();
  recorder.accepts = () => false;
  assertEquals(recorder.push(message(5)), 0);
  recorder.accepts = () => true;
  assertEquals(recorder.push(message(5)), 2 * HEADER_BYTES);
  assertEquals(recorder.calls, ["1 on 5 refused", "2 on 5"]);
});

Deno.test("what is wrong behind a refused run is not found before the run is taken", () => {
  const recorder = new Recorder("server").greet();
  recorder.accepts = () => false;
  recorder.push(message(5), message(0));
  assertEquals(recorder.scanner.violation, undefined);
  recorder.accepts = () => true;
  recorder.push();
  assertEquals([recorder.calls.at(-1), recorder.scanner.violation?.code], ["1 on 5", "bad_frame"]);
});

// Reasons to stop

/** A recorder that has read `bytes` and whose scanner must have stopped for them. */
function stopped(recorder: Recorder, bytes: Uint8Array, name: string) {
  recorder.push(bytes);
  const { violation } = recorder.scanner;
  assert(violation !== undefined, `${name}: the scanner goes on`);
  assert(isErrorCode(violation.code) && violation.message.length > 10, name);
  return violation;
}

/** A type, the fields of a header of that type that may not be, and words of the reason. */
type Fault = readonly [keyof typeof Type, Partial<Header>, string];

function assertStops(reader: Role, code: string, faults: readonly Fault[]) {
  for (const [name, fields, words] of faults) {
    const header = headerOnly({ type: Type[name], ...fields });
    const stop = stopped(new Recorder(reader).greet(), header, `${name}: ${words}`);
    assertEquals([stop.code, stop.id, stop.channel], [code, fields.id ?? 0, fields.channel ?? 0], words);
    assertStringIncludes(stop.message, words);
  }
}

Deno.test("what a client may not send is found by the header alone, and told with its id and channel", () => {
  const inbox = INBOX + 18;
  assertStops("server", "bad_frame", [
    ["OPENED", { id: 3, channel: 5 }, "a client must not send OPENED"],
    ["HELLO", { id: 3 }, "a second HELLO"],
    ["REQUEST", { id: 3, channel: 5, sender: 18 }, "sender is 18, but this session's number is 17"],
    ["MESSAGE", { channel: 5, sender: INBOX + 17 }, "sender is 2147483665"],
    ["MESSAGE", { id: 3, channel: 5, flags: 0x48 }, "flags 0x48 set bits that must be 0"],
    ["PING", { id: 3, flags: 8 }, "PING cannot have message headers"],
    ["ACK", { channel: 5, length: 12 }, "ACK carries 8 or 16 bytes, got 12"],
    ["NAK", { channel: 5, length: 8 }, "NAK carries 12 bytes, got 8"],
    ["MESSAGE", { channel: inbox, flags: 3 }, "content kind 3 is reserved"],
    ["BYE", { id: 0xffff }, "id of BYE must be 0, got 65535"],
    ["REQUEST", { channel: 5 }, "id of REQUEST must not be 0"],
    ["MESSAGE", { id: 3, channel: 5 }, "id and receipt flag go together"],
    ["MESSAGE", { channel: 5, flags: 4 }, "id and receipt flag go together"],
    ["ACK", { id: 3, channel: 5, length: 8 }, "id of a client's ACK must be 0, got 3"],
    ["ACK", { channel: 5, length: 7 }, "ACK carries 8 or 16 bytes, got 7"],
    ["PING", { id: 3, channel: 5 }, "channel of PING must be 0, got 5"],
    ["MESSAGE", {}, "MESSAGE needs a channel or an inbox, got 0"],
    ["REQUEST", { id: 3, channel: inbox }, "REQUEST needs a channel number, got an inbox"],
    ["REPLY", { id: 3, channel: 5 }, "REPLY goes to an inbox, got channel 5"],
  ]);
  assertStops("server", "too_large", [
    ["PING", { id: 3, length: MAX_PING_BYTES + 1 }, "PING carries at most 125 bytes, got 126"],
    ["PONG", { id: 3, length: MAX_PING_BYTES + 1 }, "PONG carries at most 125 bytes, got 126"],
    ["ACK", { channel: 5, length: 17 }, "ACK carries 8 or 16 bytes, got 17"],
    ["OPEN", { id: 3, length: 16_385 }, "payload of OPEN of 16385 bytes; the limit is 16384"],
    ["MESSAGE", { channel: inbox, length: 2 ** 31 }, "payload of 2147483648 bytes; the limit is 1048576"],
    ["REQUEST", { id: 3, channel: 5, length: 2 ** 32 - 1 }, "payload of 4294967295 bytes"],
  ]);
});

Deno.test("a client holds its server to the same rules", () => {
  assertStops("client", "bad_frame", [
    ["HELLO", {}, "a server must not send HELLO"],
    ["OPEN", { id: 3 }, "a server must not send OPEN"],
    ["LEAVE", { id: 3 }, "a server must not send LEAVE"],
    ["WELCOME", { id: 3 }, "id of WELCOME must be 0, got 3"],
    ["LEFT", { channel: 5 }, "id of LEFT must not be 0"],
    ["JOINED", { id: 3, channel: 5 }, "id of JOINED must be 0, got 3"],
    ["JOINED", {}, "JOINED needs a channel number, got 0"],
    ["PARTED", { id: 3, channel: 5 }, "id of PARTED must be 0, got 3"],
    ["PARTED", { channel: INBOX + 5 }, "PARTED needs a channel number, got an inbox"],
    ["POSITION", { id: 3, channel: 5, length: 8 }, "id of POSITION must be 0, got 3"],
    ["POSITION", { channel: 5 }, "POSITION carries 8 or 12 bytes, got 0"],
    ["MESSAGE", {}, "MESSAGE needs a channel or an inbox, got 0"],
    ["REPLY", { id: 3, channel: 5 }, "REPLY goes to an inbox, got channel 5"],
  ]);
});

Deno.test("what is no Parley frame has no id and no channel, and says what it looks like", () => {
  const table: readonly (readonly [Uint8Array, string])[] = [
    [new TextEncoder().encode("GET / HTTP/1.1\r\n"), "HTTP"],
    [new TextEncoder().encode("POST /api HTTP/1.1\r\n"), "HTTP"],
    [Uint8Array.fromHex("16030100f8010000f40303" + "aa".repeat(16)), "TLS"],
    [headerOnly({ type: 0x47, id: 7, channel: 9 }), "unknown type 0x47"],
  ];
  for (const [bytes, words] of table) {
    for (const recorder of [new Recorder("server"), new Recorder("server").greet()]) {
      const stop = stopped(recorder, bytes, words);
      assertEquals([stop.code, stop.id, stop.channel], ["bad_frame", 0, 0]);
      assertStringIncludes(stop.message, words);
    }
  }
});

Deno.test("after a stop nothing is read", () => {
  const recorder = new Recorder("server").greet();
  const taken = recorder.push(message(5), message(5), message(0), ping(), message(5));
  const { violation } = recorder.scanner;
  assertEquals([taken, violation?.code], [2 * HEADER_BYTES, "bad_frame"]);
  for (const next of [message(5), ping(), message(0)]) assertEquals(recorder.push(next), 0);
  assertEquals(recorder.calls, ["2 on 5"]);
  assert(recorder.scanner.violation === violation);
});

Deno.test("a payload may be as long as the limit, and its header is refused if it says more", () => {
  const maxPayload = 1000;
  const plain = { type: Type.MESSAGE, channel: 5 };
  const kinds = [
    plain,
    { type: Type.MESSAGE, channel: 5, id: 1, flags: 4 },
    { type: Type.REQUEST, channel: 5, id: 1 },
    { type: 0x80 },
  ];
  for (const { reader } of ENDS) {
    for (const fields of kinds) {
      const header = (length: number) => headerOnly({ ...fields, length });
      const recorder = new Recorder(reader, { maxPayload }).greet();
      assertEquals(recorder.push(header(maxPayload)), 0);
      assertEquals(recorder.push(new Uint8Array(maxPayload)), HEADER_BYTES + maxPayload);
      assertEquals(recorder.scanner.violation, undefined);
      if (fields === plain) assertEquals(recorder.calls, ["1 on 5"]);
      for (const length of [maxPayload + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
        const stop = stopped(new Recorder(reader, { maxPayload }).greet(), header(length), `${length} bytes`);
        assertEquals(stop.code, "too_large");
        assertStringIncludes(stop.message, `payload of ${length} bytes; the limit is ${maxPayload}`);
      }
    }
  }
});

// The greeting

Deno.test("before the greeting a server takes a HELLO and a client a WELCOME or ERROR, nothing else", () => {
  const first: Record<Role, number[]> = { server: [Type.HELLO], client: [Type.WELCOME, Type.ERROR] };
  for (const { reader } of ENDS) {
    for (const type of [...Object.values(Type), 0x80, 0xff]) {
      const recorder = new Recorder(reader);
      const header = headerOnly({ type, sender: 0 });
      if (first[reader].includes(type)) {
        recorder.push(header);
        assertEquals(recorder.calls, [typeName(type)]);
      } else {
        assertEquals(stopped(recorder, header, typeName(type)).code, "bad_hello");
      }
    }
  }
});

Deno.test("a greeting is at most 16 KiB long, however long a message may be", () => {
  for (const [role, type] of [["server", Type.HELLO], ["client", Type.WELCOME]] as const) {
    const header = (length: number) => headerOnly({ type, length, sender: 0 });
    const recorder = new Recorder(role);
    recorder.push(header(MAX_CONTROL_BYTES), new Uint8Array(MAX_CONTROL_BYTES));
    assertEquals(recorder.calls, [typeName(type)]);
    for (const length of [MAX_CONTROL_BYTES + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
      assertEquals(stopped(new Recorder(role), header(length), `${length} bytes`).code, "too_large");
    }
  }
});

Deno.test("what follows the greeting in the same chunk is read under the rules after it", () => {
  const [hello] = conversation("client");
  const recorder = new Recorder("server");
  recorder.push(hello, message(5), message(5), message(5, "", { sender: 18 }));
  assertEquals(recorder.calls, ["HELLO", "2 on 5"]);
  assertEquals(recorder.scanner.violation?.code, "bad_frame");
});

// Whole conversations: every type of the protocol, and each way the stream may be cut or damaged

Deno.test("cutting a conversation in two anywhere changes nothing", () => {
  for (const { reader, writer } of ENDS) {
    const frames = conversation(writer);
    const stream = concat(...frames);
    const whole = new Recorder(reader);
    whole.push(stream);
    assertEquals([whole.frames, whole.left, whole.scanner.violation], [known(frames), 0, undefined]);
    for (let cut = 0; cut <= stream.length; cut++) {
      const recorder = new Recorder(reader);
      recorder.push(stream.subarray(0, cut));
      recorder.push(stream.subarray(cut));
      assertEquals(recorder.frames, whole.frames, `cut at ${cut}`);
      assertEquals([recorder.left, recorder.scanner.violation], [0, undefined], `cut at ${cut}`);
    }
  }
});

Deno.test("pieces of any size, and refusals now and then, change nothing", () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < 500; round++) {
    const { reader, writer } = random.pick(ENDS);
    const more = Array.from(
      { length: random.int(40) },
      () => message(1 + random.int(2), "x".repeat(random.int(30))),
    );
    const frames = [...conversation(writer), ...more];
    const stream = concat(...frames);
    const recorder = new Recorder(reader, { maxRun: 16 + random.int(200) });
    const [most, refusals] = [1 + random.int(300), random.int(3)];
    recorder.accepts = () => random.int(4) >= refusals;
    recorder.takes = (count) => random.int(4) >= refusals ? count : 1 + random.int(count);
    for (let at = 0; at < stream.length;) {
      const size = 1 + random.int(most);
      recorder.push(stream.subarray(at, at + size));
      at += size;
    }
    recorder.accepts = () => true;
    recorder.takes = (count) => count;
    recorder.push();
    assertEquals(recorder.frames, known(frames));
    assertEquals([recorder.left, recorder.scanner.violation], [0, undefined]);
  }
});

/** Fails if `reader` should not have taken `frame`, judged by the golden frames and not by the rules of `lib/wire`. */
function assertAllowed(reader: Role, frame: Uint8Array, name: string) {
  const [type, flags] = frame;
  const writer = reader === "server" ? "client" : "server";
  assert(
    VALID.some((vector) => vector.header.type === type && vector.from === writer),
    `${name}: type ${type}`,
  );
  const hasContent = type === Type.MESSAGE || type === Type.REQUEST || type === Type.REPLY;
  assert(flags < (hasContent ? 16 : 8) && (flags & 3) !== 3, `${name}: flags ${flags}`);
  const sender = new DataView(frame.buffer, frame.byteOffset).getUint32(12);
  if (reader === "server") assertEquals(sender, type === Type.HELLO ? 0 : SESSION, name);
}

Deno.test("with any one bit flipped, a conversation is read as other frames that are allowed, or stopped", () => {
  for (const { reader, writer } of ENDS) {
    const frames = conversation(writer);
    const stream = concat(...frames);
    let stops = 0;
    for (const [hit, start] of starts(frames).entries()) {
      const intact = known(frames.slice(0, hit));
      // A scanner does not look into payloads: their first bytes stand for all.
      const end = start + Math.min(frames[hit].length, HEADER_BYTES + 4);
      for (let bit = 8 * start; bit < 8 * end; bit++) {
        const name = `bit ${bit} of what the ${writer} says`;
        const damaged = stream.slice();
        damaged[bit >> 3] ^= 0x80 >> (bit & 7);
        const recorder = new Recorder(reader);
        recorder.push(damaged);
        assertEquals(recorder.frames.slice(0, intact.length), intact, name);
        for (const frame of recorder.frames) assertAllowed(reader, Uint8Array.fromHex(frame), name);
        const { violation } = recorder.scanner;
        if (violation === undefined) continue;
        assert(
          ["bad_frame", "bad_hello", "too_large"].includes(violation.code),
          `${name}: ${violation.code}`,
        );
        stops++;
      }
    }
    assert(stops > 1000, `only ${stops} stops`);
  }
});

/** Where each of `frames` begins in the stream they make. */
function starts(frames: readonly Uint8Array[]): number[] {
  let at = 0;
  return frames.map((frame) => (at += frame.length) - frame.length);
}

// The golden frames

Deno.test("each golden frame is taken by the side it is for, extensions skipped", () => {
  for (const { name, from, hex, header } of VALID) {
    const recorder = new Recorder(from === "client" ? "server" : "client");
    if (header.type !== Type.HELLO && header.type !== Type.WELCOME) recorder.greet();
    recorder.push(Uint8Array.fromHex(hex));
    assertEquals([recorder.left, recorder.scanner.violation], [0, undefined], name);
    assertEquals(recorder.frames, header.type < FIRST_EXTENSION ? [hex] : [], name);
  }
});

/** The code under which the frame is refused: by the scanner, or by the reader of the payload that it hands on. */
function rejection({ phase, hex }: RefusedVector): string | undefined {
  const bytes = Uint8Array.fromHex(hex);
  const recorder = new Recorder("server");
  if (phase === "after hello") recorder.greet();
  recorder.push(bytes);
  if (recorder.scanner.violation !== undefined) return recorder.scanner.violation.code;

  const type = typeName(bytes[0]);
  if (!(type in SCHEMAS)) return undefined;
  const decoded = decodeControl(type as ControlName, bytes, 0, bytes.length);
  if ("problem" in decoded) return phase === "before hello" ? "bad_hello" : "bad_payload";
  if ("protocol" in decoded.value && decoded.value.protocol !== PROTOCOL) return "unsupported_protocol";
  if ("channel" in decoded.value && channelProblem(decoded.value.channel) !== undefined) return "bad_channel";
  if (type === "OPEN") return openProblem(decoded.value as Open)?.code;
}

Deno.test("each golden frame that a server must refuse is refused with its code", () => {
  for (const vector of INVALID) assertEquals(rejection(vector), vector.code, vector.name);
});
