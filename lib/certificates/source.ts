/**
 * Where a server gets its certificate, at the start and when it is renewed.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { readOptionFile } from "../config/option_file.ts";
import { MAX_HOSTS } from "../limits.ts";
import { describeCertificate, type KeyPair, pairProblem } from "./certificates.ts";
import { ensureCertificate, FILES } from "./folder.ts";
import { parseHost } from "./hosts.ts";
import type { Storage } from "../state/storage.ts";

/** A certificate with its key. */
export interface SourcedCertificate extends KeyPair {
  /** The authority that clients must trust, if Parley made it. */
  readonly authority?: string;
}

/** Where a certificate comes from. */
export interface CertificateSource {
  /** The file with the certificate, for messages to people. */
  readonly file: string;
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
    file: storage.locate(FILES.server.certificate),
    read: async () => {
      const wanted = hosts.map((host) => parseHost(host).value);
      const all = new Set([...wanted, ...await existingHosts(storage)]);
      return await ensureCertificate(storage, { hosts: [...all].slice(0, MAX_HOSTS), nowMs: now() });
    },
  };
}

/** The hosts of the existing certificate; none if it is missing or cannot be read. */
async function existingHosts(storage: Storage): Promise<readonly string[]> {
  const existing = await storage.read(FILES.server.certificate, "public");
  if (existing === undefined) return [];
  try {
    return (await describeCertificate(existing)).hosts;
  } catch {
    return []; // `ensureCertificate` replaces it, or says why not
  }
}

/**
 * A certificate that the operator or another program maintains, in PEM. Certificate chain and key may be in one file;
 * other blocks in it, such as `EC PARAMETERS`, are ignored.
 */
export function givenCertificate(
  certificateFile: string,
  keyFile: string = certificateFile,
): CertificateSource {
  const isOneFile = keyFile === certificateFile;
  return {
    file: certificateFile,
    read: async () => {
      const certificateText = await readOptionFile(certificateFile, "cannot read the certificate");
      const keyText = isOneFile ? certificateText : await readOptionFile(keyFile, "cannot read the key");
      const pair = {
        certificate: blocksOf(certificateText).filter(isCertificate).map(({ text }) => text).join(""),
        key: blocksOf(keyText).find(isKey)?.text ?? "",
      };
      const problem = blocksProblem(blocksOf(certificateText), blocksOf(keyText), isOneFile) ??
        await pairProblem(pair);
      if (problem === undefined) return pair;
      const files = isOneFile
        ? `the certificate and the key in ${certificateFile}`
        : `the certificate ${certificateFile} and the key ${keyFile}`;
      throw new ParleyError("bad_argument", `${files} cannot be used: ${problem}`);
    },
  };
}

/** One block of a PEM file. */
interface Block {
  /** What stands after BEGIN: `CERTIFICATE`, `EC PRIVATE KEY`. */
  readonly label: string;
  /** The whole block with a newline at its end. */
  readonly text: string;
}

const isCertificate = ({ label }: Block) => label === "CERTIFICATE";
const isKey = ({ label }: Block) => label.endsWith("PRIVATE KEY");

function blocksOf(pem: string): Block[] {
  return [...pem.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g)]
    .map(([text, label]) => ({ label, text: `${text}\n` }));
}

/** Says which block is missing from which file, or returns undefined. */
function blocksProblem(
  first: readonly Block[],
  second: readonly Block[],
  isOneFile: boolean,
): string | undefined {
  const hasKey = second.some(isKey);
  if (first.some(isCertificate)) {
    if (hasKey) return undefined;
    return isOneFile
      ? "there is no private key in this file; give the file of the key as well"
      : "the key is not an unencrypted private key in PEM";
  }
  if (first.some(isKey) && second.some(isCertificate) && !isOneFile) return "they are the wrong way round";
  return "the first is not a certificate in PEM (-----BEGIN CERTIFICATE-----)";
}
