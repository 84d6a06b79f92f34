import { assert, assertEquals, assertMatch } from "@std/assert";
import { explainStored } from "../../lib/cli/server/stored_channels.ts";
import { formatConfig, formatHelp } from "../../lib/cli/settings.ts";
import { loadConfig } from "../../lib/config/load.ts";
import {
  formatMilliseconds,
  formatSize,
  namesSetBy,
  type Options,
  type Program,
} from "../../lib/config/option.ts";
import { SERVER, SERVER_OPTIONS, storedEntries } from "../../lib/config/server_options.ts";

/** Options of the kinds that the server's table does not have. */
const OTHER_OPTIONS = {
  config: { kind: "path", default: "parley.jsonc", only: ["flag"], help: "more of them" },
  tls: { kind: "boolean", default: false, help: "encrypt" },
  token: { kind: "string", secret: true, help: "who you are" },
  pin: { kind: "integer", range: [0, 9999], secret: true, help: "secret number" },
  publish: { kind: "string", repeatable: true, help: "pattern" },
  limit: { kind: "integer", range: [1, 9], repeatable: true, help: "several numbers" },
} as const satisfies Options;

const OTHER: Program<typeof OTHER_OPTIONS> = {
  options: OTHER_OPTIONS,
  knownElsewhere: [],
  takesOperands: true,
  crossChecks: [{
    options: ["tls", "token"],
    problem: ({ tls, token }) => token && !tls ? "token needs tls" : undefined,
  }],
};

/** The sources of a test: nothing is read from the process or the disk. */
interface Given {
  args?: string[];
  env?: Record<string, string>;
  file?: string;
}

function sourcesOf({ args = [], env = {}, file }: Given) {
  const readTextFile = (path: string) => {
    if (path !== "parley.jsonc" || file === undefined) throw new Deno.errors.NotFound(path);
    return file;
  };
  return { args, env, readTextFile, isTerminal: false };
}

const load = (given: Given) => loadConfig(SERVER, sourcesOf(given));
const loadOther = (given: Given) => loadConfig(OTHER, sourcesOf(given));
const texts = ({ problems }: { problems: readonly { text: string }[] }) => problems.map(({ text }) => text);

Deno.test("an option that is not set has its default", () => {
  const { values, origins, problems, operands } = load({});
  assertEquals(values, {
    host: "127.0.0.1",
    port: 7253,
    config: "parley.jsonc",
    state: "parley-state",
    durable: [],
    history: [],
    stored: [],
    store: undefined,
    storeBytes: 10 * 2 ** 30,
    historyBytes: 64 * 2 ** 20,
    web: undefined,
    webOrigin: [],
    logLevel: "info",
    logFormat: "json",
    logFile: undefined,
    auth: false,
    authKeys: [],
    authIssuer: undefined,
    authAudience: undefined,
    authMaxLifetime: 86_400,
    tls: false,
    tlsCert: undefined,
    tlsKey: undefined,
    certs: "certs",
    insecure: false,
    maxPayload: 1048576,
    maxPending: 16777216,
    maxPendingTotal: undefined,
    maxChannels: 1024,
    maxRequests: 65_535,
    maxConnections: 10_000,
    maxConnectionsPerAddress: 4096,
    maxMessageRate: 0,
    maxByteRate: 0,
    handshakeTime: 5000,
    slowConsumerTimeout: 5000,
    requestTime: 60_000,
    drainTime: 5000,
    heartbeat: 30,
    help: false,
    version: false,
  });
  assertEquals(new Set(Object.values(origins)), new Set(["default"]));
  assertEquals([problems, operands], [[], []]);
});

Deno.test("logs are pretty on a terminal by default", () => {
  const isTerminal = true;
  assertEquals(loadConfig(SERVER, { ...sourcesOf({}), isTerminal }).values.logFormat, "pretty");
  const given = sourcesOf({ env: { PARLEY_LOG_FORMAT: "json" } });
  assertEquals(loadConfig(SERVER, { ...given, isTerminal }).values.logFormat, "json");
});

Deno.test("flags win over variables, variables over the file, the file over defaults", () => {
  const args = ["--port", "1"];
  const env = { PARLEY_PORT: "2", PARLEY_HOST: "variable" };
  const file = `{ "port": 3, "host": "file",\n "state": "file" }`;
  const { values, origins, problems } = load({ args, env, file });
  assertEquals([values.port, values.host, values.state, values.heartbeat], [1, "variable", "file", 30]);
  assertEquals(
    [origins.port, origins.host, origins.state, origins.heartbeat],
    ["flag", "PARLEY_HOST", "parley.jsonc:2", "default"],
  );
  assertEquals(problems, []);
});

