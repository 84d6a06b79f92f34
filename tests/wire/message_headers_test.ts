import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  decodeMessageHeaders,
  encodeMessageHeaders,
  type MessageHeaders,
} from "../../lib/wire/message_headers.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** A block of `json`, and `content` behind it. */
function block(json: string, content = ""): Uint8Array {
  const bytes = encode(json);
  return new Uint8Array([bytes.length >> 8, bytes.length & 0xff, ...bytes, ...encode(content)]);
}

Deno.test("message headers are read as they were written, and the content begins behind them", () => {
  const samples: MessageHeaders[] = [{}, { traceparent: "00-1" }, {
    a: "",
    "ü": "😀",
    error: "out_of_paper",
  }];
  for (const headers of samples) {
    const written = encodeMessageHeaders(headers);
    assertEquals(decodeMessageHeaders(written), { headers, contentAt: written.length });
    const payload = new Uint8Array([...written, ...encode("hello")]);
    assertEquals(decodeMessageHeaders(payload), { headers, contentAt: written.length });
  }
});

Deno.test("a malformed block has a problem, and nothing is thrown", () => {
  const malformed: [Uint8Array, string][] = [
    [new Uint8Array(0), "lack their length"],
    [new Uint8Array(1), "lack their length"],
    [new Uint8Array([0, 1]), "message headers of 1 bytes in a payload of 2"],
    [new Uint8Array([0, 0, 1]), "not JSON"],
    [new Uint8Array([0, 2, 0xff, 0xfe]), "not JSON in UTF-8"],
    [block("[]"), "not a JSON object"],
    [block("null"), "not a JSON object"],
    [block('{"a":1}', "hello"), '"a" is not a string'],
  ];
  for (const [payload, words] of malformed) {
    const decoded = decodeMessageHeaders(payload);
    assertStringIncludes("problem" in decoded ? decoded.problem : "no problem", words);
  }
});

Deno.test("headers that cannot be written are refused", () => {
  assertThrows(() => encodeMessageHeaders({ TraceParent: "1" }), RangeError, "lower case");
  assertThrows(() => encodeMessageHeaders({ a: "x".repeat(65_528) }), RangeError, "at most 65535 bytes");
  assertEquals(encodeMessageHeaders({ a: "x".repeat(65_527) }).length, 65_537);
});
