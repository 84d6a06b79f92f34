/** Sessions that end with much open, and what a server skips. */

import { assert } from "@std/assert";
import { HEADER_BYTES } from "../../lib/limits.ts";
import { encodeFrame } from "../../lib/wire/header.ts";
import { concat } from "../harness/raw_client.ts";
import { Attacker } from "./attacker.ts";
import { processAttack } from "./harness.ts";
import { stallAttack } from "./stalls.ts";

const MiB = 1024 * 1024;
const SECONDS = 2;

stallAttack(
  "128 sessions end at once, each with 512 channels and 512 patterns open",
  {},
  // The numbers of 65,536 channels that no session has open are kept.
  { growthMiB: 300, leftMiB: 250, heldMiB: 64 },
  async (harness, scaled) => {
    const sessions = await Attacker.greetMany(harness, scaled(128));
    await Promise.all(sessions.map((session, i) =>
      session.open(
        Array.from({ length: 512 }, (_, n) => [`session.${i}.${n}`, `session.*.${i}.${n}`]).flat(),
        { subscribe: true, respond: true },
      )
    ));
    for (const session of sessions) session.client.close();
  },
);

processAttack(
  "extension frames count against the rates, in messages and in bytes",
  { args: ["--max-byte-rate", "1MiB", "--max-message-rate", "1000"] },
  async (harness) => {
    const large = await Attacker.greet(harness);
    const small = await Attacker.greet(harness);
    // An extension's payload may be as long as a message's.
    const frame = encodeFrame({ type: 0x80, sender: large.client.number }, new Uint8Array(64 * 1024));
    const header = encodeFrame({ type: 0xff, sender: small.client.number });
    const taken = { bytes: 0, frames: 0 };
    const until = performance.now() + SECONDS * 1000;
    const pour = async (attacker: Attacker, bytes: Uint8Array, count: (n: number) => void) => {
      while (performance.now() < until) {
        await attacker.send(bytes);
        await attacker.barrier();
        count(bytes.length);
      }
    };
    await Promise.all([
      pour(large, frame, (n) => taken.bytes += n),
      pour(small, concat(Array.from({ length: 100 }, () => header)), (n) => taken.frames += n / HEADER_BYTES),
    ]);
    // A bucket is full at first, and what was begun may be finished.
    assert(taken.bytes < (SECONDS + 2) * MiB, `${taken.bytes} bytes in ${SECONDS} s`);
    assert(taken.frames < (SECONDS + 2) * 1000, `${taken.frames} frames in ${SECONDS} s`);
  },
);
