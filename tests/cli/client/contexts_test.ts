import { assertEquals, assertRejects } from "@std/assert";
import { Contexts } from "../../../lib/cli/client/contexts.ts";
import { ParleyError } from "../../../lib/errors.ts";
import { FolderStorage } from "../../../lib/state/folder.ts";
import { MemoryStorage } from "../../../lib/state/storage.ts";
import { runParley } from "../../harness/in_process.ts";
import { MAY_RUN } from "../../harness/permissions.ts";

const LINK = "parleys://hub.example:7000?token=a.b.c";

Deno.test("the first context is in use, until another is chosen or it is removed", async () => {
  const contexts = new Contexts(new MemoryStorage());
  assertEquals([await contexts.get(undefined), await contexts.list()], [undefined, []]);
  await contexts.add("home", ` "${LINK}"\n`, { as: "Ada" });
  await contexts.add("local", "parley://127.0.0.1");
  assertEquals(await contexts.get(undefined), { url: LINK, name: "Ada" });
  assertEquals(await contexts.get("local"), { url: "parley://127.0.0.1" });
  await contexts.use("local");
  assertEquals(await contexts.get(undefined), { url: "parley://127.0.0.1" });
  assertEquals(await contexts.list(), [
    { name: "home", url: "parleys://hub.example:7000", token: true, as: "Ada", current: false },
    { name: "local", url: "parley://127.0.0.1", token: false, as: undefined, current: true },
  ]);
  await contexts.remove("local");
  assertEquals(await contexts.get(undefined), undefined);
});

Deno.test("a context that is not there is an error that lists those that are", async () => {
  const contexts = new Contexts(new MemoryStorage());
  await assertRejects(() => contexts.get("x"), ParleyError, "add one with parley context add NAME LINK");
  await contexts.add("home", LINK);
  for (
    const call of [contexts.get("constructor"), contexts.use("constructor"), contexts.remove("constructor")]
  ) {
    await assertRejects(() => call, ParleyError, 'no context "constructor"; the contexts are home');
  }
});

Deno.test("a name or link that is not valid is refused, and no part of the link is quoted", async () => {
  const contexts = new Contexts(new MemoryStorage());
  for (const name of ["", "-a", "a/b", "x".repeat(65)]) {
    await assertRejects(
      () => contexts.add(name, LINK),
      ParleyError,
      "cannot be the name of a context",
    );
  }
  const error = await assertRejects(() => contexts.add("a", "parley://h?tokn=hush"), ParleyError);
  assertEquals([error.message.includes("hush"), error.message.includes("copy the whole link")], [
    false,
    true,
  ]);
  assertEquals(await contexts.list(), []);
});

Deno.test({
  name: "the folder of another user is refused only if there are contexts in it",
  ignore: !MAY_RUN,
}, async () => {
  const folder = await Deno.makeTempDir();
  try {
    const own = new Contexts(new FolderStorage(`${folder}/parley`));
    const foreign = new Contexts(new FolderStorage(`${folder}/parley`, 4321));
    await new FolderStorage(`${folder}/parley`).write("channels", "chat\n");
    assertEquals(await foreign.get(undefined), undefined);
    await own.add("home", LINK);
    if (Deno.uid() !== 0) await assertRejects(() => foreign.get(undefined), ParleyError, "belongs to user");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what is given besides the link goes before what is in it", async () => {
  const contexts = new Contexts(new MemoryStorage());
  await contexts.add("home", LINK, { token: "d.e.f" });
  await contexts.add("local", "parley://h", { tls: true });
  assertEquals((await contexts.get("home"))?.url, "parleys://hub.example:7000?token=d.e.f");
  assertEquals((await contexts.get("local"))?.url, "parleys://h");
});

Deno.test({
  name: "context add takes the address from flags, and saves nothing of variables",
  ignore: !MAY_RUN,
}, async () => {
  const folder = await Deno.makeTempDir();
  try {
    const env = {
      XDG_STATE_HOME: folder,
      PARLEY_TOKEN: "hush",
      PARLEY_NAME: "Eve",
      PARLEY_URL: "parley://elsewhere",
    };
    const context = (...args: string[]) => runParley(["context", ...args], { env });
    const flags = ["--host", "::1", "--port", "7000", "--token", "a.b", "--tls", "--name", "Ada"];
    assertEquals((await context("add", "one", ...flags)).stderr, "");
    assertEquals((await context("add", "two", "--url", "parley://h")).code, 0);
    assertEquals((await context("add", "three", "parley://h", "--port", "1")).code, 2);
    const { contexts } = JSON.parse(await Deno.readTextFile(`${folder}/parley/contexts.json`));
    assertEquals(contexts, {
      one: { url: "parleys://[::1]:7000?token=a.b", name: "Ada" },
      two: { url: "parley://h" },
    });
    const { stdout } = await context("list");
    assertEquals(stdout, "* one  parleys://[::1]:7000, as Ada, with a token\n  two  parley://h\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
