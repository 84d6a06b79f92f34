/**
 * A bare HTTP server of Node, and a client of any that publishes by HTTP.
 *
 * @module
 */

import {
  ascii,
  type Broker,
  type Command,
  type Exchange,
  joined,
  type ProtocolClient,
  text,
} from "./broker.ts";

/** A handler of `node:http` that reads the body and answers 204: what an HTTP server costs before it does anything. */
export const bareHttp: Broker = {
  name: "node-http",
  title: "node:http",
  supports: ["http"],
  version: () => Promise.resolve(Deno.version.deno),
  command({ port }) {
    const program = new URL("../http_handler.ts", import.meta.url).pathname;
    return Promise.resolve([Deno.execPath(), "run", "-A", program, String(port)]);
  },
  newClient: () => {
    throw new Error("node:http has no sessions");
  },
  newHttpClient: (port) => new HttpClient(port, "/"),
};

/** A connection that posts to `path`. */
export class HttpClient implements ProtocolClient {
  readonly #head: string;
  #replyBytes = 0;

  constructor(port: number, path: string) {
    this.#head =
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/octet-stream\r\n`;
  }

  /** Posts once, to learn how long an answer is: all of them are equally long. */
  hello(): Command {
    return {
      send: this.message("", ascii("a")),
      isAnswered: (answer) => {
        const soFar = text(answer);
        const end = soFar.indexOf("\r\n\r\n");
        if (end < 0) return false;
        if (!soFar.startsWith("HTTP/1.1 2")) throw new Error(`answered ${soFar}`);
        this.#replyBytes = end + 4 + Number(/^content-length: (\d+)/im.exec(soFar)?.[1] ?? 0);
        return answer.length >= this.#replyBytes;
      },
    };
  }

  open(): undefined {}

  message(_channel: string, payload: Uint8Array): Uint8Array {
    return joined(ascii(`${this.#head}Content-Length: ${payload.length}\r\n\r\n`), payload);
  }

  delivery(channel: string, payload: Uint8Array): Uint8Array {
    return this.message(channel, payload);
  }

  openEcho(): undefined {}

  echo(payload: Uint8Array): Exchange {
    return { request: this.message("", payload), replyBytes: this.#replyBytes };
  }
}
