// In which field a token is shown to the gateway: that of the issuer that it names. This needs no build.
import assert from "node:assert/strict";
import { test } from "node:test";
import { issuerOf, tokenField } from "../../packages/pointsman/lib/key-field.mjs";

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const tokenOf = (iss) => `${encoded({ alg: "RS256" })}.${encoded({ iss })}.c2ln`;

const form = {
  issuers: [
    { issuer: "https://login.example.com/{tid}/v2.0", tenants: ["t-1"], header: ["x-first"] },
    { issuer: "https://login.example.com/{tid}/v2.0", tenants: ["t-2"], header: ["x-second"] },
    { issuer: "https://{org}.id.example.com", tenants: null, header: ["x-org", "authorization"] },
    { issuer: "https://id.example.com/", tenants: null, header: ["x-token"] },
    { issuer: "https://plain.example.com/", tenants: null, header: ["authorization"] },
  ],
};

test("a token is shown in the first field of its issuer", () => {
  for (const [iss, field] of [
    ["https://login.example.com/t-1/v2.0", "x-first"],
    ["https://login.example.com/t-2/v2.0", "x-second"],
    ["https://login.example.com/t-3/v2.0", "authorization"],
    ["https://login.example.com//v2.0", "authorization"],
    ["https://login.example.com/v2.0", "authorization"],
    ["https://acme.id.example.com", "x-org"],
    ["https://a.b.id.example.com", "authorization"],
    ["https://id.example.com/", "x-token"],
    ["https://id.example.com", "authorization"],
    [17, "authorization"],
    [undefined, "authorization"],
  ]) {
    const token = tokenOf(iss);
    assert.equal(tokenField(issuerOf(form, token), token)[0], field, String(iss));
  }
  const token = tokenOf("https://plain.example.com/");
  assert.deepEqual(tokenField(issuerOf(form, token), token), ["authorization", `Bearer ${token}`]);
  assert.equal(issuerOf(form, "no token"), undefined);
});
