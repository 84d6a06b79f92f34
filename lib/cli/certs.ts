/**
 * `parley-server certs`: a small authority, and a certificate for the server.
 *
 * @module
 */

import { describeCertificate } from "../auth/certificates.ts";
import { ensureCertificate, FILES } from "../auth/certificate_folder.ts";
import { FolderStorage } from "../auth/folder.ts";
import { loadConfig, type World } from "../config.ts";
import { CERTS } from "../server_options.ts";
import { hostsOf } from "./security.ts";
import { formatHelp } from "./settings.ts";

const USAGE = `Usage: parley-server certs [--host NAME]... [--out certs] [--days 90] [--renew]

Makes an authority (once) and a certificate for the server. Clients need ca.pem: parley --ca certs/ca.pem.
A running server takes up a new certificate within a minute, or at once on SIGHUP.

`;

/** Runs `parley-server certs ARGS`; resolves to the exit code. */
export async function certsCommand(world: World): Promise<number> {
  const { values, problems } = loadConfig(CERTS, world);
  if (values.help) {
    console.log(USAGE + formatHelp(CERTS));
    return 0;
  }
  if (problems.length > 0) {
    for (const { text } of problems) console.error(`parley-server: ${text}`);
    return 2;
  }
  const { host, out, days, renew } = values;
  const hosts = host.length > 0 ? host : hostsOf("0.0.0.0");
  const { certificate, made } = await ensureCertificate(new FolderStorage(out), {
    hosts,
    days,
    renew,
    nowMs: Date.now(),
  });
  const described = await describeCertificate(certificate);
  console.error(
    made === undefined ? "the certificate is still good; --renew makes a new one" : `made, because ${made}`,
  );
  console.log(`certificate  ${out}/${FILES.server.certificate}`);
  console.log(`key          ${out}/${FILES.server.key}`);
  console.log(`authority    ${out}/${FILES.authority.certificate}`);
  console.log(`for          ${described.hosts.join(", ")}`);
  console.log(`valid until  ${described.notAfter.toISOString()}`);
  console.log(`SHA-256      ${described.fingerprint}`);
  return 0;
}
