/**
 * The host names and addresses that a certificate is for, and how they are parsed.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";

/** A name or an address, in the form that certificates use. */
export interface Host {
  readonly type: "dns" | "ip";
  readonly value: string;
}

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** No leading zeros, which some programs read as octal. */
const IPV4 = /^(0|[1-9]\d*)(\.(0|[1-9]\d*)){3}$/;

/**
 * Parses a host as people write it: `parley.example`, `*.example.org`, `192.0.2.7`, `2001:db8::7` or `[2001:db8::7]`.
 * Returns names in lower case and ASCII, addresses in their shortest form.
 *
 * @throws {ParleyError} `bad_argument` if `text` is no host, or stands for all addresses (`0.0.0.0`, `::`), to which no
 * client can connect
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
    const message = `clients cannot connect to ${host.value}; name the addresses or names that clients use`;
    throw new ParleyError("bad_argument", message);
  }
  return host;
}

/** The URL parser reads every form of an address, and writes it in one. */
function parseAddress(text: string): Host | undefined {
  const isIPv6 = /^\[?[0-9a-f:.]*:[0-9a-f:.]*\]?$/i.test(text);
  if (!isIPv6 && !IPV4.test(text)) return undefined;
  const bare = text.replace(/^\[(.*)\]$/, "$1");
  const url = URL.parse(isIPv6 ? `http://[${bare}]/` : `http://${bare}/`);
  return url === null ? undefined : { type: "ip", value: url.hostname.replace(/^\[(.*)\]$/, "$1") };
}

function parseName(text: string): Host | undefined {
  // Characters that the URL parser would not read as part of a name.
  if (/[\s/?#@:\\%[\]]/.test(text)) return undefined;
  const wildcard = text.startsWith("*.") ? "*." : "";
  const value = URL.parse(`http://${text.slice(wildcard.length)}/`)?.hostname ?? "";
  const labels = value.split(".");
  // No top-level domain begins with a digit, so this is an address that the URL parser accepts and we do not.
  if (/^\d/.test(labels.at(-1)!)) return undefined;
  if (value.length > 253 || !labels.every((label) => LABEL.test(label))) return undefined;
  // A star stands for one label. Clients do not accept it for a whole top-level domain.
  if (wildcard !== "" && labels.length < 2) return undefined;
  return { type: "dns", value: wildcard + value };
}
