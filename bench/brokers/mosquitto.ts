/**
 * Mosquitto: MQTT 3.1.1 at QoS 0. It has no request/reply.
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
} from "./broker.ts";

/** The Mosquitto on the PATH. */
export const mosquitto: Broker = {
  name: "mosquitto",
  title: "Mosquitto",
  supports: ["stream", "echo", "idle", "connect", "start", "library"],
  async version() {
    return (await output("mosquitto", "-h"))?.match(/mosquitto version (\S+)/)?.[1];
  },
  async command({ port, dir }) {
    const config = `${dir}/mosquitto.conf`;
    await Deno.writeTextFile(
      config,
      `listener ${port} 127.0.0.1
allow_anonymous true
persistence false
log_dest none
sys_interval 0
set_tcp_nodelay true
max_queued_messages 0
`,
    );
    return ["mosquitto", "-c", config];
  },
  newClient: () => new MqttClient(),
};

/** Types of packets, with the flags that a type must have. */
export const CONNECT = 0x10, PUBLISH = 0x30, SUBSCRIBE = 0x82;
const PINGREQ = Uint8Array.of(0xc0, 0), PINGRESP_BYTES = 2;

/** One MQTT client. */
class MqttClient implements ProtocolClient {
  hello(): Command {
    return asking(packet(CONNECT, connectBody(crypto.randomUUID().slice(0, 13), true)), 4);
  }

  open(channel: string, subscribe: boolean): Command | undefined {
    if (!subscribe) return undefined;
    const packetId = Uint8Array.of(0, 1), qos = Uint8Array.of(0);
    return asking(packet(SUBSCRIBE, joined(packetId, prefixed(ascii(channel)), qos)), 5);
  }

  message(channel: string, payload: Uint8Array): Uint8Array {
    return packet(PUBLISH, joined(prefixed(ascii(channel)), payload));
  }

  delivery(channel: string, payload: Uint8Array): Uint8Array {
    return this.message(channel, payload);
  }

  openEcho(): undefined {}

  echo(): Exchange {
    return { request: PINGREQ, replyBytes: PINGRESP_BYTES };
  }
}

/** The body of a CONNECT, without keep-alive; if not `isClean`, the server keeps the session. */
export function connectBody(id: string, isClean: boolean): Uint8Array {
  const flags = isClean ? 2 : 0, keepAlive = [0, 0];
  return joined(prefixed(ascii("MQTT")), Uint8Array.of(4, flags, ...keepAlive), prefixed(ascii(id)));
}

/** CONNACK and SUBACK end with a code, which is 0 on success. */
export function asking(send: Uint8Array, replyBytes: number): Command {
  return {
    send,
    isAnswered(answer) {
      if (answer.length < replyBytes) return false;
      if (answer[replyBytes - 1] !== 0) throw new Error(`Mosquitto answered [${answer}]`);
      return true;
    },
  };
}

/** A packet: its type, the length of `body` in groups of seven bits, `body`. */
export function packet(type: number, body: Uint8Array): Uint8Array {
  const header = [type];
  let length = body.length;
  do {
    const more = length > 0x7f ? 0x80 : 0;
    header.push(length & 0x7f | more);
    length >>>= 7;
  } while (length > 0);
  return joined(Uint8Array.from(header), body);
}

/** An MQTT string: two bytes of length, then the text. */
export function prefixed(bytes: Uint8Array): Uint8Array {
  return joined(Uint8Array.of(bytes.length >>> 8, bytes.length), bytes);
}
