import { assertEquals } from "@std/assert";
import {
  type Announcement,
  Announcements,
  listNames,
} from "../../../../lib/cli/client/chat/announcements.ts";

Deno.test("sessions that come and go together are announced in a line each way, in order", async () => {
  const lines: string[] = [];
  const shown = Promise.withResolvers<void>();
  using announcements = new Announcements((line) => {
    lines.push(line);
    if (line.startsWith("Grace left")) shown.resolve();
  });
  const add = (name: string, verb: Announcement["verb"], where = "") =>
    announcements.add({ name, verb, where });
  add("Grace", "joined");
  for (let number = 1; number <= 1_000; number++) add(`guest-${number}`, "joined");
  add("Eve\x1b[2J", "left");
  add("Linus", "joined", "chat.tea");
  assertEquals(lines, []); // not in this turn: the last messages of a session come before
  add("Grace", "left");
  await shown.promise;
  assertEquals(lines, [
    `Grace, ${Array.from({ length: 9 }, (_, at) => `guest-${at + 1}`).join(", ")} and 991 more joined`,
    "Eve\\x1b[2J left",
    "Linus joined chat.tea",
    "Grace left",
  ]);
});

Deno.test("names are listed as people write them", () => {
  assertEquals(listNames(["Ada"], 1, 3), "Ada");
  assertEquals(listNames(["Ada", "Grace", "Linus"], 3, 3), "Ada, Grace and Linus");
  assertEquals(listNames(["Ada", "Grace", "Linus"], 30, 2), "Ada, Grace and 28 more");
});
