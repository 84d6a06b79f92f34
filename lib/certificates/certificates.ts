/**
 * Makes certificates for TLS without OpenSSL: a private authority, and server certificates signed by it.
 *
 * Certificates and keys are PEM, keys in PKCS#8.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey } from "node:crypto";
import type * as X509 from "@peculiar/x509";
import { ParleyError } from "../errors.ts";
import {
  AUTHORITY_DAYS,
  BACKDATE_SECONDS,
  CERTIFICATE_DAYS,
  MAX_CERTIFICATE_DAYS,
  MAX_HOSTS,
} from "../limits.ts";
import { parseHost } from "./hosts.ts";

/** A certificate and the private key that belongs to it. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** The content of a certificate. */
export interface CertificateDescription {
  /** The distinguished name it is for, as in `CN=parley.example`. */
  readonly subject: string;
  /** The distinguished name of the authority that signed it. */
  readonly issuer: string;
  /** The names and addresses it is valid for. */
  readonly hosts: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SHA-256 of the certificate, as 64 hexadecimal digits in lower case. */
  readonly fingerprint: string;
  /** Whether it may sign other certificates. */
  readonly isAuthority: boolean;
}

/** Elliptic curve keys: small, quick to make, and supported by every TLS library. */
const KEYS = { name: "ECDSA", namedCurve: "P-256" };
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" };
const AUTHORITY_NAME = "Parley CA ";
const DAY_MS = 86_400_000;

/** Loaded on first use: it takes 0.1 s, which a start without certificates should not cost. */
export async function loadX509(): Promise<typeof X509> {
  await import("reflect-metadata"); // the library requires this polyfill
  return await import("@peculiar/x509");
}

/**
 * Makes an authority for ten years. A client that trusts its certificate trusts every certificate that its key signs,
 * so give the certificate to clients and keep the key secret.
 *
 * @param nowMs the time in milliseconds since 1970
 */
export async function makeAuthority(nowMs: number): Promise<KeyPair> {
  const x509 = await loadX509();
  const keys = await makeKeys();
  const serialNumber = makeSerial();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // A unique name distinguishes the authorities of several machines.
    name: [{ CN: [AUTHORITY_NAME + serialNumber.slice(0, 8)] }],
    serialNumber,
    keys,
    ...period(nowMs, AUTHORITY_DAYS),
    signingAlgorithm: SIGNATURE,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return await toPem(x509, certificate, keys.privateKey);
}

/**
 * Makes a certificate for a TLS server, signed by `authority`, with a key of its own. It ends when the authority does,
 * if that is sooner.
 *
 * `hosts` are 1 to 100 names and addresses; `days` is from 1 to 397, 90 if not given; `nowMs` is the time in
 * milliseconds since 1970.
 *
 * @throws {ParleyError} `bad_argument` if an option is out of range, a host is not a name or an address, or `authority`
 * is no authority, has ended, or does not match its key
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { describeCertificate, makeAuthority, makeServerCertificate } from "./certificates.ts";
 *
 * const authority = await makeAuthority(Date.now());
 * const hosts = ["localhost", "127.0.0.1", "::1"];
 * const server = await makeServerCertificate(authority, { hosts, nowMs: Date.now() });
 * assertEquals((await describeCertificate(server.certificate)).hosts, hosts);
 * ```
 */
