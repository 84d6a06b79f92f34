/**
 * A server that accepts tokens of another issuer: real connections, and keys that come over HTTP. Which tokens are
 * accepted is tested in `tests/auth/external_tokens_test.ts`.
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ExternalTokens } from "../../lib/auth/external_tokens.ts";
import { Revocations } from "../../lib/auth/revocations.ts";
import { UrlKeys } from "../../lib/auth/url_keys.ts";
import { KEY_COOLDOWN_MS } from "../../lib/limits.ts";
import { connect, ParleyError, serve } from "../../lib/mod.ts";
import { FolderStorage } from "../../lib/state/folder.ts";
import { MemoryStorage } from "../../lib/state/storage.ts";
import {
  AUDIENCE,
  ISSUER,
  type IssuerKey,
  jwksOf,
  makeIssuerKey,
  signToken,
} from "../auth/external_fixtures.ts";
import { ADA } from "../auth/fixtures.ts";
import { within } from "../harness/deadline.ts";
import { makeFolder } from "../harness/folder.ts";
import { parley, processTest, ROOT } from "../harness/program.ts";
import { RawClient } from "../harness/raw_client.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { openTokenDesk } from "../harness/token_desk.ts";
import { fileTest } from "./durable_server.ts";

const PATH = "/.well-known/jwks.json";

/** What serves the keys of the issuer over HTTP, as a test says. */
function serveKeys(answer: (request: Request) => Response | Promise<Response>) {
  const site = { answer, requests: 0, url: "" };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    site.requests++;
    return site.answer(request);
  });
  site.url = `http://127.0.0.1:${server.addr.port}${PATH}`;
  return Object.assign(site, { [Symbol.asyncDispose]: () => server.shutdown() });
}

const now = () => Math.floor(Date.now() / 1000);
const sign = (key: IssuerKey, claims: object = {}) => signToken(key, now(), claims);

/** A server that accepts tokens signed with the keys at `keys`. */
async function serveExternal(keys: string, options: object = {}) {
  const folder = makeFolder();
  const log = new RecordedLog();
  const auth = { keys, issuer: ISSUER, audience: AUDIENCE };
  const server = await serve({ auth, state: folder.path, log: log.log, ...options });
  return {
    server,
    log,
    state: folder.path,
    connect: (token: string) => connect({ url: server.url, token, reconnect: false }),
    async [Symbol.asyncDispose]() {
      await server.close();
      folder[Symbol.dispose]();
    },
  };
}

fileTest("a session has the name and the grants of its token, and the log says whose it is", async () => {
  const key = await makeIssuerKey("ES256");
  await using site = serveKeys(() => new Response(jwksOf(key)));
  await using served = await serveExternal(site.url);
  const parleyClaim = { publish: ["chat.>"], subscribe: ["chat.>", "news"] };
  await using ada = await served.connect(await sign(key, { parley: parleyClaim }));
  await using grace = await served.connect(await sign(key, { sub: "Grace", jti: undefined }));
  assertEquals([ada.name, grace.name], ["Ada", "Grace"]);
  const lobby = await ada.subscribe("chat.lobby");
  await grace.publish("chat.lobby", "hello");
  for await (const message of lobby) {
    assertEquals(message.text(), "hello");
    break;
  }
  await assertRejects(() => ada.subscribe("jobs.>"), ParleyError, "does not allow");
  await assertRejects(() => grace.subscribe("news"), ParleyError, "does not allow");
  await assertRejects(() => grace.respond("chat.lobby", () => ""), ParleyError, "does not allow");
  const accepted = served.log.all("tokens of another issuer are accepted")[0];
  assertEquals([accepted.issuer, accepted.audience, accepted.keys, accepted.from], [
    ISSUER,
    AUDIENCE,
    1,
    site.url,
  ]);
  const { token, issuer } = served.log.all("greeted").find(({ name }) => name === "Ada")!;
  assertEquals([token, issuer], ["login-77", ISSUER]);
});

