// node octokit.mjs --secrets FILE: the receiver of @octokit/webhooks as its README has it, for the scheme github. The first secret
// of FILE is its secret, the others are its additional ones; a changed file makes it anew. GET /count: how often its handler ran.
import fs from "node:fs";
import { parseArgs } from "node:util";
import { Webhooks, createNodeMiddleware } from "../npm/packages.mjs";
import { serve } from "./receiver.mjs";

const { values } = parseArgs({ options: { secrets: { type: "string" } } });
const log = { debug() {}, info() {}, warn() {}, error() {} };
let count = 0;
let made = { text: null };

const middleware = () => {
  const text = fs.readFileSync(values.secrets, "utf8");
  if (text === made.text) return made.middleware;
  const [secret, ...additionalSecrets] = text.split("\n").filter(Boolean);
  const webhooks = new Webhooks({ secret, additionalSecrets, log });
  webhooks.onAny(() => {
    count++;
  });
  made = { text, middleware: createNodeMiddleware(webhooks, { path: "/webhooks", log }) };
  return made.middleware;
};

// What the middleware throws would end the process, were it used as in its README; here it ends the connection alone, so that one
// probe's fault is not the next one's.
serve(async (request, response) => {
  if (request.url === "/count") return void response.end(JSON.stringify({ count }));
  try {
    await middleware()(request, response, () => response.writeHead(404).end());
  } catch (error) {
    console.error(error);
    request.socket.destroy();
  }
}, "/webhooks");
