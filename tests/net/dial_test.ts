import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ParleyError } from "../../lib/errors.ts";
import { dial } from "../../lib/net/dial.ts";
import { DEADLINE_MS } from "../harness/deadline.ts";
import { settled } from "./fake_socket.ts";

/** Runs `use` with `connect` in place of `Deno.connect`. */
async function withConnect<T>(connect: () => Promise<unknown>, use: () => Promise<T>): Promise<T> {
  const real = Deno.connect;
  Deno.connect = connect as unknown as typeof Deno.connect;
  try {
    return await use();
  } finally {
    Deno.connect = real;
  }
}

/** The error of dialling `target`, which must be `unreachable`. */
async function unreachable(target: { hostname: string; port: number }, withinMs = DEADLINE_MS) {
  const error = await assertRejects(() => dial(target, withinMs), ParleyError);
  assertEquals(error.code, "unreachable");
  return error;
}

Deno.test("dial returns a connected socket", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const socket = await dial(listener.addr, DEADLINE_MS);
  using accepted = await listener.accept();
  await socket.write(new TextEncoder().encode("hi"));
  assertEquals(await accepted.read(new Uint8Array(10)), 2);
  socket.close();
});

Deno.test("if nothing listens, the error says so and what to try", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const { message } = await unreachable({ hostname: "127.0.0.1", port });
  assertStringIncludes(message, `nothing listens on 127.0.0.1:${port}`);
});

Deno.test("an IPv6 address is written in brackets before its port", async () => {
  const refuse = () => Promise.reject(new Deno.errors.ConnectionRefused());
  const { message } = await withConnect(refuse, () => unreachable({ hostname: "::1", port: 7 }));
  assertStringIncludes(message, "[::1]:7");
});

Deno.test("any other failure is reported with its reason", async () => {
  const fail = () => Promise.reject(new Error("no route to host"));
  const error = await withConnect(fail, () => unreachable({ hostname: "192.0.2.1", port: 7 }));
  assertStringIncludes(error.message, "no route to host");
  assert(error.cause instanceof Error);
});

Deno.test("no answer in time is an error, and a connection that comes after it is closed", async () => {
  let closed = 0;
  const late = Promise.withResolvers<unknown>();
  await withConnect(() => late.promise, async () => {
    const { message } = await unreachable({ hostname: "192.0.2.1", port: 7 }, 20);
    assertStringIncludes(message, "0.02 s");
  });
  late.resolve({ close: () => closed++ });
  await settled();
  assertEquals(closed, 1);
});

Deno.test("a failure after the timeout is not an unhandled rejection", async () => {
  const late = Promise.withResolvers<unknown>();
  await withConnect(() => late.promise, () => unreachable({ hostname: "192.0.2.1", port: 7 }, 20));
  late.reject(new Error("too late"));
  await settled();
});
