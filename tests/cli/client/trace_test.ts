import { assertEquals } from "@std/assert";
import { makeMask } from "../../../lib/cli/client/frames/masking.ts";
import { formatSummary, makeTrace } from "../../../lib/cli/client/frames/trace.ts";
import { encodeFrame, type Header, INBOX, readHeader, Type } from "../../../lib/wire/header.ts";

const encoder = new TextEncoder();

function header(fields: Partial<Header> & { type: number }, payload = ""): Header {
  return readHeader(encodeFrame(fields, encoder.encode(payload)));
}

Deno.test("a frame is summed up: time, session, direction, type, and the fields that are not 0", () => {
  const cases: [string, string][] = [
    [
      formatSummary(
        "out",
        header({ type: Type.REQUEST, flags: 1, id: 7, channel: 2, sender: 17 }, "x"),
        17,
        1,
      ),
      "   1.0 ms  session 17 > server   REQUEST  text id=7 channel=2 sender=17 1 byte",
    ],
    [
      formatSummary("in", header({ type: Type.REPLY, id: 7, channel: INBOX + 17, sender: 3 }), 17, 1234.56),
      "1234.6 ms  session 17 < server   REPLY    bytes id=7 inbox=17 sender=3 0 bytes",
    ],
    [
      formatSummary("out", header({ type: Type.MESSAGE, flags: 0x0e, id: 1, channel: 1, sender: 3 }), 3, 0),
      "   0.0 ms  session 3 > server    MESSAGE  json receipt headers id=1 channel=1 sender=3 0 bytes",
    ],
    [
      formatSummary("in", header({ type: 0x90 }), 0, 0),
      "   0.0 ms  client < server       extension 0x90  0 bytes",
    ],
  ];
  for (const [text, expected] of cases) assertEquals(text, expected);
});

Deno.test("a traced frame is its summary and its fields; the clock starts with the first one", () => {
  const printed: string[] = [];
  let clock = 1000;
  const trace = makeTrace(
    (text) => printed.push(text),
    makeMask("t0p-secret"),
    (_style, text) => text,
    () => clock,
  );
  const payload = encoder.encode("my t0p-secret\x1b[2J");
  trace("out", header({ type: Type.PING }), new Uint8Array(0), 3);
  clock += 2.5;
  trace(
    "in",
    { ...header({ type: Type.MESSAGE, channel: 1, sender: 4 }), length: payload.length },
    payload,
    3,
  );
  assertEquals(printed[0].split("\n").length, 7);
  assertEquals(printed[1].split("\n").filter((_, row) => row === 0 || row > 6), [
    "   2.5 ms  session 3 < server    MESSAGE  bytes channel=1 sender=4 17 bytes",
    `    16  6d 79 20 2a 2a 2a 2a 2a  payload  "my *****"`,
    `    24  2a 2a 2a 2a 2a 1b 5b 32           "*****\\x1b[2"`,
    `    32  4a                                "J"`,
  ]);
});
