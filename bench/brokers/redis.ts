/**
 * Redis, its publish/subscribe. It has no request/reply.
 *
 * @module
 */

import { ascii, type Ask, type Broker, type Exchange, joined, output, type Speaker, text } from "./broker.ts";

/** The Redis server found on the path. */
export const redis: Broker = {
  name: "redis",
  title: "Redis",
  does: ["stream", "echo", "idle", "connect", "start"],
  async version() {
    return (await output("redis-server", "--version"))?.match(/v=(\S+)/)?.[1];
  },
  command({ port, dir }) {
    return Promise.resolve([
      ...["redis-server", "--bind", "127.0.0.1", "--port", String(port), "--dir", dir],
      ...["--save", "", "--appendonly", "no", "--maxclients", "20000", "--loglevel", "warning"],
      // The generator's window bounds what waits; Redis would cut a subscriber off at 32 MB.
      ...["--client-output-buffer-limit", "pubsub 0 0 0"],
    ]);
  },
  speak: () => new RedisSpeaker(),
};

/** One Redis client. */
class RedisSpeaker implements Speaker {
  hello(): Ask {
    return asking(command("PING"), (answer) => answer === "+PONG\r\n");
  }

  open(channel: string, subscribe: boolean): Ask {
    if (subscribe) {
      return asking(command("SUBSCRIBE", channel), (answer) => /\r\n:\d+\r\n$/.test(answer));
    }
    // A publisher of this server can do without the answer to each PUBLISH, which makes it faster.
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
    return { question: command("ECHO", payload), answerBytes: bulk(payload).length };
  }
}

function asking(send: Uint8Array, isWhole: (answer: string) => boolean): Ask {
  return {
    send,
    isAnswered(answer) {
      const soFar = text(answer);
      if (soFar.startsWith("-")) throw new Error(`Redis answered ${soFar}`);
      return isWhole(soFar);
    },
  };
}

/** A command, which is written as an array; what Redis delivers looks the same. */
function command(...words: (string | Uint8Array)[]): Uint8Array {
  return joined(ascii(`*${words.length}\r\n`), ...words.map(bulk));
}

function bulk(word: string | Uint8Array): Uint8Array {
  const bytes = typeof word === "string" ? ascii(word) : word;
  return joined(ascii(`$${bytes.length}\r\n`), bytes, ascii("\r\n"));
}
