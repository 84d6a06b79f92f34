/**
 * Join links: one line that can be sent to a person, with the address of a server and all that a client needs to connect.
 *
 * `parley://host:port` is plain TCP, `parleys://host:port` is TLS. `?ca=` holds the authority to trust (its certificate,
 * DER in base64url), `?token=` a token. A link with a token is a secret like the token itself.
 *
 * @module
 */

/** The parts of a join URL. */
export interface JoinUrl {
  readonly hostname: string;
  /** 1 to 65535; `undefined`: the default one. */
  readonly port: number | undefined;
  readonly tls: boolean;
  /** The authority to trust, as PEM; `undefined`: those of the system. */
  readonly ca: string | undefined;
  readonly token: string | undefined;
}

const KNOWN_KEYS = ["ca", "token"];

/**
 * Formats a join URL.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatJoinUrl, parseJoinUrl } from "./join_url.ts";
 *
 * const joinUrl = { hostname: "192.0.2.7", port: 7253, tls: true, ca: undefined, token: "a.b.c" };
 * assertEquals(formatJoinUrl(joinUrl), "parleys://192.0.2.7:7253?token=a.b.c");
 * assertEquals(parseJoinUrl("parleys://192.0.2.7:7253?token=a.b.c"), { joinUrl });
 * ```
 */
export function formatJoinUrl({ hostname, port, tls, ca, token }: JoinUrl): string {
  const query = [
    ...(ca === undefined ? [] : [`ca=${toBase64Url(ca)}`]),
    ...(token === undefined ? [] : [`token=${token}`]),
  ].join("&");
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `${tls ? "parleys" : "parley"}://${host}${port === undefined ? "" : `:${port}`}${
    query && `?${query}`
  }`;
}

/**
 * A line break with the indentation around it, quotes of all kinds, angle brackets, and the backslashes of a shell. None
 * of them is ever part of a link. A space within a line is not among them: there may be a second link behind it.
 */
const PASTED = /\s*[\r\n]\s*|["'`<>\u200b\ufeff\u2018-\u201f\u00ab\u00bb\\]/g;

/**
 * Removes from a join URL what copying and pasting adds: quotes, indentation, line breaks.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { cleanJoinUrl } from "./join_url.ts";
 *
 * assertEquals(cleanJoinUrl('  "parleys://hub:7253?tok\n   en=a.b.c"\n'), "parleys://hub:7253?token=a.b.c");
 * ```
 */
export function cleanJoinUrl(text: string): string {
  return text.replace(PASTED, "").trim();
}

/**
 * Parses a join URL, after {@linkcode cleanJoinUrl}; or says what is wrong with it, without quoting what may be secret.
 */
export function parseJoinUrl(text: string): { readonly joinUrl: JoinUrl } | { readonly problem: string } {
  let url: URL;
  try {
    url = new URL(cleanJoinUrl(text));
  } catch {
    return { problem: "not a URL; write it as parley://HOST:PORT, or parleys://HOST:PORT for TLS" };
  }
  const { protocol, searchParams: query } = url;
  if (protocol !== "parley:" && protocol !== "parleys:") {
    return { problem: `begins with ${protocol}; write parley://HOST:PORT, or parleys://HOST:PORT for TLS` };
  }
  if (url.hostname === "") return { problem: "the host is missing; write parley://HOST:PORT" };
  if (url.username || url.password || url.hash || !["", "/"].includes(url.pathname)) {
    return { problem: "a link holds a host, a port, ?ca= and ?token=, and nothing else" };
  }
  const keys = [...query.keys()];
  if (keys.some((key) => !KNOWN_KEYS.includes(key))) {
    // Which is not said: of a link that was broken in the middle it may be a piece of the token.
    return { problem: "a link holds ?ca= and ?token= after its port, and nothing else; copy the whole link" };
  }
  if (new Set(keys).size < keys.length) return { problem: "?ca= or ?token= is there twice; keep one" };
  if (url.port === "0") return { problem: "port 0 cannot be connected to; the server logs its real one" };
  const hostname = readHost(url.hostname);
  if (hostname === undefined) return { problem: "the host is neither a name nor an address" };
  const [ca, token] = [query.get("ca"), query.get("token")];
  const pem = ca === null ? undefined : toPem(ca);
  if (ca !== null && pem === undefined) {
    return { problem: "?ca= is not a whole certificate in base64url; copy the whole link" };
  }
  // Connecting in the clear to a server one was given the means to check would look like success.
  if (ca !== null && protocol === "parley:") return { problem: "?ca= is for TLS; write parleys://" };
  if (token !== null && !/^[\w.-]+$/.test(token)) {
    return { problem: "?token= is no token; copy the whole link, without line breaks or spaces in it" };
  }
  const port = url.port === "" ? undefined : Number(url.port);
  return { joinUrl: { hostname, port, tls: protocol === "parleys:", ca: pem, token: token ?? undefined } };
}

/** A host as one connects to it: the parser leaves those of schemes it does not know as they were written. */
function readHost(hostname: string): string | undefined {
  try {
    return new URL(`http://${hostname}/`).hostname.replace(/^\[(.*)\]$/, "$1");
  } catch {
    return undefined;
  }
}

/** The body of a PEM certificate, the first one there, is base64 already; a link wants the URL's alphabet. */
function toBase64Url(pem: string): string {
  const [, body] = /-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/.exec(pem) ?? [];
  if (body === undefined) throw new Error("the authority of a link must be a certificate in PEM");
  return body.replace(/\s/g, "").replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function toPem(base64Url: string): string | undefined {
  if (!/^[\w-]+$/.test(base64Url) || base64Url.length % 4 === 1) return undefined;
  const base64 = base64Url.replaceAll("-", "+").replaceAll("_", "/");
  if (!isWholeDer(atob(base64))) return undefined;
  const padded = base64.padEnd(Math.ceil(base64.length / 4) * 4, "=");
  const lines = padded.match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** Whether `bytes` are as long as they say: a SEQUENCE (X.690) with its length in two bytes, as certificates have it. */
function isWholeDer(bytes: string): boolean {
  const [tag, form, high, low] = [0, 1, 2, 3].map((at) => bytes.charCodeAt(at));
  return tag === 0x30 && form === 0x82 && bytes.length === 4 + (high << 8 | low);
}
