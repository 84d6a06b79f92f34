/**
 * What a program sees of a server: its options, and what can be asked of it while it runs.
 *
 * @module
 */

import type { Limits } from "../limits.ts";
import type { Log } from "../logging/log.ts";

/** What a server may be told; all of it may be left out. */
export interface ServeOptions {
  /** The address to listen on. Default: 127.0.0.1, this machine only. */
  hostname?: string;
  /** The port to listen on; 0, the default, takes a free one. */
  port?: number;
  /** Whether only who has a token gets in. Default: everybody may come in and do everything. */
  auth?: boolean;
  /** The folder of keys and tokens, made where it is missing. Default: `parley-state`. Used with `auth` only. */
  state?: string;
  /** Encrypts: `true` with a certificate made here, or with one in two PEM files. Default: plain TCP. */
  tls?: boolean | CertificateFiles;
  /** The folder of the certificates made here. Default: `certs`. */
  certs?: string;
  /** The names and addresses a certificate made here is for. Default: `hostname` and this machine's loopback names. */
  hosts?: readonly string[];
  /** Bounds and deadlines other than the usual ones. */
  limits?: Partial<Limits>;
  /** Where to log. Default: LogTape's logger `parley`, silent unless your program configures it. */
  log?: Log;
}

/** A certificate somebody else looks after. */
export interface CertificateFiles {
  /** Path of the certificate chain, PEM. */
  readonly certificateFile: string;
  /** Path of its private key, PEM. */
  readonly keyFile: string;
}

/** A running server. Disposing of it is closing it. */
export interface Server extends AsyncDisposable {
  /** The address it listens on. */
  readonly hostname: string;
  /** The port it took. */
  readonly port: number;
  /** What clients connect to: `parley://127.0.0.1:7253`, or `parleys://` where it encrypts. */
  readonly url: string;
  /** How many clients are connected, greeted or not. */
  readonly sessions: number;
  /** The authority clients must trust, PEM, where the certificate was made here. */
  readonly authority: string | undefined;
  /** Looks at once whether certificate or tokens have changed, which it does by itself once a minute or second. */
  reload(): Promise<void>;
  /** Stops accepting, says BYE to all, and resolves once everything is written, or after the drain time. */
  close(): Promise<void>;
}
