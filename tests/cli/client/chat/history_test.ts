import { assertEquals } from "@std/assert";
import { History, MAX_LINES } from "../../../../lib/cli/client/chat/history.ts";
import { MemoryStorage } from "../../../../lib/state/storage.ts";

function fail(error: unknown): never {
  throw error;
}

async function historyOf(storage: MemoryStorage): Promise<string[]> {
  return await new History(storage, fail).load();
}

Deno.test("what was typed is there in the next chat, newest first and once, also from two chats at a time", async () => {
  const storage = new MemoryStorage();
  const [one, two] = [new History(storage, fail), new History(storage, fail)];
  for (const line of ["hello", "several\nlines", "hello again"]) one.add(line);
  two.add("from another terminal");
  one.add("hello");
  await Promise.all([one.saved(), two.saved()]);
  const lines = await historyOf(storage);
  assertEquals(lines.toSorted(), ["from another terminal", "hello", "hello again", "several\nlines"]);
  assertEquals(lines.indexOf("hello") < lines.indexOf("hello again"), true);
});

Deno.test("join links, tokens, direct messages and what begins with a space are not kept", async () => {
  const storage = new MemoryStorage();
  const history = new History(storage, fail);
  history.add("join parleys://192.0.2.7:7253?token=secret");
  history.add("my token is eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIs");
  history.add("/msg Grace the password");
  history.add(" kept out");
  history.add("x".repeat(5_000));
  history.add("/join chat.tea");
  await history.saved();
  assertEquals(await historyOf(storage), ["/join chat.tea"]);
});

Deno.test("the newest 1,000 lines are kept, and damaged ones are skipped", async () => {
  const storage = new MemoryStorage();
  await storage.write("chat_history.jsonl", 'not JSON\n{"an":"object"}\n"old"\n');
  assertEquals(await historyOf(storage), ["old"]);
  const history = new History(storage, fail);
  for (let number = 0; number < MAX_LINES; number++) history.add(`line ${number}`);
  await history.saved();
  const lines = await historyOf(storage);
  assertEquals([lines.length, lines[0], lines.at(-1)], [MAX_LINES, "line 999", "line 0"]);
});

Deno.test("a history that cannot be read or written is reported once, and the chat goes on", async () => {
  const reported: unknown[] = [];
  const broken = new MemoryStorage();
  broken.read = () => Promise.reject(new Error("unreadable"));
  const history = new History(broken, (error) => reported.push(error));
  assertEquals(await history.load(), []);
  history.add("hello");
  await history.saved();
  assertEquals(reported.length, 1);
  assertEquals(await new History(undefined, fail).load(), []);
});
