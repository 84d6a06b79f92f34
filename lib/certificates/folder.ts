/**
 * An authority and a server certificate in a folder: made if they are missing, renewed before they end.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { MAX_CERTIFICATE_DAYS, RENEW_BELOW_DAYS } from "../limits.ts";
import {
  describeCertificate,
  isIssuedByParley,
  isSignedBy,
  type KeyPair,
  makeAuthority,
  makeServerCertificate,
  pairProblem,
} from "./certificates.ts";
import { parseHost } from "./hosts.ts";
import type { Storage } from "../state/storage.ts";

/** The names of the files: two public certificates, and two secret keys (0600). */
export const FILES = {
  authority: { certificate: "ca.pem", key: "ca-key.pem" },
  server: { certificate: "server.pem", key: "server-key.pem" },
} as const;

/** What a TLS server and its clients need. */
export interface ServerCertificate extends KeyPair {
  /** The certificate clients must trust. */
  readonly authority: string;
  /** Why the certificate was made now; undefined if the existing one is still good. */
  readonly made?: string;
}

const DAY_MS = 86_400_000;

/**
 * Reads the server certificate of `storage`, or makes a new one if the existing one is not good; also makes the
 * authority if there is none. A certificate is good if it is for exactly `hosts`, signed by the authority, and has 30
 * days left.
 *
 * `renew` makes a new one in any case; `days` is how long a new one is valid, 1 to 397; `nowMs` is the time in
 * milliseconds since 1970. The authority's key may be stored elsewhere until a new certificate is needed.
 *
 * @throws {ParleyError} `bad_argument` if a host is not a name or an address, or a new certificate is needed and the
 * authority cannot sign it
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ensureCertificate } from "./folder.ts";
 * import { MemoryStorage } from "../state/storage.ts";
 *
 * const storage = new MemoryStorage();
 * const options = { hosts: ["parley.example"], nowMs: Date.now() };
 * assertEquals((await ensureCertificate(storage, options)).made, "there was none");
 * assertEquals((await ensureCertificate(storage, options)).made, undefined);
 * ```
 */
export async function ensureCertificate(
  storage: Storage,
  options: CertificateOptions,
): Promise<ServerCertificate> {
  // Without the lock first: a certificate that is good must not need a folder that can be written. A pair that is being
  // replaced at this moment does not match, and is read again under the lock.
  const found = await readCertificate(storage, options);
  if (found.reason === undefined) return found.certificate;
  return await storage.exclusive(async () => {
    const again = await readCertificate(storage, options);
    if (again.reason === undefined) return again.certificate;
    const { authority, reason } = again;
    const signing = await signingAuthority(storage, authority, reason, options.nowMs);
    const made = await makeServerCertificate(signing, options);
    await writePair(storage, FILES.server, made);
    return { ...made, authority: signing.certificate, made: reason };
  });
}

/** What {@linkcode ensureCertificate} is asked for. */
interface CertificateOptions {
  hosts: readonly string[];
  renew?: boolean;
  days?: number;
  nowMs: number;
}

/** The certificate of `storage`, or the reason why a new one is needed and what there is to make it from. */
async function readCertificate(
  storage: Storage,
  options: CertificateOptions,
): Promise<
  | { certificate: ServerCertificate; reason?: undefined; authority?: undefined }
  | { certificate?: undefined; reason: string; authority: Partial<KeyPair> }
> {
  const before = await readPair(storage, FILES.server);
  const authority = await readPair(storage, FILES.authority);
  await rejectForeign(storage, before.certificate, authority.certificate);
  const reason = options.renew
    ? "it was asked for"
    : await renewalReason(before, authority.certificate, options);
  if (reason !== undefined) return { reason, authority };
  return { certificate: { ...before as KeyPair, authority: authority.certificate! } };
}