fileTest(
  "a token of the server itself is accepted as ever, and other tokens are refused without a reason",
  async () => {
    const key = await makeIssuerKey("EdDSA");
    await using site = serveKeys(() => new Response(jwksOf(key)));
    await using served = await serveExternal(site.url);
    const { token } = await openTokenDesk(served.state).tokens.issue(ADA);
    await using ada = await served.connect(token);
    await ada.ping();
    const wrong = await sign(key, { aud: "another" });
    const error = await assertRejects(() => served.connect(wrong), ParleyError);
    assertMatch(error.message, /^token not valid here: check that it is whole, and meant for this server/);
    const line = await served.log.untilLike("refused", "its aud is invalid");
    assertEquals(JSON.stringify(line).includes(wrong.slice(0, 20)), false);
  },
);

fileTest("keys rotate while sessions are open: the old ones end when their key is withdrawn", async () => {
  const [before, after] = await Promise.all(["1", "2"].map((kid) => makeIssuerKey("ES256", kid)));
  await using site = serveKeys(() => new Response(jwksOf(before)));
  await using served = await serveExternal(site.url);
  await using old = await served.connect(await sign(before));
  site.answer = () => new Response(jwksOf(before, after));
  await served.server.reload();
  await served.log.until("the keys of another issuer have changed", { keys: 2 });
  await using young = await served.connect(await sign(after));
  await Promise.all([old.ping(), young.ping()]);
  site.answer = () => new Response(jwksOf(after));
  await served.server.reload();
  await within(old.closed, "end of the session whose key is withdrawn");
  await served.log.untilLike("refused", "its signing key is no longer accepted");
  await young.ping();
});

fileTest("a session ends when its token expires, and when it is revoked; others stay", async () => {
  const key = await makeIssuerKey("EdDSA");
  await using site = serveKeys(() => new Response(jwksOf(key)));
  await using served = await serveExternal(site.url);
  await using brief = await served.connect(await sign(key, { exp: now() + 2, jti: "brief" }));
  await using revoked = await served.connect(await sign(key, { jti: "stolen" }));
  await using stays = await served.connect(await sign(key));
  await new Revocations(new FolderStorage(served.state), Date.now).add("stolen");
  await within(Promise.all([brief.closed, revoked.closed]), "end of both sessions");
  await served.log.untilLike("refused", "token expired: it ended at");
  await served.log.untilLike("refused", "token revoked: it was revoked at");
  await assertRejects(() => sign(key, { jti: "stolen" }).then(served.connect), ParleyError, "token revoked");
  await stays.ping();
});

fileTest(
  "a server starts without keys if they cannot be fetched, says so, and accepts tokens once they can",
  async () => {
    const key = await makeIssuerKey("RS256");
    await using site = serveKeys(() => new Response("try later", { status: 503 }));
    await using served = await serveExternal(site.url);
    const { level, reason } = await served.log.until(
      "cannot read the keys of another issuer; no token signed with them is accepted",
    );
    assertEquals([level, `${reason}`.includes("status 503")], ["error", true]);
    const token = await sign(key);
    await assertRejects(() => served.connect(token), ParleyError, "token not valid here");
    assertEquals(site.requests, 1, "the cool-down has not passed");
    site.answer = () => new Response(jwksOf(key));
    await served.server.reload();
    await served.log.until("the keys of another issuer can be read again", { keys: 1 });
    await using ada = await served.connect(token);
    site.answer = () => new Response("try later", { status: 503 });
    await served.server.reload();
    await served.log.until("cannot read the keys of another issuer; those from before stay in force");
    await using again = await served.connect(token);
    await Promise.all([ada.ping(), again.ping()]);
  },
);

