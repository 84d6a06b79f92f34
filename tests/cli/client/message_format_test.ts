/**
 * Messages as lines of JSON, and as a template prints them.
 */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { parseTemplate } from "../../../lib/cli/client/message_format.ts";
import { formatMessageJson, parseMessageJson } from "../../../lib/cli/client/message_json.ts";
import type { Message } from "../../../lib/client/message_types.ts";
import { ParleyError } from "../../../lib/errors.ts";

const bytes = (...values: number[]) => new Uint8Array(values);
const encode = (text: string) => new TextEncoder().encode(text);

/** A message that has come. */
function message(payload: string | Uint8Array, kind: Message["kind"], headers: Record<string, string> = {}) {
  const content = typeof payload === "string" ? encode(payload) : payload;
  return { channel: "news", sender: 7, kind, headers, payload: content };
}

for (
  const [name, sent, fields] of [
    ["a text", message("a\u009b\n", "text"), '"text":"a\\u009b\\n"'],
    [
      "JSON, with every digit",
      message('{"n": 12345678901234567890,\n"x":1.50}', "json"),
      '"json":{"n": 12345678901234567890, "x":1.50}',
    ],
    ["JSON with what would control a terminal", message('"\u202e\x7f"', "json"), '"json":"\\u202e\\u007f"'],
    ["what is called JSON and is not", message("{", "json"), '"text":"{"'],
    ["what is called a text and is not", message(bytes(0xff), "text"), '"base64":"/w=="'],
    ["bytes", message(bytes(0, 255), "bytes"), '"base64":"AP8="'],
    ["headers", message("x", "text", { trace: "00-1" }), '"headers":{"trace":"00-1"},"text":"x"'],
  ] as const
) {
  Deno.test(`an object holds ${name}, and is read back`, () => {
    const line = formatMessageJson(sent);
    assertEquals(line.slice(line.indexOf('"kind"')), `"kind":"${sent.kind}",${fields}}`);
    JSON.parse(line);
    const read = parseMessageJson(encode(line), "line 1");
    assertEquals([read.channel, read.kind, read.headers], ["news", sent.kind, sent.headers]);
    const asJson = sent.kind === "json" && fields.startsWith('"json"');
    const same = (payload: Uint8Array) =>
      new TextDecoder().decode(payload).replace(/\s/g, "").replace("1.50", "1.5");
    assertEquals(asJson ? same(read.payload) : read.payload, asJson ? same(sent.payload) : sent.payload);
  });
}

Deno.test("white space, CRLF and a byte order mark around an object do not matter", () => {
  const { channel, payload } = parseMessageJson(encode('\ufeff {"channel":"a","text":"x"} \r'), "line 1");
  assertEquals([channel, payload], ["a", encode("x")]);
});

for (
  const [line, words] of [
    ["hello", "line 3 is not JSON; expected an object such as"],
    ["[1]", "line 3 is not an object"],
    ['{"channel":"a"}', "line 3 has no content"],
    ['{"text":"a","base64":""}', "line 3 has both text and base64"],
    ['{"text":7}', "line 3 has a text that is not a string"],
    ['{"kind":"xml","text":""}', "line 3 has a kind that is not bytes, text or json"],
    ['{"chanel":"a","text":""}', 'line 3 has the unknown field "chanel"'],
    ['{"text":"","headers":{"a":1}}', "line 3 has a headers.a that is not a string"],
    ['{"base64":"?"}', "line 3 has a base64 that is not base64"],
  ]
) {
  Deno.test(`${line} is no message`, () => {
    assertThrows(() => parseMessageJson(encode(line), "line 3"), ParleyError, words);
  });
}

Deno.test("a template fills in fields, braces and control characters", () => {
  const received = message("21\x1b", "text", { unit: "C" }) as unknown as Message;
  const format = (template: string) => parseTemplate(template)(received);
  assertEquals(format("{channel}|{sender}|{kind}|{size}|{payload}|{base64}"), "news|7|text|3|21\\x1b|MjEb");
  assertEquals(format("{header:unit}{header:none}{header:constructor}{{}}\\t\\n\\\\"), "C{}\t\n\\");
  assertEquals(format("{headers}"), '{"unit":"C"}');
  assertMatch(format("{time}"), /^\d{4}-\d\d-\d\dT.*Z$/);
  assertEquals(format("{"), "{");
  assertThrows(
    () => parseTemplate("{chanel}"),
    ParleyError,
    "{chanel} is not a field; the fields are channel, sender",
  );
});
