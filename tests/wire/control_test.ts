import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { HEADER_BYTES, MAX_NUMBER } from "../../lib/limits.ts";
import { type ControlName, decodeControl, encodeControl, SCHEMAS } from "../../lib/wire/control.ts";
import { encodeFrame, readHeader, Type } from "../../lib/wire/header.ts";
import { concat } from "./recorder.ts";
import { VALID } from "./vectors.ts";

type Json = Record<string, unknown>;

/** One good payload of each type with every key it may have, and which of its keys (or `key.key`) it may lack. */
const SAMPLES: Record<ControlName, { full: Json; optional: readonly string[] }> = {
  HELLO: {
    full: { protocol: "parley/1", name: "Ada", token: "secret" },
    optional: ["name", "token"],
  },
  WELCOME: {
    full: {
      session: "7d1f0f5e-6c3b-4f0a-9b8e-2f6f4c1d9a55",
      number: 17,
      name: "Ada",
      message: "Welcome, Ada.",
      server: { name: "parley", version: "0.1.0" },
      limits: { payload: 1, channels: 2, pending: 3 },
      heartbeat: 30,
      time: "2026-11-25T12:00:00.000Z",
    },
    optional: ["time"],
  },
  ERROR: { full: { code: "limit", message: "too many channels open", fatal: false }, optional: [] },
  BYE: { full: { reason: "done" }, optional: [] },
  OPEN: {
    full: {
      channel: "chat",
      subscribe: true,
      respond: true,
      group: "workers",
      echo: false,
      presence: true,
      producer: "import-7",
      consumer: "billing",
      exclusive: true,
      window: 65_535,
      ackSeconds: 86_400,
      deliveries: 1000,
      retry: true,
      from: { sequence: 7, epoch: "e-1" },
    },
    optional: [
      "subscribe",
      "respond",
      "group",
      "echo",
      "presence",
      "producer",
      "consumer",
      "exclusive",
      "window",
      "ackSeconds",
      "deliveries",
      "retry",
      "from",
      "from.epoch",
    ],
  },
  OPENED: {
    full: {
      channel: "chat",
      number: 5,
      publish: true,
      subscribe: true,
      respond: true,
      members: [{ number: 17, name: "Ada" }],
      count: 1,
      durable: true,
      history: true,
      epoch: "e-1",
      first: 1,
      last: 0,
      stored: 0,
    },
    optional: [
      "respond",
      "members",
      "count",
      "durable",
      "history",
      "epoch",
      "first",
      "last",
      "stored",
    ],
  },
  LEAVE: { full: { channel: "chat" }, optional: [] },
  LEFT: { full: { channel: "chat" }, optional: [] },
  JOINED: { full: { number: 18, name: "Grace" }, optional: [] },
  PARTED: { full: { number: 18, name: "Grace" }, optional: [] },
};
const CONTROL_NAMES = Object.keys(SCHEMAS) as ControlName[];

/** What the full sample of a type is read as: `from` is the only key that is not as it was written. */
function valueOf(type: ControlName): Json {
  const { full } = SAMPLES[type];
  return type === "OPEN" ? { ...full, from: { kind: "sequence", ...full.from as Json } } : full;
}

/** Reads `payload` (JSON, text or bytes) the way it comes: from the middle of a chunk. */
function decode(type: ControlName, payload: Json | string | Uint8Array) {
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  const body = payload instanceof Uint8Array ? payload : new TextEncoder().encode(text);
  const before = encodeFrame({ type: Type.PING });
  const frame = encodeFrame({ type: Type[type] }, body);
  const chunk = concat(before, frame, before);
  return decodeControl(type, chunk, before.length, before.length + frame.length);
}

/** What is wrong with the payload; fails if nothing is. */
function problemOf(type: ControlName, payload: Json | string | Uint8Array): string {
  const decoded = decode(type, payload);
  assert("problem" in decoded, `${type} takes ${JSON.stringify(payload)}`);
  assertStringIncludes(decoded.problem, type);
  return decoded.problem;
}

/** Every `[dotted path, owner, key]` of the object. */
function pathsOf(object: Json, prefix = ""): [string, Json, string][] {
  return Object.entries(object).flatMap(([key, value]) => {
    const own: [string, Json, string] = [prefix + key, object, key];
    const isParent = typeof value === "object" && value !== null;
    return isParent ? [own, ...pathsOf(value as Json, `${prefix}${key}.`)] : [own];
  });
}

