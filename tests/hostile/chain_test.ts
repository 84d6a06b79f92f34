/**
 * Sessions that wait for each other, none of which reads. When the first is closed, the next one goes on and ends, which
 * lets the one behind it go on, and so on. Over real sockets; `tests/server/cascade_test.ts` has the same without any.
 */

import { assert, assertEquals } from "@std/assert";
import { Program, ROOT } from "../harness/program.ts";
import { HAS_PYTHON } from "../harness/permissions.ts";
import { freed, processAttack } from "./harness.ts";
import { sized } from "./size.ts";
import { TCP } from "./transport.ts";

/** With 2,400 the version before ran out of stack, kept 1,200 connections, and did not end on SIGTERM. */
const SESSIONS = sized(150, 2400);
/** Longer than the chain takes to be made. */
const TIMEOUT_SECONDS = sized(2, 30);
const DRAIN_MS = 1000;

/** Sessions that wait for each other, held open by a process of their own. */
class Chain implements AsyncDisposable {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  /** Resolves when all of them wait. */
  static async start(port: number): Promise<Chain> {
    const program = new Program([`${port}`, `${SESSIONS}`], {
      program: ["python3", `${ROOT}tests/hostile/chain.py`],
    });
    const failed = program.status.then(async () => {
      throw new Error(await program.stderr.all());
    });
    failed.catch(() => {});
    await Promise.race([program.stdout.until(/^waiting$/m), failed]);
    return new Chain(program);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}

if (HAS_PYTHON) {
  processAttack(
    `${SESSIONS} sessions in a chain, all full, end one after the other and give everything back (needs Python 3)`,
    {
      transports: [TCP],
      args: [
        ...["--max-payload", "16KiB", "--max-pending", "64KiB", "--max-connections", "6000"],
        ...["--max-connections-per-address", "6000", "--slow-consumer-timeout", `${TIMEOUT_SECONDS}s`],
        ...["--drain-time", `${DRAIN_MS / 1000}s`],
      ],
    },
    async (harness) => {
      const { log, server } = harness.host;
      const before = harness.host.descriptors();
      const ended = () =>
        log.all("refused").filter(({ code }) => code === "slow_consumer" || code === "bad_frame").length;
      {
        await using _chain = await Chain.start(server.port);
        assert(harness.host.descriptors() >= before + SESSIONS, "they wait");
        await harness.until(
          () => ended() >= SESSIONS,
          () => `${ended()} of ${SESSIONS} sessions have ended`,
          TIMEOUT_SECONDS * 1000 + 10_000,
        );
        // Those that filled them stay: nothing holds them up any more.
        await harness.until(
          () => harness.host.descriptors() <= before + SESSIONS,
          () => `${harness.host.descriptors() - before - SESSIONS} descriptors are not given back`,
        );
      }
      await freed(harness, before);
      assertEquals(ended(), SESSIONS);
      const session = await harness.greet();
      assertEquals(await session.barrier(), []);
      await using _chain = await Chain.start(server.port);
      await harness.ends(async () => {
        const { code, ms } = await server.terminate();
        assertEquals(code, 0);
        assert(ms < DRAIN_MS + 1000, `SIGTERM took ${Math.round(ms)} ms`);
      });
      assertEquals(log.all("internal error"), []);
    },
  );
}
