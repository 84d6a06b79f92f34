/**
 * An authority and a server certificate in a folder, made where they are missing and renewed before they end.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { MAX_CERTIFICATE_DAYS, RENEW_BELOW_DAYS } from "../limits.ts";
import {
  describeCertificate,
  isParleys,
  isSignedBy,
  type KeyPair,
  makeAuthority,
  makeServerCertificate,
  pairProblem,
} from "./certificates.ts";
import { parseHost } from "./hosts.ts";
import type { Storage } from "../state/storage.ts";

/** The names of the files: two certificates for everybody, and two keys (0600) for nobody. */
export const FILES = {
  authority: { certificate: "ca.pem", key: "ca-key.pem" },
  server: { certificate: "server.pem", key: "server-key.pem" },
} as const;

/** What a TLS server needs, and its clients. */
export interface ServerCertificate extends KeyPair {
  /** The certificate clients must trust. */
  readonly authority: string;
  /** Why the certificate was made now; not there where the one from before is still good. */
  readonly made?: string;
}

const DAY_MS = 86_400_000;

/**
 * Takes the server certificate of `storage` if it is good, and else makes one; with it the authority, where there is
 * none yet. A good one is for exactly these hosts, signed by the authority, and has 30 days left.
 *
 * `renew` makes a new one in any case; `days` is how long a new one is valid; `nowMs` is the time in milliseconds since
 * 1970. The authority's key may be kept elsewhere until it is needed.
 *
 * @throws {ParleyError} `bad_argument` where a host is none, or a new certificate is needed and the authority cannot
 * sign it
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
export function ensureCertificate(
  storage: Storage,
  options: { hosts: readonly string[]; renew?: boolean; days?: number; nowMs: number },
): Promise<ServerCertificate> {
  return storage.exclusive(async () => {
    const before = await readPair(storage, FILES.server);
    const authority = await readPair(storage, FILES.authority);
    await refuseForeign(storage, before.certificate, authority.certificate);
    const reason = options.renew ? "it was asked for" : await flaw(before, authority.certificate, options);
    if (reason === undefined) return { ...before as KeyPair, authority: authority.certificate! };
    const signing = await usableAuthority(storage, authority, reason, options.nowMs);
    const made = await makeServerCertificate(signing, options);
    await writePair(storage, FILES.server, made);
    return { ...made, authority: signing.certificate, made: reason };
  });
}

/**
 * The server certificate of `storage` as it is, or nothing where there is none. Never one half from before a renewal
 * and one from after it: waits for a renewal that is under way.
 */
export function readCertificate(storage: Storage): Promise<KeyPair | undefined> {
  return storage.exclusive(async () => {
    const { certificate, key } = await readPair(storage, FILES.server);
    return certificate === undefined || key === undefined ? undefined : { certificate, key };
  });
}

/** Why a server certificate will not do, or nothing. */
async function flaw(
  { certificate, key }: Partial<KeyPair>,
  authority: string | undefined,
  { hosts, days, nowMs }: { hosts: readonly string[]; days?: number; nowMs: number },
): Promise<string | undefined> {
  if (certificate === undefined || key === undefined) return "there was none";
  if (authority === undefined) return "its authority was gone";
  const found = await described(certificate);
  if (found === undefined || await pairProblem({ certificate, key }) !== undefined) {
    return "the one there was could not be used";
  }
  const left = (found.notAfter.getTime() - nowMs) / DAY_MS;
  // One asked to be short-lived would never have enough left.
  if (left < Math.min(RENEW_BELOW_DAYS, (days ?? MAX_CERTIFICATE_DAYS) / 3)) {
    return left > 0 ? `it had ${Math.floor(left)} days left` : "it had ended";
  }
  if (!sameHosts(found.hosts, hosts)) return "it was for other hosts";
  if (!await isSignedBy(certificate, authority)) return "another authority had signed it";
  return undefined;
}

/** Files that are not ours to replace: a certificate somebody bought and put here, a CA that is no certificate. */
async function refuseForeign(
  storage: Storage,
  certificate: string | undefined,
  authority: string | undefined,
): Promise<void> {
  const fail = (name: string, problem: string): never => {
    throw new ParleyError("bad_argument", `${storage.locate(name)} ${problem}`);
  };
  if (authority !== undefined && await described(authority) === undefined) {
    fail(
      FILES.authority.certificate,
      "is not a certificate in PEM; restore it, or remove it for a new authority",
    );
  }
  const found = certificate === undefined ? undefined : await described(certificate);
  if (found === undefined || isParleys(found)) return;
  if (authority !== undefined && await isSignedBy(certificate!, authority)) return;
  fail(
    FILES.server.certificate,
    `was issued by ${found.issuer}, not by Parley, and is not replaced; use it with --tls-cert and --tls-key, or move ` +
      "it away",
  );
}

async function described(certificate: string) {
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

/** The authority to sign with: the one there is; or a new one, where nobody can have come to trust one before. */
async function usableAuthority(
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
  throw new ParleyError(
    "bad_argument",
    `a new server certificate is needed (${reason}), but ${problem}; restore ` +
      `${
        storage.locate(FILES.authority.certificate)
      } and its key, or remove both for a new authority, which clients ` +
      "must be told",
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

/** The key first: where the power fails in between, what is left is seen to be unusable and is made anew. */
async function writePair(
  storage: Storage,
  files: { certificate: string; key: string },
  { certificate, key }: KeyPair,
): Promise<void> {
  await storage.write(files.key, key, "secret");
  await storage.write(files.certificate, certificate, "public");
}
