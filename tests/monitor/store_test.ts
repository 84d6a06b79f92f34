/** A store that fails, as the server tells of it. */

import { assertEquals } from "@std/assert";
import type { ChannelLog } from "../../lib/broker/stored/log.ts";
import { diagnose } from "../../lib/monitor/diagnosis.ts";
import { serverStats } from "../../lib/monitor/server_stats.ts";
import { Type } from "../../lib/wire/header.ts";
import { acceptWith, newContext, TestConnection } from "../broker/test_session.ts";
import { monitored } from "./monitored.ts";

Deno.test("a store that cannot be written: the server is failing, and why says what becomes of messages", async () => {
  let isBroken = true;
  const log: ChannelLog = {
    state: { epoch: "e", firstSession: 1, channels: [], producers: [], consumers: [] },
    commit: () =>
      isBroken
        ? Promise.reject(new Error("no space left on the device"))
        : Promise.resolve({ trimmed: [], hasMoreToTrim: false }),
    read: () => Promise.resolve([]),
    find: () => Promise.resolve(1),
    findKey: () => Promise.resolve(undefined),
    close: () => Promise.resolve(),
  };
  const context = newContext({ authenticator: acceptWith({}), durable: log });
  const { router } = context;
  const ada = await new TestConnection(context).greet();
  ada.control(Type.OPEN, { channel: "d.x", subscribe: true });
  const number = ada.outbox.control(Type.OPENED)[0].number as number;
  const server = monitored(context, [ada.session]);
  const publish = async () => {
    ada.send(Type.MESSAGE, number, "text");
    await router.channels.stored!.settled();
    const { state, store } = await serverStats(server);
    return [
      state,
      store?.refused,
      store?.failures,
      store?.messages,
      (await diagnose(server, "d.x")).findings,
    ];
  };
  // The first commit is that of the numbers of sessions.
  assertEquals(await publish(), ["failing", 2, 2, 0, [
    "The store fails: the last commit was refused, so messages on d.x are refused as not_stored, and not delivered. The log says why.",
  ]]);
  assertEquals(ada.errors, [`not_stored 0 ${number}`]);
  isBroken = false;
  ada.control(Type.OPEN, { channel: "d.x", subscribe: true, retry: true });
  assertEquals(await publish(), ["ready", 2, 2, 1, []]);
});
