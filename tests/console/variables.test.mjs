// What the Rules page says of the gateway's variables.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CONSOLE_SECRET } from "../../demo/console.mjs";
import "./support/core.mjs";
import { filledIn, variablesOf } from "../../console/variables.js";
import { CONFIGURATION, fakeLedger, signedIn } from "./support/fake-ledger.mjs";

const configuration = {
  ...CONFIGURATION,
  allow_http: "${ALLOW_HTTP}",
  backends: {
    eu: { url: "https://${REGION}.example.com" },
    us: { origins: [{ url: "${US_URL}" }, { url: "${WITH_PASSWORD}" }, { url: "${SIGNED}" }, { url: "${ELSEWHERE}" }] },
    keyed: { url: "${MIXED}", headers: { "x-secret": "${MIXED}", "x-other": "${HEADER}" } },
  },
};
const env = {
  ALLOW_HTTP: "never",
  REGION: "eu-1",
  US_URL: "https://us.example.com/base?sig=s3cret#x",
  WITH_PASSWORD: "https://user:s3cret@us.example.com",
  SIGNED: CONSOLE_SECRET,
  MIXED: "s3cret",
  HEADER: "s3cret",
  OPERATOR_SECRET: "s3cret",
};

test("a variable's value is shown where it can be no secret, and whatever may be one is not", () => {
  const variables = variablesOf(configuration, env);
  const of = (name) => {
    const { value, why } = variables.find((one) => one.name === name);
    return value ?? why;
  };
  assert.deepEqual(Object.fromEntries(variables.map(({ name }) => [name, of(name)])), {
    ALLOW_HTTP: "never",
    ELSEWHERE: "unset",
    HEADER: "secret",
    MIXED: "secret",
    OPERATOR_SECRET: "secret",
    REGION: "eu-1",
    SIGNED: "secret",
    US_URL: "https://us.example.com/base",
    WITH_PASSWORD: "secret",
  });
  assert.deepEqual(variables.find(({ name }) => name === "MIXED").uses, [
    "backends.keyed.url",
    "backends.keyed.headers.x-secret",
  ]);
  assert.equal(filledIn("https://${REGION}.example.com/${MIXED}", variables), "https://eu-1.example.com/${MIXED}");
});

test("the rules page shows where backends are, beside how it is written", async () => {
  const client = await signedIn({ ledger: fakeLedger(), configuration, env: { ...env, OPERATOR_SECRET: undefined } });
  const { text } = await client.get("/rules");
  assert.match(text, /https:\/\/eu-1\.example\.com<\/div><div class="url dim">https:\/\/\$\{REGION\}\.example\.com/);
  assert.match(text, /<code>ELSEWHERE<\/code>[\s\S]*?not known here/);
  assert.doesNotMatch(text, /s3cret|pso_/);
});
