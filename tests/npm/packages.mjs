// What the receivers of tests/receivers take from npm: they stand outside of this directory, where Node.js would not look for it.
import sqlite from "node-sqlite3-wasm";

export { Webhooks, createNodeMiddleware } from "@octokit/webhooks";
export * as octokit from "@octokit/webhooks-methods";
export { Webhook } from "standardwebhooks";
export const { Database } = sqlite;
