/**
 * The first bytes of a TLS connection, for tests that send part of them.
 *
 * @module
 */

let recorded: Promise<Uint8Array> | undefined;

/** A whole TLS ClientHello, recorded from Deno's own client. */
export function clientHello(): Promise<Uint8Array> {
  recorded ??= record();
  return recorded;
}

async function record(): Promise<Uint8Array> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const [there, here] = await Promise.all([Deno.connect({ hostname: "127.0.0.1", port }), listener.accept()]);
  const tls = await Deno.startTls(there, { hostname: "127.0.0.1" });
  const failed = tls.handshake().catch(() => {});
  const bytes = new Uint8Array(16 * 1024);
  const count = await here.read(bytes);
  here.close();
  await failed;
  tls.close();
  return bytes.slice(0, count!);
}
