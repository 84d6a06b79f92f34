/**
 * Parley: this checkout, or any command that starts a build of it.
 *
 * @module
 */

import { encodeFrame, INBOX, putU32, readHeader, Type } from "../../lib/wire/header.ts";
import { HEADER_BYTES } from "../../lib/limits.ts";
import {
  ascii,
  type Ask,
  type Broker,
  type Exchange,
  output,
  type Responder,
  type Speaker,
  text,
} from "./broker.ts";

/** How this checkout is started where nobody says otherwise. */
export const FROM_SOURCE: readonly string[] = [
  Deno.build.standalone ? "deno" : Deno.execPath(),
  "run",
  "-A",
  new URL("../../server.ts", import.meta.url).pathname,
];

/** Room for the largest work, for builds that have these options. */
const ROOM = { "--max-connections": "20000", "--max-connections-per-address": "20000" };

/** The Parley that `command` starts, under a name of its own. */
export function parley(name: string, title: string, command: readonly string[] = FROM_SOURCE): Broker {
  return {
    name,
    title,
    does: ["stream", "echo", "request", "idle", "connect", "start", "tls"],
    async version() {
      const said = await output(command[0], ...command.slice(1), "--version");
      return said?.trim().split("\n").at(-1);
    },
    async command({ port, dir, tls }) {
      // Quiet: at `info` every connection is worth two lines, which no other server here writes.
      const args = ["--host", "127.0.0.1", "--port", String(port), "--log-level", "warn"];
      if (tls !== undefined) args.push("--tls", "--tls-cert", tls.cert, "--tls-key", tls.key);
      const help = await output(command[0], ...command.slice(1), "--help") ?? "";
      for (const [option, value] of Object.entries({ ...ROOM, "--state": dir, "--certs": dir })) {
        if (help.includes(option)) args.push(option, value);
      }
      return [...command, ...args];
    },
    speak: () => new ParleySpeaker(),
  };
}

/** One Parley session. */
class ParleySpeaker implements Speaker {
  #number = 0;
  #asked = 0;
  readonly #channels = new Map<string, number>();

  hello(): Ask {
    const hello = ascii('{"protocol":"parley/1"}');
    return {
      send: encodeFrame({ type: Type.HELLO }, hello),
      isAnswered: (answer) => {
        const welcome = wholeFrame(answer, Type.WELCOME);
        if (welcome !== undefined) this.#number = welcome.number as number;
        return welcome !== undefined;
      },
    };
  }

  open(channel: string, subscribe: boolean): Ask {
    const header = { type: Type.OPEN, id: ++this.#asked, sender: this.#number };
    return {
      send: encodeFrame(header, ascii(JSON.stringify({ channel, subscribe }))),
      isAnswered: (answer) => {
        const opened = wholeFrame(answer, Type.OPENED);
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

  openEcho(): Ask {
    return this.open("$echo", false);
  }

  echo(payload: Uint8Array): Exchange {
    return this.request("$echo", payload);
  }

  openRequester(channel: string): Ask {
    return this.open(channel, false);
  }

  request(channel: string, payload: Uint8Array): Exchange {
    const header = {
      type: Type.REQUEST,
      id: 1,
      channel: this.#channels.get(channel),
      sender: this.#number,
    };
    const question = encodeFrame(header, payload);
    return {
      question,
      answerBytes: question.length,
      renew(turn) {
        const id = 1 + turn % 0xffff;
        question[2] = id >>> 8;
        question[3] = id;
      },
    };
  }

  openResponder(channel: string): Ask {
    return this.open(channel, true);
  }

  respond(_channel: string, payload: Uint8Array): Responder {
    const requestBytes = HEADER_BYTES + payload.length;
    const sender = this.#number;
    return {
      requestBytes,
      answer(from, at, to, toAt) {
        // To the inbox of who asked (its number and the top bit), under the id it asked with.
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

/** The payload of the control frame of `type` that `bytes` must be, or `undefined` while it is not whole. */
function wholeFrame(bytes: Uint8Array, type: number): Record<string, unknown> | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const header = readHeader(bytes);
  if (bytes.length < HEADER_BYTES + header.length) return undefined;
  const payload = text(bytes.subarray(HEADER_BYTES));
  if (header.type !== type) throw new Error(`Parley answered ${payload}`);
  return JSON.parse(payload);
}
