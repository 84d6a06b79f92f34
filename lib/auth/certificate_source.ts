/**
 * Where a server's certificate comes from, and comes from again when it is renewed.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { type KeyPair, pairProblem } from "./certificates.ts";
import { ensureCertificate } from "./certificate_folder.ts";
import type { Storage } from "./storage.ts";

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

/** Certificates made by Parley, in a folder: made where there are none, and renewed when few days are left. */
export function ownCertificates(
  storage: Storage,
  hosts: readonly string[],
  now: () => number,
): CertificateSource {
  return { read: () => ensureCertificate(storage, { hosts, nowMs: now() }) };
}

/** A certificate somebody else looks after, in two files. */
export function givenCertificate(certificateFile: string, keyFile: string): CertificateSource {
  return {
    read: async () => {
      const pair = { certificate: await readPem(certificateFile), key: await readPem(keyFile) };
      const problem = await pairProblem(pair);
      if (problem === undefined) return pair;
      throw new ParleyError("bad_argument", `${certificateFile} and ${keyFile}: ${problem}`);
    },
  };
}

async function readPem(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ParleyError("bad_argument", `cannot read ${path}: ${reason}`, { cause: error });
  }
}
