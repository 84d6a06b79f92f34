import { assertEquals, assertRejects } from "@std/assert";
import { Contexts } from "../../../lib/cli/client/contexts.ts";
import { ParleyError } from "../../../lib/errors.ts";
import { MemoryStorage } from "../../../lib/state/storage.ts";

const LINK = "parleys://hub.example:7000?token=a.b.c";

Deno.test("the first context is in use, until another is chosen or it is removed", async () => {
  const contexts = new Contexts(new MemoryStorage());
  assertEquals([await contexts.get(undefined), await contexts.list()], [undefined, []]);
  await contexts.add("home", ` "${LINK}"\n`, "Ada");
  await contexts.add("local", "parley://127.0.0.1", undefined);
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
  await contexts.add("home", LINK, undefined);
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
      () => contexts.add(name, LINK, undefined),
      ParleyError,
      "cannot be the name of a context",
    );
  }
  const error = await assertRejects(() => contexts.add("a", "parley://h?tokn=hush", undefined), ParleyError);
  assertEquals([error.message.includes("hush"), error.message.includes("copy the whole link")], [
    false,
    true,
  ]);
  assertEquals(await contexts.list(), []);
});
