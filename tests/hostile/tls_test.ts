/**
 * Attacks on what TLS costs before a client has a session: sockets, ports and the processor time of handshakes.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { LINGER_MS } from "../../lib/limits.ts";
import { HANDSHAKE_BURST, HANDSHAKES_PER_SECOND } from "../../lib/net/tls/handshake_rate.ts";
import { clientHello } from "../harness/client_hello.ts";
import { within } from "../harness/deadline.ts";
import { SOURCE } from "../harness/program.ts";
import type { RawClient } from "../harness/raw_client.ts";
import { everyProgramAttack, freed, type Harness, processAttack } from "./harness.ts";
import { freesUnread, type ProcessHost } from "./host.ts";
import { overTls, TLS } from "./transport.ts";

const TLS_ONLY = { transports: [TLS] };

/** The longest that a message of the control clients may take while handshakes are begun. */
const MAX_STALL_MS = 250;

/** A whole TLS record of ten bytes that is no ClientHello. */
const GREETING = Uint8Array.of(0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0);

/** How many sockets the server has open, and how many of them with another local port than its own. */
function socketsOf({ server }: ProcessHost): { all: number; foreign: number } {
  const inodes = new Set<string>();
  for (const { name } of Deno.readDirSync(`/proc/${server.pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(Deno.readLinkSync(`/proc/${server.pid}/fd/${name}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // Closed meanwhile.
    }
  }
  const ports = Deno.readTextFileSync("/proc/net/tcp").trim().split("\n").slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => inodes.delete(fields[9])) // the kernel may list one twice while others come and go
    .map((fields) => parseInt(fields[1].split(":")[1], 16));
  return { all: ports.length, foreign: ports.filter((port) => port !== server.port).length };
}

/** Connects and sends `greeting`; returns how many bytes came before the connection ended. */
async function greet({ host }: Harness<ProcessHost>, greeting: Uint8Array): Promise<number> {
  using tcp = await Deno.connect({ hostname: host.hostname, port: host.port });
  const bytes = new Uint8Array(16 * 1024);
  let received = 0;
  try {
    await tcp.write(greeting);
    for (let count; (count = await within(tcp.read(bytes), "end of the connection")) !== null;) {
      received += count;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe)) {
      throw error;
    }
  }
  return received;
}