Deno.test("a value may follow its flag or an equals sign", () => {
  for (const args of [["--port", "0"], ["--port=0"]]) assertEquals(load({ args }).values.port, 0);
  assertEquals(load({ args: ["--state=a=b"] }).values.state, "a=b");
  assertEquals(load({ args: ["--state", "0.10"] }).values.state, "0.10");
  assertEquals(load({ args: ["-h"] }).values.help, true);
});

Deno.test("sizes and times may be written with units", () => {
  const sizes = { "1024": 1024, "64KiB": 65536, "64 kib": 65536, "1MiB": 1048576, "2048b": 2048 };
  for (const [text, bytes] of Object.entries(sizes)) {
    assertEquals(load({ args: ["--max-payload", text] }).values.maxPayload, bytes);
    assertEquals(load({ file: JSON.stringify({ "max-payload": text }) }).values.maxPayload, bytes);
  }
  for (const [text, seconds] of Object.entries({ "5": 5, "30s": 30, "5m": 300, "1h": 3600 })) {
    assertEquals(load({ env: { PARLEY_HEARTBEAT: text } }).values.heartbeat, seconds);
  }
  assertEquals(load({ file: `{ "heartbeat": 7, "max-payload": 2048 }` }).values.heartbeat, 7);
});

Deno.test("help and errors show sizes and times in the largest unit without a remainder", () => {
  assertEquals([0, 1000, 1024, 1536, 2 ** 20, 2 ** 30].map(formatSize), [
    "0",
    "1000",
    "1KiB",
    "1536",
    "1MiB",
    "1GiB",
  ]);
  assertEquals([0, 1500, 45_000, 60_000, 90_000, 3_600_000, 86_400_000].map(formatMilliseconds), [
    "0s",
    "1500ms",
    "45s",
    "1m",
    "90s",
    "1h",
    "1d",
  ]);
  assertMatch(formatHelp(SERVER), /--drain-time TIME [^-]+\(0s to\s+10m;\s+default\s+5s\)/);
});

Deno.test("the ends of a range are allowed, values beyond them are not", () => {
  for (const [name, option] of Object.entries<Options[string]>(SERVER_OPTIONS)) {
    if (!("range" in option)) continue;
    const [min, max] = option.range;
    const isWrong = (value: number) =>
      load({ args: [`--${name}=${value}${option.kind === "ms" ? "ms" : ""}`] }).problems.some(({ text }) =>
        text.startsWith(`--${name} must`)
      );
    assertEquals([min - 1, min, max, max + 1].map(isWrong), [true, false, false, true], name);
  }
});

Deno.test("an origin is read as browsers write it, and a port in the file may be a number", () => {
  const { values, problems } = load({
    file: '{ "web": 7254, "web-origin": ["HTTPS://App.Example:443/", "http://localhost:8000"] }',
  });
  assertEquals([values.web, values.webOrigin, problems], [
    "7254",
    ["https://app.example", "http://localhost:8000"],
    [],
  ]);
});

Deno.test("an empty variable counts as not set", () => {
  for (const empty of ["", "  \n"]) {
    const { values, origins, problems } = load({ env: { PARLEY_PORT: empty, PARLEY_PROT: empty } });
    assertEquals([values.port, origins.port, problems], [7253, "default", []]);
  }
});

Deno.test("a text is read in the same way from a flag, a variable and the file", () => {
  const cases: [name: keyof typeof SERVER_OPTIONS, text: string, value: unknown][] = [
    ["port", "7", 7],
    ["max-payload", "1.5KiB", 1536],
    ["heartbeat", "5m", 300],
    ["heartbeat", "2000ms", 2],
    ["drain-time", "0.5", 500],
    ["log-level", "warn", "warn"],
    ["state", "my data", "my data"],
    ["host", "[::1]", "::1"],
    ["web", "7254", "7254"],
    ["web", "[::1]:7254", "[::1]:7254"],
  ];
  for (const [name, text, value] of cases) {
    for (const written of [text, ` ${text}\n`, `\t${text}\r\n`]) {
      const variable = `PARLEY_${name.toUpperCase().replaceAll("-", "_")}`;
      const ways = [
        { args: [`--${name}`, written] },
        { env: { [variable]: written } },
        { file: JSON.stringify({ [name]: written }) },
      ];
      for (const way of ways) {
        const { values, problems } = load(way);
        const camel = name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
        assertEquals(
          [(values as Record<string, unknown>)[camel], problems],
          [value, []],
          JSON.stringify(way),
        );
      }
    }
  }
  for (const tls of ['"true"', '" true "', "true"]) {
    assertEquals(load({ file: `{ "tls": ${tls} }` }).values.tls, true);
  }
});

