/**
 * The backend of a web application whose pages talk to Parley: it logs users in, and gives each a short token of its own
 * that lets the page connect. Parley accepts these tokens by the public key that this program publishes.
 *
 * ```sh
 * deno task build:npm   # makes the library for pages
 * deno run --allow-net --allow-env --allow-read examples/web_backend.ts
 * # in another terminal; then open http://localhost:8080, and log in as ada with lovelace
 * parley-server --web 7254 --web-origin http://localhost:8080 --auth-audience parley.example \
 *   --auth-issuer http://localhost:8080 --auth-keys http://localhost:8080/.well-known/jwks.json
 * ```
 *
 * @module
 */

import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from "jose"; // elsewhere: npm:jose

const ORIGIN = Deno.env.get("ORIGIN") ?? "http://localhost:8080"; // what the browser's address bar says
const WEB_SOCKET = Deno.env.get("WEB_SOCKET") ?? "ws://localhost:7254";
const LIBRARY = Deno.env.get("LIBRARY") ?? "dist/npm/package/parley.js";
const SESSION_MS = 12 * 3600 * 1000;
const MAX_FORM_BYTES = 4096;

// Your own login goes here, with passwords that are hashed.
const PASSWORDS = new Map([["ada", "lovelace"], ["grace", "hopper"]]);
const sessions = new Map<string, { readonly user: string; readonly untilMs: number }>();

// A new key at each start: Parley fetches it when the first token names it. A backend that runs more than once keeps its
// key in a file or a key service instead, and adds the next one to the set some time before it signs with it.
const { privateKey, publicKey } = await generateKeyPair("EdDSA");
const publicJwk = await exportJWK(publicKey);
const kid = await calculateJwkThumbprint(publicJwk);
const keySet = { keys: [{ ...publicJwk, kid, alg: "EdDSA", use: "sig" }] };

/** A token for the page of `user`. It is short, because the page fetches another whenever it has to connect again. */
function issueToken(user: string): Promise<string> {
  return new SignJWT({ parley: { publish: ["chat.>"], subscribe: ["chat.>"] } })
    .setProtectedHeader({ alg: "EdDSA", kid })
    .setIssuer(ORIGIN).setAudience("parley.example")
    .setSubject(user).setJti(crypto.randomUUID())
    .setIssuedAt().setExpirationTime("5m")
    .sign(privateKey);
}

const LOGIN = `<!doctype html><meta charset="utf-8"><title>Log in</title>
<form method="post" action="/login">
  <label>Name <input name="user" autocomplete="username"></label>
  <label>Password <input name="password" type="password" autocomplete="current-password"></label>
  <button>Log in</button>
</form>`;

const CHAT =
  `<!doctype html><meta charset="utf-8"><title>Chat</title><script type="module" src="/page.js"></script>
<ul id="messages"></ul>
<form><input name="text" aria-label="Message"> <button disabled>Send</button></form>
<form method="post" action="/logout"><button>Log out</button></form>`;

const SCRIPT = `import { connect } from "/parley.js";

/** Asked at the start, and again whenever the session with Parley has ended, as it does when its token expires. */
async function token() {
  const response = await fetch("/token", { method: "POST" });
  if (!response.ok) location.reload(); // to log in again
  return await response.text();
}

const client = await connect({ url: ${JSON.stringify(WEB_SOCKET)}, token });
const names = new Map(); // of sessions: the server vouches for them, because they are in the tokens
const lobby = await client.subscribe("chat.lobby", {
  presence: ({ name, sessionId }) => names.set(sessionId, name),
});
for (const [sessionId, name] of lobby.members) names.set(sessionId, name);

const [form] = document.forms;
form.onsubmit = (event) => {
  event.preventDefault();
  client.publish("chat.lobby", form.text.value);
  form.reset();
};
form.querySelector("button").disabled = false;
for await (const message of lobby) {
  const line = document.createElement("li");
  line.textContent = names.get(message.sender) + ": " + message.text();
  document.getElementById("messages").append(line);
}`;

const CSP =
  `default-src 'none'; script-src 'self'; connect-src 'self' ${WEB_SOCKET}; form-action 'self'; base-uri 'none'`;

function text(body: string, type = "text/plain", status = 200): Response {
  const headers = { "content-type": `${type}; charset=utf-8`, "cache-control": "no-store" };
  return new Response(body, { status, headers: { ...headers, "content-security-policy": CSP } });
}

/** The id of the session that the request's cookie names. */
function sessionIdOf(request: Request): string {
  return /(?:^|; )session=([\w-]+)/.exec(request.headers.get("cookie") ?? "")?.[1] ?? "";
}

/** The user of that session. */
function userOf(request: Request): string | undefined {
  const id = sessionIdOf(request);
  const session = sessions.get(id);
  if (session === undefined || session.untilMs > Date.now()) return session?.user;
  sessions.delete(id);
  return undefined;
}

async function logIn(request: Request): Promise<Response> {
  if (!(Number(request.headers.get("content-length") ?? Infinity) <= MAX_FORM_BYTES)) {
    return text("too long", undefined, 413);
  }
  const form = await request.formData();
  const [user, password] = ["user", "password"].map((name) => String(form.get(name) ?? ""));
  if (PASSWORDS.get(user) !== password) return text("wrong name or password", undefined, 401);
  const id = crypto.randomUUID();
  sessions.set(id, { user, untilMs: Date.now() + SESSION_MS });
  const secure = ORIGIN.startsWith("https:") ? "; Secure" : "";
  const cookie = `session=${id}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${SESSION_MS / 1000}${secure}`;
  return new Response(null, { status: 303, headers: { location: "/", "set-cookie": cookie } });
}

async function respond(request: Request): Promise<Response> {
  // A page of another site could otherwise post with the cookie of a user of this one.
  if (request.method === "POST" && request.headers.get("origin") !== ORIGIN) return text("", undefined, 403);
  const { pathname } = new URL(request.url);
  if (/^\/parley(-[\w-]+)?\.js$/.test(pathname)) { // the client, and what it loads when it needs it
    const file = LIBRARY.replace(/[^/]*$/, pathname.slice(1));
    return text(await Deno.readTextFile(file), "text/javascript");
  }
  switch (`${request.method} ${pathname}`) {
    case "GET /":
      return text(userOf(request) === undefined ? LOGIN : CHAT, "text/html");
    case "GET /page.js":
      return text(SCRIPT, "text/javascript");
    case "GET /.well-known/jwks.json":
      return Response.json(keySet);
    case "POST /login":
      return await logIn(request);
    case "POST /logout":
      sessions.delete(sessionIdOf(request)); // the token that the page has ends within five minutes
      return new Response(null, { status: 303, headers: { location: "/" } });
    case "POST /token": {
      const user = userOf(request);
      return user === undefined ? text("log in first", undefined, 401) : text(await issueToken(user));
    }
    default:
      return text("not found", undefined, 404);
  }
}

// Behind a proxy that encrypts, ORIGIN is the https: URL of the proxy, and PORT that of this program.
const port = Number(Deno.env.get("PORT") ?? new URL(ORIGIN).port);
Deno.serve({ hostname: "127.0.0.1", port, onListen: () => console.log(`open ${ORIGIN}`) }, respond);
