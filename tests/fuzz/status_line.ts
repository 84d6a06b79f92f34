/** Shows a line that the next one replaces, on a terminal only. */
export function showStatus(line: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${line}`));
}
