/**
 * The relay of `bench/relay.ts`, which passes all bytes on without parsing them. Its results are the ceiling of this
 * machine and of the load generator: more cannot be measured.
 *
 * @module
 */

import {
  ascii,
  type Broker,
  type Command,
  type Exchange,
  type ProtocolClient,
  type Responder,
} from "./broker.ts";

/** Header bytes before each payload, as in Parley, so that the ceiling counts messages of the same size. */
const HEADER_BYTES = 16;
/** Length of the requests that the relay passes to the responder. It writes the requester into the first four bytes. */
export const REQUEST_BYTES = HEADER_BYTES + 64;

/** The byte that gives a connection its role. Without a role it is echoed. */
export const ROLES = { publisher: 80, subscriber: 83, requester: 81, responder: 82 } as const;

/** The relay, as a server to measure. */
export const relay: Broker = {
  name: "ceiling",
  title: "ceiling",
  supports: ["stream", "echo", "request", "connect", "tls"],
  version: () => Promise.resolve("bench/relay.ts"),
  command({ port, tls }) {
    const program = new URL(tls === undefined ? "../relay.ts" : "../tls_relay.ts", import.meta.url).pathname;
    const files = tls === undefined ? [] : [tls.cert, tls.key];
    return Promise.resolve([Deno.execPath(), "run", "-A", program, String(port), ...files]);
  },
  newClient: () => new RelayClient(),
};

class RelayClient implements ProtocolClient {
  #hasRole = false;

  hello(): Command {
    return echoed(ascii("h"));
  }

  open(_channel: string, subscribe: boolean): Command | undefined {
    if (this.#hasRole) return undefined; // There are no channels: all bytes go to every subscriber.
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
    const request = this.message("", payload);
    return { request, replyBytes: request.length };
  }

  openRequester(): Command {
    return echoed(Uint8Array.of(ROLES.requester));
  }

  request(_channel: string, payload: Uint8Array): Exchange {
    return this.echo(payload);
  }

  openResponder(): Command {
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

function echoed(send: Uint8Array): Command {
  return { send, isAnswered: (answer) => answer.length === send.length };
}