/** A session that is there within `ms`: its first attempts may be closed unread. */
async function greetWithin(harness: Harness<ProcessHost>, ms: number): Promise<RawClient> {
  const deadline = performance.now() + ms;
  while (true) {
    try {
      return await harness.greet();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

processAttack("a TLS connection is one socket, in its handshake and after", TLS_ONLY, async (harness) => {
  const before = socketsOf(harness.host);
  const descriptors = harness.host.descriptors();
  assertEquals(before.foreign, 0);
  using handshakes = new DisposableStack();
  for (let i = 0; i < 20; i++) {
    await harness.greet();
    const tcp = handshakes.use(
      await Deno.connect({ hostname: harness.host.hostname, port: harness.host.port }),
    );
    await tcp.write(await clientHello());
    await within(tcp.read(new Uint8Array(1)), "answer to a ClientHello"); // it is in the middle of the handshake now
  }
  const { all, foreign } = socketsOf(harness.host);
  assertEquals([all - before.all, foreign, harness.host.descriptors() - descriptors], [40, 0, 40]);
});

processAttack(
  "1,600 TLS greetings of one address cost what it may cost, take no ports, and shut TLS for no other client",
  TLS_ONLY,
  async (harness) => {
    const { host, control } = harness;
    const before = host.descriptors();
    let answered = 0;
    let left = 1600;
    control.tookMs.length = 0;
    const start = performance.now();
    const attacker = async () => {
      while (left-- > 0) if (await greet(harness, GREETING) > 0) answered++;
    };
    await Promise.all(Array.from({ length: 64 }, attacker));
    const seconds = (performance.now() - start) / 1000;
    const most = HANDSHAKE_BURST + HANDSHAKES_PER_SECOND * seconds;
    assert(answered >= HANDSHAKE_BURST / 2 && answered <= most, `${answered} were answered in ${seconds} s`);
    await control.pass();
    const slowest = Math.round(Math.max(...control.tookMs));
    assert(slowest < MAX_STALL_MS, `a message of the control clients took ${slowest} ms`);
    const session = await greetWithin(harness, 1000);
    assertEquals(await session.barrier(), []);
    session.close();
    assertEquals(socketsOf(host).foreign, 0);
    await freed(harness, before);
  },
);

processAttack(
  "connections beyond the rate of handshakes are closed unread, with one line a second in the log",
  TLS_ONLY,
  async (harness) => {
    const { host } = harness;
    const message = "closed TLS connections before the handshake";
    let unread = 0;
    let greetings = 0;
    const start = performance.now();
    const attacker = async () => {
      while (unread < 2000 && greetings++ < 5000) if (await greet(harness, GREETING) === 0) unread++;
    };
    await Promise.all(Array.from({ length: 64 }, attacker));
    if (unread === 0) {
      const perSecond = greetings / (performance.now() - start) * 1000;
      assert(perSecond < 2 * HANDSHAKES_PER_SECOND, `${perSecond} a second, and each was answered`);
      return; // the machine is so busy that the attack never exceeded the rate
    }
    const counted = () =>
      host.log.all(message).reduce((sum, { connections }) => sum + Number(connections), 0);
    await harness.until(() => counted() >= unread, () => `${counted()} of ${unread} are in the log`);
    const lines = host.log.all(message);
    const seconds = (performance.now() - start) / 1000;
    assert(lines.length <= seconds + 1, `${lines.length} lines in ${seconds} s`);
    assertEquals([lines[0].level, lines[0].remote], ["warn", "127.0.0.1"]);
    assertMatch(`${lines[0].reason}`, /200 handshakes a second, and 2000 at once/);
  },
);

everyProgramAttack(
  "a session is one descriptor, given back after the time to linger although its client stopped reading",
  {
    ...TLS_ONLY,
    args: ["--slow-consumer-timeout", "1", "--max-payload", "64KiB", "--max-pending", "256KiB"],
  },
  async (harness, programs) => {
    const { host } = harness;
    const publisher = await harness.greet();
    const before = host.descriptors();
    const slow = await harness.greet();
    const perSession = programs === SOURCE ? 1 : 3; // the relay of runtimes before 2.9.5 needs three
    assertEquals(host.descriptors() - before, perSession);
    const { number } = await slow.open("slow");
    await publisher.openToPublish("slow");
    const message = publisher.message(number, new Uint8Array(32 * 1024));
    let isClosed = false;
    const closed = host.log.until("closed", { number: slow.number, reason: "slow_consumer" })
      .then(() => isClosed = true);
    while (!isClosed) await publisher.send(message);
    await closed;
    if (freesUnread(programs)) {
      await harness.until(
        () => host.descriptors() <= before,
        () => `${host.descriptors() - before} descriptors are not freed`,
        1.5 * LINGER_MS,
      );
    }
    slow.close();
    await freed(harness, before);
  },
);

everyProgramAttack(
  "a TLS handshake whose bytes came while the server was stopped is completed",
  { ...TLS_ONLY, args: ["--handshake-time", "1"] },
  async (harness) => {
    const { host } = harness;
    const before = host.descriptors();
    const tcp = await Deno.connect({ hostname: host.hostname, port: host.port });
    // Accepted, so the handshake time has begun.
    await harness.until(() => host.descriptors() > before, () => "it is not accepted");
    host.server.kill("SIGSTOP");
    const connecting = overTls(tcp, host);
    // Longer than the handshake time. That is what is tested; there is no event to wait for.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    host.server.kill("SIGCONT");
    const client = await within(connecting, "end of the handshake");
    await client.hello();
    assertEquals(await client.barrier(), []);
    client.close();
  },
);
