/**
 * What one hostile connection does, all of it decided by the seed and the attack's number.
 *
 * @module
 */

import { encodeFrame, Type } from "../../lib/wire/header.ts";
import { concat, inbox } from "../raw_client.ts";
import { type Random, seeded } from "../seeded.ts";
import { type Chunk, inChunks } from "./chunks.ts";
import {
  controlFrame,
  conversation,
  goldenFrame,
  helloFrame,
  MAX_PAYLOAD,
  refusedFrame,
  type Voice,
} from "./frames.ts";
import { cut, flipBits, mutateHeader, reorder, splice } from "./mutations.ts";
import { filler, oddHello, oddOpen, openPayload } from "./payloads.ts";

/**
 * How a connection is left: closed at once (a reset, where answers are still unread), half-closed and read to the end,
 * or kept for a while.
 */
export type Ending = "close" | "half-close" | "wait";

/** One connection's plan. */
export interface Attack {
  /** What it is called in reports. */
  readonly kind: string;
  /** Whether it says HELLO and waits for WELCOME first. */
  readonly greets: boolean;
  /** What it then opens, waiting for each OPENED. */
  readonly opens: readonly Record<string, unknown>[];
  /** Whether it reads what the server says after that. */
  readonly reads: boolean;
  readonly ending: Ending;
  /** How long `wait` lasts, in milliseconds. */
  readonly waitMs: number;
  /** What it sends then; to be called once, because it goes on with the attack's generator. */
  chunks(voice: Voice): Chunk[];
}

/** One kind of attack: how often it comes, and what it sends. */
interface Kind {
  readonly weight: number;
  readonly greets: boolean;
  /** Out of ten connections, how many read the answers; 7 if left out. */
  readonly readers?: number;
  /** How long it always stays, in milliseconds; by chance if left out. */
  readonly staysMs?: number;
  make(random: Random, voice: Voice): Uint8Array[];
}

const STRANGERS = [
  "GET / HTTP/1.1\r\nHost: parley\r\nUpgrade: websocket\r\n\r\n",
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "SSH-2.0-OpenSSH_9.6\r\n",
  "*1\r\n$4\r\nPING\r\n",
  'CONNECT {"verbose":false}\r\nPING\r\n',
  "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",
  "",
];

const times = (count: number, make: (index: number) => Uint8Array) =>
  Array.from({ length: count }, (_, i) => make(i));
const noise = (random: Random) => [filler(random, random.int(random.pick([20, 500, 100_000])))];