Deno.test("what a container platform sets for a service called parley is ignored", () => {
  const { values, origins, problems, warnings } = load({
    env: {
      PARLEY_PORT: "tcp://10.0.0.11:7253",
      PARLEY_SERVICE_HOST: "10.0.0.11",
      PARLEY_SERVICE_PORT: "7253",
      PARLEY_SERVICE_PORT_WEB: "8080",
      PARLEY_PORT_7253_TCP: "tcp://10.0.0.11:7253",
      PARLEY_PORT_7253_TCP_PROTO: "tcp",
      PARLEY_PORT_7253_TCP_PORT: "7253",
      PARLEY_PORT_7253_TCP_ADDR: "10.0.0.11",
      // For a service called parley-state.
      PARLEY_STATE_SERVICE_HOST: "10.0.0.12",
      PARLEY_STATE_PORT: "udp://10.0.0.12:1",
      PARLEY_STATE_PORT_1_UDP: "udp://10.0.0.12:1",
      // A link between containers.
      PARLEY_NAME: "/web/parley",
      PARLEY_ENV_HOST: "x",
    },
  });
  assertEquals([values.port, origins.port, problems, warnings], [7253, "default", [], []]);
  assertEquals(
    texts(load({ env: { PARLEY_PORT: "10.0.0.11:7253" } })).length,
    1,
    "this is no platform's form",
  );
});

Deno.test("variables that images set under the prefix are ignored, those close to a known name with a warning", () => {
  const { problems, warnings } = load({
    env: {
      PARLEY_VERSION: "1.2.3",
      PARLEY_HOME: "/opt/parley",
      PARLEY_USER: "parley",
      PARLEY_UID: "1000",
      PARLEY_VERBOSE: "7",
      PARLEY_PROT: "7",
      PARLEY_port: "7",
      PARLEY_MAX_PAYLAOD: "7",
    },
  });
  const warning = (given: string, meant: string) =>
    `PARLEY_${given} is ignored: it is not an option; did you mean PARLEY_${meant}?`;
  assertEquals(problems, []);
  assertEquals(warnings, [
    warning("PROT", "PORT"),
    warning("port", "PORT"),
    warning("MAX_PAYLAOD", "MAX_PAYLOAD"),
  ]);
  assertEquals(loadOther({ env: { PARLEY_CONFIG: "x" } }).warnings, [
    "PARLEY_CONFIG is ignored: it cannot be set here, only as --config",
  ]);
  assertEquals(
    formatConfig(SERVER, load({ env: { PARLEY_PROT: "7" } })).split("\n").at(-1),
    `? ${warning("PROT", "PORT")}`,
  );
});

Deno.test("variables of the client and of other programs are accepted", () => {
  assertEquals(
    texts(load({ env: { PARLEY_URL: "parley://x", PARLEY_TOKEN: "t", PATH: "/", PORT: "x" } })),
    [],
  );
});

