/**
 * A certificate authority and a server certificate for 127.0.0.1, for the TLS workloads. `openssl` makes them for each
 * run.
 *
 * @module
 */

import { output, type TlsFiles } from "./brokers/broker.ts";

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];

/** Makes them in `dir`. Returns `undefined` if `openssl` is not installed. */
export async function makeCertificates(dir: string): Promise<TlsFiles | undefined> {
  const file = (name: string) => `${dir}/${name}.pem`;
  const files: TlsFiles = { ca: file("ca"), cert: file("cert"), key: file("key") };
  const authority = ["-subj", "/CN=parley-bench-ca", "-keyout", file("ca-key"), "-out", files.ca];
  const made = await output("openssl", "req", "-x509", ...NEW_KEY, ...authority);
  if (made === undefined) return undefined;
  const server = ["-subj", "/CN=localhost", "-keyout", files.key, "-out", files.cert];
  const names = [
    "-addext",
    "subjectAltName=IP:127.0.0.1,DNS:localhost",
    "-addext",
    "basicConstraints=CA:FALSE",
  ];
  const printed = await output(
    "openssl",
    ...["req", "-x509", ...NEW_KEY, ...server, ...names, "-CA", files.ca, "-CAkey", file("ca-key")],
  );
  // Mosquitto and NATS may drop privileges after start, before or after they read the key.
  await Promise.all([files.cert, files.key, files.ca].map((path) => Deno.chmod(path, 0o644))).catch(() => {
    throw new Error(`openssl made no certificate: ${printed}`);
  });
  return files;
}
