/**
 * Requests and their answers, and messages to one session alone.
 *
 * @module
 */

import { type Client, ParleyError } from "../../lib/mod.ts";
import { type Harness, numbered, numberOf, type Part } from "./harness.ts";

/** Askers who ask one question after the other, and responders who share them. Each answer must fit its question. */
export function asking(channel: string, askers: number, responders: number): Part {
  return async (harness) => {
    const answerers = await Promise.all(Array.from({ length: responders }, async () => {
      const client = await harness.connect("responder");
      await client.respond(channel, (request) => `${request.text()} by ${client.number}`);
      return client;
    }));
    const numbers = new Set(answerers.map(({ number }) => number));
    await Promise.all(Array.from({ length: askers }, async () => {
      await using client = await harness.connect("asker");
      for (let i = 0; !harness.isOver; i++) {
        await ask(harness, client, i % 10 === 0 ? "$echo" : channel, i, numbers);
      }
    }));
    for (const client of answerers) await client.close();
  };
}

async function ask(
  harness: Harness,
  client: Client,
  channel: string,
  i: number,
  numbers: Set<number>,
): Promise<void> {
  const question = `${client.number}:${i}:${"x".repeat(harness.random.int(500))}`;
  const answer = await client.request(channel, question, { timeoutMs: 10_000 });
  const expected = channel === "$echo" ? question : `${question} by ${answer.sender}`;
  const isFromOneAsked = channel === "$echo" ? answer.sender === 0 : numbers.has(answer.sender);
  if (answer.text() !== expected || !isFromOneAsked) {
    harness.tally.found(
      `${channel}: the answer to "${question.slice(0, 20)}" was "${answer.text().slice(0, 40)}"`,
    );
  }
  harness.tally.answers++;
  await harness.pause(harness.random.int(5));
}

/** Asks where nobody answers, and where the one who is asked goes away: errors, each of them the right one. */
export function askingNobody(channel: string): Part {
  return async (harness) => {
    await using client = await harness.connect("asker");
    while (!harness.isOver) {
      await refused(harness, client.request(channel, "anybody?"), "no_responders");
      const deserter = await harness.connect("deserter");
      await deserter.open(channel);
      const asked = refused(harness, client.request(channel, "are you there?"), "responder_gone");
      await harness.pause(20);
      await deserter.close();
      await asked;
      await harness.pause(200);
    }
  };
}

async function refused(harness: Harness, request: Promise<unknown>, expected: string): Promise<void> {
  const got = await request.then(
    () => "an answer",
    (error) => error instanceof ParleyError ? error.code : `${error}`,
  );
  if (got !== expected) harness.tally.found(`a request that must end with ${expected} ended with ${got}`);
}

/** Messages to one session, in order. */
export function direct(): Part {
  return async (harness) => {
    const receiver = await harness.connect("receiver");
    await using sender = await harness.connect("sender");
    let received = 0;
    const done = (async () => {
      for await (const message of receiver.inbox) {
        if (message.payload.length === 0) return;
        const number = numberOf(message.payload);
        if (number !== received + 1 || message.sender !== sender.number) {
          harness.tally.found(`inbox: message ${number} of ${message.sender} came after message ${received}`);
        }
        received = number;
        harness.tally.delivered++;
      }
    })();
    const payload = numbered(harness.random, 48);
    let sent = 0;
    while (!harness.isOver) {
      for (let i = 0; i < 10; i++) await sender.direct(receiver.number, payload(++sent));
      harness.tally.published += 10;
      await harness.pause(10);
    }
    await sender.direct(receiver.number, "");
    await harness.settle(done, () => `inbox: ${sent} messages sent, the last to arrive was ${received}`);
    await receiver.close();
  };
}