const PORTS = "a whole number from 0 to 65535";
const LISTEN = "a port, or an address and a port such as 0.0.0.0:7254";
const ORIGIN = "the origin of a page, such as https://app.example";
const CHANNELS = "the name of a channel, or a pattern such as orders.*.new or chat.>";
const mistakes: [what: string, given: Given, problems: string[]][] = [
  // Flags
  ["an unknown flag", { args: ["--prot", "7"] }, ["--prot is not an option; did you mean --port?"]],
  ["an unknown flag with =", { args: ["--prot=7"] }, ["--prot is not an option; did you mean --port?"]],
  ["one dash", { args: ["-port", "7"] }, ["-port is not an option; did you mean --port?"]],
  ["other letters", { args: ["--logLevel=info"] }, [
    "--logLevel is not an option; did you mean --log-level?",
  ]],
  ["a far flag", { args: ["--verbose"] }, ["--verbose is not an option; --help lists them all"]],
  ["a property of objects", { args: ["--constructor=1"] }, [
    "--constructor is not an option; --help lists them all",
  ]],
  ["a short flag", { args: ["-p", "7"] }, ["-p is not an option; --help lists them all"]],
  ["a flag twice", { args: ["--port=1", "--port", "2"] }, ["--port is given 2 times, but takes one value"]],
  ["no value at the end", { args: ["--port"] }, [
    `--port needs a value: ${PORTS}; write a value that begins with - as --port=-...`,
  ]],
  ["no value before a flag", { args: ["--state", "--port=1"] }, [
    "--state needs a value: a path; write a value that begins with - as --state=-...",
  ]],
  ["no value after =", { args: ["--host="] }, [
    "--host needs a value: a name or an address, without a port; write a value that begins with - as --host=-...",
  ]],
  ["an argument", { args: ["7253"] }, ['unexpected argument "7253"; options are written --name VALUE']],
  ["an argument after --", { args: ["--", "--port"] }, [
    'unexpected argument "--port"; options are written --name VALUE',
  ]],
  ["a boolean with a value", { args: ["--version=no"] }, [
    "--version=no is not valid; write --version, --version=false or leave it out",
  ]],
  ["a denied boolean with a value", { args: ["--no-version=false"] }, [
    "--no-version=false is not valid; write --version, --version=false or leave it out",
  ]],
  // Values
  ["letters", { args: ["--port=abc"] }, [`--port must be ${PORTS}, not "abc"`]],
  ["a fraction", { args: ["--port=7.5"] }, [`--port must be ${PORTS}, not "7.5"`]],
  ["hexadecimal", { args: ["--port=0x10"] }, [`--port must be ${PORTS}, not "0x10"`]],
  ["a negative number", { args: ["--port=-1"] }, [`--port must be ${PORTS}, not "-1"`]],
  ["a unit for a count", { env: { PARLEY_PORT: "7k" } }, [`PARLEY_PORT must be ${PORTS}, not "7k"`]],
  ["a large number", { env: { PARLEY_PORT: "65536" } }, [`PARLEY_PORT must be ${PORTS}, not "65536"`]],
  ["a host without a port", { args: ["--web=localhost"] }, [`--web must be ${LISTEN}, not "localhost"`]],
  ["a port that is none", { args: ["--web=0.0.0.0:65536"] }, [
    `--web must be ${LISTEN}, not "0.0.0.0:65536"`,
  ]],
  ["IPv6 without brackets", { env: { PARLEY_WEB: "::1:80" } }, [
    `PARLEY_WEB must be ${LISTEN}, not "::1:80"`,
  ]],
  ["a port without anything before", { args: ["--web=:80"] }, [`--web must be ${LISTEN}, not ":80"`]],
  ["an origin with a path", { args: ["--web=80", "--web-origin=https://a.example/chat"] }, [
    `--web-origin must be ${ORIGIN}, not "https://a.example/chat"`,
  ]],
  ["an origin without a scheme", { args: ["--web=80", "--web-origin=a.example"] }, [
    `--web-origin must be ${ORIGIN}, not "a.example"`,
  ]],
  ["any origin", { args: ["--web=80", "--web-origin=https://*"] }, [
    `--web-origin must be ${ORIGIN}, not "https://*"`,
  ]],
  ["an origin of nothing", { args: ["--web-origin=https://a.example"] }, [
    "web-origin needs web, the port on which pages reach the server (web-origin: flag, web: default)",
  ]],
  ["a size", { args: ["--max-payload=64KB"] }, [
    '--max-payload must be a size from 1KiB to 64MiB, such as 65536, 64KiB or 1MiB, not "64KB"',
  ]],
  ["a time", { args: ["--heartbeat=2h"] }, [
    '--heartbeat must be a time from 1s to 1h in whole seconds, such as 30, 30s or 5m, not "2h"',
  ]],
  ["a part of a second", { args: ["--heartbeat=1.5"] }, [
    '--heartbeat must be a time from 1s to 1h in whole seconds, such as 30, 30s or 5m, not "1.5"',
  ]],
  ["an address with a port", { args: ["--host=127.0.0.1:7253"] }, [
    '--host must be a name or an address, without a port, not "127.0.0.1:7253"',
  ]],
  ["a choice", { env: { PARLEY_LOG_LEVEL: "INFO" } }, [
    'PARLEY_LOG_LEVEL must be one of debug, info, warn, error, not "INFO"',
  ]],
  ["a long value", { args: [`--log-level=${"x".repeat(999)}`] }, [
    `--log-level must be one of debug, info, warn, error, not "${"x".repeat(59)}…`,
  ]],
  ["control characters", { args: ["--port=\x1b[31m\n"] }, [
    `--port must be ${PORTS}, not "\\u001b[31m\\n"`,
  ]],
  // The file
  ["an unknown key", { file: '{\n  // a comment\n  "prot": 7 /* and\n another */ }' }, [
    'parley.jsonc:3: "prot" is not an option; did you mean "port"?',
  ]],
  ["a wrong value below comments", { file: '/* one\ntwo\n*/\n{\n  // five\n  "port": 99999,\n}\n' }, [
    `parley.jsonc:6: "port" must be ${PORTS}, not 99999`,
  ]],
  ["a text that is no number", { file: '{ "port": "7 8" }' }, [
    `parley.jsonc:1: "port" must be ${PORTS}, not "7 8"`,
  ]],
  ["a text as number", { file: '{ "host": 7 }' }, [
    'parley.jsonc:1: "host" must be a name or an address, without a port, not 7',
  ]],
  ["an empty text", { file: '{ "log-file": "" }' }, ['parley.jsonc:1: "log-file" must be a path, not ""']],
  ["null, an array, an object", { file: '{ "host": null,\n "port": [7],\n "state": {} }' }, [
    'parley.jsonc:1: "host" must be a name or an address, without a port, not null',
    `parley.jsonc:2: "port" must be ${PORTS}, not an array`,
    'parley.jsonc:3: "state" must be a path, not an object',
  ]],
  ["a key twice", { file: '{ "port": 1,\n  "port": 1 }' }, [
    'parley.jsonc:2: "port" is already set at parley.jsonc:1; keep one',
  ]],
  ["a file that names another", { file: '{ "config": "x" }' }, [
    'parley.jsonc:1: "config" cannot be set here, only as --config or PARLEY_CONFIG',
  ]],
  ["no object", { file: "\n[7253]" }, [
    'parley.jsonc:2: must be an object such as { "port": 7253 }, not an array',
  ]],
  ["a missing comma", { file: '{\n  "port": 1\n  "state": "x"\n}' }, [
    "parley.jsonc:3:3: not valid JSON with comments: comma expected",
  ]],
  ["two broken lines", { file: '{ "port" 1,\n "state": x,\n "log-file": "a" }' }, [
    "parley.jsonc:1:10: not valid JSON with comments: colon expected",
    "parley.jsonc:2:11: not valid JSON with comments: invalid symbol",
  ]],
  ["a missing brace", { file: '{ "port": 1' }, [
    "parley.jsonc:1:12: not valid JSON with comments: close brace expected",
  ]],
  ["a named file that is missing", { args: ["--config", "no.jsonc"] }, [
    '--config: cannot read "no.jsonc": there is no such file',
  ]],
  ["a missing file named by a variable", { env: { PARLEY_CONFIG: "no.jsonc" } }, [
    'PARLEY_CONFIG: cannot read "no.jsonc": there is no such file',
  ]],
  ["a pattern that is none", { args: ["--durable=a..b"], env: { PARLEY_HISTORY: "chat.>,>.a" } }, [
    `--durable must be ${CHANNELS}, not "a..b"`,
    `PARLEY_HISTORY must be ${CHANNELS}, not ">.a"`,
  ]],
  // Entries
  ["a list that is none", { file: '{ "stored": { "channels": "a" } }' }, [
    'parley.jsonc:1: "stored" must be an array of objects, not an object',
  ]],
  ["a list where it cannot be", { args: ["--stored=a"] }, ['--stored cannot be set here, only as "stored"']],
  ["entries that are none", { file: '{ "stored": [7,\n null, ["a"]] }' }, [
    'parley.jsonc:1: "stored"[0] must be an object, not 7',
    'parley.jsonc:2: "stored"[1] must be an object, not null',
    'parley.jsonc:2: "stored"[2] must be an object, not an array',
  ]],
  ["an entry with nothing in it", { file: '{ "stored": [{}] }' }, [
    `parley.jsonc:1: "stored"[0] lacks "channels", which must be ${CHANNELS}`,
    'parley.jsonc:1: "stored"[0] lacks "storage", which must be one of durable, history',
  ]],
  ["an unknown key of an entry", {
    file: '{ "stored": [\n{ "channels": "a", "storage": "history", "maxage": "1d" }] }',
  }, [
    'parley.jsonc:2: "stored"[0] has no key "maxage"; did you mean maxAge?',
  ]],
  [
    "values of an entry",
    {
      file: `{ "stored": [
        { "channels": "a b", "storage": "disk", "maxAge": "7w", "maxBytes": "1KB", "maxMessages": 0, "full": true } ] }`,
    },
    [
      `parley.jsonc:2: "stored"[0].channels must be ${CHANNELS}, not "a b"`,
      'parley.jsonc:2: "stored"[0].storage must be one of durable, history, not "disk"',
      'parley.jsonc:2: "stored"[0].maxAge must be a time from 1s to 36500d, such as 10, 10s or 500ms, not "7w"',
      'parley.jsonc:2: "stored"[0].maxBytes must be a size from 1KiB to 1048576GiB, such as 65536, 64KiB or 1MiB, not "1KB"',
      'parley.jsonc:2: "stored"[0].maxMessages must be a whole number from 1 to 9007199254740991, not 0',
      'parley.jsonc:2: "stored"[0].full must be one of drop-old, refuse, not true',
    ],
  ],
  // Together
  ["a stored channel of the server", { args: ["--durable=$echo"] }, [
    "durable $echo: $echo is the server's own, which is never stored " +
    "(stored: default, durable: flag, history: default)",
  ]],
  ["an entry that is never used", {
    args: ["--history=orders.new"],
    file: '{ "stored": [{ "channels": "orders.>", "storage": "durable" }] }',
  }, [
    "history orders.new is never used: stored[0] comes first and covers orders.new with orders.> " +
    "(stored: parley.jsonc:1, durable: default, history: flag)",
  ]],
  ["less pending than a message", { args: ["--max-pending=1MiB"] }, [
    "max-pending must be at least max-payload and one header, 1048592 bytes, not 1048576 " +
    "(max-pending: flag, max-payload: default)",
  ]],
  ["a message larger than pending", { file: '{ "max-payload": "16MiB" }' }, [
    "max-pending must be at least max-payload and one header, 16777232 bytes, not 16777216 " +
    "(max-pending: default, max-payload: parley.jsonc:1)",
  ]],
  ["less pending for all sessions than for one", { args: ["--max-pending-total=1MiB"] }, [
    "max-pending-total must be at least max-pending, 16777216 bytes, not 1048576 " +
    "(max-pending-total: flag, max-pending: default)",
  ]],
];

