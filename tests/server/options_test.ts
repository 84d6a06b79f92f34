/** Mistakes in what a program gives to `serve()`: each fails at once, and says what would be right. */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { LIMIT_RANGES } from "../../lib/config/limit_ranges.ts";
import { policyOf } from "../../lib/broker/stored/policy.ts";
import { storagePolicies, storeFolder } from "../../lib/server/options.ts";
import {
  DEFAULT_LIMITS,
  type Limits,
  ParleyError,
  serve,
  type ServeOptions,
  type StoredChannelOptions,
} from "../../lib/mod.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { RawClient } from "../harness/raw_client.ts";

/** The message of the error with which `serve` rejects `options`. */
async function problem(options: Record<string, unknown>): Promise<string> {
  // A server that starts would listen on.
  const error = await assertRejects(async () => {
    await using _ = await serve(options as ServeOptions);
  }, ParleyError);
  assertEquals(error.code, "bad_argument");
  return error.message;
}

Deno.test("other machines cannot connect without tokens and TLS, unless that is asked for", async () => {
  const message = (hostname: string, missing: string) =>
    `other machines can connect to a server on ${hostname}, which needs tokens and TLS: add ${missing}, ` +
    "or insecure: true to leave it open";
  for (const hostname of ["0.0.0.0", "::", "192.0.2.7", "hub.example"]) {
    assertEquals(await problem({ hostname }), message(hostname, "auth: true and tls: true"));
  }
  const hostname = "0.0.0.0";
  assertEquals(await problem({ hostname, auth: true }), message(hostname, "tls: true"));
  assertEquals(await problem({ hostname, tls: true }), message(hostname, "auth: true"));
  assertEquals(await problem({ hostname, insecure: false }), message(hostname, "auth: true and tls: true"));
  const log = new RecordedLog();
  await using server = await serve({ hostname, insecure: true, log: log.log });
  assertEquals(server.hostname, hostname);
  const [warning, ...others] = log.lines.filter(({ level }) => level === "warn");
  assertEquals(others, []);
  assertMatch(
    warning.message,
    /^insecure: open to the network, .*may connect.*can read messages.*insecure: true/,
  );
  for (const hostname of ["127.0.0.1", "127.0.0.2", "localhost", undefined]) {
    const log = new RecordedLog();
    await using _ = await serve({ hostname, insecure: true, log: log.log });
    assertEquals(log.lines.filter(({ level }) => level === "warn"), []);
  }
});

Deno.test("a limit outside its range is rejected, with the range and the value", async () => {
  for (const [name, [min, max]] of Object.entries(LIMIT_RANGES)) {
    for (const value of [min - 1, max + 1, -1, NaN, Infinity, -Infinity, min + 0.5, "1024", null, true]) {
      assertEquals(
        await problem({ limits: { [name]: value } }),
        `limits.${name} must be a whole number from ${min} to ${max}, not ${
          typeof value === "string" ? `"${value}"` : value
        }`,
      );
    }
  }
});

Deno.test("each default limit is in its range, and each end of a range is accepted", async () => {
  for (const [name, [min, max]] of Object.entries(LIMIT_RANGES)) {
    const value = DEFAULT_LIMITS[name as keyof Limits];
    assertEquals(value >= min && value <= max, true, name);
    const most = {
      pendingBytes: LIMIT_RANGES.pendingBytes[1],
      pendingTotalBytes: LIMIT_RANGES.pendingTotalBytes[1],
    };
    for (const end of [min, max]) {
      if (name.startsWith("pending") && end === min) continue; // it contradicts the default payload
      await using _ = await serve({ limits: { ...most, [name]: end, drainMs: 0 } });
    }
  }
});

Deno.test("an entry of what is stored is rejected with what it must be and what came", async () => {
  const base = { channels: "orders.>", storage: "durable" };
  const mistakes: [entry: unknown, problem: string][] = [
    [7, "stored[0] must be an object, not 7"],
    [{ storage: "durable" }, "stored[0].channels is missing"],
    [{ channels: "orders.>" }, "stored[0].storage is missing"],
    [
      { ...base, channels: "a..b" },
      'stored[0].channels must be the name of a channel, or a pattern, not "a..b"',
    ],
    [{ ...base, channels: "$echo" }, "stored[0]: $echo is the server's own, which is never stored"],
    [{ ...base, storage: "disk" }, 'stored[0].storage must be one of durable, history, not "disk"'],
    [{ ...base, maxAge: 1 }, 'stored[0] has no option "maxAge"; did you mean maxAgeMs?'],
    [{ ...base, maxAgeMs: 0 }, "stored[0].maxAgeMs must be a whole number from 1000 to 3153600000000, not 0"],
    [
      { ...base, maxBytes: Infinity },
      "stored[0].maxBytes must be a whole number from 1024 to 1125899906842624, not Infinity",
    ],
    [
      { ...base, maxMessages: 0 },
      "stored[0].maxMessages must be a whole number from 1 to 9007199254740991, not 0",
    ],
    [{ ...base, full: "drop" }, 'stored[0].full must be one of drop-old, refuse, not "drop"'],
  ];
  for (const [entry, message] of mistakes) assertEquals(await problem({ stored: [entry] }), message);
  assertEquals(
    await problem({ stored: [base, { ...base, channels: "orders.new" }] }),
    "stored[1] is never used: stored[0] comes first and covers orders.new with orders.>",
  );
  assertEquals(
    await problem({ stored: base }),
    `stored must be an array of { channels, storage, ... }, not ${JSON.stringify(base)}`,
  );
});