export async function makeServerCertificate(
  authority: KeyPair,
  { hosts, days = CERTIFICATE_DAYS, nowMs }: { hosts: readonly string[]; days?: number; nowMs: number },
): Promise<KeyPair> {
  if (hosts.length === 0 || hosts.length > MAX_HOSTS) {
    throw new ParleyError(
      "bad_argument",
      `a certificate is for 1 to ${MAX_HOSTS} hosts, not ${hosts.length}`,
    );
  }
  if (!Number.isInteger(days) || days < 1 || days > MAX_CERTIFICATE_DAYS) {
    const message = `a certificate is valid for 1 to ${MAX_CERTIFICATE_DAYS} days, not ${days}`;
    throw new ParleyError("bad_argument", message);
  }
  const names = [...new Map(hosts.map(parseHost).map((host) => [host.value, host])).values()];
  const x509 = await loadX509();
  const issuer = parse(x509, authority.certificate);
  const { isAuthority, notAfter } = await describe(x509, issuer);
  const problem = !isAuthority
    ? "it is not an authority's certificate"
    : notAfter.getTime() <= nowMs
    ? `it ended at ${notAfter.toISOString()}`
    : await pairProblem(authority);
  if (problem !== undefined) throw new ParleyError("bad_argument", `this authority cannot sign: ${problem}`);
  const keys = await makeKeys();
  const { notBefore, notAfter: wanted } = period(nowMs, days);
  const certificate = await x509.X509CertificateGenerator.create({
    // Clients check the alternative names. This one is for people, and holds at most 64 characters.
    subject: [{ CN: [names[0].value.slice(0, 64)] }],
    issuer: issuer.subject,
    serialNumber: makeSerial(),
    notBefore,
    notAfter: new Date(Math.min(wanted.getTime(), notAfter.getTime())),
    publicKey: keys.publicKey,
    signingKey: await importKey(x509, authority.key),
    signingAlgorithm: SIGNATURE,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map(({ type, value }) => ({ type, value }))),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return await toPem(x509, certificate, keys.privateKey);
}

/**
 * Describes the first certificate in `pem`, which may be a chain.
 *
 * @throws {ParleyError} `bad_argument` if `pem` holds no certificate
 */
export async function describeCertificate(pem: string): Promise<CertificateDescription> {
  const x509 = await loadX509();
  return await describe(x509, parse(x509, pem));
}

/** Whether the first certificate of `pem` is signed by the first of `authorityPem`, valid at this time or not. */
export async function isSignedBy(pem: string, authorityPem: string): Promise<boolean> {
  const x509 = await loadX509();
  const [certificate, authority] = [parse(x509, pem), parse(x509, authorityPem)];
  if (certificate.issuer !== authority.subject) return false;
  return await certificate.verify({ publicKey: authority.publicKey, signatureOnly: true });
}

/** Whether a certificate names an authority made by Parley, on any machine, as its issuer. */
export function isIssuedByParley({ issuer }: CertificateDescription): boolean {
  return issuer.startsWith(`CN=${AUTHORITY_NAME}`);
}

/** Says why a certificate and a key of any origin cannot be used together, or undefined. Quotes neither. */
export async function pairProblem({ certificate, key }: KeyPair): Promise<string | undefined> {
  const x509 = await loadX509();
  const publicKey = Buffer.from(parse(x509, certificate).publicKey.rawData);
  let keysPublicKey: Buffer;
  try {
    keysPublicKey = createPublicKey(createPrivateKey(key)).export({ type: "spki", format: "der" });
  } catch {
    return "the key is not an unencrypted private key in PEM";
  }
  return keysPublicKey.equals(publicKey) ? undefined : "the key is not the certificate's";
}

/**
 * The certificates in `pem`, at least one.
 *
 * @throws {ParleyError} `bad_argument` if there is none, or one cannot be parsed
 */
export function parseCertificates(
  x509: typeof X509,
  pem: string,
): [X509.X509Certificate, ...X509.X509Certificate[]] {
  try {
    const [first, ...others] = x509.PemConverter.decodeWithHeaders(pem)
      .filter(({ type }) => type === "CERTIFICATE")
      .map(({ rawData }) => new x509.X509Certificate(rawData));
    if (first === undefined) throw new Error("no block is labelled CERTIFICATE");
    return [first, ...others];
  } catch (cause) {
    throw new ParleyError("bad_argument", "not a certificate in PEM (-----BEGIN CERTIFICATE-----)", {
      cause,
    });
  }
}

function parse(x509: typeof X509, pem: string): X509.X509Certificate {
  return parseCertificates(x509, pem)[0];
}

/** Describes a parsed certificate. */
export async function describe(
  x509: typeof X509,
  certificate: X509.X509Certificate,
): Promise<CertificateDescription> {
  const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  return {
    subject: certificate.subject,
    issuer: certificate.issuer,
    hosts: names.filter(({ type }) => type === "dns" || type === "ip").map(({ value }) => value),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    fingerprint: Buffer.from(await certificate.getThumbprint("SHA-256")).toString("hex"),
    isAuthority: certificate.getExtension(x509.BasicConstraintsExtension)?.ca ?? false,
  };
}

function makeKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(KEYS, true, ["sign", "verify"]);
}

/** 128 random bits, the first of them 0 so that the number is positive, the second 1 so that its length is fixed. */
function makeSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0] & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

/** The validity period; certificates have whole seconds. */
function period(nowMs: number, days: number): { notBefore: Date; notAfter: Date } {
  const now = Math.floor(nowMs / 1000) * 1000;
  return { notBefore: new Date(now - BACKDATE_SECONDS * 1000), notAfter: new Date(now + days * DAY_MS) };
}

async function toPem(
  x509: typeof X509,
  certificate: X509.X509Certificate,
  key: CryptoKey,
): Promise<KeyPair> {
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", key);
  return {
    certificate: `${certificate.toString("pem")}\n`,
    key: `${x509.PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`,
  };
}

async function importKey(x509: typeof X509, pem: string): Promise<CryptoKey> {
  try {
    const [pkcs8] = x509.PemConverter.decode(pem);
    return await crypto.subtle.importKey("pkcs8", pkcs8, KEYS, false, ["sign"]);
  } catch (cause) {
    const message = "this authority cannot sign: its key is not an EC P-256 key in PKCS#8";
    throw new ParleyError("bad_argument", message, { cause });
  }
}
