/**
 * What the system tells of this process.
 *
 * @module
 */

/** The directory with an entry for each open descriptor. */
const DESCRIPTORS = "/proc/self/fd";

/**
 * How many descriptors this process has open, or null if the system does not tell: Linux tells since 6.2, as the size of
 * a directory. Counting its entries would take milliseconds if there are many. Deno shows it only with all permissions.
 */
export function openDescriptors(): number | null {
  try {
    const { size } = Deno.statSync(DESCRIPTORS);
    return size > 0 ? size : null;
  } catch {
    return null;
  }
}
