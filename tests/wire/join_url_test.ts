/** Join links: written, read back, and refused in words that quote no secret. */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { formatJoinUrl, type JoinUrl, parseJoinUrl } from "../../lib/wire/join_url.ts";

/** DER that is as long as it says; what is in it is TLS's business. */
function der(length: number): Uint8Array {
  const bytes = Uint8Array.from({ length: length + 4 }, (_, at) => at * 37 + 251);
  bytes.set([0x30, 0x82, length >> 8, length & 0xff]);
  return bytes;
}

function pem(bytes: Uint8Array): string {
  const lines = btoa(String.fromCharCode(...bytes)).match(/.{1,64}/g)!;
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

const TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJBZGEifQ.c2ln-_";
const PLAIN: JoinUrl = { hostname: "hub.example", port: 7253, tls: false, ca: undefined, token: undefined };

function problemOf(text: string): string {
  const parsed = parseJoinUrl(text);
  return "problem" in parsed ? parsed.problem : `none: ${JSON.stringify(parsed.joinUrl)}`;
}

for (
  const joinUrl of [
    PLAIN,
    { ...PLAIN, port: undefined },
    { ...PLAIN, tls: true, token: TOKEN },
    { ...PLAIN, tls: true, hostname: "192.0.2.7", ca: pem(der(256)), token: TOKEN },
    { ...PLAIN, tls: true, hostname: "fd00::2", ca: pem(der(301)) },
    { ...PLAIN, tls: true, hostname: "::1", port: 1, ca: pem(der(302)) },
    { ...PLAIN, hostname: "xn--mller-kva.example", port: 65_535 },
  ]
) {
  const text = formatJoinUrl(joinUrl);
  Deno.test(`what is written is read back: ${text.slice(0, 60)}`, () => {
    assertEquals(parseJoinUrl(text), { joinUrl });
    assertMatch(text, /^[\w.:/?=&[\]-]+$/, "no character that a mail or a chat would break it at");
  });
}

Deno.test("a link may have been wrapped, indented, quoted, surrounded by spaces, or written in capitals", () => {
  const joinUrl = { ...PLAIN, tls: true, hostname: "192.0.2.7", ca: pem(der(256)), token: TOKEN };
  const text = formatJoinUrl(joinUrl);
  const wrapped = text.match(/.{1,70}/g)!.join("\r\n");
  const indented = text.match(/.{1,70}/g)!.join("  \n    ");
  const quoted = ['"', "'", "`", "\u201c"].map((quote) => `${quote}${text}${quote}`);
  for (
    const same of [
      ` ${text}\n`,
      wrapped,
      `  ${indented}`,
      ...quoted,
      `<${text}>`,
      text.replace("?", "\\?").replace("&", "\\&"),
      text.replace("parleys://", "PARLEYS://"),
      text.replace("?", "/?"),
    ]
  ) {
    assertEquals(parseJoinUrl(same), { joinUrl });
  }
  assertEquals(parseJoinUrl("parley://Hub.Example"), { joinUrl: { ...PLAIN, port: undefined } });
  assertEquals(parseJoinUrl("parley://müller.example:7253"), {
    joinUrl: { ...PLAIN, hostname: "xn--mller-kva.example" },
  });
});

Deno.test("of several certificates the first is the authority", () => {
  const [one, two] = [pem(der(256)), pem(der(300))];
  const text = formatJoinUrl({ ...PLAIN, tls: true, ca: `# comment\n${one}${two}` });
  assertEquals(parseJoinUrl(text), { joinUrl: { ...PLAIN, tls: true, ca: one } });
  assertThrows(() => formatJoinUrl({ ...PLAIN, tls: true, ca: "none" }), Error, "certificate in PEM");
});

const CA = formatJoinUrl({ ...PLAIN, tls: true, ca: pem(der(256)) }).replace(/.*\?/, "");
for (
  const [text, words] of [
    ["", /not a URL; write it as parley:\/\/HOST:PORT/],
    ["hub.example:7253", /begins with hub\.example:; write parley:\/\/HOST:PORT/],
    ["http://hub.example", /begins with http:/],
    ["parley:hub", /host is missing|nothing else/],
    ["parley://", /host is missing/],
    ["parley://hub:70000", /not a URL/],
    ["parley://hub:0", /port 0 cannot be connected to/],
    ["parley://hub/channel", /holds a host, a port, \?ca= and \?token=, and nothing else/],
    [`parley://${TOKEN}@hub`, /nothing else/],
    [`parley://hub#${TOKEN}`, /nothing else/],
    [`parley://hub?tokn=${TOKEN}`, /copy the whole link/],
    [`parley://hub?token=a&${TOKEN}`, /copy the whole link/],
    [`parley://hub?token=${TOKEN}&token=${TOKEN}`, /there twice; keep one/],
    ["parley://hub?token=", /\?token= is no token/],
    [`parley://hub?token=${TOKEN} ${TOKEN}`, /\?token= is no token/],
    [`parley://hub?${CA}`, /\?ca= is for TLS; write parleys:\/\//],
    [`parleys://hub?${CA.slice(0, -10)}`, /not a whole certificate in base64url; copy the whole link/],
    [`parleys://hub?${CA}AAAA`, /not a whole certificate/],
    ["parleys://hub?ca=", /not a whole certificate/],
    ["parleys://hub?ca=%00", /not a whole certificate/],
    ["parleys://hub?ca=AAAAA", /not a whole certificate/],
    ["parley://a%20b", /neither a name nor an address/],
  ] as const
) {
  Deno.test(`refused: ${text.slice(0, 50)}`, () => {
    const problem = problemOf(text);
    assertMatch(problem, words);
    assertEquals(problem.includes("eyJ"), false);
  });
}

Deno.test("a link cut short anywhere is either refused or still says where to connect to", () => {
  const whole = formatJoinUrl({ ...PLAIN, tls: true, ca: pem(der(256)), token: TOKEN });
  for (let length = 0; length < whole.length; length++) {
    const parsed = parseJoinUrl(whole.slice(0, length));
    if ("joinUrl" in parsed) assertEquals(parsed.joinUrl.ca ?? pem(der(256)), pem(der(256)), `${length}`);
  }
});
