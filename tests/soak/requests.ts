/**
 * Requests and replies, and messages to the inbox of one session.
 *
 * @module
 */

import { type Client, ParleyError } from "../../lib/mod.ts";
import { type Harness, numbered, numberOf, type Workload } from "./harness.ts";

/** Requesters that each send one request after the other, and responders that share them. Checks every reply. */
export function requests(channel: string, requesterCount: number, responderCount: number): Workload {
  return async (harness) => {
    const responders = await Promise.all(Array.from({ length: responderCount }, async () => {
      const client = await harness.connect("responder");
      await client.respond(channel, (request) => `${request.text()} by ${client.sessionId}`);
      return client;
    }));
    const numbers = new Set(responders.map(({ sessionId }) => sessionId));
    await Promise.all(Array.from({ length: requesterCount }, async () => {
      await using client = await harness.connect("requester");
      for (let i = 0; !harness.isOver; i++) {
        await request(harness, client, i % 10 === 0 ? "$echo" : channel, i, numbers);
      }
    }));
    for (const client of responders) await client.close();
  };
}

async function request(
  harness: Harness,
  client: Client,
  channel: string,
  i: number,
  responders: Set<number>,
): Promise<void> {
  const text = `${client.sessionId}:${i}:${"x".repeat(harness.random.int(500))}`;
  const reply = await client.request(channel, text, { timeoutMs: 10_000 });
  const expected = channel === "$echo" ? text : `${text} by ${reply.sender}`;
  const hasValidSender = channel === "$echo" ? reply.sender === 0 : responders.has(reply.sender);
  if (reply.text() !== expected || !hasValidSender) {
    harness.counters.addProblem(
      `${channel}: the reply to "${text.slice(0, 20)}" was "${reply.text().slice(0, 40)}"`,
    );
  }
  harness.counters.replies++;
  await harness.pause(harness.random.int(5));
}

/** Requests without a responder, and requests whose responder closes: both must fail with the right code. */
export function failingRequests(channel: string): Workload {
  return async (harness) => {
    await using client = await harness.connect("requester");
    while (!harness.isOver) {
      await failsWith(harness, client.request(channel, "no responder"), "no_responders");
      const responder = await harness.connect("responder that closes");
      await responder.respond(channel, () => new Promise<never>(() => {}));
      const request = failsWith(harness, client.request(channel, "responder closes"), "responder_gone");
      await harness.pause(20);
      await responder.close();
      await request;
      await harness.pause(200);
    }
  };
}

async function failsWith(harness: Harness, request: Promise<unknown>, expected: string): Promise<void> {
  const outcome = await request.then(
    () => "a reply",
    (error) => error instanceof ParleyError ? error.code : `${error}`,
  );
  if (outcome !== expected) {
    harness.counters.addProblem(`a request that must fail with ${expected} ended with ${outcome}`);
  }
}

/** Messages to the inbox of one session, which must arrive in order. */
export function directMessages(): Workload {
  return async (harness) => {
    const receiver = await harness.connect("receiver");
    await using sender = await harness.connect("sender");
    let received = 0;
    const done = (async () => {
      for await (const message of receiver.inbox) {
        if (message.payload.length === 0) return;
        const number = numberOf(message.payload);
        if (number !== received + 1 || message.sender !== sender.sessionId) {
          harness.counters.addProblem(
            `inbox: message ${number} of ${message.sender} came after message ${received}`,
          );
        }
        received = number;
        harness.counters.delivered++;
      }
    })();
    const payload = numbered(harness.random, 48);
    let sent = 0;
    while (!harness.isOver) {
      for (let i = 0; i < 10; i++) await sender.sendTo(receiver.sessionId, payload(++sent));
      harness.counters.published += 10;
      await harness.pause(10);
    }
    await sender.sendTo(receiver.sessionId, "");
    await harness.settle(done, () => `inbox: ${sent} messages sent, the last to arrive was ${received}`);
    await receiver.close();
  };
}
