import { assert, assertEquals } from "@std/assert";
import { EVERYTHING, type GrantLists, Grants, grantsProblem } from "../../lib/auth/grants.ts";
import { MAX_GRANTS } from "../../lib/limits.ts";

const NOTHING: GrantLists = { publish: [], subscribe: [], respond: [], direct: false };
const publishing = (...publish: string[]) => new Grants({ ...NOTHING, publish });
const subscribing = (...subscribe: string[]) => new Grants({ ...NOTHING, subscribe });
const responding = (...respond: string[]) => new Grants({ ...NOTHING, respond });

Deno.test("an empty list grants nothing", () => {
  const none = new Grants(NOTHING);
  assert(!none.mayPublish("chat"));
  assert(!none.maySubscribe("chat"));
  assert(!none.maySubscribe(">"));
  assert(!none.mayRespond("chat"));
  assert(!none.mayRespond(">"));
  assert(!none.mayDirect);
});

Deno.test("each list grants its own thing and no other", () => {
  assert(publishing("chat").mayPublish("chat"));
  assert(!publishing("chat").maySubscribe("chat"));
  assert(subscribing("chat").maySubscribe("chat"));
  assert(!subscribing("chat").mayPublish("chat"));
  assert(!subscribing("chat").mayRespond("chat"));
  assert(responding("chat").mayRespond("chat"));
  assert(!responding("chat").mayPublish("chat"));
  assert(!responding("chat").maySubscribe("chat"));
  assert(new Grants({ ...NOTHING, direct: true }).mayDirect);
});

Deno.test("a pattern may be subscribed or responded to only if one grant covers all of it", () => {
  const patterns = ["chat.*", "jobs.*.done", "log.>", "exact"];
  const subscriber = subscribing(...patterns);
  const responder = responding(...patterns);
  for (
    const name of [
      "chat.a",
      "chat.*",
      "jobs.1.done",
      "jobs.*.done",
      "log.a",
      "log.a.b",
      "log.*",
      "log.>",
      "exact",
    ]
  ) {
    assert(subscriber.maySubscribe(name), name);
    assert(responder.mayRespond(name), name);
  }
  const wider = [
    "chat",
    "chat.>",
    "chat.*.x",
    "*.a",
    "*",
    ">",
    "jobs.>",
    "jobs.*",
    "jobs.*.*",
    "log",
    "*.>",
    "exact.a",
  ];
  for (const name of wider) {
    assert(!subscriber.maySubscribe(name), name);
    assert(!responder.mayRespond(name), name);
  }
});

Deno.test("two grants that cover a pattern together do not grant it", () => {
  assert(!subscribing("a.*", "a.*.>").maySubscribe("a.>"));
  assert(!responding("a.*", "a.*.>").mayRespond("a.>"));
});

Deno.test("$echo is open to all, other $ names to nobody, whatever is granted", () => {
  const patterns = ["$admin", "$admin.>", ">"];
  const odd = { publish: patterns, subscribe: patterns, respond: [...patterns, "$echo"], direct: true };
  for (const grants of [new Grants(EVERYTHING), new Grants(odd), new Grants(NOTHING)]) {
    assert(grants.mayPublish("$echo"));
    assert(grants.maySubscribe("$echo"));
    assert(!grants.mayRespond("$echo"), "only the server responds there");
    for (const name of ["$admin", "$admin.x", "$echo.x", "$ech"]) {
      assert(!grants.mayPublish(name), name);
      assert(!grants.maySubscribe(name), name);
      assert(!grants.mayRespond(name), name);
    }
    assert(!grants.maySubscribe("$admin.>"));
  }
});

Deno.test("EVERYTHING grants all that can be granted", () => {
  const grants = new Grants(EVERYTHING);
  assert(grants.mayPublish("a.b.c"));
  assert(grants.maySubscribe(">") && grants.maySubscribe("*.b.>"));
  assert(grants.mayRespond(">") && grants.mayRespond("*.b.>"));
  assert(grants.mayDirect);
});

Deno.test("grants are what the lists were, also when a list changes afterwards", () => {
  const publish = ["chat"];
  const grants = new Grants({ ...NOTHING, publish });
  publish.push(">");
  assert(!grants.mayPublish("jobs"));
});

Deno.test("what is wrong with a list of grants is said", () => {
  assertEquals(grantsProblem([]), undefined);
  assertEquals(grantsProblem([">", "*.a", "a.b-c_D"]), undefined);
  assertEquals(grantsProblem(["chat", ""]), "a channel name has at least one character");
  assertEquals(grantsProblem(["a.>.b"]), 'segment 2 of "a.>.b" is ">", which may only be the last');
  assertEquals(grantsProblem(["$echo"]), '"$echo" is the server\'s own, which cannot be granted');
  const many = Array.from({ length: MAX_GRANTS + 1 }, (_, at) => `c${at}`);
  assertEquals(grantsProblem(many.slice(1)), undefined);
  assertEquals(grantsProblem(many), "a token grants at most 64 patterns of a kind, not 65; use wildcards");
});
