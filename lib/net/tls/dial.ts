/**
 * Connects to a server over TLS, within a time limit, and tells every kind of failure apart.
 *
 * @module
 */

import { Deadline } from "../../deadline.ts";
import { type LocalCode, ParleyError } from "../../errors.ts";
import { dial, isNode } from "../dial.ts";
import type { StreamSocket } from "../node_socket.ts";
import type { Socket } from "../socket.ts";
import { formatTarget, type Target } from "../target.ts";
import { describeServerFailure } from "./reasons.ts";

/** How to connect over TLS. */
export interface TlsDialOptions {
  /** CAs to trust in addition to those of the system, each in PEM. */
  readonly caCerts?: readonly string[];
  /** How long connecting and handshake may take together, in milliseconds. */
  readonly withinMs: number;
  /** Gives up: the call rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Called when the TCP connection is there, before the handshake. */
  readonly onConnected?: () => void;
}

/**
 * Connects over TLS 1.2 or 1.3 and verifies the server's certificate: its name is `hostname`, and a trusted CA signed
 * it. Nothing is sent before that except the handshake.
 *
 * A server that accepts and then stays silent costs a file descriptor for as long as it keeps the connection, even
 * after it is closed here, because `Deno.TlsConn` closes that way. Only a server needs a cure for that, because its
 * peers are not trusted; see `relay.ts`.
 *
 * @throws {ParleyError} `unreachable`, `untrusted` (the certificate is not valid), `not_parley` (the server does not
 * speak TLS) or `bad_argument` (`caCerts` contains no certificate), with the reason and what to try
 */
export async function dialTls(
  target: Target,
  { caCerts = [], withinMs, signal, onConnected }: TlsDialOptions,
): Promise<Socket> {
  if (caCerts.some((pem) => !pem.includes("-----BEGIN CERTIFICATE-----"))) {
    throw new ParleyError(
      "bad_argument",
      "the CA given contains no certificate in PEM; give the file ca.pem of the server",
    );
  }
  const { hostname } = target;
  const where = formatTarget(target);
  const deadline = performance.now() + withinMs;
  // Not `Deno.connectTls`: a TLS connection has no `setNoDelay`, but the TCP connection under it does.
  const tcp = await dial(target, withinMs, signal);
  onConnected?.();
  let tls: TlsStart | undefined;
  let timer: Deadline | undefined;
  let aborted: (() => void) | undefined;
  try {
    tls = await startTls(tcp, hostname, caCerts);
    signal?.throwIfAborted();
    const late = new Promise<"late">((resolve) => {
      timer = new Deadline(Math.max(0, deadline - performance.now()), () => resolve("late"));
      signal?.addEventListener("abort", aborted = () => resolve("late"));
    });
    const result = await Promise.race([tls.handshake(), late]);
    if (result !== "late") return result;
    signal?.throwIfAborted();
    const text =
      `${where} accepts connections, but has not answered the TLS handshake within ${withinMs / 1000} s; ` +
      "check that it serves TLS, and its log";
    throw new ParleyError("unreachable", text);
  } catch (error) {
    try {
      (tls ?? tcp).close();
    } catch {
      // Closed already.
    }
    signal?.throwIfAborted();
    if (error instanceof ParleyError) throw error;
    const { code, text } = describeServerFailure(error, hostname);
    throw new ParleyError(code as LocalCode, `${where} ${text}`, { cause: error });
  } finally {
    timer?.stop();
    if (aborted !== undefined) signal?.removeEventListener("abort", aborted);
  }
}

/** TLS that has begun on a connection. */
interface TlsStart {
  /** The encrypted connection, once the certificate is verified. */
  handshake(): Promise<Socket>;
  close(): void;
}

async function startTls(tcp: Socket, hostname: string, caCerts: readonly string[]): Promise<TlsStart> {
  if (isNode()) {
    const { SecureSocket } = await import("../node_socket.ts");
    return new SecureSocket(tcp as StreamSocket, { hostname, caCerts });
  }
  const tls = await Deno.startTls(tcp as Deno.TcpConn, { hostname, caCerts: [...caCerts] });
  return { handshake: () => tls.handshake().then(() => tls), close: () => tls.close() };
}
