// In which field the console shows a token to the gateway: that of the issuer that it names. This needs no build.
import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenField } from "../../console/configuration.js";

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const tokenOf = (iss) => `${encoded({ alg: "RS256" })}.${encoded({ iss })}.c2ln`;

const configuration = {
  issuers: [
    { issuer: "https://login.example.com/{tid}/v2.0", tenants: ["t-1"], header: "X-First" },
    { issuer: "https://login.example.com/{tid}/v2.0", tenants: ["t-2", "${TENANT}"], header: "x-second" },
    { issuer: "https://{org}.id.example.com", header: ["x-org", "authorization"] },
    { issuer: "https://${TEAM}.cloudflareaccess.com", header: "cf-access-jwt-assertion" },
    { issuer: "https://id.example.com/", header: "x-token" },
    { issuer: "https://plain.example.com/" },
  ],
};

test("a token is shown in the first field of its issuer", () => {
  for (const [iss, expected] of [
    ["https://login.example.com/t-1/v2.0", "x-first"],
    ["https://login.example.com/t-2/v2.0", "x-second"],
    // Whether it is the tenant that the variable holds, only the gateway knows.
    ["https://login.example.com/t-3/v2.0", "x-second"],
    ["https://login.example.com//v2.0", "authorization"],
    ["https://login-example.com/t-1/v2.0", "authorization"],
    ["https://acme.id.example.com", "x-org"],
    ["https://a.b.id.example.com", "authorization"],
    ["https://acme.cloudflareaccess.com", "cf-access-jwt-assertion"],
    ["https://id.example.com/", "x-token"],
    ["https://id.example.com", "authorization"],
    [17, "authorization"],
    [undefined, "authorization"],
  ]) {
    assert.equal(tokenField(configuration, tokenOf(iss)).field, expected, String(iss));
  }
  const token = tokenOf("https://plain.example.com/");
  assert.deepEqual(tokenField(configuration, token), { field: "authorization", value: `Bearer ${token}` });
  assert.equal(tokenField({}, "no token").field, "authorization");
});
