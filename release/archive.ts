/**
 * Archives that are the same, byte for byte, whenever and wherever the same files are packed.
 *
 * @module
 */

import { zipSync } from "fflate";

/** A file of an archive. */
export interface Entry {
  /** Its path in the archive, below the archive's only folder. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly isExecutable: boolean;
}

/** How an archive is made. */
export interface ArchiveOptions {
  /** The only folder of the archive, which holds everything. */
  readonly folder: string;
  /** The time of every file. */
  readonly time: Date;
  /** How hard to compress, 1 to 9. */
  readonly level: Level;
}

/** How hard to compress: 1 is fast, 9 is small. */
export type Level = 1 | 9;

/** What a zip says of a file's modes: that they are those of Unix, and of a file that is no folder. */
const UNIX = 3;
const REGULAR_FILE = 0o100000;

/** Writes a `.tar.gz` or `.zip` to `path`, by its name. */
export async function writeArchive(
  path: string,
  entries: readonly Entry[],
  options: ArchiveOptions,
): Promise<void> {
  const sorted = entries.toSorted((a, b) => a.path < b.path ? -1 : 1);
  if (path.endsWith(".zip")) await Deno.writeFile(path, zip(sorted, options));
  else await tar(path, sorted, options);
}

async function tar(
  path: string,
  entries: readonly Entry[],
  { folder, time, level }: ArchiveOptions,
): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "parley-release-" });
  const { create } = await import("tar"); // it reads the environment as soon as it is loaded
  try {
    const names: string[] = [];
    for (const entry of entries) {
      const name = `${folder}/${entry.path}`;
      await Deno.mkdir(`${root}/${name}`.replace(/\/[^/]+$/, ""), { recursive: true });
      await Deno.writeFile(`${root}/${name}`, entry.bytes);
      await Deno.chmod(`${root}/${name}`, modeOf(entry)); // the umask applies to the mode of a new file
      names.push(name);
    }
    // `portable` leaves out the owner and what else depends on this machine.
    await create({ cwd: root, file: path, gzip: { level }, portable: true, mtime: time }, names);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

function zip(entries: readonly Entry[], { folder, time, level }: ArchiveOptions): Uint8Array {
  // A zip has the time of the time zone.
  const mtime = new Date(time.getTime() + time.getTimezoneOffset() * 60_000);
  const files = entries.map((entry) => {
    const attrs = (REGULAR_FILE | modeOf(entry)) * 2 ** 16;
    return [`${folder}/${entry.path}`, [entry.bytes, { os: UNIX, attrs, mtime, level }]] as const;
  });
  return zipSync(Object.fromEntries(files) as Parameters<typeof zipSync>[0]);
}

function modeOf({ isExecutable }: Entry): number {
  return isExecutable ? 0o755 : 0o644;
}
