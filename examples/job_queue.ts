/**
 * A job queue: jobs are stored on disk, each is done at least once, and those that cannot be done are set aside.
 *
 * Start `parley-server --durable 'jobs.>'`, then
 * `deno run --allow-net --allow-env examples/job_queue.ts worker` as often as you like, and
 * `deno run --allow-net --allow-env examples/job_queue.ts submit monday a.jpg b.jpg c.jpg`
 *
 * Submitting again under the same name goes on where the last attempt ended, so that no job is stored twice. A job whose
 * worker broke off goes to another worker. `parley-server store consumer set-aside jobs.resize resizer` lists the jobs
 * that failed, and `give-back` instead of `set-aside` has them tried again.
 *
 * A worker can also be a shell command: `parley work jobs.resize --consumer resizer --exec ./resize.sh`
 *
 * @module
 */

import { connect, type Message } from "@parley/parley";

const CHANNEL = "jobs.resize";

/** A job fails at most so often. */
const DELIVERIES = 5;

/** How long a job takes here, in milliseconds. */
const WORK_MS = Number(Deno.env.get("WORK_MS") ?? 200);

interface Job {
  readonly file: string;
}

const [role, ...args] = Deno.args;
await using client = await connect({ url: Deno.env.get("PARLEY_URL") });
if (role === "worker") await work();
else await submit(args[0], args.slice(1));

async function submit(name: string, files: readonly string[]): Promise<void> {
  const producer = await client.producer(CHANNEL, name);
  const left = files.slice(producer.stored);
  console.log(`${files.length - left.length} were stored before`);
  // All at once: they share a write to the disk. When this resolves, they are on it.
  await Promise.all(left.map((file) => producer.publish({ json: { file } satisfies Job })));
  console.log(`${left.length} are stored now`);
}

async function work(): Promise<void> {
  // With a window of 1, a worker has one job, and all others go to workers that are free.
  const jobs = await client.subscribe(CHANNEL, { consumer: "resizer", window: 1, deliveries: DELIVERIES });
  for await (const message of jobs) {
    try {
      await resize(message);
      message.ack();
    } catch (error) {
      console.log(`failed: ${error}`);
      if (error instanceof TypeError) message.setAside(); // it will not succeed the next time, either
      else message.nak(1_000 * 2 ** message.deliveries);
    }
  }
}

/** It may have been done before, by a worker that broke off before its acknowledgement: doing it twice must do no harm. */
async function resize(message: Message): Promise<void> {
  const { file } = message.json<Job>();
  console.log(`${file}: delivery ${message.deliveries}`);
  if (!file.endsWith(".jpg")) throw new TypeError(`${file} is no photo`);
  await new Promise((resolve) => setTimeout(resolve, WORK_MS));
  console.log(`${file}: done`);
}
