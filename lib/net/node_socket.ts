/**
 * Connections for runtimes that have `node:net` but no `Deno`: Node and Bun. Only `dial.ts` and `tls/dial.ts` load it,
 * and only there.
 *
 * @module
 */

import { connect, isIP, type Socket as NodeSocket } from "node:net";
import { connect as secure, rootCertificates } from "node:tls";
import type { Socket } from "./socket.ts";

/** What a connection needs of its target. */
interface Target {
  readonly hostname: string;
  readonly port: number;
}

/** Connects over TCP. `signal` gives up, and closes what was opened. */
export async function connectTcp({ hostname, port }: Target, signal: AbortSignal): Promise<StreamSocket> {
  signal.throwIfAborted();
  const socket = connect({ host: hostname, port, noDelay: true });
  const aborted = () => socket.destroy(signal.reason);
  signal.addEventListener("abort", aborted);
  try {
    await happens(socket, "connect");
  } finally {
    signal.removeEventListener("abort", aborted);
  }
  return new StreamSocket(socket);
}

/** Begins TLS on a TCP connection. `handshake` fails if the certificate is not valid for `hostname`. */
export class SecureSocket {
  readonly #socket: NodeSocket;

  /** `caCerts` are trusted beside those of the runtime, each in PEM. */
  constructor(tcp: StreamSocket, { hostname, caCerts }: { hostname: string; caCerts: readonly string[] }) {
    this.#socket = secure({
      socket: tcp.stream,
      host: hostname, // the certificate must be for it
      servername: isIP(hostname) === 0 ? hostname : "",
      ca: caCerts.length === 0 ? undefined : [...rootCertificates, ...caCerts],
    });
  }

  /** The encrypted connection, once the handshake is done. */
  async handshake(): Promise<StreamSocket> {
    await happens(this.#socket, "secureConnect").catch((error) => {
      throw explained(error);
    });
    return new StreamSocket(this.#socket);
  }

  /** Closes it. */
  close(): void {
    this.#socket.destroy();
  }
}

/** A stream of `node:net` or `node:tls` as a {@linkcode Socket}. */
export class StreamSocket implements Socket {
  /** The stream, paused. */
  readonly stream: NodeSocket;
  /** What was taken from the stream and did not fit the last read. */
  #rest: Uint8Array | undefined;
  #error: Error | undefined;
  #isEnded = false;
  #wake: (() => void) | undefined;

  constructor(stream: NodeSocket) {
    this.stream = stream;
    const wake = () => {
      this.#wake?.();
      this.#wake = undefined;
    };
    stream.on("readable", wake);
    stream.on("end", () => {
      this.#isEnded = true;
      wake();
    });
    stream.on("error", (error) => this.#error ??= error);
    stream.on("close", () => {
      this.#error ??= new Error("the connection is closed");
      wake();
    });
  }

  async read(bytes: Uint8Array): Promise<number | null> {
    while (true) {
      const chunk = this.#rest ?? this.stream.read() as Uint8Array | null;
      if (chunk !== null) {
        const count = Math.min(chunk.length, bytes.length);
        bytes.set(chunk.subarray(0, count));
        this.#rest = count < chunk.length ? chunk.subarray(count) : undefined;
        return count;
      }
      if (this.#isEnded) return null;
      if (this.#error !== undefined) throw this.#error;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.stream.write(bytes, (error) => error ? reject(error) : resolve(bytes.length));
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.stream.end(() => resolve()));
  }

  close(): void {
    this.stream.destroy();
  }
}

/** Resolves when `event` happens; rejects if the stream fails or closes before. */
function happens(socket: NodeSocket, event: "connect" | "secureConnect"): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = () => failed(new Error("UnexpectedEof"));
    const end = () => socket.off(event, happened).off("error", failed).off("close", closed);
    const happened = () => {
      end();
      resolve();
    };
    const failed = (error: Error) => {
      end();
      socket.on("error", () => {}); // a late one would end the process
      reject(error);
    };
    socket.once(event, happened).once("error", failed).once("close", closed);
  });
}

/** The names that Deno gives the failures of a handshake, by those of OpenSSL. `tls/reasons.ts` explains them. */
const NAMES: readonly (readonly [RegExp, string])[] = [
  [/SELF_SIGNED|UNABLE_TO_GET_ISSUER|UNABLE_TO_VERIFY/, "invalid peer certificate: UnknownIssuer"],
  [/CERT_HAS_EXPIRED/, "invalid peer certificate: certificate expired"],
  [/CERT_NOT_YET_VALID/, "invalid peer certificate: certificate not valid yet"],
  [/ALTNAME_INVALID/, "invalid peer certificate: certificate not valid for name"],
  [/WRONG_VERSION_NUMBER|PACKET_LENGTH|EPROTO/, "received corrupt message"],
  [/ALERT|UNSUPPORTED_PROTOCOL|NO_CIPHERS/, "received fatal alert"],
];

function explained(error: Error & { code?: string }): Error {
  const name = NAMES.find(([pattern]) => pattern.test(error.code ?? ""))?.[1];
  return name === undefined ? error : new Error(`${name}: ${error.message}`, { cause: error });
}
