/**
 * A process that commits one run after the other, and checkpoints often. It says what became of each attempt on stdout:
 * `stored N`, `refused N`. The bytes of a run are the number of its attempt. For tests that record what it writes.
 * Usage: writer_process.ts FOLDER COUNT
 */

import { DATABASE } from "../../lib/store/database.ts";
import { Writer } from "../../lib/store/writer.ts";
import { CHANNEL, NOTHING } from "./commits.ts";

const [folder, count] = Deno.args;
const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
const writer = new Writer(`${folder}/${DATABASE}`, "e", () => {}, undefined, 128 * 1024);
let { last } = writer.state().channels[0] ?? CHANNEL;
for (let attempt = last + 1; attempt <= Number(count); attempt++) {
  const bytes = new Uint8Array(1000).fill(attempt);
  try {
    writer.commit({
      ...NOTHING,
      channels: last === 0 ? [CHANNEL] : [],
      runs: [{ channel: 7, first: last + 1, count: 1, bytes }],
      producers: [{ channel: 7, producer: "/p", stored: last + 1 }],
    });
    last++;
    say(`stored ${attempt}`);
  } catch {
    say(`refused ${attempt}`);
  }
  writer.checkpoint();
}
