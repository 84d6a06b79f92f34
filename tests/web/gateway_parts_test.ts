/** The parts of the gateway that need no server. */

import { assertEquals, assertThrows } from "@std/assert";
import type { Message } from "../../lib/client/message_types.ts";
import { ParleyError } from "../../lib/errors.ts";
import { kindOf, responseHeaders } from "../../lib/web/gateway/content.ts";
import { encodeEnvelope } from "../../lib/web/gateway/envelope.ts";
import { encodeEvent } from "../../lib/web/gateway/event_stream.ts";
import { channelIn, idempotencyKey, numberIn, queryOf } from "../../lib/web/gateway/parameters.ts";
import { after, parseFrom } from "../../lib/web/gateway/starting_point.ts";

function refused(act: () => unknown): string {
  const { code, message } = assertThrows(act, ParleyError);
  assertEquals(code, "bad_argument");
  return message;
}

function message(kind: Message["kind"], text: string, headers: Record<string, string> = {}): Message {
  const payload = new TextEncoder().encode(text);
  return {
    channel: "a.b",
    channelId: 1,
    sender: 7,
    kind,
    headers,
    sequence: 3,
    deliveries: 1,
    payload,
    text: () => text,
    json: () => JSON.parse(text),
    ack() {},
    nak() {},
    setAside() {},
    renew() {},
  };
}

Deno.test("each Content-Type stands for a content kind", () => {
  const kinds = [
    "text/plain; charset=utf-8",
    "TEXT/markdown",
    "application/x-www-form-urlencoded",
    "application/json",
    "application/cloudevents+json; charset=utf-8",
    "application/octet-stream",
    "image/png",
    undefined,
  ].map(kindOf);
  assertEquals(kinds, ["text", "text", "text", "json", "json", "bytes", "bytes", "bytes"]);
});

Deno.test("a place in a stored channel is written in one of seven ways", () => {
  assertEquals(
    ["new", "all", "last", "7", "e1-_:7", "2026-11-25T12:00:00Z", "2026-11-25T12:00:00.5+01:00"].map(
      parseFrom,
    ),
    [
      "new",
      "all",
      "last",
      { sequence: 7, epoch: undefined },
      { sequence: 7, epoch: "e1-_" },
      new Date("2026-11-25T12:00:00Z"),
      new Date("2026-11-25T11:00:00.500Z"),
    ],
  );
  // A "+" that is not escaped arrives as a space.
  assertEquals(parseFrom("2026-11-25T12:00:00 01:00"), new Date("2026-11-25T11:00:00Z"));
  for (
    const text of [
      "",
      "0",
      "-1",
      "1.5",
      "newest",
      "e:",
      ":7",
      "e:f:7",
      "yesterday",
      "2026-11-25",
      "99999999999999999999",
    ]
  ) {
    refused(() => parseFrom(text));
  }
});

Deno.test("an event id says where to go on", () => {
  assertEquals([after("e:7"), after("e:0")], [{ sequence: 8, epoch: "e" }, { sequence: 1, epoch: "e" }]);
  for (const id of ["7", "e", "e:x", "", "e:7 "]) refused(() => after(id));
});

Deno.test("an event's lines are fields of their own, whatever ends them", () => {
  assertEquals(encodeEvent({ data: "a\nb\rc\r\n\r\nd" }), "data: a\ndata: b\ndata: c\ndata: \ndata: d\n\n");
  assertEquals(encodeEvent({ data: "" }), "data: \n\n");
  assertEquals(encodeEvent({ id: "e:1" }), "id: e:1\n\n");
  const all = { id: "e:1", event: "base64", channel: "a.b", data: "AA==" };
  assertEquals(encodeEvent(all), "id: e:1\nevent: base64\nchannel: a.b\ndata: AA==\n\n");
});

Deno.test("an envelope has the content as it is", () => {
  const about = '{"channel":"a.b","sender":7,"sequence":3,"kind":';
  assertEquals(
    encodeEnvelope(message("text", 'say "hi"\r\n')),
    `${about}"text","text":"say \\"hi\\"\\r\\n"}`,
  );
  assertEquals(
    encodeEnvelope(message("json", '{"n": 12345678901234567890}')),
    `${about}"json","json":{"n": 12345678901234567890}}`,
  );
  assertEquals(encodeEnvelope(message("json", '{"n":')), `${about}"json","text":"{\\"n\\":"}`);
  assertEquals(encodeEnvelope(message("bytes", "\x00\x01")), `${about}"bytes","base64":"AAE="}`);
  const { time, headers } = JSON.parse(encodeEnvelope(message("text", "", { lang: "en" }), 0));
  assertEquals([time, headers], ["1970-01-01T00:00:00.000Z", { lang: "en" }]);
});

Deno.test("message headers of a reply come as JSON in ASCII, unless they are too long", () => {
  const found = (headers: Record<string, string>) => responseHeaders(message("text", "hi", headers));
  const plain = { "content-type": "text/plain; charset=utf-8", "content-length": 2 };
  assertEquals(found({}), plain);
  assertEquals(found({ name: "Jürgen\r\n😀" }), {
    ...plain,
    "parley-headers": '{"name":"J\\u00fcrgen\\r\\n\\ud83d\\ude00"}',
  });
  assertEquals(found({ long: "x".repeat(5000) }), plain);
});

Deno.test("a path names a channel behind its first segment", () => {
  const names = [
    "/publish/a.b",
    "/subscribe/sensors.%3E",
    "/subscribe/a.*",
    "/request/$echo",
    "/publish/a%2Eb",
  ];
  assertEquals(names.map((path) => channelIn(new URL(path, "http://localhost"))), [
    "a.b",
    "sensors.>",
    "a.*",
    "$echo",
    "a.b",
  ]);
  const { code } = assertThrows(() => channelIn(new URL("/publish/%FF", "http://localhost")), ParleyError);
  assertEquals(code, "bad_channel");
});

Deno.test("a parameter that is not known is refused, and so is a number out of its range", () => {
  const url = new URL("http://localhost/?from=all&form=all");
  assertEquals(
    refused(() => queryOf(url, ["from", "count"])),
    'there is no parameter "form"; there is from, count',
  );
  assertEquals(queryOf(new URL("http://localhost/?from=all"), ["from"]), { from: "all" });
  const range = { least: 1, most: 10, standard: 5 };
  assertEquals([numberIn("n", undefined, range), numberIn("n", "2.5", range)], [5, 2.5]);
  for (const text of ["", "0", "11", "1e1", "0x5", "-1", "NaN", " 5"]) {
    refused(() => numberIn("n", text, range));
  }
});

Deno.test("an idempotency key comes with quotes or without", () => {
  const key = (value: string) => idempotencyKey({ headers: { "idempotency-key": value } } as never);
  assertEquals([key('"8e03978e"'), key("8e03978e"), key("a/b")], ["8e03978e", "8e03978e", "a/b"]);
  for (const value of ["", '""', "a b", "ü", "x".repeat(129)]) refused(() => key(value));
});
