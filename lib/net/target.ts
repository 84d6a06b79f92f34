/**
 * The address of a server.
 *
 * @module
 */

/** The address of a server. */
export interface Target {
  readonly hostname: string;
  readonly port: number;
}

/** `host:port`, an IPv6 address in brackets. */
export function formatTarget({ hostname, port }: Target): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** Whether data sent to `hostname` stays on this machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127(\.\d{1,3}){3}$/.test(hostname);
}
