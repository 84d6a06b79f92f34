/**
 * Where a server's certificate comes from, and comes from again when it is renewed.
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

/** A certificate with its key, and the authority clients must trust where it is one of ours. */
export interface SourcedCertificate extends KeyPair {
  readonly authority?: string;
}

/** Gives the certificate as it should be now. To be asked again from time to time: it may have been renewed. */
export interface CertificateSource {
  /**
   * @throws {ParleyError} `bad_argument` where there is none, or it does not fit its key
   */
  read(): Promise<SourcedCertificate>;
}

/**
 * Certificates made by Parley, in a folder: made where there are none, and renewed when few days are left.
 *
 * They are for `hosts`, and for what the one before was for: the names that somebody had a certificate made for stay
 * in it, and two servers with one folder agree on one certificate instead of each replacing the other's.
 */
export function ownCertificates(
  storage: Storage,
  hosts: readonly string[],
  now: () => number,
): CertificateSource {
  return {
    read: async () => {
      const wanted = hosts.map((host) => parseHost(host).value);
      const both = new Set([...wanted, ...await hostsBefore(storage)]);
      return await ensureCertificate(storage, { hosts: [...both].slice(0, MAX_HOSTS), nowMs: now() });
    },
  };
}

/** What the certificate that is there is for; nothing where there is none that can be read. */
async function hostsBefore(storage: Storage): Promise<readonly string[]> {
  const before = await readCertificate(storage);
  if (before === undefined) return [];
  try {
    return (await describeCertificate(before.certificate)).hosts;
  } catch {
    return []; // it is replaced, or `ensureCertificate` says why not
  }
}

/** A certificate somebody else looks after, in two files. */
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
