/**
 * NATS, its core publish/subscribe and request/reply.
 *
 * @module
 */

import {
  ascii,
  type Ask,
  type Broker,
  type Exchange,
  joined,
  output,
  type Responder,
  type Speaker,
  text,
} from "./broker.ts";

const CRLF = ascii("\r\n");
const PING = ascii("PING\r\n"), PONG = ascii("PONG\r\n");
/** How long the part of a reply subject is that changes with each request: as long as nats.go makes it. */
const TOKEN_DIGITS = 8;

/** The NATS server found on the path. */
export const nats: Broker = {
  name: "nats",
  title: "NATS",
  does: ["stream", "echo", "request", "idle", "connect", "start", "tls"],
  async version() {
    return (await output("nats-server", "--version"))?.match(/v?(\d[\w.-]*)/)?.[1];
  },
  async command({ port, dir, tls }) {
    const config = `${dir}/nats.conf`;
    await Deno.writeTextFile(
      config,
      `listen: "127.0.0.1:${port}"
no_system_account: true
max_connections: 65536
logfile: "/dev/null"
${tls === undefined ? "" : `tls { cert_file: "${tls.cert}", key_file: "${tls.key}" }`}
`,
    );
    return ["nats-server", "-c", config];
  },
  speak: () => new NatsSpeaker(),
};

/** One NATS client. A subscription's id is the last two characters of what it is for, so that all are equally long. */
class NatsSpeaker implements Speaker {
  readonly tlsAfterLine = true;
  readonly #inbox = `_INBOX.${crypto.randomUUID().slice(0, 8)}`;

  hello(): Ask {
    return confirmed('CONNECT {"verbose":false,"pedantic":false,"lang":"bench","version":"1"}\r\n');
  }

  open(channel: string, subscribe: boolean): Ask | undefined {
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
    return { question: PING, answerBytes: PONG.length };
  }

  openRequester(): Ask {
    return confirmed(`SUB ${this.#inbox}.* 99\r\n`);
  }

  request(channel: string, payload: Uint8Array): Exchange {
    const before = `PUB ${channel} ${this.#inbox}.`;
    const token = "0".repeat(TOKEN_DIGITS);
    const question = joined(ascii(`${before}${token} ${payload.length}\r\n`), payload, CRLF);
    const answer = joined(ascii(`MSG ${this.#inbox}.${token} 99 ${payload.length}\r\n`), payload, CRLF);
    return {
      question,
      answerBytes: answer.length,
      renew(turn) {
        // Its clients make a new reply subject for each request.
        for (let at = before.length + TOKEN_DIGITS - 1; at >= before.length; at--) {
          question[at] = 0x30 + turn % 10;
          turn = Math.floor(turn / 10);
        }
      },
    };
  }

  openResponder(channel: string): Ask {
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

  /** Some two seconds after a client has come, the server sends it a PING to know the round trip time. */
  strayAt(bytes: Uint8Array, at: number): number {
    return bytes[at] === 0x50 && bytes[at + 1] === 0x49 ? PING.length : 0;
  }
}

/** `said`, and a PING whose PONG says that it has been dealt with. */
function confirmed(said: string): Ask {
  return {
    send: ascii(`${said}PING\r\n`),
    isAnswered(answer) {
      const soFar = text(answer);
      if (soFar.includes("-ERR")) throw new Error(`NATS answered ${soFar}`);
      return soFar.endsWith("PONG\r\n");
    },
  };
}