/** Calls `check` once for each key of each sample, with a copy of the sample to spoil. */
function forEachKey(
  check: (type: ControlName, sample: Json, path: string, owner: Json, key: string) => void,
) {
  for (const type of CONTROL_NAMES) {
    for (const [path] of pathsOf(SAMPLES[type].full)) {
      const sample = structuredClone(SAMPLES[type].full);
      const [, owner, key] = pathsOf(sample).find(([same]) => same === path)!;
      check(type, sample, path, owner, key);
    }
  }
}

Deno.test("a payload with all its keys is read as it was written", () => {
  for (const type of CONTROL_NAMES) {
    const { full } = SAMPLES[type];
    const frame = encodeControl({ type: Type[type], id: 3, channel: 5, sender: 17 }, full);
    assertEquals(decodeControl(type, frame, 0, frame.length) as unknown, { value: valueOf(type) });
    const length = frame.length - HEADER_BYTES;
    assertEquals(readHeader(frame), { type: Type[type], flags: 0, id: 3, length, channel: 5, sender: 17 });
  }
});

Deno.test("golden payloads are read as their fields, and the fields are written as their bytes", () => {
  for (const { name, header, hex, payload } of VALID) {
    if (typeof payload === "string") {
      assertEquals(hex.slice(2 * HEADER_BYTES), payload, name);
      continue;
    }
    const type = name.split(" ")[0] as ControlName;
    const bytes = Uint8Array.fromHex(hex);
    const decoded = decodeControl(type, bytes, 0, bytes.length);
    assert("value" in decoded, name);
    // Keys that may be left out come as their defaults, and `from` as what it stands for.
    const from = "from" in decoded.value ? { from: decoded.value.from } : {};
    assertEquals({ ...decoded.value, ...payload, ...from }, decoded.value as Json, name);
    assertEquals(encodeControl(header, payload).toHex(), hex, name);
  }
});

Deno.test("with any one bit of it flipped, a golden payload is read or has a problem, but nothing is thrown", () => {
  for (const { name, hex, payload } of VALID) {
    if (typeof payload === "string") continue;
    const type = name.split(" ")[0] as ControlName;
    const bytes = Uint8Array.fromHex(hex);
    for (let bit = 8 * HEADER_BYTES; bit < 8 * bytes.length; bit++) {
      bytes[bit >> 3] ^= 0x80 >> (bit & 7);
      const decoded = decodeControl(type, bytes, 0, bytes.length);
      assert("value" in decoded !== "problem" in decoded, `${name}, bit ${bit}`);
      bytes[bit >> 3] ^= 0x80 >> (bit & 7);
    }
  }
});

Deno.test("an OPEN defaults to no subscription, no responding, its own messages, no presence, no group", () => {
  const value = {
    channel: "chat",
    subscribe: false,
    respond: false,
    echo: true,
    presence: false,
    exclusive: false,
    window: 1024,
    ackSeconds: 30,
    deliveries: 0,
    retry: false,
  };
  assertEquals(decode("OPEN", { channel: "chat" }), { value });
});

Deno.test("a key may be missing where the protocol says so, and its lack is named where not", () => {
  forEachKey((type, sample, path, owner, key) => {
    if (Array.isArray(owner)) return;
    delete owner[key];
    if (SAMPLES[type].optional.includes(path)) {
      assert("value" in decode(type, sample), `${type} without ${path}`);
    } else assertEquals(problemOf(type, sample), `${type} lacks "${path}"`);
  });
});

Deno.test("a value of the wrong type is named with the type that came", () => {
  const wrong = { null: null, array: [], object: {}, string: "1", number: 1, boolean: true };
  forEachKey((type, sample, path, owner, key) => {
    const right = typeof owner[key];
    for (const [came, value] of Object.entries(wrong)) {
      // Where an object is right, so is an array or an empty one, as far as its type goes.
      if (typeof value === right && value !== null) continue;
      owner[key] = value;
      const problem = problemOf(type, sample);
      assertStringIncludes(problem, `"${path}" must be `);
      assertStringIncludes(problem, came);
    }
  });
});

Deno.test("unknown keys are ignored at any depth", () => {
  forEachKey((type, sample, _path, owner) => {
    if (Array.isArray(owner)) return;
    owner.unheard = { of: ["anything"] };
    assertEquals(decode(type, sample) as unknown, { value: valueOf(type) });
  });
});

