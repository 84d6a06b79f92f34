/**
 * Certificates of every kind, made as other tools make them: to show which of them clients refuse.
 *
 * @module
 */

import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { KeyPair } from "../../lib/certificates/certificates.ts";

/** From here, because the library requires the polyfill above. */
export const { ExtendedKeyUsage, KeyUsageFlags } = x509;

const KEYS = { name: "ECDSA", namedCurve: "P-256" };
const DAY_MS = 86_400_000;

/** How a certificate differs from a good one. */
export interface Differences {
  /** `dns` and `ip` entries of subjectAltName; none if empty. */
  readonly names?: readonly { readonly type: "dns" | "ip" | "email"; readonly value: string }[];
  readonly isAuthority?: boolean;
  readonly purposes?: readonly string[];
  readonly usages?: x509.KeyUsageFlags;
  /** Whether it says where the certificate of its issuer is, as those of public authorities do. */
  readonly namesIssuer?: boolean;
  readonly hash?: "SHA-1" | "SHA-256";
  /** Days from now. */
  readonly from?: number;
  readonly until?: number;
  readonly nowMs?: number;
}

/** Makes an authority to sign with, as `openssl req -x509` does. */
export function makeRoot(): Promise<Signer> {
  return makeSigned(undefined, { isAuthority: true, names: [] });
}

/** A certificate with its key in both forms. */
export interface Signer extends KeyPair {
  readonly x509: x509.X509Certificate;
  readonly keys: CryptoKeyPair;
}

/** Makes a certificate signed by `issuer`, or by itself, for localhost and 127.0.0.1 unless said otherwise. */
export async function makeSigned(
  issuer: Pick<Signer, "x509" | "keys"> | undefined,
  {
    names,
    isAuthority = false,
    purposes,
    usages,
    namesIssuer = false,
    hash = "SHA-256",
    from = -1,
    until = 90,
    nowMs = Date.now(),
  }: Differences = {},
): Promise<Signer> {
  const keys = await crypto.subtle.generateKey(KEYS, true, ["sign", "verify"]);
  const entries = names ?? [{ type: "dns", value: "localhost" }, { type: "ip", value: "127.0.0.1" }] as const;
  const name = `CN=localhost, O=${crypto.randomUUID()}`;
  const certificate = await x509.X509CertificateGenerator.create({
    subject: name,
    issuer: issuer?.x509.subject ?? name,
    notBefore: new Date(nowMs + from * DAY_MS),
    notAfter: new Date(nowMs + until * DAY_MS),
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    signingAlgorithm: { name: "ECDSA", hash },
    extensions: [
      new x509.BasicConstraintsExtension(isAuthority, undefined, true),
      ...(entries.length > 0 ? [new x509.SubjectAlternativeNameExtension([...entries])] : []),
      ...(purposes === undefined ? [] : [new x509.ExtendedKeyUsageExtension([...purposes])]),
      ...(namesIssuer
        ? [new x509.AuthorityInfoAccessExtension({ caIssuers: ["http://issuer.example/ca.der"] })]
        : []),
      ...(usages === undefined ? [] : [new x509.KeyUsagesExtension(usages, true)]),
    ],
  });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    certificate: `${certificate.toString("pem")}\n`,
    key: `${x509.PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`,
    x509: certificate,
    keys,
  };
}
