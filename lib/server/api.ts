/**
 * What a program sees of a server: its options, and what can be asked of it while it runs.
 *
 * @module
 */

import type { Limits } from "../limits.ts";
import type { Log } from "../logging/log.ts";

/**
 * The options of a server. A value of the wrong type or out of range and an unknown name are errors. On an address that
 * is not loopback, `auth` and `tls` are required unless `insecure` is set.
 */
export interface ServeOptions {
  /**
   * The address to listen on; `localhost` is both 127.0.0.1 and ::1. Default: 127.0.0.1, which only this machine can
   * reach.
   */
  hostname?: string;
  /** The port to listen on, 0 to 65535; 0, the default, takes a free one. */
  port?: number;
  /**
   * Whether clients need a token: one of this server, or, if it says whose, also one of another issuer. Default: any
   * client may connect and do everything.
   */
  auth?: boolean | ExternalIssuerOptions;
  /** The folder of keys and tokens. Default: `parley-state`. Used with `auth` only. */
  state?: string;
  /** Encrypts: `true` with a certificate made here, or with one in PEM files. Default: plain TCP. */
  tls?: boolean | CertificateFiles;
  /** The folder of the certificates made here. Default: `certs`. */
  certs?: string;
  /** The names and addresses a certificate made here is for. Default: `hostname` and this machine's loopback names. */
  hosts?: readonly string[];
  /** Lets other machines connect without tokens or without TLS, with a warning in the log. Default: that is an error. */
  insecure?: boolean;
  /**
   * The id of the first session, 1 to 2,147,483,647. Default: a random one of at most seven digits, so that an id from
   * before a restart does not reach another session.
   */
  firstSessionId?: number;
  /** Limits and deadlines other than the default ones; each has a range of whole numbers. */
  limits?: Partial<Limits>;
  /** The channels that are stored. The first entry that covers a channel decides. Default: none. */
  stored?: readonly StoredChannelOptions[];
  /**
   * The folder of durable channels, made if there is none. Default: `store` in the folder `state`. No two servers may
   * have the same.
   */
  store?: string;
  /**
   * Serves health, WebSockets and more over HTTP, over HTTPS if `tls` is on. Default: nothing listens. Needs
   * `--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE`: the library for WebSockets looks at these two.
   */
  web?: WebServerOptions;
  /**
   * What clients are shown that ask for the configuration (`$stats.config`): each option, its value and where that came
   * from. It must hold no secret. Default: what is given here.
   */
  config?: () => readonly { readonly option: string; readonly value: string; readonly source: string }[];
  /** Where to log. Default: LogTape's logger `parley`, silent unless your program configures it. */
  log?: Log;
}

/**
 * How the channels that a name or pattern covers are stored. Bounds are whole numbers, and each channel has them for
 * itself; `limits.storeBytes` and `limits.historyBytes` bound all channels together.
 */
export interface StoredChannelOptions {
  /** The channels: a name, or a pattern such as `orders.>`. */
  readonly channels: string;
  /** `durable`: on disk, before any subscriber receives it. `history`: in memory, until the server ends. */
  readonly storage: "durable" | "history";
  /** How long a message is kept, in milliseconds, 1,000 to 3,153,600,000,000. Default: without end. */
  readonly maxAgeMs?: number;
  /** How many bytes are kept, headers included, from 1,024 on. Default: no bound. */
  readonly maxBytes?: number;
  /** How many messages are kept, from 1 on. Default: 10,000 of a channel with history, no bound of a durable one. */
  readonly maxMessages?: number;
  /**
   * What happens at these bounds: the oldest messages of the channel go, or new ones are
   * refused as `not_stored`. Default: `refuse` for a durable channel with neither `maxBytes`
   * nor `maxMessages`, so that nothing is lost unasked; else `drop-old`.
   */
  readonly full?: "drop-old" | "refuse";
}

/**
 * An issuer of tokens besides the server, such as the backend of a web application: JWTs with an expiry, and with the
 * grants in a claim `parley`, `{ publish?, subscribe?, respond?, direct?, monitor?, admin? }`.
 */
export interface ExternalIssuerOptions {
  /**
   * Where its public keys are, for EdDSA (Ed25519), ES256 or RS256: paths of files and `https:` URLs, each with a JWK set
   * or PEM. `http:` is for URLs on this machine only.
   */
  readonly keys: string | readonly string[];
  /** The `iss` that its tokens must have, 1 to 256 characters. */
  readonly issuer: string;
  /** The `aud` that they must be for, 1 to 256 characters. */
  readonly audience: string;
  /** How far ahead they may expire, in seconds, 60 to 2,592,000 (30 days). Default: 86,400, a day. */
  readonly maxLifetimeSeconds?: number;
}

/** A certificate that the operator or another program maintains. */
export interface CertificateFiles {
  /** Path of the certificate chain, PEM. */
  readonly certificateFile: string;
  /** Path of its private key, PEM. Default: the key is in `certificateFile`. */
  readonly keyFile?: string;
}

/** Where and for whom a server answers HTTP. */
export interface WebServerOptions {
  /** The address to listen on. Default: that of the server. One that is not loopback needs `auth` and `tls`, too. */
  readonly hostname?: string;
  /** The port to listen on, 0 to 65535; 0 takes a free one. */
  readonly port: number;
  /** Pages of other origins that may use it, such as `https://app.example`. Default: only its own. */
  readonly origins?: readonly string[];
}

/** A running server. Disposing of it is closing it. */
export interface Server extends AsyncDisposable {
  /** The address it listens on; the first one if there are several. */
  readonly hostname: string;
  /** The port it listens on. */
  readonly port: number;
  /** What clients connect to: `parley://127.0.0.1:7253`, or `parleys://` with TLS. */
  readonly url: string;
  /** Where it answers HTTP: `http://127.0.0.1:7254`, or `https://` with TLS; `undefined` without the option `web`. */
  readonly webUrl: string | undefined;
  /** How many clients are connected, greeted or not. */
  readonly sessions: number;
  /** The authority clients must trust, PEM, if the certificate was made here. */
  readonly authority: string | undefined;
  /**
   * Looks at once whether certificate, tokens or keys of another issuer have changed, which it does by itself from time
   * to time.
   */
  reload(): Promise<void>;
  /** Stops accepting, says BYE to all, and resolves once everything is written, or after the drain time. */
  close(): Promise<void>;
}
