/**
 * What one hostile connection does. The seed and the attack's index determine all of it.
 *
 * @module
 */

import { MAX_CONTROL_BYTES } from "../../lib/limits.ts";
import { encodeFrame, Type } from "../../lib/wire/header.ts";
import { concat, inbox } from "../harness/raw_client.ts";
import { type Random, seeded } from "../harness/seeded.ts";
import { type Chunk, inChunks } from "./chunks.ts";
import {
  consumerFrame,
  controlFrame,
  conversation,
  helloFrame,
  invalidVectorFrame,
  MAX_PAYLOAD,
  type SessionInfo,
  vectorFrame,
} from "./frames.ts";
import { cut, flipBits, mutateHeader, reorder, splice } from "./mutations.ts";
import { filler, oddHello, oddOpen, openPayload } from "./payloads.ts";

/**
 * How a connection ends: closed at once (a reset if responses are still unread), half-closed and read to the end, or
 * kept open for a while.
 */
export type Ending = "close" | "half-close" | "wait";

/** The plan for one connection. */
export interface Attack {
  /** Its name in reports. */
  readonly kind: string;
  /** Whether it first sends HELLO and waits for WELCOME. */
  readonly handshakes: boolean;
  /** Payloads of the OPENs it then sends, waiting for each OPENED. */
  readonly opens: readonly Record<string, unknown>[];
  /** Whether it reads what the server sends after that. */
  readonly reads: boolean;
  readonly ending: Ending;
  /** How long `wait` lasts, in milliseconds. */
  readonly waitMs: number;
  /** The codes of which the server must send one, if it sends any ERROR; `undefined` if the frames decide. */
  readonly expects?: readonly string[];
  /** What it sends then. Call it once: it advances the attack's generator. */
  chunks(session: SessionInfo): Chunk[];
}

/** One kind of attack: its relative frequency, and what it sends. */
interface Kind {
  readonly weight: number;
  readonly handshakes: boolean;
  /** How many of ten connections read the responses; 7 if left out. */
  readonly readers?: number;
  /** See `Attack.expects`. */
  readonly expects?: readonly string[];
  /** How long it always stays, in milliseconds; random if left out. */
  readonly staysMs?: number;
  make(random: Random, session: SessionInfo): Uint8Array[];
}

const OTHER_PROTOCOLS = [
  "GET / HTTP/1.1\r\nHost: parley\r\nUpgrade: websocket\r\n\r\n",
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "SSH-2.0-OpenSSH_9.6\r\n",
  "*1\r\n$4\r\nPING\r\n",
  'CONNECT {"verbose":false}\r\nPING\r\n',
  "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",
  "",
];

/** Codes of a connection that sent its bytes too late, or that came at a bad time. */
const TOO_LATE = ["timeout", "server_full"];

const times = (count: number, make: (index: number) => Uint8Array) =>
  Array.from({ length: count }, (_, i) => make(i));
const noise = (random: Random) => [filler(random, random.int(random.pick([20, 500, 100_000])))];

