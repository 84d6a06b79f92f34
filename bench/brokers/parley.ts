/**
 * Parley: this checkout, another checkout, or any command that starts a build.
 *
 * @module
 */

import { encodeFrame, INBOX, putU32, readHeader, Type } from "../../lib/wire/header.ts";
import { HEADER_BYTES } from "../../lib/limits.ts";
import {
  ascii,
  type Broker,
  type Command,
  type Exchange,
  output,
  type ProtocolClient,
  type Responder,
  text,
} from "./broker.ts";
import { HttpClient } from "./http.ts";
import { ParleyStoredClient } from "./stored/parley.ts";
import { STORED_KINDS } from "../workloads.ts";

/** The command that starts `program`, a `server.ts`. */
export function fromSource(program: string): readonly string[] {
  return [Deno.build.standalone ? "deno" : Deno.execPath(), "run", "-A", program];
}

/** Starts this checkout. */
export const FROM_SOURCE: readonly string[] = fromSource(
  new URL("../../server.ts", import.meta.url).pathname,
);

/** Enough for the largest workload. */
const CONNECTION_LIMITS = { "--max-connections": "20000", "--max-connections-per-address": "20000" };

/** The build of Parley that `command` starts. */
export function parley(name: string, title: string, command: readonly string[] = FROM_SOURCE): Broker {
  return {
    name,
    title,
    supports: [
      "stream",
      "echo",
      "request",
      "idle",
      "connect",
      "start",
      "tls",
      "library",
      "library-request",
      ...["web-socket", "web-socket-echo", "http"] as const,
      ...STORED_KINDS,
    ],
    durability: "fsync before the receipt",
    async version() {
      const printed = await output(command[0], ...command.slice(1), "--version");
      return printed?.trim().split("\n").at(-1);
    },
    async command({ port, dir, tls, isStored, entrance }) {
      // At `info` every connection logs two lines, which no other server here does.
      const args = ["--host", "127.0.0.1", "--log-level", "warn"];
      if (entrance === "tcp") args.push("--port", String(port));
      else args.push("--port", "0", "--web", String(port));
      if (tls !== undefined) args.push("--tls", "--tls-cert", tls.cert, "--tls-key", tls.key);
      // Other builds may lack an option, or have it under another name: only what their help lists is passed.
      const help = await output(command[0], ...command.slice(1), "--help") ?? "";
      for (
        const [option, value] of Object.entries({ ...CONNECTION_LIMITS, "--state": dir, "--certs": dir })
      ) {
        if (help.includes(option)) args.push(option, value);
      }
      if (isStored) {
        if (!help.includes("--durable")) throw new Error("this build has no stored channels");
        args.push("--durable", "bench.>", "--store", `${dir}/store`);
      }
      return [...command, ...args];
    },
    newClient: () => new ParleyClient(),
    webSocket: { path: "/parley", protocol: "parley.1" },
    newHttpClient: (port) => new HttpClient(port, "/publish/bench.00"),
    newStoredClient: () => new ParleyStoredClient(),
  };
}

/** One Parley session. */
export class ParleyClient implements ProtocolClient {
  #number = 0;
  #lastId = 0;
  readonly #channels = new Map<string, number>();

  /** The session number, from the answer to `hello`. */
  get number(): number {
    return this.#number;
  }

  hello(): Command {
    const hello = ascii('{"protocol":"parley/1"}');
    return {
      send: encodeFrame({ type: Type.HELLO }, hello),
      isAnswered: (answer) => {
        const welcome = completeFrame(answer, Type.WELCOME);
        if (welcome !== undefined) this.#number = welcome.number as number;
        return welcome !== undefined;
      },
    };
  }

  open(channel: string, subscribe: boolean, respond = false): Command {
    const header = { type: Type.OPEN, id: ++this.#lastId, sender: this.#number };
    return {
      send: encodeFrame(header, ascii(JSON.stringify({ channel, subscribe, respond }))),
      isAnswered: (answer) => {
        const opened = completeFrame(answer, Type.OPENED);
        if (opened !== undefined) this.#channels.set(channel, opened.number as number);
        return opened !== undefined;
      },
    };
  }

  message(channel: string, payload: Uint8Array): Uint8Array {
    const number = this.#channels.get(channel);
    return encodeFrame({ type: Type.MESSAGE, channel: number, sender: this.#number }, payload);
  }

  delivery(channel: string, payload: Uint8Array): Uint8Array {
    return this.message(channel, payload);
  }

  openEcho(): Command {
    return this.open("$echo", false);
  }

  echo(payload: Uint8Array): Exchange {
    return this.request("$echo", payload);
  }

  openRequester(channel: string): Command {
    return this.open(channel, false);
  }

  request(channel: string, payload: Uint8Array): Exchange {
    const header = {
      type: Type.REQUEST,
      id: 1,
      channel: this.#channels.get(channel),
      sender: this.#number,
    };
    const request = encodeFrame(header, payload);
    return {
      request,
      replyBytes: request.length,
      renew(count) {
        const id = 1 + count % 0xffff;
        request[2] = id >>> 8;
        request[3] = id;
      },
    };
  }

  openResponder(channel: string): Command {
    // Builds without `respond` send requests to subscribers.
    return this.open(channel, true, true);
  }

  respond(_channel: string, payload: Uint8Array): Responder {
    const requestBytes = HEADER_BYTES + payload.length;
    const sender = this.#number;
    return {
      requestBytes,
      answer(from, at, to, toAt) {
        // To the inbox of the requester (its number with the top bit set), under the id of the request.
        for (let i = 0; i < requestBytes; i++) to[toAt + i] = from[at + i];
        to[toAt] = Type.REPLY;
        for (let i = 0; i < 4; i++) to[toAt + 8 + i] = from[at + 12 + i];
        to[toAt + 8] |= INBOX >>> 24;
        putU32(to, toAt + 12, sender);
        return requestBytes;
      },
    };
  }
}

/** The payload of the control frame of `type` in `bytes`, or `undefined` while it is incomplete. */
export function completeFrame(bytes: Uint8Array, type: number): Record<string, unknown> | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const header = readHeader(bytes);
  if (bytes.length < HEADER_BYTES + header.length) return undefined;
  const payload = text(bytes.subarray(HEADER_BYTES));
  if (header.type !== type) throw new Error(`Parley answered ${payload}`);
  return JSON.parse(payload);
}