/** All kinds, by name. */
export const KINDS: Readonly<Record<string, Kind>> = {
  "noise": { weight: 4, greets: false, make: noise },
  "another protocol": {
    weight: 2,
    greets: false,
    make: (
      random,
    ) => [new TextEncoder().encode(random.pick(STRANGERS)), ...noise(random).slice(random.int(2))],
  },
  "odd hello": {
    weight: 4,
    greets: false,
    make: (random) => [encodeFrame({ type: Type.HELLO }, oddHello(random)), helloFrame(random)],
  },
  "hello spoilt": {
    weight: 4,
    greets: false,
    make: (random) => [random.pick([mutateHeader, flipBits, cut])(random, helloFrame(random))],
  },
  "hello and guesses": {
    weight: 4,
    greets: false,
    make: (random) => [
      helloFrame(random),
      ...conversation(random, { number: 1 + random.int(random.pick([4, 5000])), channels: [1, 2, 3] }),
    ],
  },
  "golden frames before hello": {
    weight: 3,
    greets: false,
    make: (random, voice) => times(1 + random.int(5), () => refusedFrame(random, voice)),
  },
  "conversation": { weight: 6, greets: true, make: conversation },
  "header spoilt": {
    weight: 8,
    greets: true,
    make: (random, voice) => spoilOne(random, conversation(random, voice), mutateHeader),
  },
  "bits flipped": {
    weight: 5,
    greets: true,
    make: (random, voice) => spoilOne(random, conversation(random, voice), flipBits),
  },
  "stream cut": {
    weight: 5,
    greets: true,
    make: (random, voice) => [cut(random, concat(conversation(random, voice)))],
  },
  "streams joined": {
    weight: 4,
    greets: true,
    make: (random, voice) => [
      splice(random, concat(conversation(random, voice)), concat(conversation(random, voice))),
    ],
  },
  "reordered": {
    weight: 3,
    greets: true,
    make: (random, voice) => reorder(random, [...conversation(random, voice), helloFrame(random)]),
  },
  "golden frames": {
    weight: 6,
    greets: true,
    make: (random, voice) =>
      times(
        1 + random.int(30),
        () => random.int(12) === 0 ? refusedFrame(random, voice) : goldenFrame(random, voice),
      ),
  },
  "odd control": {
    weight: 5,
    greets: true,
    make: (random, { number }) =>
      times(1 + random.int(20), (index) => {
        const type = random.pick([Type.OPEN, Type.OPEN, Type.LEAVE, Type.BYE]);
        return encodeFrame({ type, id: type === Type.BYE ? 0 : 1 + index, sender: number }, oddOpen(random));
      }),
  },
  "noise after hello": { weight: 2, greets: true, make: noise },
  "flood of messages": {
    weight: 2,
    greets: true,
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
  "sleeper": {
    weight: 1,
    greets: true,
    readers: 0,
    staysMs: 3500,
    make: (random, voice) => {
      const open = controlFrame(Type.OPEN, voice, { channel: "fuzz.sleep", subscribe: true }, 99);
      // Numbers are given in turn, so one of these is fuzz.sleep, sooner or later.
      const channel = random.pick([...voice.channels, inbox(voice.number), 1 + random.int(20)]);
      const frame = encodeFrame(
        { type: Type.MESSAGE, channel, sender: voice.number },
        filler(random, MAX_PAYLOAD),
      );
      return [open, ...times(120, () => frame)];
    },
  },
  "flood of pings": {
    weight: 1,
    greets: true,
    readers: 2,
    make: (random, { number }) => {
      const frame = encodeFrame({ type: Type.PING, id: 7, sender: number }, filler(random, random.int(126)));
      return times(10_000, () => frame);
    },
  },
  "flood of opens": {
    weight: 1,
    greets: true,
    readers: 5,
    make: (random, voice) => {
      const [stem, isPattern] = [random.int(1e6), random.int(2) === 0];
      return times(1500, (index) => {
        const channel = `fuzz.${stem}.${index}${isPattern ? ".*" : ""}`;
        return controlFrame(Type.OPEN, voice, { channel, subscribe: true }, 1 + index);
      });
    },
  },
  "requests unanswered": {
    weight: 2,
    greets: true,
    make: (random, { number, channels }) =>
      times(1 + random.int(6000), (index) => {
        const channel = random.pick([...channels, 1]);
        return encodeFrame({ type: Type.REQUEST, id: 1 + index % 5000, channel, sender: number });
      }),
  },
};

const BAG = Object.entries(KINDS).flatMap(([name, { weight }]) => new Array<string>(weight).fill(name));

/** The plan of attack `index` of the run with `seed`; the same for the same two, whenever and wherever. */
export function planAttack(seed: number, index: number): Attack {
  const random = seeded(seeded(seed ^ Math.imul(index + 1, 0x9e37_79b1)).int(2 ** 32));
  const name = random.pick(BAG);
  const { greets, readers = 7, staysMs, make } = KINDS[name];
  const opens = greets ? Array.from({ length: random.int(4) }, () => openPayload(random)) : [];
  const reads = random.int(10) < readers;
  const someEnding = random.pick<Ending>(["close", "close", "half-close", "half-close", "wait"]);
  const ending = staysMs === undefined ? someEnding : "wait";
  // A few stay for longer than the server lets them.
  const waitMs = staysMs ?? random.int(random.int(10) === 0 ? 4000 : 300);
  const chunks = (voice: Voice) => inChunks(random, concat(make(random, voice)));
  return { kind: name, greets, opens, reads, ending, waitMs, chunks };
}

function spoilOne(
  random: Random,
  frames: Uint8Array[],
  spoil: (random: Random, frame: Uint8Array) => Uint8Array,
): Uint8Array[] {
  const victim = random.int(frames.length);
  return frames.map((frame, index) => index === victim ? spoil(random, frame) : frame);
}
