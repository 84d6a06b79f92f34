/**
 * `parley-server certs`: makes a certificate authority, and a certificate for the server.
 *
 * @module
 */

import { describeCertificate } from "../../certificates/certificates.ts";
import { ensureCertificate, FILES } from "../../certificates/folder.ts";
import { FolderStorage } from "../../state/folder.ts";
import { parseHost } from "../../certificates/hosts.ts";
import { type ConfigSources, loadConfig } from "../../config/load.ts";
import { ParleyError } from "../../errors.ts";
import { MAX_HOSTS } from "../../limits.ts";
import { CERTS } from "../../config/command_options.ts";
import { Exit } from "../failures.ts";
import { printError } from "../output.ts";
import { folderOfServer } from "./folders.ts";
import { checkClock, hostsOf } from "./security.ts";
import { formatHelp } from "../settings.ts";

const USAGE = `Usage: parley-server certs [--host NAME]... [--out certs] [--days 90] [--renew]

Makes a certificate authority (once) and a certificate for the server. Clients need ca.pem: parley --ca
certs/ca.pem. A running server adds the names and addresses it listens on, renews the certificate 30 days
before it expires, and loads one made here within a minute, or at once on SIGHUP.

Examples:
  parley-server certs --host hub.example --host 192.0.2.7
  parley-server certs --renew --days 30

`;

/** Runs `parley-server certs ARGS`; resolves to the exit code. */
export async function certsCommand(configSources: ConfigSources): Promise<number> {
  const { values, origins, problems, warnings } = loadConfig(CERTS, configSources);
  if (values.help) {
    console.log(USAGE + formatHelp(CERTS));
    return Exit.DONE;
  }
  const { host, days, renew } = values;
  const server = origins.out === "default" ? folderOfServer("certs", configSources) : undefined;
  const usageProblems = [
    ...problems.map(({ text }) => text),
    ...host.flatMap(hostProblem),
    ...server?.problems ?? [],
  ];
  if (host.length > MAX_HOSTS) usageProblems.push(`--host may be given at most ${MAX_HOSTS} times`);
  for (const text of server?.warnings ?? warnings) printError(`parley-server: ${text}`);
  if (usageProblems.length > 0) {
    for (const text of usageProblems) printError(`parley-server: ${text}`);
    return Exit.WRONG_USAGE;
  }
  checkClock(Date.now());
  const storage = new FolderStorage(server?.path ?? values.out);
  const { certificate, made } = await ensureCertificate(storage, {
    hosts: host.length > 0 ? host : hostsOf({ host: "0.0.0.0" }),
    days,
    renew,
    nowMs: Date.now(),
  });
  const { hosts, notAfter, fingerprint } = await describeCertificate(certificate);
  printError(
    made === undefined
      ? "the certificate is still good; use --renew to make a new one"
      : `made a new certificate, because ${made}`,
  );
  console.log(`certificate  ${storage.locate(FILES.server.certificate)}`);
  console.log(`key          ${storage.locate(FILES.server.key)}`);
  console.log(`authority    ${storage.locate(FILES.authority.certificate)}`);
  console.log(`for          ${hosts.join(", ")}`);
  console.log(`valid until  ${notAfter.toISOString()}`);
  console.log(`SHA-256      ${fingerprint}`);
  return Exit.DONE;
}

function hostProblem(host: string): string[] {
  try {
    parseHost(host);
    return [];
  } catch (error) {
    if (error instanceof ParleyError) return [`--host: ${error.message}`];
    throw error;
  }
}
