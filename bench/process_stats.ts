/**
 * Processor time and memory of a process, from Linux's /proc.
 *
 * @module
 */

/** Clock ticks per second in /proc/PID/stat. The kernel always reports 100 to programs. */
const TICKS = 100;

/** Processor time that `pid` and its children have used, in seconds; 0 if there is no such process. */
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

/** `pid` and its descendants: a script may have started the server. */
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

/** Measures the processor time of processes from now on. */
export class Meter {
  readonly #pids: readonly number[];
  readonly #before: number[];
  readonly #start = performance.now();

  constructor(...pids: number[]) {
    this.#pids = pids;
    this.#before = pids.map(cpuSeconds);
  }

  /** The average number of cores that each process used, in the order given. */
  cores(): number[] {
    const seconds = (performance.now() - this.#start) / 1000;
    return this.#pids.map((pid, index) => (cpuSeconds(pid) - this.#before[index]) / seconds);
  }
}
