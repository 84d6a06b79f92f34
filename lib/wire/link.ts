/**
 * Join links: the address of a server, and what it takes to get in, in one line that can be sent to somebody.
 *
 * `parley://host:port` is plain TCP, `parleys://host:port` is TLS. `?ca=` holds the authority to trust (its certificate,
 * DER in base64url), `?token=` a token. A link with a token is a secret like the token itself.
 *
 * @module
 */

/** What a link says. */
export interface Link {
  readonly hostname: string;
  /** 1 to 65535; `undefined`: the usual one. */
  readonly port: number | undefined;
  readonly tls: boolean;
  /** The authority to trust, as PEM; `undefined`: the system's. */
  readonly ca: string | undefined;
  readonly token: string | undefined;
}

const KNOWN_KEYS = ["ca", "token"];

/**
 * Writes a link.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatLink, parseLink } from "./link.ts";
 *
 * const link = { hostname: "192.0.2.7", port: 7253, tls: true, ca: undefined, token: "a.b.c" };
 * assertEquals(formatLink(link), "parleys://192.0.2.7:7253?token=a.b.c");
 * assertEquals(parseLink("parleys://192.0.2.7:7253?token=a.b.c"), { link });
 * ```
 */
export function formatLink({ hostname, port, tls, ca, token }: Link): string {
  const query = [
    ...(ca === undefined ? [] : [`ca=${toBase64Url(ca)}`]),
    ...(token === undefined ? [] : [`token=${token}`]),
  ].join("&");
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `${tls ? "parleys" : "parley"}://${host}${port === undefined ? "" : `:${port}`}${
    query && `?${query}`
  }`;
}

/** Reads a link, or says what is wrong with it, without quoting what may be secret. */
export function parseLink(text: string): { readonly link: Link } | { readonly problem: string } {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return { problem: "not a URL; write it as parley://HOST:PORT, or parleys://HOST:PORT for TLS" };
  }
  if (url.protocol !== "parley:" && url.protocol !== "parleys:") {
    return { problem: `${url.protocol}// is not Parley's; write parley://HOST:PORT, or parleys:// for TLS` };
  }
  if (url.hostname === "") return { problem: "the host is missing; write parley://HOST:PORT" };
  if (url.username || url.password || url.hash || !["", "/"].includes(url.pathname)) {
    return { problem: "a link holds a host, a port, ?ca= and ?token=, and nothing else" };
  }
  const unknown = [...url.searchParams.keys()].find((key) => !KNOWN_KEYS.includes(key));
  if (unknown !== undefined) return { problem: `?${unknown}= is not part of a link; ?ca= and ?token= are` };
  if (url.port === "0") return { problem: "port 0 cannot be connected to" };
  const ca = url.searchParams.get("ca");
  const pem = ca === null ? undefined : toPem(ca);
  if (ca !== null && pem === undefined) {
    return { problem: "?ca= is not a certificate in base64url; copy the whole link" };
  }
  const link: Link = {
    hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? undefined : Number(url.port),
    tls: url.protocol === "parleys:",
    ca: pem,
    token: url.searchParams.get("token") ?? undefined,
  };
  return { link };
}

/** The body of a PEM certificate is base64 already; a link wants the URL's alphabet. */
function toBase64Url(pem: string): string {
  return pem.replace(/-----[^-]+-----|\s/g, "").replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function toPem(base64Url: string): string | undefined {
  if (!/^[\w-]+$/.test(base64Url) || base64Url.length % 4 === 1) return undefined;
  const base64 = base64Url.replaceAll("-", "+").replaceAll("_", "/");
  const padded = base64.padEnd(Math.ceil(base64.length / 4) * 4, "=");
  const lines = padded.match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
