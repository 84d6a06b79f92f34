/** The OpenAPI description: that it is one, and that it is of the routes that there are. */

import { assertEquals } from "@std/assert";
import { Validator } from "@seriousme/openapi-schema-validator";
import { DEFAULT_LIMITS } from "../../lib/limits.ts";
import { STATUSES } from "../../lib/web/gateway/problems.ts";
import type { WebServices } from "../../lib/web/exchange.ts";
import { OPENAPI } from "../../lib/web/gateway/openapi.ts";
import { isGranted, MAY_USE_FILES } from "../harness/permissions.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { gatewayTest } from "./gateway_server.ts";

interface Operation {
  readonly operationId: string;
  readonly security?: readonly object[];
  readonly responses: Readonly<Record<string, object>>;
}
const paths = OPENAPI.paths as Record<string, Record<string, Operation>>;

// The validator reads its schemas from files.
Deno.test({ name: "openapi.json is valid OpenAPI 3.1", ignore: !MAY_USE_FILES, fn: () => validate() });

async function validate(): Promise<void> {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(OPENAPI));
  assertEquals([valid, errors ?? [], validator.version], [true, [], "3.1"]);
  // The schema does not follow references; resolving them fails if one leads nowhere.
  const missing = JSON.stringify(OPENAPI).matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)
    .filter(([, kind, name]) => {
      return !Object.hasOwn((OPENAPI.components as Record<string, object>)[kind] ?? {}, name);
    });
  assertEquals([...missing].map(([text]) => text), []);
}

Deno.test({
  name: "openapi.json has the routes that there are, and no others",
  ignore: !isGranted("env"), // which the package of WebSockets asks for when it is loaded
  fn: () => compareRoutes(),
});

async function compareRoutes(): Promise<void> {
  const { routesOf } = await import("../../lib/web/routes.ts");
  const services: WebServices = {
    accept() {},
    stored: () => undefined,
    readiness: () => ({ status: "ready" }),
    certificateExpires: () => undefined,
    needsTokens: false,
    limits: DEFAULT_LIMITS,
    version: "0",
    log: new RecordedLog().log,
    draining: new AbortController().signal,
    whenClosed() {},
  };
  // What the page needs is for browsers.
  const routes = routesOf(services).filter(({ access }) => access !== "page");
  const described = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).filter(([method]) => method !== "parameters").map(([method, { security }]) =>
      `${method.toUpperCase()} ${path.replace(/\{\w+\}/, "*")} ${security === undefined ? "token" : "public"}`
    )
  );
  const table = routes.map(({ method, path, access }) => `${method} ${path} ${access}`);
  assertEquals(described.toSorted(), table.toSorted());
}

Deno.test("each status of an error is one that openapi.json describes", () => {
  const described = new Set(
    Object.values(paths).flatMap((item) => Object.values(item))
      .flatMap(({ responses }) => Object.keys(responses ?? {})),
  );
  const missing = Object.entries(STATUSES).filter(([, status]) =>
    status !== 500 && !described.has(`${status}`)
  );
  assertEquals(missing.map(([code]) => code).filter((code) => code !== "no_such_session"), []);
});

gatewayTest("openapi.json is served to everybody", async ({ http }) => {
  const { status, headers, body } = await http("/openapi.json");
  assertEquals([status, headers.get("content-type"), JSON.parse(body)], [200, "application/json", OPENAPI]);
});
