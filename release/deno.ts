/**
 * Runs Deno in the checkout.
 *
 * @module
 */

const root = new URL("../", import.meta.url);

/**
 * Runs it to its end; resolves to what it prints.
 *
 * @throws {Error} with what it said on stderr, if it fails
 */
export async function deno(...args: string[]): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
  });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(`deno ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
  return new TextDecoder().decode(stdout);
}
