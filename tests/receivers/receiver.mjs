// A receiver of webhooks that keeps the contract: it verifies the raw bytes, takes every delivery once, acknowledges at once.
// Each rule is a method of its own, so that defective.mjs can break exactly one.
import http from "node:http";
import { parseArgs } from "node:util";
import fs from "node:fs";
import { Database, Webhook, octokit } from "../npm/packages.mjs";

const BODY_MAX = 1_000_000;
const DEPTH_MAX = 100;

const KNOWN = new Set(
  [
    ["conversation", "created updated ended rating escalated"],
    ["message", "received sent failed"],
    ["agent", "deployed updated undeployed error"],
    ["session", "started ended"],
    ["account", "usage_threshold billing_updated"],
  ].flatMap(([resource, actions]) => actions.split(" ").map((action) => `${resource}.${action}`)),
);

// Which header signs, which header (null: the body) has the id, and who verifies. All of it is signed: an id in a header that is
// not could be forged.
const SCHEMES = {
  "8bit": {
    signature: "x-8bit-signature-256",
    id: null,
    verify: (secret, headers, text) => octokit.verify(secret, text, headers["x-8bit-signature-256"]),
  },
  "standard-webhooks": {
    signature: "webhook-signature",
    id: "webhook-id",
    timestamp: "webhook-timestamp",
    verify: (secret, headers, text) => {
      new Webhook(secret).verify(text, headers, { jsonParse: false });
      return true;
    },
  },
};

// What ends a request with a status of its own.
export class Refusal extends Error {
  constructor(status, message, headers = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

const deeper = (value, levels) =>
  typeof value === "object" && value !== null && (levels === 0 || Object.values(value).some((each) => deeper(each, levels - 1)));

export class Receiver {
  constructor({ scheme, secrets, database }) {
    this.scheme = SCHEMES[scheme];
    if (!this.scheme) throw new Error(`unknown scheme ${scheme}: ${Object.keys(SCHEMES).join(" or ")}`);
    this.secretsFile = secrets;
    this.database = new Database(database);
    this.database.exec(
      `PRAGMA locking_mode = EXCLUSIVE;
       PRAGMA journal_mode = WAL;
       PRAGMA synchronous = NORMAL;
       CREATE TABLE delivery (id TEXT PRIMARY KEY);
       CREATE TABLE effect (delivery TEXT NOT NULL, type TEXT NOT NULL, event TEXT NOT NULL);`,
    );
  }

  // The secrets that are valid now, a line each: a rotation is a change of this file.
  secrets() {
    return fs.readFileSync(this.secretsFile, "utf8").split("\n").filter(Boolean);
  }

  async answer(request) {
    const path = request.url.split("?")[0];
    if (path === "/count") return { status: 200, body: { count: this.count() } };
    if (path !== "/webhooks") throw new Refusal(404, "there is nothing here");
    this.checkMethod(request);
    this.checkType(request);
    const delivery = { headers: this.headers(request), body: await this.read(request) };
    if (delivery.body.length === 0) throw new Refusal(400, "the body is empty");
    delivery.text = this.decode(delivery.body);
    await this.authenticate(delivery);
    const event = this.parse(delivery.text);
    this.checkEvent(event);
    return this.take(event, this.key(event, delivery));
  }

  // What a delivery and its retries have in common.
  key(event, { headers }) {
    return this.scheme.id ? headers[this.scheme.id] : event.id;
  }

  checkMethod(request) {
    if (request.method !== "POST") throw new Refusal(405, "deliveries are POST", { Allow: "POST" });
  }

  checkType(request) {
    const type = request.headers["content-type"] ?? "";
    if (type.split(";")[0].trim().toLowerCase() !== "application/json") throw new Refusal(415, "deliveries are application/json");
  }

  headers(request) {
    return request.headers;
  }

  // What is too much is refused at once where its length was told; Node.js reads on and forgets it, so that the answer arrives.
  async read(request) {
    const tooLarge = new Refusal(413, `a body has at most ${BODY_MAX} bytes`);
    if (Number(request.headers["content-length"] ?? 0) > BODY_MAX) throw tooLarge;
    const chunks = [];
    let size = 0;
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += chunk.length;
      if (size > BODY_MAX) throw tooLarge;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  decode(body) {
    return body.toString("utf8");
  }

  async authenticate(delivery) {
    for (const secret of this.secrets()) if (await this.authentic(secret, delivery)) return;
    throw new Refusal(401, "the signature does not fit");
  }

  async authentic(secret, { headers, text }) {
    try {
      return await this.scheme.verify(secret, headers, text);
    } catch {
      return false;
    }
  }

  parse(text) {
    try {
      return JSON.parse(text);
    } catch {
      throw new Refusal(400, "the body is not JSON");
    }
  }

  checkEvent(event) {
    if (typeof event !== "object" || event === null || Array.isArray(event)) throw new Refusal(400, "an event is a JSON object");
    if (typeof event.id !== "string" || typeof event.type !== "string") throw new Refusal(400, "an event has an id and a type");
    if (deeper(event, DEPTH_MAX)) throw new Refusal(400, "the event is nested too deep");
  }

  take(event, id) {
    if (!KNOWN.has(event.type)) return this.takeUnknown(event);
    return { status: 200, body: { status: this.once(event, id) ? "accepted" : "duplicate" } };
  }

  takeUnknown() {
    return { status: 200, body: { status: "ignored" } };
  }

  // The unique key decides, in the transaction of the effect: whoever comes second, even at the same moment, changes nothing.
  once(event, id) {
    this.database.exec("BEGIN IMMEDIATE");
    try {
      const first = this.database.run("INSERT OR IGNORE INTO delivery (id) VALUES (?)", id).changes === 1;
      if (first) this.effect(event, id);
      this.database.exec("COMMIT");
      return first;
    } catch (error) {
      this.database.exec("ROLLBACK");
      throw error;
    }
  }

  effect(event, id) {
    this.database.run("INSERT INTO effect (delivery, type, event) VALUES (?, ?, ?)", [id, event.type, JSON.stringify(event)]);
  }

  count() {
    return this.database.get("SELECT count(*) AS n FROM effect").n;
  }

  // Details go to the log, never into the answer.
  refuse(error) {
    if (error instanceof Refusal) return { status: error.status, headers: error.headers, body: { error: error.message } };
    console.error(error);
    return { status: 500, body: { error: "internal error" } };
  }

  async handle(request, response) {
    const { status, headers = {}, body } = await this.answer(request).catch((error) => this.refuse(error));
    if (response.destroyed) return;
    const text = JSON.stringify(body);
    response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text), ...headers });
    response.end(text);
  }
}

// Listens on a port of the system's choice, prints the URL as the first line, and ends on SIGTERM or when stdin ends.
export const serve = (handle, path) => {
  const server = http.createServer(handle);
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () =>
    console.log(`http://127.0.0.1:${server.address().port}${path}`),
  );
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
  process.stdin.on("end", () => process.exit(0)).resume();
};

export const main = (more, create) => {
  const options = { scheme: { default: "8bit" }, secrets: {}, database: { default: ":memory:" }, ...more };
  for (const option of Object.values(options)) option.type = option.type ?? "string";
  const { values } = parseArgs({ options });
  const receiver = create(values);
  if (receiver) serve((request, response) => receiver.handle(request, response), "/webhooks");
};
