// Signatures of secret scanning's reports: in DER, as GitHub sends them, checked by Web Crypto, which has them otherwise.
import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { importPublicKey, isSignedBy, rawSignature } from "../../src/edge/scanner_signature.js";

/** The example of GitHub's documents, with the public key that GitHub had then. Its second number has 31 bytes. */
const EXAMPLE = {
  body: '[{"source":"commit","token":"some_token","type":"some_type","url":"https://example.com/base-repo-url/"}]',
  signature: "MEQCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgZyt7AIfXt9fErtRS4XaeSt/AO1RtBY66YcAdjxji410VQV4xg==",
  pem: `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAd
AjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw==
-----END PUBLIC KEY-----
`,
};

const bytes = (text) => new TextEncoder().encode(text);
const pemOf = (key) => key.export({ type: "spki", format: "pem" });

test("the example of GitHub's documents is signed, and any other body is not", async () => {
  const key = await importPublicKey(EXAMPLE.pem);
  assert.equal(await isSignedBy(key, EXAMPLE.signature, bytes(EXAMPLE.body)), true);
  assert.equal(await isSignedBy(key, EXAMPLE.signature, bytes(`${EXAMPLE.body} `)), false);
  assert.equal(await isSignedBy(key, EXAMPLE.signature, new Uint8Array()), false);
});

test("what Node signs is signed here, whatever lengths the two numbers have", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = await importPublicKey(pemOf(publicKey));
  const other = await importPublicKey(pemOf(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey));
  const lengths = new Set();
  for (let count = 0; count < 2000; count += 1) {
    const body = bytes(`body ${count}`);
    const der = sign("sha256", body, privateKey);
    lengths.add(der.length);
    if (count < 20 || der.length < 70) {
      assert.equal(await isSignedBy(key, der.toString("base64"), body), true, der.toString("hex"));
      assert.equal(await isSignedBy(other, der.toString("base64"), body), false);
    }
  }
  assert.ok(lengths.size >= 4, "short numbers were among them");
});

test("what is no signature in DER is none, and nothing is thrown", async () => {
  const der = Uint8Array.from(Buffer.from(EXAMPLE.signature, "base64"));
  assert.equal(rawSignature(der).length, 64);
  const changed = (at, value) => der.with(at, value);
  const cases = {
    empty: [],
    "cut short": der.subarray(0, der.length - 1),
    "a byte too many": [...der, 0],
    "no sequence": changed(0, 0x31),
    "another length": changed(1, der[1] + 1),
    "no integer": changed(2, 0x03),
    "an integer without bytes": [0x30, 6, 2, 0, 2, 2, 1, 1],
    "a negative integer": [0x30, 6, 2, 1, 0x80, 2, 1, 1],
    "a zero too many": [0x30, 7, 2, 2, 0, 1, 2, 1, 1],
    "33 digits": [0x30, 38, 2, 33, 1, ...Array(32).fill(0), 2, 1, 1],
    "only one number": [0x30, 3, 2, 1, 1],
    "three numbers": [0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1],
    "an integer that ends behind the end": [0x30, 6, 2, 9, 1, 2, 1, 1],
    "a length of two bytes": [0x30, 0x81, 6, 2, 1, 1, 2, 1, 1],
  };
  const key = await importPublicKey(EXAMPLE.pem);
  for (const [about, spelled] of Object.entries(cases)) {
    const given = Uint8Array.from(spelled);
    assert.equal(rawSignature(given), undefined, about);
    assert.equal(await isSignedBy(key, Buffer.from(given).toString("base64"), bytes(EXAMPLE.body)), false, about);
  }
  for (const text of ["", "no base64!", "x".repeat(5000), `${EXAMPLE.signature}AA==`])
    assert.equal(await isSignedBy(key, text, bytes(EXAMPLE.body)), false, text);
  // Zero is a number, and signs nothing.
  assert.deepEqual(rawSignature(Uint8Array.from([0x30, 6, 2, 1, 0, 2, 1, 0])), new Uint8Array(64));
  assert.equal(await isSignedBy(key, "MAYCAQACAQA=", bytes(EXAMPLE.body)), false);
});

test("only public keys of this curve are taken", async () => {
  assert.ok(await importPublicKey(EXAMPLE.pem));
  assert.ok(await importPublicKey(EXAMPLE.pem.replaceAll("\n", "\r\n")));
  const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const others = {
    "P-384": pemOf(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey),
    Ed25519: pemOf(generateKeyPairSync("ed25519").publicKey),
    RSA: pemOf(generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey),
    "a private key": own.privateKey.export({ type: "pkcs8", format: "pem" }),
    "a private key by another name": own.privateKey
      .export({ type: "pkcs8", format: "pem" })
      .replaceAll("PRIVATE", "PUBLIC"),
    "no base64": "-----BEGIN PUBLIC KEY-----\nMFk=wE\n-----END PUBLIC KEY-----\n",
    "something in front": `x${EXAMPLE.pem}`,
    "nothing within": "-----BEGIN PUBLIC KEY-----\n\n-----END PUBLIC KEY-----\n",
    "too long": `-----BEGIN PUBLIC KEY-----\n${"A".repeat(5000)}\n-----END PUBLIC KEY-----\n`,
  };
  for (const [about, pem] of Object.entries(others)) assert.equal(await importPublicKey(pem), undefined, about);
  for (const pem of [undefined, null, 7, {}, ""]) assert.equal(await importPublicKey(pem), undefined);
  // A point that is not on the curve.
  const jwk = createPublicKey(EXAMPLE.pem).export({ format: "der", type: "spki" });
  jwk[jwk.length - 1] ^= 1;
  const off = `-----BEGIN PUBLIC KEY-----\n${jwk.toString("base64")}\n-----END PUBLIC KEY-----\n`;
  assert.equal(await importPublicKey(off), undefined);
});
