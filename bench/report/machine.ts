/**
 * Describes the machine that a benchmark ran on.
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
  /** The load average over one minute when the run began. */
  readonly load: number;
}

/** Describes this machine. */
export function describeMachine(): Machine {
  return {
    cpu: field("/proc/cpuinfo", /^model name\s*:\s*(.+)$/m) ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    memoryBytes: Deno.systemMemoryInfo().total,
    os: `${
      field("/etc/os-release", /^PRETTY_NAME="?([^"\n]+)/m) ?? Deno.build.os
    }, kernel ${Deno.osRelease()}`,
    deno: Deno.version.deno,
    load: Deno.loadavg()[0],
  };
}

function field(path: string, pattern: RegExp): string | undefined {
  try {
    return Deno.readTextFileSync(path).match(pattern)?.[1];
  } catch {
    return undefined;
  }
}