Deno.test("a __proto__ key is an unknown key, and lends no others", () => {
  assertEquals(decode("BYE", '{"__proto__":{"reason":1},"reason":"done"}'), { value: { reason: "done" } });
  assertEquals(problemOf("BYE", '{"__proto__":{"reason":"done"}}'), 'BYE lacks "reason"');
});

Deno.test("a payload that is not an object is refused as what it is", () => {
  const came = {
    "null": "null",
    "[]": "an array",
    "17": "a number",
    '"text"': "a string",
    "true": "a boolean",
  };
  for (const type of CONTROL_NAMES) {
    for (const [payload, what] of Object.entries(came)) {
      assertEquals(problemOf(type, payload), `the payload of ${type} must be a JSON object, got ${what}`);
    }
  }
});

Deno.test("a payload that is no JSON in UTF-8 is refused", () => {
  const bad = [
    "",
    "{",
    '{"reason":"done"}x',
    "{'reason':'done'}",
    "[".repeat(100_000),
    Uint8Array.of(0xff),
    new TextEncoder().encode('{"reason":"?"}').map((byte) => byte === 0x3f ? 0xff : byte),
    Uint8Array.fromHex("7b22726561736f6e223a22eda08022" + "7d"), // a surrogate, encoded as if it were a character
  ];
  for (const payload of bad) {
    assertEquals(problemOf("BYE", payload), "the payload of BYE must be a JSON object in UTF-8");
  }
});

Deno.test("names have 1 to 64 characters, however many bytes or code units those take", () => {
  for (const character of ["a", "ä", "☃", "😀"]) {
    for (const length of [1, 64]) {
      const name = character.repeat(length);
      assertEquals(decode("HELLO", { protocol: "parley/1", name }), {
        value: { protocol: "parley/1", name },
      });
    }
    for (const length of [65, 1000]) {
      const problem = problemOf("HELLO", { protocol: "parley/1", name: character.repeat(length) });
      assertEquals(problem, 'HELLO "name": a name has 1 to 64 characters');
    }
  }
  assertEquals(
    problemOf("HELLO", { protocol: "parley/1", name: "" }),
    'HELLO "name": a name has 1 to 64 characters',
  );
});

Deno.test("names have no control characters", () => {
  for (const code of [0x00, 0x07, 0x09, 0x0a, 0x0d, 0x1b, 0x1f, 0x7f, 0x80, 0x85, 0x9f]) {
    const name = `Ada${String.fromCharCode(code)}`;
    assertEquals(
      problemOf("HELLO", { protocol: "parley/1", name }),
      'HELLO "name": a name has no control characters',
    );
  }
  for (const name of [" ", "Ada Lovelace", "~", "\u00a0"]) {
    assert("value" in decode("HELLO", { protocol: "parley/1", name }), JSON.stringify(name));
  }
});

Deno.test("names have no lone surrogates, which no UTF-8 could carry on", () => {
  for (const name of ["\ud800", "\udfff", "Ada\ud83d", "\ude00\ud83d"]) {
    assertStringIncludes(problemOf("HELLO", { protocol: "parley/1", name }), '"name"');
    assertStringIncludes(problemOf("OPEN", { channel: "chat", group: name }), '"group"');
  }
});

Deno.test("numbers are whole, not negative, and leave the top bit free", () => {
  for (const number of [-1, 0.5, MAX_NUMBER + 1, 1e300]) {
    assertStringIncludes(problemOf("JOINED", { number, name: "Ada" }), '"number"');
  }
  assert("value" in decode("JOINED", { number: MAX_NUMBER, name: "Ada" }));
});

/** What `from` in an OPEN is read as. */
function decodeFrom(from: unknown): unknown {
  const decoded = decode("OPEN", { channel: "chat", from: from as Json });
  assert("value" in decoded, JSON.stringify(from));
  return (decoded.value as { from?: unknown }).from;
}

Deno.test("a place in a stored channel is a word, a sequence or a time", () => {
  for (const kind of ["new", "all", "last"]) assertEquals(decodeFrom(kind), { kind });
  assertEquals(decodeFrom({ sequence: 1 }), { kind: "sequence", sequence: 1, epoch: undefined });
  // An epoch against the grammar is not the channel's, which the session says.
  assertEquals(decodeFrom({ sequence: 7, epoch: "?" }), { kind: "sequence", sequence: 7, epoch: "?" });
  assertEquals(decodeFrom({ time: "1970-01-01T00:00:01Z" }), { kind: "time", time: 1000 });
});

