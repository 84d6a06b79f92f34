/**
 * A process that commits one run after the other, and says what became of each on stdout: `stored N` or `refused N`. For
 * tests that kill it or make its disk fail. Usage: commit_process.ts FOLDER COUNT
 */

import { openSqliteLog } from "../../lib/store/sqlite_log.ts";
import { RecordedLog } from "../harness/recorded_log.ts";

const [folder, count] = Deno.args;
const log = await openSqliteLog(folder, { log: new RecordedLog().log });
const [channel = { name: "d.a", number: 7, epoch: "e", first: 1, last: 0, bytes: 0 }] = log.state.channels;
let isNew = log.state.channels.length === 0;
let { last } = channel;
const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
say(`open ${last}`);
for (let i = 0; i < Number(count); i++) {
  const bytes = new Uint8Array(1000).fill(last + 1);
  try {
    await log.commit({
      time: Date.now(),
      channels: isNew ? [channel] : [],
      runs: [{ channel: 7, first: last + 1, count: 1, bytes }],
      producers: [{ channel: 7, producer: "/p", stored: last + 1 }],
      consumers: [],
      deletedConsumers: [],
      keys: [],
      trims: [],
      deletedChannels: [],
    });
    isNew = false;
    last++;
    say(`stored ${last}`);
  } catch {
    say(`refused ${last + 1}`);
  }
}
await log.close();
