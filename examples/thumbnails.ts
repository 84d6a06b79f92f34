/**
 * Work shared by a group: each job goes to one of the workers, in turn, and the results come back on a channel.
 *
 * Start `deno run --allow-net --allow-env examples/thumbnails.ts worker` as often as you like, then
 * `deno run --allow-net --allow-env examples/thumbnails.ts submit a.jpg b.jpg c.jpg`
 *
 * A job that a worker had when it broke off is lost: a group shares what is sent now, and keeps nothing.
 *
 * @module
 */

import { connect } from "@parley/parley";

interface Job {
  readonly file: string;
}

interface Done extends Job {
  readonly worker: string;
}

const [role, ...files] = Deno.args;
await using client = await connect({ url: Deno.env.get("PARLEY_URL") });
if (role === "worker") await work();
else await submit();

async function work(): Promise<void> {
  const jobs = await client.subscribe("thumbnails.jobs", { group: "workers" });
  console.log(`${client.name} is ready`);
  for await (const message of jobs) {
    const { file } = message.json<Job>();
    // Work is done here. While this loop waits, the worker takes no other job.
    const done: Done = { file, worker: client.name };
    await client.publish("thumbnails.done", { json: done });
  }
}

async function submit(): Promise<void> {
  const results = await client.subscribe("thumbnails.done"); // before the first job, so that no result is missed
  for (const file of files) await client.publish("thumbnails.jobs", { json: { file } satisfies Job });
  const open = new Set(files);
  for await (const message of results) {
    const { file, worker } = message.json<Done>();
    if (open.delete(file)) console.log(`${file} by ${worker}`);
    if (open.size === 0) break;
  }
}
