/**
 * A session that only sends PINGs, in a thread of its own: what else the test does must not delay it.
 *
 * @module
 */

import { encodeFrame, Type } from "../../lib/wire/header.ts";
import { HEADER_BYTES } from "../../lib/limits.ts";
import { u16, u32 } from "../../lib/wire/header.ts";
import { LoadFreeClock, ranMs } from "../harness/load_free_clock.ts";

/** The rest between a PONG and the next PING, in milliseconds. */
const REST_MS = 2;

/** The part of a worker's scope that is used here; the DOM's types of it are not loaded. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent) => void;
  postMessage(message: unknown): void;
};

/** The longest PING so far: what it took, and how long the server worked meanwhile, in milliseconds. */
let longest = { tookMs: 0, workedMs: 0 };
let server: number;
/** Stands still while this thread waits for the processor. */
const ownClock = new LoadFreeClock();
/** Also stands still while the server does. */
let clock: LoadFreeClock;
/** When the PING was sent that waits for its PONG. */
let sent: Moment | undefined;

interface Moment {
  readonly ownMs: number;
  readonly loadFreeMs: number;
  /** How long the server had run. */
  readonly ranMs: number;
}

interface Target {
  readonly hostname: string;
  readonly port: number;
  /** The server's process. */
  readonly pid: number;
  readonly authority?: string;
  readonly token?: string;
}

function now(): Moment {
  return { ownMs: ownClock.now(), loadFreeMs: clock.now(), ranMs: ranMs(server) };
}

/** Takes into account how long the current PING has taken so far. */
function measure(): void {
  if (sent === undefined) return;
  const { ownMs, loadFreeMs, ranMs } = now();
  const tookMs = loadFreeMs - sent.loadFreeMs;
  // While this thread waits for the processor, the server may work on after its PONG.
  const workedMs = Math.min(ownMs - sent.ownMs, ranMs - sent.ranMs);
  longest = {
    tookMs: Math.max(longest.tookMs, tookMs),
    workedMs: Math.max(longest.workedMs, workedMs),
  };
}

async function connect({ hostname, port, authority }: Target): Promise<Deno.Conn> {
  if (authority === undefined) {
    const tcp = await Deno.connect({ hostname, port });
    tcp.setNoDelay(true);
    return tcp;
  }
  const tls = await Deno.connectTls({ hostname, port, caCerts: [authority] });
  await tls.handshake();
  return tls;
}

async function run(target: Target): Promise<void> {
  server = target.pid;
  clock = new LoadFreeClock(server);
  const conn = await connect(target);
  const bytes = new Uint8Array(64 * 1024);
  let filled = 0;
  /** Waits for a frame of `type`, skipping others; answers the server's PINGs. Returns its sender's number. */
  const until = async (type: number, id: number): Promise<number> => {
    while (true) {
      const size = filled < HEADER_BYTES ? Infinity : HEADER_BYTES + u32(bytes, 4);
      if (filled < size) {
        const more = await conn.read(bytes.subarray(filled));
        if (more === null) throw new Error("the server closed the session that sends PINGs");
        filled += more;
        continue;
      }
      const found = bytes[0] === type && u16(bytes, 2) === id;
      const payload = new TextDecoder().decode(bytes.subarray(HEADER_BYTES, size));
      if (bytes[0] === Type.PING) {
        await conn.write(encodeFrame({ type: Type.PONG, id: u16(bytes, 2), sender: number }));
      }
      bytes.copyWithin(0, size, filled);
      filled -= size;
      if (found) return type === Type.WELCOME ? JSON.parse(payload).number : 0;
    }
  };
  let number = 0;
  const hello = new TextEncoder().encode(JSON.stringify({ protocol: "parley/1", token: target.token }));
  await conn.write(encodeFrame({ type: Type.HELLO }, hello));
  number = await until(Type.WELCOME, 0);
  scope.postMessage("ready");
  for (let id = 1;; id = id % 65_535 + 1) {
    sent = now();
    await conn.write(encodeFrame({ type: Type.PING, id, sender: number }));
    await until(Type.PONG, id);
    measure();
    sent = undefined;
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
  }
}

scope.onmessage = ({ data }) => {
  if (data !== "report") {
    run(data).catch((error) => scope.postMessage({ failed: String(error) }));
    return;
  }
  measure();
  scope.postMessage(longest);
  longest = { tookMs: 0, workedMs: 0 };
  if (sent !== undefined) sent = now();
};
