import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { formatFrameDump } from "../../../lib/cli/client/frame_dump.ts";
import { formatTrace } from "../../../lib/cli/client/trace.ts";
import { ParleyError } from "../../../lib/errors.ts";
import { encodeFrame, INBOX, readHeader, RULES, Type } from "../../../lib/wire/header.ts";

const encoder = new TextEncoder();

Deno.test("a message is taken apart field by field", () => {
  const frame = encodeFrame(
    { type: Type.MESSAGE, flags: 1, channel: 3, sender: 17 },
    encoder.encode("hello, Ada"),
  );
  assertEquals(
    formatFrameDump(frame),
    `offset  bytes                    field    meaning
     0  20                       type     MESSAGE: a message, forwarded byte for byte
     1  01                       flags    the payload is UTF-8 text
     2  00 00                    id       none
     4  00 00 00 0a              length   10 bytes of payload follow the header
     8  00 00 00 03              channel  channel number 3
    12  00 00 00 11              sender   session 17
    16  68 65 6c 6c 6f 2c 20 41  payload  "hello, A"
    24  64 61                             "da"`,
  );
});

Deno.test("a reply goes to an inbox, under the id of its request", () => {
  const text = formatFrameDump(
    encodeFrame({ type: Type.REPLY, flags: 2, id: 5, channel: INBOX + 3, sender: 17 }),
  );
  assertStringIncludes(text, "the inbox of session 3");
  assertStringIncludes(text, "5: ties an answer to its question");
  assertStringIncludes(text, "the payload is JSON");
  assertMatch(text, /0 bytes of payload/);
});

Deno.test("every type says what it is, and what is none says that", () => {
  for (const rule of RULES) {
    if (rule) {
      assertMatch(
        formatFrameDump(encodeFrame({ type: Type[rule.name] })),
        new RegExp(`type +${rule.name}: \\w`),
      );
    }
  }
  assertStringIncludes(formatFrameDump(encodeFrame({ type: 0x47 })), "unknown type 0x47: no Parley frame");
  assertStringIncludes(
    formatFrameDump(encodeFrame({ type: 0x90 })),
    "extension 0x90: skipped by who does not know it",
  );
});

Deno.test("what is not text, or would steer a terminal, is not shown as it is", () => {
  const text = formatFrameDump(encodeFrame({ type: Type.PING }, new Uint8Array([0x1b, 0x5b, 0xff, 0x41])));
  assertStringIncludes(text, '"\\x1b[.A"');
  assertEquals(text.includes("\x1b"), false);
});

Deno.test("a long payload is shown in part, a cut one says what is missing", () => {
  const frame = encodeFrame({ type: Type.MESSAGE, channel: 1, sender: 1 }, new Uint8Array(1000));
  assertMatch(formatFrameDump(frame), /\n +80 +\.\.\. and 936 bytes more$/);
  assertMatch(formatFrameDump(frame.subarray(0, 20)), /\n +20 +996 bytes are missing$/);
  assertThrows(() => formatFrameDump(frame.subarray(0, 15)), ParleyError, "there are only 15");
});

Deno.test("a traced frame is one line without its payload", () => {
  const frame = encodeFrame(
    { type: Type.REQUEST, flags: 1, id: 7, channel: 2, sender: 17 },
    encoder.encode("x"),
  );
  assertEquals(
    formatTrace("out", readHeader(frame), 1),
    "    1.0 ms > REQUEST  text id=7 channel=2 sender=17 1 byte",
  );
  const reply = readHeader(encodeFrame({ type: Type.REPLY, id: 7, channel: INBOX + 17, sender: 3 }));
  assertEquals(
    formatTrace("in", reply, 1234.56),
    " 1234.6 ms < REPLY    bytes id=7 inbox=17 sender=3 0 bytes",
  );
  const receipt = readHeader(encodeFrame({ type: Type.MESSAGE, flags: 6, id: 1, channel: 1, sender: 3 }));
  assertEquals(
    formatTrace("out", receipt, 0),
    "    0.0 ms > MESSAGE  json receipt id=1 channel=1 sender=3 0 bytes",
  );
  const unknown = readHeader(encodeFrame({ type: 0x47 }));
  assertEquals(formatTrace("in", unknown, 0), "    0.0 ms < unknown type 0x47 0 bytes");
});