Deno.test("a sequence beyond the safe integers is the last of these", () => {
  for (const sequence of ["9007199254740991", "9007199254740993", "18446744073709551615"]) {
    const decoded = decode("OPEN", `{"channel":"chat","from":{"sequence":${sequence}}}`);
    assert("value" in decoded);
    const from = { kind: "sequence", sequence: Number.MAX_SAFE_INTEGER, epoch: undefined };
    assertEquals(decoded.value as unknown, { ...decoded.value, from });
  }
});

Deno.test("a place that is none is refused with what it may be", () => {
  const words =
    '"from" must be "new", "all", "last", {"sequence":1} or {"time":"2026-11-25T12:00:00Z"}, got ';
  const bad: [unknown, string][] = [
    ["first", `${words}a string`],
    ["", `${words}a string`],
    [1, `${words}a number`],
    [null, `${words}null`],
    [{}, 'lacks "from.sequence"'],
    [{ epoch: "e-1" }, 'lacks "from.sequence"'],
    [{ sequence: 0 }, '"from.sequence": must be a whole number of at least 1, not 0'],
    [{ sequence: 1.5 }, '"from.sequence": must be a whole number of at least 1, not 1.5'],
    [{ sequence: "1" }, '"from.sequence" must be a number, got a string'],
    [{ time: 1 }, '"from.time" must be a string, got a number'],
    [{ time: "yesterday" }, '"from.time": must be a time as RFC 3339 writes it: 2026-11-25T12:00:00Z'],
    [{ time: "1970-01-01T00:00:01Z", sequence: 1 }, '"from.sequence" has no place beside "time"'],
  ];
  for (const [from, problem] of bad) {
    assertEquals(problemOf("OPEN", { channel: "chat", from: from as Json }), `OPEN ${problem}`);
  }
});

Deno.test("the options of producers and consumers have their ranges", () => {
  const good: Json[] = [
    { window: 1, ackSeconds: 1, deliveries: 0 },
    { producer: "_", consumer: "a-Z_9".repeat(12) },
  ];
  for (const options of good) assert("value" in decode("OPEN", { channel: "chat", ...options }));
  const bad: Json[] = [
    { window: 0 },
    { window: 65_536 },
    { window: 1.5 },
    { ackSeconds: 0 },
    { ackSeconds: 86_401 },
    { deliveries: -1 },
    { deliveries: 1001 },
    { producer: "" },
    { producer: "a.b" },
    { consumer: "a/b" },
    { consumer: "a".repeat(65) },
  ];
  for (const options of bad) {
    assertStringIncludes(problemOf("OPEN", { channel: "chat", ...options }), `"${Object.keys(options)[0]}"`);
  }
});

Deno.test("a client takes no sequence that it could not give back, and no epoch against the grammar", () => {
  const { full } = SAMPLES.OPENED;
  for (const key of ["first", "last", "stored"]) {
    assertStringIncludes(problemOf("OPENED", { ...full, [key]: 2 ** 53 }), `"${key}"`);
    assertStringIncludes(problemOf("OPENED", { ...full, [key]: -1 }), `"${key}"`);
  }
  for (const epoch of ["", "a.b", "a".repeat(33)]) {
    assertStringIncludes(problemOf("OPENED", { ...full, epoch }), '"epoch"');
  }
});

Deno.test("a token never appears in the text of a problem", () => {
  const token = "eyJ-very-secret";
  const bad: (Json | string | Uint8Array)[] = [
    { token },
    { protocol: 1, token },
    { protocol: "parley/1", name: "", token },
    { protocol: "parley/1", name: "\n", token },
    { protocol: "parley/1", name: 5, token },
    { protocol: "parley/1", token: [token] },
    { protocol: "parley/1", token: { [token]: token } },
    JSON.stringify([token]),
    JSON.stringify(token),
    `{"token":"${token}`,
    `{"token":${token}}`,
    concat(new TextEncoder().encode(`{"token":"${token}"}`), Uint8Array.of(0xff)),
  ];
  for (const payload of bad) {
    const problem = problemOf("HELLO", payload);
    assert(!problem.includes(token) && !problem.includes("secret"), problem);
  }
});
