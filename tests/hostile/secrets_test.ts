/**
 * What both programs tell of what they know: no token, no key and no payload, in no log line, no error and no list of
 * processes, however much they are asked to log.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { Program } from "../harness/program.ts";
import { text } from "../harness/raw_client.ts";
import { processAttack } from "./harness.ts";

/** What `ps` shows of every process: its arguments. */
function processList(): string {
  const lines: string[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      lines.push(Deno.readTextFileSync(`/proc/${name}/cmdline`).replaceAll("\0", " "));
    } catch {
      // Ended since.
    }
  }
  return lines.join("\n");
}

processAttack(
  "no token, key or payload stands in a log line, an error, or the list of processes, of either program",
  { auth: true, args: ["--log-level", "debug"] },
  async (harness, { client: program }) => {
    const { host, transport } = harness;
    const token = await harness.token();
    const marker = `payload-${crypto.randomUUID()}`;
    const certificateFile = `${host.folder}/ca.pem`;
    if (transport.isTls) Deno.writeTextFileSync(certificateFile, host.authority!);
    const tokenFile = `${host.folder}/token`;
    Deno.writeTextFileSync(tokenFile, token, { mode: 0o600 });
    const address = [
      ...["--host", host.hostname, "--port", `${host.port}`, "--log-level", "debug", "--trace"],
      ...(transport.isTls ? ["--tls", "--ca", certificateFile] : []),
    ];
    const run = (args: string[], env: Record<string, string> = {}) =>
      new Program([...args, ...address], { program, env });
    const ends: { stdout: string; stderr: string }[] = [];
    const secrets: string[] = [];

    // From the environment and from a file, while both are looked at from outside.
    await using listening = run(["subscribe", "chat.>", "--count", "1"], { PARLEY_TOKEN: token });
    await listening.stderr.until(/subscribed/);
    await using publishing = run(["publish", "chat.lobby", "-", "--token", `@${tokenFile}`]);
    secrets.push(processList());
    await publishing.type(marker);
    await publishing.endInput();
    assertEquals((await publishing.ended()).code, 0);
    const heard = await listening.ended();
    assertStringIncludes(heard.stdout, marker);
    ends.push({ stdout: "", stderr: heard.stderr }, await publishing.ended());

    // A token that is wrong in its last part only, and a payload where none may go.
    const wrong = token.slice(0, -8) + "AAAAAAAA";
    await using refused = run(["ping"], { PARLEY_TOKEN: wrong });
    const rejection = await refused.ended();
    assertEquals(rejection.code, 4);
    ends.push(rejection);

    // What is not whole, or not right: errors must not quote what they are about.
    const mistakes = [
      `{"protocol":"parley/1","token":"${token}"`,
      `{"protocol":"parley/1","token":["${token}"]}`,
      `{"protocol":"${token}"}`,
      `{"protocol":"parley/1","name":"${token}"}`,
      `{"protocol":"parley/1","token":"${token} "}`,
    ];
    const errors: string[] = [];
    for (const mistake of mistakes) {
      const stranger = await harness.connect();
      await stranger.send(stranger.frame(Type.HELLO, {}, mistake));
      for (const frame of await stranger.rest()) errors.push(text(frame));
    }
    const mallory = await harness.greet({ token });
    const { number } = await mallory.open("chat");
    await mallory.send(
      mallory.frame(Type.OPEN, { id: 1 }, `{"channel":"${marker}"`),
      mallory.frame(Type.OPEN, { id: 2 }, `{"channel":["${marker}"]}`),
      mallory.frame(Type.OPEN, { id: 3 }, `{"channel":"chat","subscribe":"${marker}"}`),
      mallory.request(4, number, marker),
      mallory.message(999, marker),
      mallory.frame(Type.BYE, {}, { reason: 7, marker }),
    );
    for (const frame of await mallory.barrier()) errors.push(text(frame));
    await mallory.send(mallory.frame(Type.REQUEST, { id: 5 }, marker));
    for (const frame of await mallory.rest()) errors.push(text(frame));

    const keys = JSON.parse(Deno.readTextFileSync(`${host.folder}/state/signing-keys.json`));
    const forbidden = {
      token: token.slice(-40),
      "wrong token": wrong.slice(-40),
      payload: marker,
      "signing key": keys.signing.jwk.d,
      "TLS key": "PRIVATE KEY",
    };
    const told = {
      "the server's log": host.server.stderr,
      "the client's stderr": ends.map(({ stderr }) => stderr).join(""),
      "the client's stdout": ends.map(({ stdout }) => stdout).join(""),
      "an ERROR": errors.join("\n"),
      "the list of processes": secrets.join("\n"),
    };
    assert(told["the server's log"].includes('"refused"') && told["an ERROR"].includes("bad_hello"));
    for (const [where, what] of Object.entries(told)) {
      for (const [secret, value] of Object.entries(forbidden)) {
        assert(!what.includes(value), `a ${secret} stands in ${where}`);
      }
    }
  },
);
