/**
 * Connects to a server over TCP, within a time limit.
 *
 * @module
 */

import { Deadline } from "../deadline.ts";
import { ParleyError } from "../errors.ts";
import type { Socket } from "./socket.ts";

/** The address of a server. */
export interface Target {
  readonly hostname: string;
  readonly port: number;
}

/** Whether data sent to `hostname` stays on this machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/**
 * Connects over TCP.
 *
 * @param withinMs how long connecting may take, in milliseconds
 * @throws {ParleyError} `unreachable`, with the reason and what to try
 */
export async function dial({ hostname, port }: Target, withinMs: number): Promise<Socket> {
  const where = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const connecting = Deno.connect({ hostname, port });
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const deadline = new Deadline(withinMs, () => resolve("late"));
  try {
    const result = await Promise.race([connecting, late]);
    if (result === "late") {
      // It may still succeed later; the connection would leak.
      connecting.then((socket) => socket.close(), () => {});
      throw new ParleyError(
        "unreachable",
        `no answer from ${where} within ${
          withinMs / 1000
        } s; check the address, and that no firewall blocks it`,
      );
    }
    result.setNoDelay(true);
    return result;
  } catch (error) {
    if (error instanceof ParleyError) throw error;
    throw new ParleyError("unreachable", unreachable(where, error), { cause: error });
  } finally {
    deadline.stop();
  }
}

function unreachable(where: string, error: unknown): string {
  if (error instanceof Deno.errors.ConnectionRefused) {
    return `nothing listens on ${where}; start a server there (parley-server), or name another with --url`;
  }
  if (error instanceof Deno.errors.NotCapable) {
    return `not permitted to connect to ${where}; run with --allow-net`;
  }
  const reason = error instanceof Error ? error.message : String(error);
  return `cannot connect to ${where}: ${reason}; check the name and the network`;
}
