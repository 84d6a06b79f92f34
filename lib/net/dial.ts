/**
 * Connects to a server over TCP, within a time limit.
 *
 * @module
 */

import { Deadline } from "../deadline.ts";
import { ParleyError } from "../errors.ts";
import type { Socket } from "./socket.ts";
import { formatTarget, type Target } from "./target.ts";

/**
 * Connects over TCP.
 *
 * @param withinMs how long connecting may take, in milliseconds
 * @param signal gives up: the call rejects with its reason
 * @throws {ParleyError} `unreachable`, with the reason and what to try
 */
export async function dial(
  target: Target,
  withinMs: number,
  signal?: AbortSignal,
): Promise<Socket> {
  const where = formatTarget(target);
  signal?.throwIfAborted();
  const giveUp = new AbortController();
  const connecting = open(target, giveUp.signal);
  let aborted!: () => void;
  const late = new Promise<"late">((resolve) => aborted = () => resolve("late"));
  const deadline = new Deadline(withinMs, aborted);
  signal?.addEventListener("abort", aborted);
  try {
    const result = await Promise.race([connecting, late]);
    if (result === "late") {
      giveUp.abort(); // a pending attempt keeps the process alive for minutes
      // It may still succeed; the connection would leak.
      connecting.then((socket) => socket.close(), () => {});
      signal?.throwIfAborted();
      const advice = "check the address, and that no firewall blocks it";
      throw new ParleyError("unreachable", `no answer from ${where} within ${withinMs / 1000} s; ${advice}`);
    }
    if (!isNode()) (result as Deno.TcpConn).setNoDelay(true);
    return result;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ParleyError) throw error;
    throw new ParleyError("unreachable", unreachable(where, error), { cause: error });
  } finally {
    deadline.stop();
    signal?.removeEventListener("abort", aborted);
  }
}

/** Opens a connection with what this runtime has. */
async function open(target: Target, signal: AbortSignal): Promise<Socket> {
  if (isNode()) return await (await import("./node_socket.ts")).connectTcp(target, signal);
  return await Deno.connect({ ...target, signal });
}

/** Whether this is Node, or Bun, rather than Deno. */
export function isNode(): boolean {
  return !("Deno" in globalThis);
}

function unreachable(where: string, error: unknown): string {
  const { name, code } = error as { name?: string; code?: string };
  if (code === "ECONNREFUSED" || name === "ConnectionRefused") {
    return `nothing listens on ${where}; start a server there, or connect to another`;
  }
  if (name === "NotCapable") {
    return `not permitted to connect to ${where}; allow it to use the network`;
  }
  const reason = error instanceof Error ? error.message : String(error);
  return `cannot connect to ${where}: ${reason}; check the name and the network`;
}
