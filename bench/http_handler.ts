/**
 * A handler of `node:http` that reads each body and answers 204. Usage: http_handler.ts PORT
 *
 * @module
 */

import { createServer } from "node:http";

createServer((request, response) => {
  request.resume().once("end", () => response.writeHead(204).end());
}).listen(Number(Deno.args[0]), "127.0.0.1");
