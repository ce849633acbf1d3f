// Holds a document on stdin against its specification's own rules: node documents.mjs openapi|asyncapi. Says what is wrong with it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv from "ajv";

const openapi = async (document) => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(document);
  return valid ? `OpenAPI ${validator.version}` : errors;
};

const asyncapi = async (document) => {
  const path = createRequire(import.meta.url).resolve("@asyncapi/specs/schemas/3.0.0-without-$id.json");
  const ajv = new (Ajv.default ?? Ajv)({ strict: false, validateFormats: false });
  const validate = ajv.compile(JSON.parse(readFileSync(path, "utf8")));
  return validate(document) ? `AsyncAPI ${document.asyncapi}` : validate.errors;
};

let text = "";
for await (const piece of process.stdin) text += piece;
const told = await { openapi, asyncapi }[process.argv[2]](JSON.parse(text));
console.log(typeof told === "string" ? told : JSON.stringify(told, null, 2));
process.exit(typeof told === "string" ? 0 : 1);
