/**
 * The machine that a benchmark runs on, and a place on its disk.
 *
 * @module
 */

/** The properties of a machine that determine results. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly os: string;
  readonly deno: string;
  /** The type of the file system that holds what servers store, and its device. */
  readonly fileSystem: string;
  /** The load average over one minute when the run began. */
  readonly load: number;
}

/** Describes this machine, whose servers store in `dir`. */
export function describeMachine(dir: string): Machine {
  return {
    cpu: field("/proc/cpuinfo", /^model name\s*:\s*(.+)$/m) ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    memoryBytes: Deno.systemMemoryInfo().total,
    os: `${
      field("/etc/os-release", /^PRETTY_NAME="?([^"\n]+)/m) ?? Deno.build.os
    }, kernel ${Deno.osRelease()}`,
    deno: Deno.version.deno,
    fileSystem: fileSystemOf(dir),
    load: Deno.loadavg()[0],
  };
}

/** Makes a directory for all files of a run. Not in memory, because servers would store there without a disk. */
export async function makeDir(): Promise<string> {
  const prefix = "parley-bench-";
  const dir = await Deno.makeTempDir({ prefix });
  if (!fileSystemOf(dir).startsWith("tmpfs")) return dir;
  await Deno.remove(dir);
  return await Deno.makeTempDir({ prefix, dir: "/var/tmp" });
}

/** The type and device of the file system that holds `dir`, as "ext4 on /dev/vda". */
function fileSystemOf(dir: string): string {
  const path = Deno.realPathSync(dir);
  const mounts = Deno.readTextFileSync("/proc/mounts").trim().split("\n").map((line) => line.split(" "));
  const holding = mounts.filter(([, at]) => path === at || path.startsWith(at === "/" ? at : `${at}/`));
  const [device, , type] = holding.reduce((longest, mount) =>
    mount[1].length >= longest[1].length ? mount : longest
  );
  return `${type} on ${device}`;
}

function field(path: string, pattern: RegExp): string | undefined {
  try {
    return Deno.readTextFileSync(path).match(pattern)?.[1];
  } catch {
    return undefined;
  }
}