/** All kinds of attack, by name. */
export const KINDS: Readonly<Record<string, Kind>> = {
  "noise": { weight: 4, handshakes: false, make: noise },
  "another protocol": {
    weight: 2,
    handshakes: false,
    make: (
      random,
    ) => [new TextEncoder().encode(random.pick(OTHER_PROTOCOLS)), ...noise(random).slice(random.int(2))],
  },
  "odd hello": {
    weight: 4,
    handshakes: false,
    make: (random) => [encodeFrame({ type: Type.HELLO }, oddHello(random)), helloFrame(random)],
  },
  "hello mutated": {
    weight: 4,
    handshakes: false,
    make: (random) => [random.pick([mutateHeader, flipBits, cut])(random, helloFrame(random))],
  },
  "hello and guesses": {
    weight: 4,
    handshakes: false,
    make: (random) => [
      helloFrame(random),
      ...conversation(random, { number: 1 + random.int(random.pick([4, 5000])), channels: [1, 2, 3] }),
    ],
  },
  "no frame at all": {
    weight: 2,
    handshakes: false,
    expects: ["bad_frame", ...TOO_LATE],
    // No frame type has bit 6: the first byte of a text, or of a frame of an unknown type.
    make: (random) => [Uint8Array.of(0x40 + random.int(64)), filler(random, 16 + random.int(200))],
  },
  "another type before hello": {
    weight: 2,
    handshakes: false,
    expects: ["bad_hello", ...TOO_LATE],
    make: (random) => {
      const type = random.pick([
        Type.PING,
        Type.BYE,
        Type.OPEN,
        Type.MESSAGE,
        Type.REQUEST,
        Type.NAK,
        Type.WELCOME,
      ]);
      return [
        encodeFrame({ type, id: random.int(3), channel: random.int(3) }, filler(random, random.int(200))),
      ];
    },
  },
  "control payload over 16 KiB": {
    weight: 1,
    handshakes: true,
    expects: ["too_large", ...TOO_LATE],
    make: (random, session) => {
      const type = random.pick([Type.OPEN, Type.LEAVE, Type.BYE]);
      const channel = "fuzz".padEnd(MAX_CONTROL_BYTES + random.int(1000), ".a");
      return [controlFrame(type, session, { channel, reason: "x" }, type === Type.BYE ? 0 : 1)];
    },
  },
  "consumer frames": {
    weight: 1,
    handshakes: true,
    expects: ["not_durable", "not_open", "forbidden", ...TOO_LATE],
    make: (random, session) => times(1 + random.int(20), () => consumerFrame(random, session)),
  },
  "test vectors before hello": {
    weight: 3,
    handshakes: false,
    make: (random, session) => times(1 + random.int(5), () => invalidVectorFrame(random, session)),
  },
  "conversation": { weight: 6, handshakes: true, make: conversation },
  "header mutated": {
    weight: 8,
    handshakes: true,
    make: (random, session) => mutateOne(random, conversation(random, session), mutateHeader),
  },
  "bits flipped": {
    weight: 5,
    handshakes: true,
    make: (random, session) => mutateOne(random, conversation(random, session), flipBits),
  },
  "stream cut": {
    weight: 5,
    handshakes: true,
    make: (random, session) => [cut(random, concat(conversation(random, session)))],
  },
  "streams joined": {
    weight: 4,
    handshakes: true,
    make: (random, session) => [
      splice(random, concat(conversation(random, session)), concat(conversation(random, session))),
    ],
  },
  "reordered": {
    weight: 3,
    handshakes: true,
    make: (random, session) => reorder(random, [...conversation(random, session), helloFrame(random)]),
  },
  "test vectors": {
    weight: 6,
    handshakes: true,
    make: (random, session) =>
      times(
        1 + random.int(30),
        () => random.int(12) === 0 ? invalidVectorFrame(random, session) : vectorFrame(random, session),
      ),
  },
  "odd control": {
    weight: 5,
    handshakes: true,
    make: (random, { number }) =>
      times(1 + random.int(20), (index) => {
        const type = random.pick([Type.OPEN, Type.OPEN, Type.LEAVE, Type.BYE]);
        return encodeFrame({ type, id: type === Type.BYE ? 0 : 1 + index, sender: number }, oddOpen(random));
      }),
  },
  "noise after hello": { weight: 2, handshakes: true, make: noise },
  "flood of messages": {
    weight: 2,
    handshakes: true,
    readers: 4,
    make: (random, { number, channels }) => {
      const size = random.pick([0, 0, 100, MAX_PAYLOAD]);
      const target = random.pick([...channels, inbox(number), inbox(1), inbox(2)]);
      const frame = encodeFrame(
        { type: Type.MESSAGE, channel: target, sender: number },
        filler(random, size),
      );
      return times(size > 1000 ? 40 : 20_000, () => frame);
    },
  },
  "subscriber that never reads": {
    weight: 1,
    handshakes: true,
    readers: 0,
    staysMs: 3500,
    make: (random, session) => {
      const open = controlFrame(Type.OPEN, session, { channel: "fuzz.unread", subscribe: true }, 99);
      // Channel numbers are sequential, so some attack hits the number of fuzz.unread.
      const channel = random.pick([...session.channels, inbox(session.number), 1 + random.int(20)]);
      const frame = encodeFrame(
        { type: Type.MESSAGE, channel, sender: session.number },
        filler(random, MAX_PAYLOAD),
      );
      return [open, ...times(120, () => frame)];
    },
  },
  "flood of pings": {
    weight: 1,
    handshakes: true,
    readers: 2,
    make: (random, { number }) => {
      const frame = encodeFrame({ type: Type.PING, id: 7, sender: number }, filler(random, random.int(126)));
      return times(10_000, () => frame);
    },
  },
  "flood of opens": {
    weight: 1,
    handshakes: true,
    readers: 5,
    make: (random, session) => {
      const [stem, isPattern] = [random.int(1e6), random.int(2) === 0];
      return times(1500, (index) => {
        const channel = `fuzz.${stem}.${index}${isPattern ? ".*" : ""}`;
        return controlFrame(Type.OPEN, session, { channel, subscribe: true }, 1 + index);
      });
    },
  },
  "requests unanswered": {
    weight: 2,
    handshakes: true,
    make: (random, { number, channels }) =>
      times(1 + random.int(6000), (index) => {
        const channel = random.pick([...channels, 1]);
        return encodeFrame({ type: Type.REQUEST, id: 1 + index % 5000, channel, sender: number });
      }),
  },
};

const BAG = Object.entries(KINDS).flatMap(([name, { weight }]) => new Array<string>(weight).fill(name));

/** Plans attack `index` of the run with `seed`. The same arguments always give the same plan. */
export function planAttack(seed: number, index: number): Attack {
  const random = seeded(seeded(seed ^ Math.imul(index + 1, 0x9e37_79b1)).int(2 ** 32));
  const name = random.pick(BAG);
  const { handshakes, expects, readers = 7, staysMs, make } = KINDS[name];
  const opens = handshakes && expects === undefined
    ? Array.from({ length: random.int(4) }, () => openPayload(random))
    : [];
  const reads = random.int(10) < readers || expects !== undefined;
  const randomEnding = random.pick<Ending>(["close", "close", "half-close", "half-close", "wait"]);
  const ending = expects !== undefined ? "half-close" : staysMs === undefined ? randomEnding : "wait";
  // Some stay longer than the server allows.
  const waitMs = staysMs ?? random.int(random.int(10) === 0 ? 4000 : 300);
  const chunks = (session: SessionInfo) => inChunks(random, concat(make(random, session)));
  return { kind: name, handshakes, opens, reads, ending, waitMs, expects, chunks };
}

function mutateOne(
  random: Random,
  frames: Uint8Array[],
  mutate: (random: Random, frame: Uint8Array) => Uint8Array,
): Uint8Array[] {
  const victim = random.int(frames.length);
  return frames.map((frame, index) => index === victim ? mutate(random, frame) : frame);
}
