import { assert, assertEquals } from "@std/assert";
import { Channels } from "../../lib/client/channels.ts";
import { MAX_NAMES } from "../../lib/client/limits.ts";
import { SessionChannel } from "../../lib/client/session_channel.ts";

const opened = (channel: string, number: number) => ({ channel, number, publish: true, subscribe: true });

Deno.test("the names of channels that only a pattern matches are forgotten, those in use last", () => {
  const channels = new Channels(() => Promise.resolve());
  for (const name of ["jobs.>", "jobs.open"]) channels.add(new SessionChannel(name));
  channels.opened(opened("jobs.>", 0));
  channels.opened(opened("jobs.open", 1));
  channels.opened(opened("jobs.used", 2));
  for (let id = 3; id <= MAX_NAMES; id++) channels.opened(opened(`jobs.${id}`, id));
  assert(channels.known === MAX_NAMES && !channels.hasForgotten);
  channels.routeOf(2);
  for (let id = MAX_NAMES + 1; id <= 3 * MAX_NAMES; id++) {
    channels.opened(opened(`jobs.${id}`, id));
    if (id % 1000 === 0) assertEquals(channels.routeOf(2)?.name, "jobs.used");
  }
  assert(channels.known === MAX_NAMES && channels.hasForgotten);
  assertEquals([1, 2, 3].map((id) => channels.routeOf(id)?.name), ["jobs.open", "jobs.used", undefined]);
});

Deno.test("a channel that was left is forgotten", () => {
  const channels = new Channels(() => Promise.resolve());
  for (let id = 1; id <= 1000; id++) {
    const channel = new SessionChannel(`c${id}`);
    channels.add(channel);
    channel.channelId = id;
    channels.opened(opened(channel.name, id));
    channels.leaving(channel);
    channels.remove(channel);
  }
  assertEquals([channels.known, channels.size], [0, 0]);
});
