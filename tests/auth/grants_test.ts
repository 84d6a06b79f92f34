import { assert, assertEquals } from "@std/assert";
import { EVERYTHING, Grants, grantsProblem } from "../../lib/auth/grants.ts";
import { MAX_GRANTS } from "../../lib/limits.ts";

const publishing = (...publish: string[]) => new Grants({ publish, subscribe: [], direct: false });
const subscribing = (...subscribe: string[]) => new Grants({ publish: [], subscribe, direct: false });

Deno.test("an empty list grants nothing", () => {
  const none = new Grants({ publish: [], subscribe: [], direct: false });
  assert(!none.mayPublish("chat"));
  assert(!none.maySubscribe("chat"));
  assert(!none.maySubscribe(">"));
  assert(!none.mayDirect);
});

Deno.test("each list grants its own thing and no other", () => {
  assert(publishing("chat").mayPublish("chat"));
  assert(!publishing("chat").maySubscribe("chat"));
  assert(subscribing("chat").maySubscribe("chat"));
  assert(!subscribing("chat").mayPublish("chat"));
  assert(new Grants({ publish: [], subscribe: [], direct: true }).mayDirect);
});

Deno.test("a pattern may be subscribed to only where one grant covers all of it", () => {
  const grants = subscribing("chat.*", "jobs.*.done", "log.>", "exact");
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
    assert(grants.maySubscribe(name), name);
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
  for (const name of wider) assert(!grants.maySubscribe(name), name);
});

Deno.test("two grants that cover a pattern together do not grant it", () => {
  assert(!subscribing("a.*", "a.*.>").maySubscribe("a.>"));
});

Deno.test("$echo is open to all, other $ names to nobody, whatever is granted", () => {
  const odd = { publish: ["$admin", "$admin.>", ">"], subscribe: ["$admin", "$admin.>", ">"], direct: true };
  for (const grants of [EVERYTHING, new Grants(odd), publishing(), subscribing()]) {
    assert(grants.mayPublish("$echo"));
    assert(grants.maySubscribe("$echo"));
    for (const name of ["$admin", "$admin.x", "$echo.x", "$ech"]) {
      assert(!grants.mayPublish(name), name);
      assert(!grants.maySubscribe(name), name);
    }
    assert(!grants.maySubscribe("$admin.>"));
  }
});

Deno.test("a server without tokens grants everything else", () => {
  assert(EVERYTHING.mayPublish("a.b.c"));
  assert(EVERYTHING.maySubscribe(">"));
  assert(EVERYTHING.maySubscribe("*.b.>"));
  assert(EVERYTHING.mayDirect);
});

Deno.test("grants are what the lists were, also when a list changes afterwards", () => {
  const publish = ["chat"];
  const grants = new Grants({ publish, subscribe: [], direct: false });
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
