/**
 * Explains why a TLS handshake failed and what to do, from Deno's error messages. Those are not an interface, but have
 * been the same from 2.6.10 to 2.9.6. A message that is not recognised is passed on unchanged.
 *
 * @module
 */

import { ProxyHeader, TruncatedFirstRecord } from "./first_record.ts";

/** For the server's log: why the handshake of a client failed. Follows "its address: ". */
export function describeClientFailure(error: unknown): string {
  if (error instanceof Deno.errors.UnexpectedEof) return "it closed the connection during the TLS handshake";
  if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) {
    return "it reset the connection during the TLS handshake";
  }
  const words = wordsOf(error);
  const alert = /received fatal alert: (\w+)/.exec(words)?.[1];
  if (alert !== undefined) {
    return `it refused this server: ${ALERTS[alert] ?? "by this TLS alert"} (${alert})`;
  }
  if (words.includes("InvalidContentType")) {
    return `it does not speak TLS; plain connections go to a server without TLS (${words})`;
  }
  if (words.includes("peer is incompatible")) {
    return `it offers no TLS version or cipher that this server has; it must speak TLS 1.2 or later (${words})`;
  }
  const isOurs = error instanceof TruncatedFirstRecord || error instanceof ProxyHeader;
  return isOurs ? words : `the handshake failed: ${words}`;
}

/** What the alert of a client means, and what to do. The names are those of RFC 8446, section 6.2. */
const ALERTS: Readonly<Record<string, string>> = {
  UnknownCA: "it does not know the CA of this server's certificate; give it the CA file",
  BadCertificate: "it rejects this server's certificate, most likely because that was made for another name",
  CertificateUnknown: "it rejects this server's certificate; its own log has the reason",
  CertificateExpired:
    "by its clock this server's certificate is expired or not yet valid; renew it, or set that clock",
  UnsupportedCertificate: "it cannot use a certificate of this kind",
  HandshakeFailure: "it has no cipher in common with this server",
  ProtocolVersion: "it speaks neither TLS 1.2 nor 1.3",
};

/**
 * The alert that answers the ClientHello of a failed handshake, if there is one: its number in RFC 8446, section 6.2.
 */
export function alertFor(error: unknown): number | undefined {
  const words = wordsOf(error);
  if (words.includes("InvalidContentType")) return 10; // unexpected_message
  if (words.includes("corrupt message")) return 50; // decode_error
  if (!words.includes("peer is incompatible")) return undefined;
  return words.includes("Version") ? 70 : 40; // protocol_version, handshake_failure
}

/** Why a client's handshake with a server failed, and what to do. */
export interface ServerFailure {
  /**
   * `untrusted`: the server's certificate is not valid. `not_parley`: the server does not speak TLS.
   * `unreachable`: any other failure.
   */
  readonly code: "untrusted" | "not_parley" | "unreachable";
  /** Follows "host:port ". */
  readonly text: string;
}

/** For the user of a client: why the TLS handshake with `hostname` failed. */
export function describeServerFailure(error: unknown, hostname: string): ServerFailure {
  const words = wordsOf(error);
  if (words.includes("UnknownIssuer")) {
    const text = "has a certificate from a CA that is not known here; give that CA's certificate, " +
      "and if you have, it is another server's or an old one";
    return { code: "untrusted", text };
  }
  if (words.includes("certificate expired")) {
    const text = `has a certificate that expired${dateIn(words, /not valid after (\d+)/)}; ` +
      `have it renewed there, and check that the clock here is right (it says ${now(words)})`;
    return { code: "untrusted", text };
  }
  if (words.includes("not valid yet")) {
    const text = `has a certificate that is not valid yet${dateIn(words, /not valid before (\d+)/)}; ` +
      `check that the clock here is right (it says ${now(words)})`;
    return { code: "untrusted", text };
  }
  if (words.includes("not valid for name")) {
    const names = [...words.matchAll(/(?:DnsName|IpAddress)\(([^()]*(?:\([^()]*\))?[^()]*)\)/g)]
      .map(([, name]) => name.replaceAll(/"|Ipv[46]\(|\)/g, ""));
    const others = names.length > 0 ? `but for ${names.join(", ")}` : "nor for any other name";
    const text = `has a certificate that is not for ${hostname}, ${others}; ` +
      "connect by a name it is for, or have one made for this name";
    return { code: "untrusted", text };
  }
  if (words.includes("invalid peer certificate")) {
    return { code: "untrusted", text: `has a certificate that is not valid: ${words}; have a new one made` };
  }
  if (words.includes("corrupt message")) {
    return { code: "not_parley", text: "does not speak TLS; connect without TLS, or check the port" };
  }
  if (/received fatal alert|peer is incompatible/.test(words)) {
    return { code: "unreachable", text: `refused the TLS handshake: ${words}; it must offer TLS 1.2 or 1.3` };
  }
  if (/UnexpectedEof|ConnectionReset|BrokenPipe|ConnectionAborted/.test(nameOf(error))) {
    const text = "closed the connection during the TLS handshake; check that it serves TLS, and its log";
    return { code: "unreachable", text };
  }
  return {
    code: "unreachable",
    text: `failed in the TLS handshake: ${words}; check the port and the network`,
  };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "";
}

/** " (2021-01-01)" if `words` contain a time in seconds, or nothing. */
function dateIn(words: string, pattern: RegExp): string {
  const seconds = pattern.exec(words)?.[1];
  return seconds === undefined ? "" : ` (${new Date(+seconds * 1000).toISOString().slice(0, 10)})`;
}

/** The current time according to the error. */
function now(words: string): string {
  const seconds = /verification time (\d+)/.exec(words)?.[1];
  return seconds === undefined ? "?" : new Date(+seconds * 1000).toISOString().slice(0, 16) + "Z";
}
