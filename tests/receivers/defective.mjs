// node defective.mjs --defect NAME --secrets FILE …: the correct receiver with one planted defect; else as reference.mjs.
// `--defect list` prints the names. tests/integration/test_check.py has the probes that each must fail.
import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Receiver, Refusal, main } from "./receiver.mjs";

// What a scheme signs and how, for those who verify by hand.
const digest = {
  "8bit": (secret, _, text) => `sha256=${createHmac("sha256", secret).update(text).digest("hex")}`,
  "standard-webhooks": (secret, headers, text) => {
    const key = Buffer.from(secret.replace("whsec_", ""), "base64");
    const content = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${text}`;
    return `v1,${createHmac("sha256", key).update(content).digest("base64")}`;
  },
};
const right = ({ scheme }, secret, { headers, text }) => digest[scheme.id ? "standard-webhooks" : "8bit"](secret, headers, text);
const given = ({ scheme }, { headers }) => headers[scheme.signature];

const MEMBERS = ["id", "type", "created_at", "environment", "api_version", "organization_id", "data"];

// More than 30 at once are refused: IDEM-04 sends 20, ACK-02 sends 50. Who is not alone is held until no more come, so that a slow
// machine makes no crowd smaller.
const crowded = async (receiver, answer, refusal) => {
  receiver.busy = (receiver.busy ?? 0) + 1;
  receiver.arrived = (receiver.arrived ?? 0) + 1;
  try {
    if (receiver.busy > 30) throw refusal;
    const answered = await answer();
    await sleep(20);
    for (let quiet = 0; receiver.busy > 1 && quiet < 15; quiet++) {
      const { arrived } = receiver;
      await sleep(20);
      if (receiver.arrived !== arrived) quiet = 0;
    }
    return answered;
  } finally {
    receiver.busy--;
  }
};

const defects = {
  // Signatures

  "no-verification": {
    async authenticate() {},
  },
  "reserialised-body": {
    authenticate(delivery) {
      const event = this.parse(delivery.text);
      this.checkEvent(event);
      return super.authenticate({ ...delivery, text: JSON.stringify(event) });
    },
  },
  "missing-signature-accepted": {
    async authenticate(delivery) {
      if (given(this, delivery) !== undefined) await super.authenticate(delivery);
    },
  },
  "prefix-compared": {
    async authentic(secret, delivery) {
      return given(this, delivery) !== undefined && right(this, secret, delivery).startsWith(given(this, delivery));
    },
  },
  "prefix-optional": {
    async authentic(secret, delivery) {
      const bare = (text = "") => text.replace(/^(sha256=|v1,)/, "");
      return bare(right(this, secret, delivery)) === bare(given(this, delivery));
    },
  },
  "bad-signature-500": {
    async authenticate(delivery) {
      await super.authenticate(delivery).catch((refusal) => {
        throw new Error(refusal.message);
      });
    },
  },
  "last-newline-dropped": {
    decode(body) {
      return super.decode(body).replace(/\n$/, "");
    },
  },

  // Times

  "no-timestamp-check": {
    async authentic(secret, delivery) {
      return right(this, secret, delivery) === given(this, delivery);
    },
  },
  "future-accepted": {
    async authentic(secret, delivery) {
      const { [this.scheme.timestamp]: timestamp } = delivery.headers;
      if (!(Number(timestamp) > Date.now() / 1000)) return super.authentic(secret, delivery);
      return right(this, secret, delivery) === given(this, delivery);
    },
  },

  // Secrets

  "secrets-of-the-start": {
    secrets() {
      this.first ??= super.secrets();
      return this.first;
    },
  },
  "newest-secret-only": {
    secrets() {
      return super.secrets().slice(-1);
    },
  },
  "old-secret-for-ever": {
    secrets() {
      this.known = new Set([...(this.known ?? []), ...super.secrets()]);
      return [...this.known];
    },
  },

  // The same delivery again

  "no-idempotency": {
    once(event, id) {
      this.effect(event, id);
      return true;
    },
  },
  "check-then-insert": {
    async answer(request) {
      const answer = await super.answer(request);
      return { ...answer, body: await answer.body };
    },
    take(event, id) {
      return { status: 200, body: this.onceInTwoSteps(event, id) };
    },
    async onceInTwoSteps(event, id) {
      if (this.database.get("SELECT 1 FROM delivery WHERE id = ?", id)) return { status: "duplicate" };
      await sleep(20);
      this.database.run("INSERT OR IGNORE INTO delivery (id) VALUES (?)", id);
      this.effect(event, id);
      return { status: "accepted" };
    },
  },
  "retry-taken-for-replay": {
    once(event, id) {
      if (!super.once(event, id)) throw new Refusal(403, "this delivery was here before");
      return true;
    },
  },
  "retry-is-conflict": {
    once(event, id) {
      if (!super.once(event, id)) throw new Refusal(409, "this delivery was here before");
      return true;
    },
  },
  "attempt-is-the-key": {
    key(event, delivery) {
      return `${super.key(event, delivery)} ${delivery.headers["x-8bit-attempt"]}`;
    },
  },

  // Bodies

  "bad-json-500": {
    parse(text) {
      return JSON.parse(text);
    },
  },
  "no-object-500": {
    checkEvent(event) {
      if (typeof event === "object" && event !== null && !Array.isArray(event)) super.checkEvent(event);
      else event.data.id.toString();
    },
  },
  "unknown-type-refused": {
    takeUnknown({ type }) {
      throw new Refusal(400, `unknown type ${type}`);
    },
  },
  "extra-fields-refused": {
    checkEvent(event) {
      super.checkEvent(event);
      const extra = Object.keys(event).find((name) => !MEMBERS.includes(name));
      if (extra) throw new Refusal(400, `unknown field ${extra}`);
    },
  },
  "unknown-type-gone": {
    takeUnknown({ type }) {
      throw new Refusal(410, `${type} is not for us`);
    },
  },
  "floats-refused": {
    parse(text) {
      if (/[:[,]\s*-?\d+(\.0|e\d+)\s*[,\]}]/.test(text)) throw new Refusal(422, "expected an integer");
      return super.parse(text);
    },
  },
  "id-expected-first": {
    checkEvent(event) {
      super.checkEvent(event);
      if (Object.keys(event)[0] !== "id") throw new Refusal(400, "no id where it was expected");
    },
  },
  "nul-breaks-database": {
    effect(event, id) {
      if (JSON.stringify(event).includes("\\u0000")) throw new Error("invalid byte sequence for encoding UTF8: 0x00");
      super.effect(event, id);
    },
  },
  "deep-json-500": {
    checkEvent(event) {
      try {
        super.checkEvent(event);
      } catch (refusal) {
        throw refusal.message.includes("deep") ? new RangeError("Maximum call stack size exceeded") : refusal;
      }
    },
  },
  "large-body-reset": {
    async read(request) {
      return super.read(request).catch((refusal) => {
        request.socket.resetAndDestroy();
        throw refusal;
      });
    },
  },

  // Order

  "update-needs-creation": {
    take(event, id) {
      this.created ??= new Set();
      if (event.type === "conversation.created") this.created.add(event.data.id);
      else if (event.type === "conversation.updated" && !this.created.has(event.data.id))
        throw new Refusal(404, "there is no such conversation");
      return super.take(event, id);
    },
  },
  "ended-is-closed": {
    take(event, id) {
      this.ended ??= new Set();
      if (this.ended.has(event.data.conversation_id)) throw new Refusal(409, "the conversation has ended");
      if (event.type === "conversation.ended") this.ended.add(event.data.id);
      return super.take(event, id);
    },
  },

  // HTTP

  "get-answered-200": {
    checkMethod(request) {
      if (request.method === "GET") throw new Refusal(200, "the receiver is up");
      super.checkMethod(request);
    },
  },
  "get-redirected": {
    checkMethod(request) {
      if (request.method === "GET") throw new Refusal(302, "this way", { Location: "/login" });
      super.checkMethod(request);
    },
  },
  "content-type-ignored": {
    checkType() {},
  },
  "chunked-refused-501": {
    checkType(request) {
      if (request.headers["transfer-encoding"]) throw new Refusal(501, "chunked bodies are not supported");
      super.checkType(request);
    },
  },
  "header-names-case-sensitive": {
    headers({ rawHeaders }) {
      const named = (name) => rawHeaders[rawHeaders.indexOf(name) + 1];
      return rawHeaders.includes("X-8bit-Signature-256") ? { "x-8bit-signature-256": named("X-8bit-Signature-256") } : {};
    },
  },
  "large-header-500": {
    headers(request) {
      if (request.rawHeaders.some((text) => text.length >= 4096)) throw new Error("upstream sent too big header");
      return request.headers;
    },
  },
  "agents-redirected": {
    take(event, id) {
      if (event.type.startsWith("agent.")) throw new Refusal(308, "agents have moved", { Location: "/webhooks/agents" });
      return super.take(event, id);
    },
  },
  "stack-trace-in-answer": {
    refuse(error) {
      const { status, headers } = super.refuse(error);
      return { status, headers, body: { error: error.message, stack: error.stack } };
    },
  },

  // Time to answer

  "escalation-acknowledged-late": {
    async answer(request) {
      const { late, ...answer } = await super.answer(request);
      if (late) await sleep(11_000);
      return answer;
    },
    take(event, id) {
      return { ...super.take(event, id), late: event.type === "conversation.escalated" };
    },
  },
  "throttled-without-retry-after": {
    async answer(request) {
      return crowded(this, () => super.answer(request), new Refusal(429, "too many requests at once"));
    },
  },
  "crowd-503": {
    async answer(request) {
      return crowded(this, () => super.answer(request), new Refusal(503, "no worker is free", { "Retry-After": "1" }));
    },
  },
};

main({ defect: {} }, (options) => {
  if (options.defect === "list") return void console.log(Object.keys(defects).join("\n"));
  if (!Object.hasOwn(defects, options.defect)) throw new Error(`unknown defect ${options.defect}; --defect list tells them`);
  const defect = Object.setPrototypeOf(defects[options.defect], Receiver.prototype);
  return Object.setPrototypeOf(new Receiver(options), defect);
});
