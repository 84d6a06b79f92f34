/**
 * NATS: core publish/subscribe and request/reply.
 *
 * @module
 */

import {
  ascii,
  type Broker,
  type Command,
  type Exchange,
  joined,
  output,
  type ProtocolClient,
  type Responder,
  text,
} from "./broker.ts";

const CRLF = ascii("\r\n");
const PING = ascii("PING\r\n"), PONG = ascii("PONG\r\n");
/** Length of the part of a reply subject that changes with each request, as in nats.go. */
const TOKEN_DIGITS = 8;

/** The NATS server on the PATH. */
export const nats: Broker = {
  name: "nats",
  title: "NATS",
  supports: [
    ...[
      "stream",
      "echo",
      "request",
      "idle",
      "connect",
      "start",
      "tls",
      "library",
      "library-request",
    ] as const,
    ...["web-socket", "web-socket-echo"] as const,
  ],
  webSocket: { path: "/" },
  async version() {
    return (await output("nats-server", "--version"))?.match(/v?(\d[\w.-]*)/)?.[1];
  },
  async command({ port, dir, tls, entrance }) {
    const config = `${dir}/nats.conf`;
    await Deno.writeTextFile(
      config,
      `listen: "127.0.0.1:${entrance === "web-socket" ? -1 : port}"
${entrance === "web-socket" ? `websocket { listen: "127.0.0.1:${port}", no_tls: true }` : ""}
no_system_account: true
max_connections: 65536
logfile: "/dev/null"
${tls === undefined ? "" : `tls { cert_file: "${tls.cert}", key_file: "${tls.key}" }`}
`,
    );
    return ["nats-server", "-c", config];
  },
  newClient: () => new NatsClient(),
};

/** One NATS client. A subscription id is the last two characters of its channel, so that all have the same length. */
class NatsClient implements ProtocolClient {
  readonly tlsAfterLine = true;
  readonly #inbox = `_INBOX.${crypto.randomUUID().slice(0, 8)}`;

  hello(): Command {
    return confirmed('CONNECT {"verbose":false,"pedantic":false,"lang":"bench","version":"1"}\r\n');
  }

  open(channel: string, subscribe: boolean): Command | undefined {
    return subscribe ? confirmed(`SUB ${channel} ${channel.slice(-2)}\r\n`) : undefined;
  }

  message(channel: string, payload: Uint8Array): Uint8Array {
    return joined(ascii(`PUB ${channel} ${payload.length}\r\n`), payload, CRLF);
  }

  delivery(channel: string, payload: Uint8Array): Uint8Array {
    return joined(ascii(`MSG ${channel} ${channel.slice(-2)} ${payload.length}\r\n`), payload, CRLF);
  }

  openEcho(): undefined {}

  echo(): Exchange {
    return { request: PING, replyBytes: PONG.length };
  }

  openRequester(): Command {
    return confirmed(`SUB ${this.#inbox}.* 99\r\n`);
  }

  request(channel: string, payload: Uint8Array): Exchange {
    const before = `PUB ${channel} ${this.#inbox}.`;
    const token = "0".repeat(TOKEN_DIGITS);
    const request = joined(ascii(`${before}${token} ${payload.length}\r\n`), payload, CRLF);
    const answer = joined(ascii(`MSG ${this.#inbox}.${token} 99 ${payload.length}\r\n`), payload, CRLF);
    return {
      request,
      replyBytes: answer.length,
      renew(count) {
        // NATS clients use a new reply subject for each request.
        for (let at = before.length + TOKEN_DIGITS - 1; at >= before.length; at--) {
          request[at] = 0x30 + count % 10;
          count = Math.floor(count / 10);
        }
      },
    };
  }

  openResponder(channel: string): Command {
    return confirmed(`SUB ${channel} ${channel.slice(-2)}\r\n`);
  }

  respond(channel: string, payload: Uint8Array): Responder {
    const before = `MSG ${channel} ${channel.slice(-2)} `;
    const replyTo = this.#inbox.length + 1 + TOKEN_DIGITS;
    const tail = joined(ascii(` ${payload.length}\r\n`), payload, CRLF);
    const PUB = ascii("PUB ");
    return {
      requestBytes: before.length + replyTo + tail.length,
      answer(from, at, to, toAt) {
        to.set(PUB, toAt);
        for (let i = 0; i < replyTo; i++) to[toAt + 4 + i] = from[at + before.length + i];
        to.set(tail, toAt + 4 + replyTo);
        return 4 + replyTo + tail.length;
      },
    };
  }

  /** Some two seconds after a client has connected, the server sends a PING to measure the round trip time. */
  unsolicitedAt(bytes: Uint8Array, at: number): number {
    return bytes[at] === 0x50 && bytes[at + 1] === 0x49 ? PING.length : 0;
  }
}

/** `line`, followed by a PING whose PONG confirms that the line was processed. */
function confirmed(line: string): Command {
  return {
    send: ascii(`${line}PING\r\n`),
    isAnswered(answer) {
      const soFar = text(answer);
      if (soFar.includes("-ERR")) throw new Error(`NATS answered ${soFar}`);
      return soFar.endsWith("PONG\r\n");
    },
  };
}
