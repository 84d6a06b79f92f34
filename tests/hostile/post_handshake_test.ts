/** TLS messages after the handshake: KeyUpdates, which ask for an answer each, and a new handshake. */

import { assert, assertEquals } from "@std/assert";
import { HAS_PYTHON } from "../harness/permissions.ts";
import { Program, ROOT } from "../harness/program.ts";
import type { ProcessHost } from "./host.ts";
import { sized } from "./size.ts";
import { stallAttack } from "./stalls.ts";
import { TLS } from "./transport.ts";

/** They count as silence, so they must not take longer than a silent session may stay. */
const KEY_UPDATES = sized(5_000, 500_000);
/** More than the server takes before it closes a session that reads no answer. */
const ENDLESS = 100_000_000;

/** Runs the attack with `args`; resolves to its outcome. */
async function send({ port }: ProcessHost, ...args: (string | number)[]): Promise<string> {
  await using program = new Program([port, ...args].map(String), {
    program: ["python3", `${ROOT}tests/hostile/post_handshake.py`],
  });
  await program.endInput();
  const { stdout, stderr } = await program.ended(sized(20_000, 300_000));
  return stdout.trim() || stderr;
}

if (HAS_PYTHON) {
  stallAttack(
    `${KEY_UPDATES} KeyUpdates, KeyUpdates and PINGs without end, and a new handshake (needs Python 3)`,
    {
      transports: [TLS],
      args: ["--max-payload", "16KiB", "--max-pending", "64KiB", "--slow-consumer-timeout", "1s"],
    },
    { growthMiB: 48, leftMiB: 48, heldMiB: 8 },
    async (harness) => {
      const { host } = harness;
      const slow = () => host.log.all("slow consumer").length;
      const before = slow();
      const [alone, answered, handshake] = await Promise.all([
        send(host, KEY_UPDATES, 0),
        send(host, ENDLESS, 1),
        send(host, "renegotiate"),
      ]);
      // Answers to a KeyUpdate wait for something else to be sent, and are one by then: there is nothing to bound.
      assertEquals(alone, "done");
      // The PONGs between them are what makes it a slow consumer.
      assert(answered === "closed" || answered === "blocked", answered);
      await harness.until(() => slow() > before, () => "a session that reads no answer is not closed");
      assertEquals(handshake, "closed");
    },
  );
}
