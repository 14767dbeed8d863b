import assert from "node:assert/strict";
import { test } from "node:test";
import { checksum, kvName, mint } from "./keys.mjs";
import { demoKeys } from "./seed.mjs";

test("the checksum is CRC-32 in six base-62 characters", () => {
  // zlib.crc32(b"123456789") is 0xCBF43926, the value that every CRC-32 catalogue gives.
  let value = 0n;
  for (const c of checksum("123456789"))
    value = value * 62n + BigInt("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".indexOf(c));
  assert.equal(value, 0xcbf43926n);
  assert.equal(checksum(""), "000000");
});

test("a minted key ends in its own checksum, and no two are alike", () => {
  const [a, b] = [mint("sk_live"), mint("sk_live")];
  assert.match(a, /^sk_live_[0-9A-Za-z]{24}_[0-9A-Za-z]{6}$/);
  assert.equal(a.slice(-6), checksum(a.slice(0, -7)));
  assert.notEqual(a, b);
});

test("a middle part that is no key's is refused", () => {
  for (const middle of ["short", "x".repeat(65), "with_underscore_in_it_and_long"])
    assert.throws(() => mint("sk_live", middle), RangeError);
});

test("the KV name holds the digest, not the key", () => {
  assert.equal(kvName("abc"), "key:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("every key of the demo is well formed", () => {
  for (const { name, key } of demoKeys()) {
    assert.match(key, /^sk_(test|live)_[0-9A-Za-z]{22}_[0-9A-Za-z]{6}$/, name);
    assert.equal(key.slice(-6), checksum(key.slice(0, -7)), name);
  }
});
