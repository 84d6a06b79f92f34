/**
 * Requests and their answers, and messages to one session alone.
 *
 * @module
 */

import { type Client, ParleyError } from "../../lib/mod.ts";
import { numbered, numberOf, type Part, type Scene } from "./harness.ts";

/** Askers who ask one question after the other, and responders who share them. Each answer must fit its question. */
export function asking(channel: string, askers: number, responders: number): Part {
  return async (scene) => {
    const answerers = await Promise.all(Array.from({ length: responders }, async () => {
      const client = await scene.connect("responder");
      await client.respond(channel, (request) => `${request.text()} by ${client.number}`);
      return client;
    }));
    const numbers = new Set(answerers.map(({ number }) => number));
    await Promise.all(Array.from({ length: askers }, async () => {
      await using client = await scene.connect("asker");
      for (let i = 0; !scene.isOver; i++) {
        await ask(scene, client, i % 10 === 0 ? "$echo" : channel, i, numbers);
      }
    }));
    for (const client of answerers) await client.close();
  };
}

async function ask(
  scene: Scene,
  client: Client,
  channel: string,
  i: number,
  numbers: Set<number>,
): Promise<void> {
  const question = `${client.number}:${i}:${"x".repeat(scene.random.int(500))}`;
  const answer = await client.request(channel, question, { timeoutMs: 10_000 });
  const expected = channel === "$echo" ? question : `${question} by ${answer.sender}`;
  const isFromOneAsked = channel === "$echo" ? answer.sender === 0 : numbers.has(answer.sender);
  if (answer.text() !== expected || !isFromOneAsked) {
    scene.tally.found(
      `${channel}: the answer to "${question.slice(0, 20)}" was "${answer.text().slice(0, 40)}"`,
    );
  }
  scene.tally.answers++;
  await scene.pause(scene.random.int(5));
}

/** Asks where nobody answers, and where the one who is asked goes away: errors, each of them the right one. */
export function askingNobody(channel: string): Part {
  return async (scene) => {
    await using client = await scene.connect("asker");
    while (!scene.isOver) {
      await refused(scene, client.request(channel, "anybody?"), "no_responders");
      const deserter = await scene.connect("deserter");
      await deserter.open(channel);
      const asked = refused(scene, client.request(channel, "are you there?"), "responder_gone");
      await scene.pause(20);
      await deserter.close();
      await asked;
      await scene.pause(200);
    }
  };
}

async function refused(scene: Scene, request: Promise<unknown>, expected: string): Promise<void> {
  const got = await request.then(
    () => "an answer",
    (error) => error instanceof ParleyError ? error.code : `${error}`,
  );
  if (got !== expected) scene.tally.found(`a request that must end with ${expected} ended with ${got}`);
}

/** Messages to one session, in order. */
export function direct(): Part {
  return async (scene) => {
    const receiver = await scene.connect("receiver");
    await using sender = await scene.connect("sender");
    let received = 0;
    const done = (async () => {
      for await (const message of receiver.inbox) {
        if (message.payload.length === 0) return;
        const number = numberOf(message.payload);
        if (number !== received + 1 || message.sender !== sender.number) {
          scene.tally.found(`inbox: message ${number} of ${message.sender} came after message ${received}`);
        }
        received = number;
        scene.tally.delivered++;
      }
    })();
    const payload = numbered(scene.random, 48);
    let sent = 0;
    while (!scene.isOver) {
      for (let i = 0; i < 10; i++) await sender.direct(receiver.number, payload(++sent));
      scene.tally.published += 10;
      await scene.pause(10);
    }
    await sender.direct(receiver.number, "");
    await scene.settle(done, () => `inbox: ${sent} messages sent, the last to arrive was ${received}`);
    await receiver.close();
  };
}