for (const [what, given, problems] of mistakes) {
  Deno.test(`a mistake is reported: ${what}`, () => assertEquals(texts(load(given)), problems));
}

Deno.test("what is stored is a list in the file, and patterns anywhere", () => {
  const { values, origins, problems } = load({
    args: ["--durable", "jobs.>", "--durable", "imports"],
    env: { PARLEY_HISTORY: "chat.>, news" },
    file: `{
      "stored": [
        { "channels": "orders.>", "storage": "durable", "maxAge": "7d", "maxBytes": "1GiB", "full": "refuse" },
        { "channels": "prices.*", "storage": "history", "maxMessages": 1 }, // the current ones
      ],
      "store-bytes": "5GiB",
    }`,
  });
  assertEquals(problems, []);
  assertEquals([values.durable, values.history], [["jobs.>", "imports"], ["chat.>", "news"]]);
  assertEquals([values.storeBytes, origins.stored], [5 * 2 ** 30, "parley.jsonc:2"]);
  assertEquals(storedEntries(values).map(({ label, entry }) => [label, entry.channels, entry.storage]), [
    ["stored[0]", "orders.>", "durable"],
    ["stored[1]", "prices.*", "history"],
    ["durable jobs.>", "jobs.>", "durable"],
    ["durable imports", "imports", "durable"],
    ["history chat.>", "chat.>", "history"],
    ["history news", "news", "history"],
  ]);
  const none = { maxAge: undefined, maxBytes: undefined, maxMessages: undefined, full: undefined };
  assertEquals(values.stored, [
    {
      ...none,
      channels: "orders.>",
      storage: "durable",
      maxAge: 7 * 86_400_000,
      maxBytes: 2 ** 30,
      full: "refuse",
    },
    { ...none, channels: "prices.*", storage: "history", maxMessages: 1 },
  ]);
  assertEquals(explainStored(values).split("\n"), [
    "stored channels (the first line that covers a channel decides):",
    "  orders.>  durable  for 7d, 1GiB, refuses what has no room",
    "  prices.*  history  the last message, drops the oldest",
    "  jobs.>    durable  refuses what has no room",
    "  imports   durable  refuses what has no room",
    "  chat.>    history  10000 messages, drops the oldest",
    "  news      history  10000 messages, drops the oldest",
    "  durable channels are stored in parley-state/store, at most 5GiB of all",
    "  history is kept in memory, at most 64MiB of all",
  ]);
  assertMatch(formatConfig(SERVER, load({ file: '{ "stored": [] }' })), /^ {2}stored +- +parley\.jsonc:1$/m);
  assertEquals(explainStored(load({}).values), "stored channels: none");
});

