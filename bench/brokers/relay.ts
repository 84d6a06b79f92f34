/**
 * The plain relay of `bench/relay.ts`, which understands nothing and passes everything on: what it reaches is the
 * ceiling of this machine and of the load generator, above which nothing could be measured.
 *
 * @module
 */

import { ascii, type Ask, type Broker, type Exchange, type Responder, type Speaker } from "./broker.ts";

/** Header bytes before each payload, as many as Parley's, so that the ceiling is in messages of Parley's size. */
const HEADER_BYTES = 16;
/** How long requests are that the relay passes to the responder; it writes who asked into the first four bytes. */
export const REQUEST_BYTES = HEADER_BYTES + 64;

/** What a connection may become, by the byte it says so with; it starts as an echo. */
export const ROLES = { publisher: 80, subscriber: 83, requester: 81, responder: 82 } as const;

/** Our own relay. */
export const relay: Broker = {
  name: "ceiling",
  title: "ceiling",
  does: ["stream", "echo", "request", "connect", "tls"],
  version: () => Promise.resolve("bench/relay.ts"),
  command({ port, tls }) {
    const program = new URL(tls === undefined ? "../relay.ts" : "../tls_relay.ts", import.meta.url).pathname;
    const files = tls === undefined ? [] : [tls.cert, tls.key];
    return Promise.resolve([Deno.execPath(), "run", "-A", program, String(port), ...files]);
  },
  speak: () => new RelaySpeaker(),
};

class RelaySpeaker implements Speaker {
  #hasRole = false;

  hello(): Ask {
    return echoed(ascii("h"));
  }

  open(_channel: string, subscribe: boolean): Ask | undefined {
    if (this.#hasRole) return undefined; // There are no channels here: everything goes to every subscriber.
    this.#hasRole = true;
    return echoed(Uint8Array.of(subscribe ? ROLES.subscriber : ROLES.publisher));
  }

  message(_channel: string, payload: Uint8Array): Uint8Array {
    const message = new Uint8Array(HEADER_BYTES + payload.length);
    message.set(payload, HEADER_BYTES);
    return message;
  }

  delivery(channel: string, payload: Uint8Array): Uint8Array {
    return this.message(channel, payload);
  }

  openEcho(): undefined {}

  echo(payload: Uint8Array): Exchange {
    const question = this.message("", payload);
    return { question, answerBytes: question.length };
  }

  openRequester(): Ask {
    return echoed(Uint8Array.of(ROLES.requester));
  }

  request(_channel: string, payload: Uint8Array): Exchange {
    return this.echo(payload);
  }

  openResponder(): Ask {
    return echoed(Uint8Array.of(ROLES.responder));
  }

  respond(channel: string, payload: Uint8Array): Responder {
    const requestBytes = this.message(channel, payload).length;
    return {
      requestBytes,
      answer(from, at, to, toAt) {
        for (let i = 0; i < requestBytes; i++) to[toAt + i] = from[at + i];
        return requestBytes;
      },
    };
  }
}

function echoed(send: Uint8Array): Ask {
  return { send, isAnswered: (answer) => answer.length === send.length };
}
