/** What a server does after its process was stopped for a while: deadlines are judged once what came meanwhile is read. */

import { assertEquals } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { MAY_RUN } from "../harness/permissions.ts";
import { concat, RawClient, text } from "../harness/raw_client.ts";
import { ServerProcess } from "../harness/server_process.ts";

/** Longer than every deadline below. */
const STOPPED_MS = 3500;

Deno.test({
  name:
    "after SIGSTOP and SIGCONT, what had come in time counts: a HELLO, a reply, and that a subscriber reads",
  ignore: !MAY_RUN || Deno.build.os === "windows",
}, async () => {
  await using server = await ServerProcess.start({
    args: [
      ...["--handshake-time", "1", "--slow-consumer-timeout", "1", "--request-time", "2", "--heartbeat", "1"],
      ...["--max-payload", "64KiB", "--max-pending", "1MiB"],
    ],
  });
  using subscriber = await RawClient.greet(server);
  using publisher = await RawClient.greet(server);
  using responder = await RawClient.greet(server);
  using requester = await RawClient.greet(server);
  const { number } = await subscriber.open("feed");
  await publisher.openToPublish("feed");
  const { number: jobs } = await responder.respond("jobs");
  await requester.openToPublish("jobs");
  await requester.send(requester.request(1, jobs, "what"));
  await responder.expect(Type.REQUEST);

  // The subscriber reads all that it is sent; the publisher is paused most of the time.
  let isOver = false;
  const message = publisher.message(number, new Uint8Array(16 * 1024));
  const publishing = (async () => {
    while (!isOver) await publisher.send(concat([message, message, message, message]));
    await publisher.send(publisher.message(number, "the last"));
  })();
  const reading = (async () => {
    for (let frame; text(frame = await subscriber.next()) !== "the last";) {
      if (frame.type === Type.PING) await subscriber.send(subscriber.frame(Type.PONG));
      else assertEquals(frame.type, Type.MESSAGE, text(frame));
    }
  })();

  using late = await RawClient.connect(server);
  await server.log.untilLike("connected", `${late.port}`);
  server.kill("SIGSTOP");
  const welcome = late.hello();
  await responder.send(responder.reply(1, requester.number, "that"), responder.frame(Type.PONG));
  await requester.send(requester.frame(Type.PONG));
  await new Promise((resolve) => setTimeout(resolve, STOPPED_MS));
  server.kill("SIGCONT");

  await welcome;
  let frame = await requester.next();
  while (frame.type === Type.PING) frame = await requester.next();
  assertEquals([frame.type, text(frame)], [Type.REPLY, "that"]);
  isOver = true;
  await publishing;
  await reading;
  assertEquals(server.log.all("refused"), []);
});
