/**
 * Finds what makes clients refuse a certificate that a server can serve without an error.
 *
 * @module
 */

import { type CertificateDescription, describe, loadX509, parseCertificates } from "./certificates.ts";
import { parseHost } from "./hosts.ts";
import type { SourcedCertificate } from "./source.ts";

/** A reason for which clients refuse a certificate. */
export interface Flaw {
  readonly kind: "expired" | "not yet valid" | "authority" | "names" | "usage" | "signature" | "chain";
  /** For people: the reason and what to do. It quotes nothing of the certificate, so it can be a log message. */
  readonly message: string;
}

/** A certificate with its description and with the flaws that do not depend on the time. */
export interface InspectedCertificate extends SourcedCertificate {
  readonly description: CertificateDescription;
  /** When the certificate or that of its issuer in the chain expires, whichever is sooner. */
  readonly validUntil: Date;
  readonly lastingFlaws: readonly Flaw[];
}

const CURE = "get one made for a server, for example with parley-server certs";

const EXPIRED: Flaw = {
  kind: "expired",
  message: "the certificate has expired and clients refuse it; renew it and send SIGHUP",
};
const ISSUER_EXPIRED: Flaw = {
  kind: "expired",
  message:
    "the certificate of the issuer in the chain has expired and clients refuse the server's; get the " +
    "current chain of the issuer, and send SIGHUP",
};
const NO_CHAIN: Flaw = {
  kind: "chain",
  message:
    "the file has no certificate of the issuer and clients that do not know this issuer refuse it; put the " +
    "whole chain into the file (fullchain.pem, not cert.pem)",
};
const NOT_YET_VALID: Flaw = {
  kind: "not yet valid",
  message: "the certificate is not valid yet and clients refuse it; check this machine's clock",
};
// What clients do was tried with rustls, which Deno and Parley's client use.
const AUTHORITY: Flaw = {
  kind: "authority",
  message:
    "the certificate is marked as an authority (CA:TRUE) and clients refuse it as a server's; make it with " +
    "basicConstraints=CA:FALSE, or sign another one with it",
};
const NO_NAMES: Flaw = {
  kind: "names",
  message:
    "the certificate has no name or address in subjectAltName, where clients look for it (not in the " +
    `common name), and clients refuse it; ${CURE}`,
};
const ADDRESS_AS_NAME: Flaw = {
  kind: "names",
  message:
    "the certificate has an address as a DNS name in subjectAltName, and clients that connect to this " +
    "address refuse it; enter addresses as IP",
};
const NOT_FOR_SERVERS: Flaw = {
  kind: "usage",
  message:
    "the certificate's extended key usage does not allow server authentication and clients refuse it; " +
    CURE,
};
const NO_SIGNING: Flaw = {
  kind: "usage",
  message:
    "the certificate's key usage does not allow digital signatures and browsers and OpenSSL refuse it; " +
    CURE,
};
const OLD_HASH: Flaw = {
  kind: "signature",
  message: `the certificate is signed with SHA-1 or MD5 and clients refuse it; ${CURE}`,
};

/**
 * Describes the first certificate of a chain and finds its flaws.
 *
 * @throws {ParleyError} `bad_argument` if there is no certificate
 */
export async function inspect(source: SourcedCertificate): Promise<InspectedCertificate> {
  const x509 = await loadX509();
  const [certificate, ...others] = parseCertificates(x509, source.certificate);
  const issuer = others.find(({ subject }) => subject === certificate.issuer);
  const description = await describe(x509, certificate);
  const flaws: Flaw[] = [];
  if (description.isAuthority) flaws.push(AUTHORITY);
  const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  if (description.hosts.length === 0) flaws.push(NO_NAMES);
  else if (names.some(({ type, value }) => type === "dns" && isAddress(value))) flaws.push(ADDRESS_AS_NAME);
  const purposes = certificate.getExtension(x509.ExtendedKeyUsageExtension)?.usages;
  const { usages } = certificate.getExtension(x509.KeyUsagesExtension) ?? {};
  if (purposes !== undefined && !purposes.includes(x509.ExtendedKeyUsage.serverAuth)) {
    flaws.push(NOT_FOR_SERVERS);
  } else if (usages !== undefined && (usages & x509.KeyUsageFlags.digitalSignature) === 0) {
    flaws.push(NO_SIGNING);
  }
  // Only certificates of public authorities say where that of their issuer is. Those are never signed by a root that
  // clients know.
  const access = certificate.getExtension(x509.AuthorityInfoAccessExtension);
  if (issuer === undefined && (access?.caIssuers.length ?? 0) > 0) flaws.push(NO_CHAIN);
  // Other algorithms, such as Ed25519, name no hash.
  const { hash } = certificate.signatureAlgorithm as { hash?: { name: string } };
  if (hash !== undefined && /^(SHA-1|MD5)$/i.test(hash.name)) flaws.push(OLD_HASH);
  const ends = [certificate, ...(issuer ? [issuer] : [])].map(({ notAfter }) => notAfter.getTime());
  return { ...source, description, validUntil: new Date(Math.min(...ends)), lastingFlaws: flaws };
}

/** All flaws of a certificate at a time, in milliseconds since 1970. */
export function flawsAt(certificate: InspectedCertificate, nowMs: number): readonly Flaw[] {
  const { description: { notBefore, notAfter }, validUntil, lastingFlaws } = certificate;
  if (notAfter.getTime() <= nowMs) return [EXPIRED, ...lastingFlaws];
  if (validUntil.getTime() <= nowMs) return [ISSUER_EXPIRED, ...lastingFlaws];
  if (notBefore.getTime() > nowMs) return [NOT_YET_VALID, ...lastingFlaws];
  return lastingFlaws;
}

function isAddress(name: string): boolean {
  try {
    return parseHost(name).type === "ip";
  } catch {
    return name === "0.0.0.0" || name === "::";
  }
}
