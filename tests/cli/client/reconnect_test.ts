import { connect } from "../../../lib/client/connect.ts";
import { assertEquals } from "@std/assert";
import { LOGGED, processTest, Program } from "../../harness/program.ts";
import { ServerProcess } from "../../harness/server_process.ts";

/** Output after what has been awaited already. */
function after(count: number, pattern: string): RegExp {
  return new RegExp(`(?:${pattern}[^]*){${count}}`);
}

processTest(
  "subscribe, publish and respond survive a kill of the server and a stall, and say what may be missing",
  async () => {
    const args = ["--heartbeat", "1"];
    await using first = await ServerProcess.start({ args });
    const { port } = first;
    const start = (...command: string[]) => new Program([...command, "--port", `${port}`, ...LOGGED]);
    await using subscribe = start("subscribe", "chat");
    await using publish = start("publish", "chat", "-");
    await using respond = start("respond", "text.upper", "--exec", "tr a-z A-Z");
    await Promise.all([subscribe.stderr.until(/"subscribed"/), respond.stderr.until(/"responding"/)]);
    await publish.type("before\n");
    await subscribe.stdout.until(/before\n/);

    first.kill("SIGKILL");
    await publish.stderr.until(/parley: the connection to [^\n]*; reconnecting\n/);
    await publish.type("kept\n");
    await using second = await ServerProcess.start({ args, listenPort: port });
    await Promise.all([
      subscribe.stderr.until(/parley: connected again after [\d.]+ s; messages on chat may be missing\n/),
      publish.stderr.until(/parley: connected again after [\d.]+ s; 1 message kept meanwhile is sent now\n/),
      respond.stderr.until(
        /parley: connected again after [\d.]+ s; requests on text.upper are answered again\n/,
      ),
    ]);
    await publish.type("after\n");
    await subscribe.stdout.until(/after\n/);
    {
      await using client = await connect({ port });
      assertEquals((await client.request("text.upper", "again")).text(), "AGAIN");
    }

    second.kill("SIGSTOP");
    const programs = [subscribe, publish, respond];
    await Promise.all(
      programs.map(({ stderr }) => stderr.until(/parley: [^\n]* silent for 2 s[^\n]*; reconnecting\n/)),
    );
    second.kill("SIGCONT");
    await Promise.all(programs.map(({ stderr }) => stderr.until(after(2, "connected again"))));
    await publish.type("after the stall\n");
    await subscribe.stdout.until(/after the stall\n/);
  },
);
