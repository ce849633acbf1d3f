// Signatures as the packages of their inventors make and verify them. Reads a JSON request on stdin:
//   {"scheme", "secret", "headers", "body_base64"}                           prints "ok" or "fail"
//   {"scheme", "secret", "sign": true, "id", "timestamp", "body_base64"}     prints the headers as JSON
// Bodies are UTF-8: most of the packages take text.
import { webcrypto } from "node:crypto";
import * as octokit from "@octokit/webhooks-methods";
import slack from "slack-edge";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";

globalThis.crypto ??= webcrypto; // not there in Node.js 18, where slack-edge expects it
console.log = console.error; // some of them talk

const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

const github = (header) => ({
  verify: (secret, headers, body) => octokit.verify(secret, body, headers[header.toLowerCase()] ?? "none"),
  sign: async (secret, body) => ({ [header]: await octokit.sign(secret, body) }),
});

const schemes = {
  "8bit": github("X-8bit-Signature-256"),
  github: github("X-Hub-Signature-256"),
  "standard-webhooks": {
    verify: (secret, headers, body) => new Webhook(secret).verify(body, headers) !== undefined,
    sign: (secret, body, id, timestamp) => ({
      "webhook-id": id,
      "webhook-timestamp": String(timestamp),
      "webhook-signature": new Webhook(secret).sign(id, new Date(timestamp * 1000), body),
    }),
  },
  stripe: {
    verify: (secret, headers, body) => Stripe.webhooks.signature.verifyHeader(body, headers["stripe-signature"], secret, 300),
    sign: (secret, body, id, timestamp) => ({
      "Stripe-Signature": Stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp }),
    }),
  },
  slack: {
    verify: (secret, headers, body) => slack.verifySlackRequest(secret, new Headers(headers), body),
  },
};

const verdict = async (scheme, { secret, headers }, body) => {
  try {
    return (await scheme.verify(secret, lower(headers), body)) ? "ok" : "fail";
  } catch (error) {
    console.error(String(error));
    return "fail";
  }
};

let input = "";
for await (const chunk of process.stdin) input += chunk;
const request = JSON.parse(input);
const scheme = schemes[request.scheme];
const body = Buffer.from(request.body_base64, "base64").toString("utf8");
const answer = request.sign
  ? JSON.stringify(await scheme.sign(request.secret, body, request.id, request.timestamp))
  : await verdict(scheme, request, body);
process.stdout.write(`${answer}\n`);
