/**
 * The host names and addresses a certificate is for, and how they are told apart.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";

/** A name or an address, in the one way it is written in a certificate. */
export interface Host {
  readonly type: "dns" | "ip";
  readonly value: string;
}

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Without leading zeros, which some read as octal. */
const IPV4 = /^(0|[1-9]\d*)(\.(0|[1-9]\d*)){3}$/;

/**
 * Reads a host as people write it: `parley.example`, `*.example.org`, `192.0.2.7`, `2001:db8::7` or `[2001:db8::7]`.
 * Names come out in lower case and in ASCII, addresses in their shortest form.
 *
 * @throws {ParleyError} `bad_argument` where it is none, or stands for every address, to which nobody can connect
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseHost } from "./hosts.ts";
 *
 * assertEquals(parseHost("Bücher.example"), { type: "dns", value: "xn--bcher-kva.example" });
 * assertEquals(parseHost("2001:DB8:0::7"), { type: "ip", value: "2001:db8::7" });
 * ```
 */
export function parseHost(text: string): Host {
  const host = parseAddress(text) ?? parseName(text);
  if (host === undefined) {
    const message = `a host is a name or an address, such as parley.example or 192.0.2.7, not ${
      JSON.stringify(text)
    }`;
    throw new ParleyError("bad_argument", message);
  }
  if (host.value === "0.0.0.0" || host.value === "::") {
    const message = `nobody connects to ${host.value}; name the addresses or names that clients use`;
    throw new ParleyError("bad_argument", message);
  }
  return host;
}

/** The URL parser knows every way to write an address, and one way to write it back. */
function parseAddress(text: string): Host | undefined {
  const isIPv6 = /^\[?[0-9a-f:.]*:[0-9a-f:.]*\]?$/i.test(text);
  if (!isIPv6 && !IPV4.test(text)) return undefined;
  const bare = text.replace(/^\[(.*)\]$/, "$1");
  const url = URL.parse(isIPv6 ? `http://[${bare}]/` : `http://${bare}/`);
  return url === null ? undefined : { type: "ip", value: url.hostname.replace(/^\[(.*)\]$/, "$1") };
}

function parseName(text: string): Host | undefined {
  // What the URL parser would read as something other than a name.
  if (/[\s/?#@:\\%[\]]/.test(text)) return undefined;
  const wildcard = text.startsWith("*.") ? "*." : "";
  const value = URL.parse(`http://${text.slice(wildcard.length)}/`)?.hostname ?? "";
  const labels = value.split(".");
  // No top-level domain begins with a digit; the URL parser made an address of it, or failed to.
  if (/^\d/.test(labels.at(-1)!)) return undefined;
  if (value.length > 253 || !labels.every((label) => LABEL.test(label))) return undefined;
  // One star stands for one label; over a whole top-level domain nobody takes it.
  if (wildcard !== "" && labels.length < 2) return undefined;
  return { type: "dns", value: wildcard + value };
}