Deno.test("empty files are accepted, and so are comments, trailing commas and a byte order mark", () => {
  for (const file of ["", "// nothing\n", "{}", "/* x */ {}"]) assertEquals(texts(load({ file })), []);
  const { values, problems } = load({ file: '\uFEFF{\r\n  "port": 1, // one\r\n  "host": "::1",\r\n}' });
  assertEquals([values.port, values.host, problems], [1, "::1", []]);
});

Deno.test("a file that exists but cannot be read is a problem, whether or not an option names it", () => {
  const readTextFile = () => {
    throw new Deno.errors.PermissionDenied("Permission denied (os error 13)");
  };
  assertEquals(texts(loadConfig(SERVER, { ...sourcesOf({}), readTextFile })), [
    'config: cannot read "parley.jsonc": Permission denied (os error 13)',
  ]);
});

Deno.test("the file that --config names is read", () => {
  const readTextFile = (path: string) => `{ "state": "${path}", "prot": 1 }`;
  const given = { args: ["--config=a.jsonc"], env: { PARLEY_CONFIG: "b.jsonc" } };
  const loaded = loadConfig(SERVER, { ...sourcesOf(given), readTextFile });
  assertEquals([loaded.values.state, loaded.origins.state], ["a.jsonc", "a.jsonc:1"]);
  assertEquals(texts(loaded), ['a.jsonc:1: "prot" is not an option; did you mean "port"?']);
});

