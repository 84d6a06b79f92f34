/**
 * No token, key or payload is in the log or in an ERROR, not even at debug level, whatever a client does wrong.
 *
 * What the two programs print and log is in `tests/cli/server/secret_test.ts`.
 */

import { assert, assertEquals } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { text } from "../harness/raw_client.ts";
import { attack } from "./harness.ts";
import { BOTH } from "./transport.ts";

attack(
  "no token, key or payload is in a log line or an ERROR",
  { auth: true, transports: BOTH },
  async (harness) => {
    const { host } = harness;
    const token = await harness.token();
    const payload = `payload-${crypto.randomUUID()}`;
    const wrong = token.slice(0, -8) + "AAAAAAAA";
    // Payloads that are cut, or of a wrong type: an error must not quote what it is about.
    const mistakes = [
      `{"protocol":"parley/1","token":"${wrong}"}`,
      `{"protocol":"parley/1","token":"${token}"`,
      `{"protocol":"parley/1","token":["${token}"]}`,
      `{"protocol":"${token}"}`,
      `{"protocol":"parley/1","name":"${token}"}`,
      `{"protocol":"parley/1","token":"${token} "}`,
    ];
    const errors: string[] = [];
    for (const mistake of mistakes) {
      const client = await harness.connect();
      await client.send(client.frame(Type.HELLO, {}, mistake));
      for (const frame of await client.rest()) errors.push(text(frame));
    }
    assertEquals(errors.length, mistakes.length);
    const client = await harness.greet({ token });
    const { number } = await client.open("chat");
    await client.send(
      client.frame(Type.OPEN, { id: 1 }, `{"channel":"${payload}"`),
      client.frame(Type.OPEN, { id: 2 }, `{"channel":["${payload}"]}`),
      client.frame(Type.OPEN, { id: 3 }, `{"channel":"chat","subscribe":"${payload}"}`),
      client.request(4, number, payload),
      client.message(999, payload),
      client.frame(Type.BYE, {}, { reason: 7, payload }),
    );
    for (const frame of await client.barrier()) if (frame.type === Type.ERROR) errors.push(text(frame));
    await client.send(client.frame(Type.REQUEST, { id: 5 }, payload));
    for (const frame of await client.rest()) errors.push(text(frame));

    const keys = JSON.parse(Deno.readTextFileSync(`${host.state}/signing-keys.json`));
    const forbidden = {
      token: token.slice(-40),
      "wrong token": wrong.slice(-40),
      payload,
      "signing key": keys.signing.jwk.d,
      "TLS key": "PRIVATE KEY",
    };
    const log = JSON.stringify(host.log.lines);
    assert(log.includes('"refused"') && errors.join().includes("bad_hello"));
    for (const [where, said] of Object.entries({ log, ERROR: errors.join("\n") })) {
      for (const [secret, value] of Object.entries(forbidden)) {
        assert(!said.includes(value), `a ${secret} is in the ${where}`);
      }
    }
  },
);
