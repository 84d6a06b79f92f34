/**
 * What Linux says of a process: its processor time and memory.
 *
 * @module
 */

/** Clock ticks a second in /proc/PID/stat; the kernel promises 100 to programs whatever it uses itself. */
const TICKS = 100;

/** Processor time `pid` and its children have used, in seconds. 0 where there is no such process (any more). */
export function cpuSeconds(pid: number): number {
  let ticks = 0;
  for (const process of family(pid)) {
    // "pid (name) state ..."; a name may contain blanks, so count from the bracket. utime and stime are 14 and 15.
    const fields = read(`/proc/${process}/stat`).split(") ").at(-1)!.split(" ");
    if (fields.length > 12) ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS;
}

/** Memory in use by `pid` and its children, in bytes. */
export function residentBytes(pid: number): number {
  let bytes = 0;
  for (const process of family(pid)) {
    bytes += 1024 * Number(read(`/proc/${process}/status`).match(/VmRSS:\s+(\d+) kB/)?.[1] ?? 0);
  }
  return bytes;
}

/** `pid` and what it started: a server may be run by a script. */
export function family(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).trim();
  return [pid, ...(children === "" ? [] : children.split(" ").map(Number).flatMap(family))];
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** Measures how busy processes are from now on. */
export class Meter {
  readonly #pids: readonly number[];
  readonly #before: number[];
  readonly #start = performance.now();

  constructor(...pids: number[]) {
    this.#pids = pids;
    this.#before = pids.map(cpuSeconds);
  }

  /** Cores each was using, in the order given. */
  cores(): number[] {
    const seconds = (performance.now() - this.#start) / 1000;
    return this.#pids.map((pid, index) => (cpuSeconds(pid) - this.#before[index]) / seconds);
  }
}