Deno.test("a bound that is left out is none, and nothing of a durable channel without bounds is dropped", () => {
  const all = { maxAgeMs: Infinity, maxBytes: Infinity, maxMessages: Infinity };
  const policy = (entry: Partial<StoredChannelOptions>) => {
    const [{ pattern: _, ...policy }] = storagePolicies({
      stored: [{ channels: "a", storage: "durable", ...entry }],
    });
    return policy;
  };
  const storage = "durable";
  assertEquals(policy({}), { ...all, storage, full: "refuse" });
  assertEquals(policy({ maxAgeMs: 1000 }), { ...all, storage, maxAgeMs: 1000, full: "refuse" });
  assertEquals(policy({ maxMessages: 1 }), { ...all, storage, maxMessages: 1, full: "drop-old" });
  assertEquals(policy({ maxBytes: 2048 }), { ...all, storage, maxBytes: 2048, full: "drop-old" });
  assertEquals(policy({ maxBytes: 2048, full: "refuse" }), {
    ...all,
    storage,
    maxBytes: 2048,
    full: "refuse",
  });
  assertEquals(policy({ storage: "history" }), {
    ...all,
    storage: "history",
    maxMessages: 10_000,
    full: "drop-old",
  });
  const stored = [{ channels: "orders.new", storage }, { channels: "orders.>", storage: "history" }] as const;
  assertEquals(policyOf(storagePolicies({ stored }), "orders.new")?.storage, "durable");
  assertEquals(policyOf(storagePolicies({ stored }), "orders.old")?.storage, "history");
  assertEquals(policyOf(storagePolicies({ stored }), "chat"), undefined);
  assertEquals(
    [storeFolder({}), storeFolder({ state: "data" }), storeFolder({ store: "s" })],
    ["parley-state/store", "data/store", "s"],
  );
});

Deno.test("a limit or an option that is undefined is the default one", async () => {
  await using server = await serve({ port: undefined, tls: undefined, limits: { payloadBytes: undefined } });
  assertEquals(server.url, `parley://127.0.0.1:${server.port}`);
  using ada = await RawClient.greet(server);
  assertEquals(ada.welcome.limits.payload, DEFAULT_LIMITS.payloadBytes);
});

Deno.test("an unknown name is rejected, with the nearest known one", async () => {
  assertEquals(
    await problem({ limits: { payloadByte: 1024 } }),
    'limits has no limit "payloadByte"; did you mean payloadBytes?',
  );
  assertEquals(await problem({ prot: 0 }), 'serve() has no option "prot"; did you mean port?');
  assertEquals(
    await problem({ hostName: "::1" }),
    'serve() has no option "hostName"; did you mean hostname?',
  );
  assertEquals(
    await problem({ tls: { certificateFile: "c.pem", keyfile: "k.pem" } }),
    'tls has no option "keyfile"; did you mean keyFile?',
  );
  assertEquals(
    await problem({ maximum: 1 }),
    'serve() has no option "maximum"; there are hostname, port, auth, state, tls, certs, hosts, insecure, firstSessionId, limits, stored, store, web, config, log',
  );
});

Deno.test("a value of the wrong type is rejected before anything is done with it", async () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ port: 70_000 }, "port must be a whole number from 0 to 65535, not 70000"],
    [{ port: NaN }, "port must be a whole number from 0 to 65535, not NaN"],
    [{ port: "7253" }, 'port must be a whole number from 0 to 65535, not "7253"'],
    [{ hostname: "" }, 'hostname must be text that is not empty, not ""'],
    [{ auth: "no" }, 'auth must be true, false or { keys, issuer, audience, ... }, not "no"'],
    [{ auth: null }, "auth must be true, false or { keys, issuer, audience, ... }, not null"],
    [{ auth: { issuer: "a", audience: "b" } }, "auth.keys is missing"],
    [
      { auth: { keys: [], issuer: "a", audience: "b" } },
      "auth.keys must be a file or URL, or an array of them, not []",
    ],
    [{ auth: { keys: "k", issuer: 1 } }, "auth.issuer must be text that is not empty, not 1"],
    [{ auth: { keys: "k", isuer: "a" } }, 'auth has no option "isuer"; did you mean issuer?'],
    [
      { auth: { keys: "k", issuer: "a" } },
      "auth.keys needs auth.issuer and auth.audience, which the tokens must have, or tokens that are meant for " +
      "something else would be accepted; auth.audience is missing",
    ],
    [
      { auth: { keys: "k", issuer: "parley-server", audience: "b" } },
      'auth.issuer must not be "parley-server", the issuer of the server\'s own tokens',
    ],
    [
      { auth: { keys: ["k", "http://192.0.2.7/k"], issuer: "a", audience: "b" } },
      "keys come from a file or an https: URL (http: from this machine only), not from http://192.0.2.7, because " +
      "whoever can change them on the way can make tokens",
    ],
    [
      { auth: { keys: "k", issuer: "a", audience: "b", maxLifetimeSeconds: 59 } },
      "auth.maxLifetimeSeconds must be a whole number from 60 to 2592000, not 59",
    ],
    [{ insecure: 1 }, "insecure must be true or false, not 1"],
    [{ tls: "yes" }, 'tls must be true, false or { certificateFile, keyFile }, not "yes"'],
    [{ tls: { keyFile: "key.pem" } }, "tls.certificateFile is missing"],
    [{ hosts: "localhost" }, 'hosts must be an array of names and addresses, not "localhost"'],
    [{ limits: 5 }, "limits must be an object, not 5"],
    [{ limits: null }, "limits must be an object, not null"],
  ];
  for (const [options, message] of cases) assertEquals(await problem(options), message);
});
