import { assertEquals } from "@std/assert";
import { serve } from "../../lib/server/serve.ts";
import { makeFolder } from "../harness/folder.ts";
import { parley, processTest, ROOT } from "../harness/program.ts";

processTest("a project imports the client by name and by path, and loads nothing of the server", async () => {
  await using server = await serve({ port: 0 });
  using folder = makeFolder();
  const config = { imports: { "@parley/parley/client": `${ROOT}lib/client/mod.ts` } };
  const toRoot = folder.path.split("/").slice(1).map(() => "..").join("/");
  const program = `
    import { connect } from "@parley/parley/client";
    import { connect as connectByPath } from "${toRoot}${ROOT}lib/client/mod.ts";
    await using client = await connect({ port: ${server.port}, name: "Ada" });
    console.log(client.name, connect === connectByPath);
  `;
  await Deno.writeTextFile(`${folder.path}/deno.json`, JSON.stringify(config));
  await Deno.writeTextFile(`${folder.path}/main.ts`, program);
  const deno = (...args: string[]) => parley(args, { program: [Deno.execPath()], cwd: folder.path });
  // Network permission is all that it needs.
  const run = await deno("run", "--quiet", "--no-prompt", "--allow-net=127.0.0.1", "main.ts");
  assertEquals(run, { code: 0, stdout: "Ada true\n", stderr: "" });

  const { modules } = JSON.parse((await deno("info", "--json", "main.ts")).stdout);
  const specifiers: string[] = modules.map(({ specifier }: { specifier: string }) => specifier);
  const lib = `file://${ROOT}lib/`;
  const rooms = specifiers.filter((each) => each.startsWith(lib)).map((each) => each.slice(lib.length));
  const distinct = new Set(rooms.map((file) => file.replace(/\/.*/, "")));
  assertEquals([...distinct].sort(), [
    "client",
    "deadline.ts",
    "errors.ts",
    "limits",
    "limits.ts",
    "net",
    "wire",
  ]);
  assertEquals(specifiers.filter((each) => each.startsWith("npm:")), []);
});