Deno.test("every problem is reported at once, also for values that another source overrides", () => {
  const loaded = load({
    args: ["--port=1", "--hots=x", "extra"],
    env: { PARLEY_PORT: "x", PARLEY_STAT: "x" },
    file: `{ "port": "x",\n "heartbeat": 0, "hearbeat": 1 }`,
  });
  assertEquals(loaded.values.port, 1);
  assertEquals(loaded.warnings, ["PARLEY_STAT is ignored: it is not an option; did you mean PARLEY_STATE?"]);
  assertEquals(texts(loaded), [
    "--hots is not an option; did you mean --host?",
    'unexpected argument "extra"; options are written --name VALUE',
    `PARLEY_PORT must be ${PORTS}, not "x"`,
    'parley.jsonc:2: "hearbeat" is not an option; did you mean "heartbeat"?',
    `parley.jsonc:1: "port" must be ${PORTS}, not "x"`,
    'parley.jsonc:2: "heartbeat" must be a time from 1s to 1h in whole seconds, such as 30, 30s or 5m, not 0',
  ]);
});

Deno.test("rules about several options are checked only if each option is valid", () => {
  assertEquals(texts(load({ args: ["--max-pending=64KiB", "--max-payload=9"] })), [
    '--max-payload must be a size from 1KiB to 64MiB, such as 65536, 64KiB or 1MiB, not "9"',
  ]);
  assertEquals(texts(loadOther({ args: ["--token=t"] })), ["token needs tls (tls: default, token: flag)"]);
});

Deno.test("boolean flags take no argument", () => {
  const { values, operands } = loadOther({ args: ["--tls", "news", "-", ""] });
  assertEquals([values.tls, operands], [true, ["news", "-", ""]]);
  for (
    const [arg, tls] of [["--tls", true], ["--tls=true", true], ["--tls=false", false], ["--no-tls", false]]
  ) {
    assertEquals(loadOther({ args: [String(arg)], env: { PARLEY_TLS: "true" } }).values.tls, tls);
  }
  assertEquals(loadOther({ env: { PARLEY_TLS: "true" } }).values.tls, true);
  assertEquals(loadOther({ file: '{ "tls": true }' }).values.tls, true);
  assertEquals(texts(loadOther({ env: { PARLEY_TLS: "1" }, file: '{ "tls": 1 }' })), [
    'PARLEY_TLS must be true or false, not "1"',
    'parley.jsonc:1: "tls" must be true or false, not 1',
  ]);
});