Deno.test("a thousand tokens with unknown keys make the server fetch once, and a redirect is not followed", async () => {
  const [key, next] = await Promise.all(["1", "2"].map((kid) => makeIssuerKey("EdDSA", kid)));
  await using elsewhere = serveKeys(() => new Response(jwksOf(next)));
  await using site = serveKeys(() => new Response(jwksOf(key)));
  let ms = 0;
  const reports: string[] = [];
  const keys = new UrlKeys(new URL(site.url), {
    now: () => ms,
    events: {
      failed: (_from, error) => reports.push((error as Error).message),
      again: () => reports.push("again"),
      changed: () => reports.push("changed"),
    },
  });
  const revocations = new Revocations(new MemoryStorage(), Date.now);
  const tokens = new ExternalTokens(
    { issuer: ISSUER, audience: AUDIENCE, maxLifetimeSeconds: 86_400 },
    { sources: [keys], revocations, now: Date.now },
  );
  await tokens.open();
  const unknown = await Promise.all(
    Array.from({ length: 1000 }, (_, at) => signToken(key, now(), {}, { kid: `unknown-${at}` })),
  );
  const verifyAll = () => Promise.all(unknown.map((token) => tokens.verify(token)));
  await verifyAll();
  assertEquals(site.requests, 1, "that of the start");
  ms += KEY_COOLDOWN_MS;
  const decisions = await verifyAll();
  assertEquals([site.requests, decisions.every((decision) => "rejected" in decision)], [2, true]);
  ms += KEY_COOLDOWN_MS;
  site.answer = () => Response.redirect(elsewhere.url);
  await verifyAll();
  assertEquals([site.requests, elsewhere.requests], [3, 0]);
  assertMatch(reports[0], /answered with status 302, not 200; redirects are not followed/);
  ms += KEY_COOLDOWN_MS;
  site.answer = () => new Response(jwksOf(key, next));
  const [decision] = await Promise.all([sign(next).then((token) => tokens.verify(token)), verifyAll()]);
  assertEquals(["accepted" in decision, site.requests], [true, 4]);
  await tokens.close();
});

fileTest(
  "producers and consumers of a token of the server are out of reach for one of another issuer",
  async () => {
    const key = await makeIssuerKey("EdDSA");
    await using site = serveKeys(() => new Response(jwksOf(key)));
    await using served = await serveExternal(site.url, { stored: [{ channels: "d.>", storage: "durable" }] });
    const lists = { publish: [">"], subscribe: [">"], respond: [], direct: false };
    const { token } = await openTokenDesk(served.state).tokens.issue({ ...ADA, ...lists });
    await served.server.reload();
    using own = await RawClient.greet(served.server, { token });
    using other = await RawClient.greet(served.server, { token: await sign(key, { parley: lists }) });
    const { number } = await own.open("d.a", { subscribe: false, producer: "p" });
    await own.send(own.durable(7, number, "mine"));
    assertEquals(await own.acked(), { id: 7, sequence: 1 });
    // The same producer and the same id, but another subject: stored, and not taken for the same message.
    await other.open("d.a", { subscribe: false, producer: "p" });
    await other.send(other.durable(7, number, "yours"));
    assertEquals(await other.acked(), { id: 7, sequence: 2 });
    await own.open("d.a", { subscribe: true, consumer: "c" });
    assertEquals(await own.stored(2), ["at 1", "1 mine", "2 yours"]);
    await other.open("d.a", { subscribe: true, consumer: "c" });
    assertEquals(await other.stored(2), ["at 1", "1 mine", "2 yours"]);
  },
);

fileTest("a token of another issuer is as good over HTTP", async () => {
  const key = await makeIssuerKey("ES256");
  await using site = serveKeys(() => new Response(jwksOf(key)));
  await using served = await serveExternal(site.url, { web: { port: 0 } });
  const publish = async (channel: string, token: string) => {
    const url = new URL(`/publish/${channel}`, served.server.webUrl);
    const init = { method: "POST", body: "hello", headers: { authorization: `Bearer ${token}` } };
    const response = await fetch(url, init);
    await response.body?.cancel();
    return response.status;
  };
  const token = await sign(key);
  assertEquals(Math.floor(await publish("chat.lobby", token) / 100), 2);
  assertEquals(await publish("jobs", token), 403);
  assertEquals(await publish("chat.lobby", await sign(key, { aud: "another" })), 401);
});

processTest("a server without keys of another issuer loads nothing for them", async () => {
  const info = ["info", "--json", `${ROOT}lib/auth/service.ts`];
  const { stdout } = await parley(info, { program: [Deno.execPath()] });
  const { modules } = JSON.parse(stdout) as { modules: { specifier: string }[] };
  const files = modules.map(({ specifier }) => specifier.replace(/.*\/auth\//, ""));
  assertEquals(
    files.filter((file) => /^(external|url_keys|file_keys|key_source|two_issuers|revoc)/.test(file)),
    [],
  );
  assertEquals(files.includes("tokens.ts"), true);
});
