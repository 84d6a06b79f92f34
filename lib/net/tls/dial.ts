/**
 * Connecting to a server over TLS, within a time, with every way it can fail told apart.
 *
 * @module
 */

import { type LocalCode, ParleyError } from "../../errors.ts";
import { dial, type Target } from "../dial.ts";
import type { Socket } from "../socket.ts";
import { describeServerFailure } from "./reasons.ts";

/** How to connect over TLS. */
export interface TlsDialOptions {
  /** CAs to trust besides those of the system, each PEM. */
  readonly caCerts?: readonly string[];
  /** How long connecting and handshake may take together, in milliseconds. */
  readonly withinMs: number;
}

/**
 * Connects over TLS 1.2 or 1.3 and checks the server's certificate, for `hostname` and up to a CA. Nothing that is
 * written to the socket can reach anybody else.
 *
 * A server that accepts and then says nothing costs a descriptor for as long as it holds the connection, closed or
 * not: that is how `Deno.TlsConn` closes, and only worth curing where strangers choose the moment (`tls_relay.ts`).
 *
 * @throws {ParleyError} `unreachable`, `untrusted` (its certificate does not hold), `not_parley` (it does not speak
 * TLS) or `bad_argument` (`caCerts` holds no certificate), with the reason and what to try
 */
export async function dialTls(target: Target, { caCerts = [], withinMs }: TlsDialOptions): Promise<Socket> {
  if (caCerts.some((pem) => !pem.includes("-----BEGIN CERTIFICATE-----"))) {
    throw new ParleyError(
      "bad_argument",
      "the CA given holds no certificate in PEM; give the file ca.pem of the server",
    );
  }
  const { hostname, port } = target;
  const where = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const deadline = performance.now() + withinMs;
  // Not `Deno.connectTls`: TLS connections cannot be told not to wait for more to send, but TCP ones can before.
  const tcp = await dial(target, withinMs) as Deno.TcpConn;
  let tls: Deno.TlsConn | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    tls = await Deno.startTls(tcp, { hostname, caCerts: [...caCerts] });
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), Math.max(0, deadline - performance.now()));
    });
    if (await Promise.race([tls.handshake(), late]) !== "late") return tls;
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
    if (error instanceof ParleyError) throw error;
    const { code, text } = describeServerFailure(error, hostname);
    throw new ParleyError(code as LocalCode, `${where} ${text}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