Deno.test("a repeatable option has all values of the source that wins", () => {
  assertEquals(loadOther({}).values.publish, []);
  assertEquals(loadOther({ args: ["--publish=a", "--publish", "1"] }).values.publish, ["a", "1"]);
  assertEquals(loadOther({ env: { PARLEY_PUBLISH: "a, b" } }).values.publish, ["a", "b"]);
  assertEquals(loadOther({ file: '{ "publish": ["a", "b"], "limit": 3 }' }).values.limit, [3]);
  const both = loadOther({ args: ["--limit=1"], file: '{ "limit": [2, 10, "3", "x"] }' });
  assertEquals(both.values.limit, [1]);
  assertEquals(texts(both), [
    'parley.jsonc:1: "limit" must be a whole number from 1 to 9, not 10',
    'parley.jsonc:1: "limit" must be a whole number from 1 to 9, not "x"',
  ]);
});

Deno.test("operands stay unchanged", () => {
  assertEquals(loadOther({ args: ["007", "--tls", "--", "--x", "1e3"] }).operands, ["007", "--x", "1e3"]);
});

Deno.test("secrets are never shown", () => {
  const given: Given[] = [
    { args: ["--tls", "--token=hunter2", "--pin=hunter2"] },
    { args: ["--tokn=hunter2"], env: { PARLEY_PIN: "hunter2" } },
    { args: ["--tokn", "hunter2"], file: '{ "token": hunter2 }' },
    { file: '{ "pin": "hunter2",\n "token": 7, "tls": true }' },
  ];
  for (const each of given) {
    const loaded = loadOther(each);
    assert(!(texts(loaded).join() + formatConfig(OTHER, loaded)).includes("hunter2"), JSON.stringify(each));
  }
  assertEquals(texts(loadOther({ args: ["--pin=hunter2"] })), [
    "--pin must be a whole number from 0 to 9999 (its value is secret and not shown)",
  ]);
});

Deno.test("formatConfig() shows each value and its origin", () => {
  const loaded = load({
    args: ["--port=0"],
    env: { PARLEY_STATE: "my data" },
    file: '{\n "heartbeat": "5m" }',
  });
  const configurable = Object.keys(SERVER_OPTIONS).filter((name) => name !== "help" && name !== "version");
  const has = (rows: string[][], row: string[]) => rows.some((cells) => cells.join() === row.join());
  const lines = formatConfig(SERVER, loaded).split("\n");
  assertEquals(lines.map((line) => line.trim().split(" ")[0]), configurable);
  const cells = lines.map((line) => line.trim().split(/ {2,}/));
  for (const row of [["port", "0", "flag"], ["state", '"my data"', "PARLEY_STATE"]]) assert(has(cells, row));
  for (const row of [["log-file", "-", "default"], ["heartbeat", "5m", "parley.jsonc:2"]]) {
    assert(has(cells, row));
  }
});

Deno.test("formatConfig() marks problems and hides secrets", () => {
  const loaded = loadOther({
    args: ["--token=t", "--publish=a", "--publish=b", "--tsl"],
    env: { PARLEY_PIN: "x" },
  });
  assertEquals(
    formatConfig(OTHER, loaded),
    `
! tls      false     default
!   token needs tls (tls: default, token: flag)
! token    (secret)  flag
!   token needs tls (tls: default, token: flag)
! pin      -         default
!   PARLEY_PIN must be a whole number from 0 to 9999 (its value is secret and not shown)
  publish  a,b       flag
  limit    -         default
! --tsl is not an option; did you mean --tls?`.slice(1),
  );
});

Deno.test("formatHelp() lists every flag in 80 columns, with its range and default", () => {
  const help = formatHelp(SERVER);
  for (const name of namesSetBy(SERVER_OPTIONS, "flag")) assert(help.includes(`--${name}`), name);
  assert(help.split("\n").every((line) => line.length <= 80 && line === line.trimEnd()), help);
  assertEquals(
    formatHelp(OTHER),
    `
      --config FILE   more of them (default parley.jsonc)
      --tls           encrypt
      --token TEXT    who you are
      --pin NUMBER    secret number (0 to 9999)
      --publish TEXT  pattern (may be repeated)
      --limit NUMBER  several numbers (1 to 9; may be repeated)`.slice(1),
  );
});

Deno.test("a lone dash is a value after an option that takes one, and an operand elsewhere", () => {
  const { values, operands, problems } = loadOther({
    args: ["--tls", "-", "--token", "-", "-", "--", "--token", "-"],
  });
  assertEquals([values.tls, values.token, operands, problems], [true, "-", ["-", "-", "--token", "-"], []]);
});
