/**
 * Where a server gets its certificate, at the start and when it is renewed.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { readOptionFile } from "../config/option_file.ts";
import { MAX_HOSTS } from "../limits.ts";
import { describeCertificate, type KeyPair, pairProblem } from "./certificates.ts";
import { ensureCertificate, readCertificate } from "./folder.ts";
import { parseHost } from "./hosts.ts";
import type { Storage } from "../state/storage.ts";

/** A certificate with its key. */
export interface SourcedCertificate extends KeyPair {
  /** The authority that clients must trust, if Parley made it. */
  readonly authority?: string;
}

/** Where a certificate comes from. */
export interface CertificateSource {
  /**
   * Reads the certificate to use now. Call it from time to time, because it may have been renewed.
   *
   * @throws {ParleyError} `bad_argument` if there is no certificate, or it does not match its key
   */
  read(): Promise<SourcedCertificate>;
}

/**
 * A certificate that Parley makes in a folder, and renews when few days are left.
 *
 * It is for `hosts`, and for the hosts of the existing certificate. So names that an operator had certified stay in it,
 * and two servers with one folder share a certificate rather than replace each other's.
 */
export function ownCertificates(
  storage: Storage,
  hosts: readonly string[],
  now: () => number,
): CertificateSource {
  return {
    read: async () => {
      const wanted = hosts.map((host) => parseHost(host).value);
      const all = new Set([...wanted, ...await existingHosts(storage)]);
      return await ensureCertificate(storage, { hosts: [...all].slice(0, MAX_HOSTS), nowMs: now() });
    },
  };
}

/** The hosts of the existing certificate; none if it is missing or cannot be read. */
async function existingHosts(storage: Storage): Promise<readonly string[]> {
  const existing = await readCertificate(storage);
  if (existing === undefined) return [];
  try {
    return (await describeCertificate(existing.certificate)).hosts;
  } catch {
    return []; // `ensureCertificate` replaces it, or says why not
  }
}

/** A certificate that the operator or another program maintains, in two files. */
export function givenCertificate(certificateFile: string, keyFile: string): CertificateSource {
  return {
    read: async () => {
      const pair = {
        certificate: await readOptionFile(certificateFile, "cannot read the certificate"),
        key: await readOptionFile(keyFile, "cannot read the key"),
      };
      const problem = await problemOf(pair);
      if (problem === undefined) return pair;
      const text = `the certificate ${certificateFile} and the key ${keyFile} cannot be used: ${problem}`;
      throw new ParleyError("bad_argument", text);
    },
  };
}

async function problemOf(pair: KeyPair): Promise<string | undefined> {
  if (/-----BEGIN [\w ]*PRIVATE KEY-----/.test(pair.certificate) && pair.key.includes("BEGIN CERTIFICATE")) {
    return "they are the wrong way round";
  }
  try {
    return await pairProblem(pair);
  } catch (error) {
    if (error instanceof ParleyError) return `the first is ${error.message}`;
    throw error;
  }
}
