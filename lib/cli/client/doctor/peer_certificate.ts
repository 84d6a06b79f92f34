/**
 * Looks at the certificate of a server, whether it is valid or not. Nothing is sent but the handshake.
 *
 * `Deno.TlsConn` verifies a certificate, but does not show it. So this is a connection of its own, and says nothing
 * about whether the server is to be trusted.
 *
 * @module
 */

import type { DetailedPeerCertificate } from "node:tls";
import type { Address } from "../../../client/network.ts";

/** What a certificate says. Its texts are the server's: make them visible before they are shown. */
export interface CertificateDetails {
  /** The names and addresses it is for. */
  readonly names: readonly string[];
  /** The names of its chain: itself, then each issuer as far as the server sent it or it is named. */
  readonly chain: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SHA-256 of the certificate, in hexadecimal. */
  readonly fingerprint: string;
}

/** The longest chain that is followed. */
const MAX_CHAIN = 8;

/** Whether `hostname` is an address, which no name server has to be asked for. */
export function isAddress(hostname: string): boolean {
  return hostname.includes(":") || /^\d+(\.\d+){3}$/.test(hostname);
}

/** Connects to a server and looks at its certificate; undefined if there is none to see within `withinMs`. */
export async function lookAtCertificate(
  { hostname, port }: Pick<Address, "hostname" | "port">,
  withinMs: number,
): Promise<CertificateDetails | undefined> {
  const { connect } = await import("node:tls");
  // A name is sent, because a server may have several certificates. An address is none.
  const servername = isAddress(hostname) ? {} : { servername: hostname };
  const socket = connect({ host: hostname, port, rejectUnauthorized: false, ...servername });
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await new Promise((resolve) => {
      timer = setTimeout(() => resolve(undefined), withinMs);
      socket.once("error", () => resolve(undefined));
      socket.once("close", () => resolve(undefined));
      socket.once("secureConnect", () => resolve(describe(socket.getPeerCertificate(true))));
    });
  } catch {
    return undefined; // this runtime does not show certificates
  } finally {
    clearTimeout(timer);
    socket.on("error", () => {});
    socket.destroy();
  }
}

function describe(certificate: DetailedPeerCertificate): CertificateDetails | undefined {
  const { valid_from: from, valid_to: to, subjectaltname = "", fingerprint256 = "" } = certificate;
  const [notBefore, notAfter] = [new Date(from), new Date(to)];
  if (Number.isNaN(notBefore.getTime()) || Number.isNaN(notAfter.getTime())) return undefined;
  const chain = [commonName(certificate.subject)];
  let last: DetailedPeerCertificate | undefined = certificate;
  while (last !== undefined && chain.length < MAX_CHAIN) {
    const issuer: string = commonName(last.issuer);
    if (issuer === chain.at(-1)) break; // signed by itself
    chain.push(issuer);
    const next: DetailedPeerCertificate | undefined = last.issuerCertificate;
    last = next === last ? undefined : next;
  }
  return {
    names: subjectaltname.split(", ").map(readName).filter((name) => name !== ""),
    chain,
    notBefore,
    notAfter,
    fingerprint: fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}

/** Reads `DNS:localhost` or `IP Address:127.0.0.1`. Runtimes before 2.9 write addresses in hexadecimal. */
function readName(entry: string): string {
  const [, type, name] = /^([^:]*):(.*)$/.exec(entry) ?? [];
  if (name === undefined) return "";
  if (type !== "IP Address" || !/^([0-9a-f]{8}|[0-9a-f]{32})$/i.test(name)) return name;
  if (name.length === 8) return name.match(/../g)!.map((byte) => parseInt(byte, 16)).join(".");
  return new URL(`http://[${name.match(/..../g)!.join(":")}]`).hostname.slice(1, -1);
}

function commonName(subject: DetailedPeerCertificate["subject"] | undefined): string {
  const { CN, O } = subject ?? {};
  return [CN ?? O ?? "no name"].flat().join(" ");
}
