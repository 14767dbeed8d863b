// What clients from npm that were made for other APIs make of the gateway's own errors. Some of them look at nothing but the
// body's member `error`: without it they take a 401 for a success.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import OpenAI from "openai";
import Stripe from "stripe";
import { DETAILS, openClientsGateway } from "./support/gateway.mjs";

let opened;
let base;
before(async () => {
  opened = await openClientsGateway();
  base = `http://127.0.0.1:${opened.gateway.port}`;
});
after(() => opened?.gateway.stop());

/** What a call throws; it must. */
async function thrown(call) {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    return error;
  }
  assert.fail(`taken for a success: ${JSON.stringify(answer)}`);
}

/** Calls with a key that is unknown, then twice with a good one: refused, too slow, limited. */
async function threeErrors(client, call) {
  const refused = await thrown(() => call(client(opened.unknownKey())));
  const good = client(await opened.newKey());
  return [refused, await thrown(() => call(good)), await thrown(() => call(good))];
}

const SLUGS = ["credential-invalid", "backend-timeout", "rate-limited"];

test("stripe throws, by the kind of error", async () => {
  const client = (key) =>
    new Stripe(key, {
      host: "127.0.0.1",
      port: opened.gateway.port,
      protocol: "http",
      maxNetworkRetries: 0,
      telemetry: false,
    });
  const charge = (stripe) => stripe.charges.create({ amount: 100, currency: "eur", source: "tok_visa" });
  const errors = await threeErrors(client, charge);
  assert.deepEqual(
    errors.map(({ type, statusCode, code, message }) => [type, statusCode, code, message]),
    [
      ["StripeAuthenticationError", 401],
      ["StripeAPIError", 504],
      ["StripeRateLimitError", 429],
    ].map((told, index) => [...told, SLUGS[index], DETAILS[SLUGS[index]]]),
  );
});

describe("clients of language models throw, and say why", () => {
  const ask = { model: "m", max_tokens: 1, messages: [{ role: "user", content: "Hello" }] };
  for (const [name, tooSlow, client, call] of [
    [
      "openai",
      "InternalServerError",
      (key) => new OpenAI({ apiKey: key, baseURL: `${base}/v1`, maxRetries: 0 }),
      (openai) => openai.chat.completions.create(ask),
    ],
    [
      "anthropic",
      "GatewayTimeoutError",
      (key) => new Anthropic({ authToken: key, apiKey: null, baseURL: base, maxRetries: 0 }),
      (anthropic) => anthropic.messages.create(ask),
    ],
  ])
    test(name, async () => {
      const errors = await threeErrors(client, call);
      assert.deepEqual(
        errors.map((error) => [error.constructor.name, error.status]),
        [
          ["AuthenticationError", 401],
          [tooSlow, 504],
          ["RateLimitError", 429],
        ],
      );
      for (const [index, { message }] of errors.entries())
        assert.ok(message.includes(DETAILS[SLUGS[index]]), `${SLUGS[index]}: ${message}`);
    });
});

describe("clients of AWS throw, and say why, on routes whose shape is theirs", () => {
  const settings = (path, key) => ({
    endpoint: `${base}${path}`,
    region: "eu-central-1",
    maxAttempts: 1,
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "example" },
    // Signatures are the backend's: the gateway's own key is sent in their place.
    signer: {
      sign: async (request) => {
        request.headers.authorization = `Bearer ${key}`;
        return request;
      },
    },
  });
  for (const [name, client, call] of [
    [
      "s3",
      (key) => new S3Client({ ...settings("/s3", key), forcePathStyle: true }),
      (s3) => s3.send(new GetObjectCommand({ Bucket: "b", Key: "k" })),
    ],
    [
      "dynamodb",
      (key) => new DynamoDBClient(settings("/aws/x", key)),
      (dynamodb) => dynamodb.send(new ListTablesCommand({})),
    ],
  ])
    test(name, async () => {
      const errors = await threeErrors(client, call);
      assert.deepEqual(
        errors.map((error) => [error.name, error.$metadata.httpStatusCode, error.message]),
        [401, 504, 429].map((status, index) => [SLUGS[index], status, DETAILS[SLUGS[index]]]),
      );
    });
});
