/**
 * Redis: publish/subscribe. It has no request/reply.
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
  text,
} from "./broker.ts";

/** The Redis server on the PATH. */
export const redis: Broker = {
  name: "redis",
  title: "Redis",
  supports: ["stream", "echo", "idle", "connect", "start", "library"],
  async version() {
    return (await output("redis-server", "--version"))?.match(/v=(\S+)/)?.[1];
  },
  command({ port, dir }) {
    return Promise.resolve([
      ...["redis-server", "--bind", "127.0.0.1", "--port", String(port), "--dir", dir],
      ...["--save", "", "--appendonly", "no", "--maxclients", "20000", "--loglevel", "warning"],
      // The generator's window limits pending bytes; by default Redis disconnects a subscriber at 32 MB.
      ...["--client-output-buffer-limit", "pubsub 0 0 0"],
    ]);
  },
  newClient: () => new RedisClient(),
};

/** One Redis client. */
class RedisClient implements ProtocolClient {
  hello(): Command {
    return asking(command("PING"), (answer) => answer === "+PONG\r\n");
  }

  open(channel: string, subscribe: boolean): Command {
    if (subscribe) {
      return asking(command("SUBSCRIBE", channel), (answer) => /\r\n:\d+\r\n$/.test(answer));
    }
    // A Redis publisher can turn off the answer to each PUBLISH, which is faster.
    return asking(command("CLIENT", "REPLY", "OFF"), () => true);
  }

  message(channel: string, payload: Uint8Array): Uint8Array {
    return command("PUBLISH", channel, payload);
  }

  delivery(channel: string, payload: Uint8Array): Uint8Array {
    return command("message", channel, payload);
  }

  openEcho(): undefined {}

  echo(payload: Uint8Array): Exchange {
    return { request: command("ECHO", payload), replyBytes: bulk(payload).length };
  }
}

/** `send`, and a check of the whole answer. Throws if it is an error. */
export function asking(send: Uint8Array, isComplete: (answer: string) => boolean): Command {
  return {
    send,
    isAnswered(answer) {
      const soFar = text(answer);
      if (soFar.startsWith("-")) throw new Error(`Redis answered ${soFar}`);
      return isComplete(soFar);
    },
  };
}

/** A command, encoded as an array. Redis encodes deliveries in the same way. */
export function command(...words: (string | Uint8Array)[]): Uint8Array {
  return joined(ascii(`*${words.length}\r\n`), ...words.map(bulk));
}

/** A bulk string. */
export function bulk(word: string | Uint8Array): Uint8Array {
  const bytes = typeof word === "string" ? ascii(word) : word;
  return joined(ascii(`$${bytes.length}\r\n`), bytes, ascii("\r\n"));
}
