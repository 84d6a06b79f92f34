import { assert, assertEquals } from "@std/assert";
import { ALL_GRANTS, type GrantLists, Grants, grantsProblem } from "../../lib/auth/grants.ts";
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

Deno.test("each list grants one kind of access and no other", () => {
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

Deno.test("several grants that only together cover a pattern do not grant it", () => {
  assert(!subscribing("a.*", "a.*.>").maySubscribe("a.>"));
  assert(!responding("a.*", "a.*.>").mayRespond("a.>"));
});

Deno.test("every session may use $echo, and none another $ name, whatever is granted", () => {
  const patterns = ["$admin", "$admin.>", ">"];
  const odd = { publish: patterns, subscribe: patterns, respond: [...patterns, "$echo"], direct: true };
  for (const grants of [new Grants(ALL_GRANTS), new Grants(odd), new Grants(NOTHING)]) {
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

Deno.test("ALL_GRANTS grants everything that can be granted", () => {
  const grants = new Grants(ALL_GRANTS);
  assert(grants.mayPublish("a.b.c"));
  assert(grants.maySubscribe(">") && grants.maySubscribe("*.b.>"));
  assert(grants.mayRespond(">") && grants.mayRespond("*.b.>"));
  assert(grants.mayDirect && grants.mayMonitor && grants.mayAdmin);
});

Deno.test("who may administer may also monitor, and not the other way round", () => {
  const none = new Grants(NOTHING);
  assert(!none.mayMonitor && !none.mayAdmin);
  const monitor = new Grants({ ...NOTHING, monitor: true });
  assert(monitor.mayMonitor && !monitor.mayAdmin);
  const admin = new Grants({ ...NOTHING, admin: true });
  assert(admin.mayMonitor && admin.mayAdmin);
});

Deno.test("changing a list afterwards does not change the grants", () => {
  const publish = ["chat"];
  const grants = new Grants({ ...NOTHING, publish });
  publish.push(">");
  assert(!grants.mayPublish("jobs"));
});

Deno.test("a wrong list of grants is explained", () => {
  assertEquals(grantsProblem([]), undefined);
  assertEquals(grantsProblem([">", "*.a", "a.b-c_D"]), undefined);
  assertEquals(grantsProblem(["chat", ""]), "a channel name has at least one character");
  assertEquals(grantsProblem(["a.>.b"]), 'segment 2 of "a.>.b" is ">", which may only be the last');
  assertEquals(grantsProblem(["$echo"]), '"$echo" is reserved for the server and cannot be granted');
  const many = Array.from({ length: MAX_GRANTS + 1 }, (_, at) => `c${at}`);
  assertEquals(grantsProblem(many.slice(1)), undefined);
  assertEquals(grantsProblem(many), "a token grants at most 64 patterns of a kind, not 65; use wildcards");
});