/** Says why a new server certificate is needed, or returns undefined. */
async function renewalReason(
  { certificate, key }: Partial<KeyPair>,
  authority: string | undefined,
  { hosts, days, nowMs }: { hosts: readonly string[]; days?: number; nowMs: number },
): Promise<string | undefined> {
  if (certificate === undefined || key === undefined) return "there was none";
  if (authority === undefined) return "its authority was gone";
  const found = await tryDescribe(certificate);
  if (found === undefined || await pairProblem({ certificate, key }) !== undefined) {
    return "the one there was could not be used";
  }
  const endsWithAuthority = (await describeCertificate(authority)).notAfter <= found.notAfter;
  const left = (found.notAfter.getTime() - nowMs) / DAY_MS;
  // A certificate of few days would otherwise always count as about to end.
  // One that ends with its authority would be no longer valid if it were made again.
  if (
    left < Math.min(RENEW_BELOW_DAYS, (days ?? MAX_CERTIFICATE_DAYS) / 3) && !(endsWithAuthority && left > 0)
  ) {
    return left > 0 ? `it had ${Math.floor(left)} days left` : "it had ended";
  }
  if (!sameHosts(found.hosts, hosts)) return "it was for other hosts";
  if (!await isSignedBy(certificate, authority)) return "another authority had signed it";
  return undefined;
}

/** Rejects files that Parley must not replace: a certificate of another issuer, or a CA file that is no certificate. */
async function rejectForeign(
  storage: Storage,
  certificate: string | undefined,
  authority: string | undefined,
): Promise<void> {
  const fail = (name: string, problem: string): never => {
    throw new ParleyError("bad_argument", `${storage.locate(name)} ${problem}`);
  };
  if (authority !== undefined && await tryDescribe(authority) === undefined) {
    fail(
      FILES.authority.certificate,
      "is not a certificate in PEM; restore it, or remove it for a new authority",
    );
  }
  const found = certificate === undefined ? undefined : await tryDescribe(certificate);
  if (found === undefined || isIssuedByParley(found)) return;
  if (authority !== undefined && await isSignedBy(certificate!, authority)) return;
  fail(
    FILES.server.certificate,
    `was issued by ${found.issuer}, not by Parley, and is not replaced; give its files as your own certificate and ` +
      "key, or move it away",
  );
}

async function tryDescribe(certificate: string) {
  try {
    return await describeCertificate(certificate);
  } catch {
    return undefined;
  }
}

function sameHosts(before: readonly string[], wanted: readonly string[]): boolean {
  const had = new Set(before);
  const wants = new Set(wanted.map((host) => parseHost(host).value));
  return had.size === wants.size && [...wants].every((host) => had.has(host));
}

/** The existing authority if it can sign. A new one only if there is none, because clients may trust an existing one. */
async function signingAuthority(
  storage: Storage,
  { certificate, key }: Partial<KeyPair>,
  reason: string,
  nowMs: number,
): Promise<KeyPair> {
  if (certificate === undefined) {
    const made = await makeAuthority(nowMs);
    await writePair(storage, FILES.authority, made);
    return made;
  }
  const { notAfter } = await describeCertificate(certificate);
  const problem = notAfter.getTime() <= nowMs
    ? `the authority ended at ${notAfter.toISOString()}`
    : key === undefined
    ? `${storage.locate(FILES.authority.key)} is not there to sign it`
    : await pairProblem({ certificate, key });
  if (problem === undefined) return { certificate, key: key! };
  const file = storage.locate(FILES.authority.certificate);
  throw new ParleyError(
    "bad_argument",
    `a new server certificate is needed (${reason}), but ${problem}; restore ${file} and its key, or remove both ` +
      "for a new authority, which every client must then be given",
  );
}

async function readPair(
  storage: Storage,
  files: { certificate: string; key: string },
): Promise<Partial<KeyPair>> {
  return {
    certificate: await storage.read(files.certificate, "public"),
    key: await storage.read(files.key, "secret"),
  };
}

/** Writes the key first. If power fails in between, the pair is recognized as unusable and made again. */
async function writePair(
  storage: Storage,
  files: { certificate: string; key: string },
  { certificate, key }: KeyPair,
): Promise<void> {
  await storage.write(files.key, key, "secret");
  await storage.write(files.certificate, certificate, "public");
}
