/**
 * Completion: what is suggested, and the scripts of the shells.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { Contexts } from "../../../lib/cli/client/contexts.ts";
import { SeenChannels } from "../../../lib/cli/client/seen_channels.ts";
import { FolderStorage } from "../../../lib/state/folder.ts";
import { MemoryStorage } from "../../../lib/state/storage.ts";
import { runParley } from "../../harness/in_process.ts";
import { isGranted, MAY_RUN } from "../../harness/permissions.ts";
import { SOURCE } from "../../harness/program.ts";

/** What is suggested for a command line whose last word is being typed, without descriptions. */
async function complete(words: readonly string[], env: Record<string, string> = {}): Promise<string[]> {
  const { code, stdout } = await runParley(["complete", "--", ...words], { env });
  assertEquals(code, 0);
  return stdout.trimEnd().split("\n").map((line) => line.split("\t")[0]);
}

const NO_FILES = ":4";
const FILES = ":0";

for (
  const [line, expected] of [
    ["sub", ["subscribe", NO_FILES]],
    ["completion ", ["bash", "zsh", "fish", "powershell", NO_FILES]],
    ["publish chat --kin", ["--kind", NO_FILES]],
    ["publish chat --kind ", ["text", "json", "bytes", NO_FILES]],
    ["publish chat --kind=j", ["json", NO_FILES]],
    ["publish chat --kind = j", ["json", NO_FILES]], // as bash splits it
    ["explain unauth", ["unauthorized", NO_FILES]],
    ["completion --ur", [NO_FILES]],
    ["ping --ca ", [FILES]],
    ["publish --file=./x", [FILES]],
  ] as const
) {
  Deno.test(`parley ${line} is completed`, async () => {
    assertEquals(await complete(line.split(" ")), [...expected]);
  });
}

Deno.test({ name: "contexts and the channels seen before are completed", ignore: !MAY_RUN }, async () => {
  const folder = await Deno.makeTempDir();
  try {
    const storage = new FolderStorage(`${folder}/parley`);
    await new Contexts(storage).add("home", "parley://h");
    const channels = new SeenChannels(storage);
    for (const name of ["chat.tea", "chat.*", "not a name"]) channels.add(name);
    await channels.save();
    const env = { XDG_STATE_HOME: folder };
    assertEquals(await complete(["subscribe", ""], env), ["chat.tea", "chat.*", NO_FILES]);
    assertEquals(await complete(["subscribe", "x", "'chat.t"], env), ["chat.tea", NO_FILES]);
    assertEquals(await complete(["publish", "chat.tea", ""], env), [NO_FILES]);
    assertEquals(await complete(["ping", "--context", ""], env), ["home", NO_FILES]);
    assertEquals(await complete(["context", "use", "h"], env), ["home", NO_FILES]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the channels seen last are kept, the oldest forgotten", async () => {
  const storage = new MemoryStorage();
  for (let number = 0; number < 600; number += 50) {
    const channels = new SeenChannels(storage);
    for (let more = 0; more < 50; more++) channels.add(`n.${number + more}`);
    await channels.save();
  }
  const names = await new SeenChannels(storage).list();
  assertEquals([names.length, names[0], names.includes("n.99")], [500, "n.550", false]);
});

/** Puts `parley` where a shell finds it; returns the PATH. */
async function pathWithParley(folder: string): Promise<string> {
  const script = `#!/bin/sh\nexec ${SOURCE.client.map((part) => `'${part}'`).join(" ")} "$@"\n`;
  await Deno.writeTextFile(`${folder}/parley`, script, { mode: 0o755 });
  return `${folder}:${Deno.env.get("PATH")}`;
}

const BASH = `
source <(parley completion bash)
COMP_WORDS=(parley publish x '>' precious sub '$(touch executed)' --kind ''); COMP_CWORD=8; _parley_complete
echo "\${COMPREPLY[*]}"
`;

Deno.test(
  { name: "the script for bash completes, and runs nothing that is typed", ignore: !MAY_RUN },
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${folder}/precious`, "kept");
      const { stdout, stderr } = await new Deno.Command("bash", {
        args: ["-c", BASH],
        cwd: folder,
        env: { PATH: await pathWithParley(folder), XDG_STATE_HOME: "/nonexistent" },
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      assertEquals([text(stdout), text(stderr)], ["text json bytes\n", ""]);
      assertEquals(await Deno.readTextFile(`${folder}/precious`), "kept");
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["parley", "precious"]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

for (const shell of ["zsh", "fish"]) {
  const ignore = !isGranted("run") || !isInstalled(shell);
  Deno.test({ name: `the script for ${shell} is one that ${shell} reads`, ignore }, async () => {
    const { stdout } = await runParley(["completion", shell]);
    assertStringIncludes(stdout, "parley complete -- ");
    const file = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(file, stdout);
      const { code, stderr } = await new Deno.Command(shell, { args: ["-n", file] }).output();
      assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
    } finally {
      await Deno.remove(file);
    }
  });
}

function isInstalled(shell: string): boolean {
  try {
    return new Deno.Command(shell, { args: ["-c", "true"] }).outputSync().success;
  } catch {
    return false;
  }
}
