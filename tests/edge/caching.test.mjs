// What shared caches are told of an answer to an authenticated request (RFC 9111, section 3.5).
import assert from "node:assert/strict";
import { test } from "node:test";
import { closesTarget, forcedPrivate, privateCacheControl } from "../../src/edge/caching.js";

/** [what the backend says, what is sent instead; undefined where it stays]: the request had an Authorization. */
const SHAREABLE = [
  ["public", "private"],
  ["public, max-age=60", "max-age=60, private"],
  ["PUBLIC, Max-Age=60", "Max-Age=60, private"],
  ["s-maxage=600", "private"],
  ["S-MaxAge=600, stale-while-revalidate=30", "stale-while-revalidate=30, private"],
  ["s-maxage = 600", "private"],
  ['s-maxage="600", max-age=1', "max-age=1, private"],
  ["must-revalidate", "must-revalidate, private"],
  ["max-age=0,must-revalidate", "max-age=0, must-revalidate, private"],
  ["public, private", "private"],
  ["private, s-maxage=60", "private"],
  ["no-store, public", "no-store, private"],
  ["public, public, s-maxage=1, s-maxage=2", "private"],
  // Several field lines, as Fetch joins them; empty elements of a list count for nothing (RFC 9110, section 5.6.1).
  ["max-age=60, , public,", "max-age=60, private"],
  // The qualified form is of one field alone.
  ['private="set-cookie", public', 'private="set-cookie", private'],
  ['private="set-cookie, public", must-revalidate', 'private="set-cookie, public", must-revalidate, private'],
  ['no-cache="set-cookie, x", public, immutable', 'no-cache="set-cookie, x", immutable, private'],
  // A cache that parts at every comma reads `public` here; one that knows quotes does not.
  ['x="a, public, b", max-age=60', "max-age=60, private"],
  ['x="a\\", public, max-age=60', "max-age=60, private"],
  // Only in one reading is this private.
  ['x="a, private, b", must-revalidate', 'x="a, private, b", must-revalidate, private'],
  // A cache that understands the status may pass over no-store (RFC 9111, section 5.2.2.3).
  ["no-store, must-understand, must-revalidate", "no-store, must-understand, must-revalidate, private"],
  ["private, must-revalidate", undefined],
  ["no-store, no-cache, must-revalidate", undefined],
  ["private", undefined],
  ["max-age=60", undefined],
  ["no-cache", undefined],
  ["", undefined],
  ["publication=1", undefined],
  ["x-public", undefined],
  [null, undefined],
];

/** The same where the credential came in a field that no cache knows. */
const SILENT = [
  [null, "private"],
  ["", "private"],
  ["max-age=60", "max-age=60, private"],
  ["no-cache", "no-cache, private"],
  ["public, max-age=60", "max-age=60, private"],
  ['private="x"', 'private="x", private'],
  ["no-store, must-understand", "no-store, must-understand, private"],
  ["private", undefined],
  ["PRIVATE, max-age=60", undefined],
  [" max-age=60 ,\tprivate", undefined],
  ['private="x", private', undefined],
  ["no-store", undefined],
];

test("what may be shared becomes private, and all else stays", () => {
  for (const [said, sent] of SHAREABLE) assert.equal(privateCacheControl(said, false), sent, String(said));
});

test("with a credential of which no cache knows, silence is no protection", () => {
  for (const [said, sent] of SILENT) assert.equal(privateCacheControl(said, true), sent, String(said));
});

test("what was made private is left as it is", () => {
  for (const [said] of [...SHAREABLE, ...SILENT]) {
    for (const unless of [false, true]) {
      const sent = privateCacheControl(said, unless);
      if (sent === undefined) continue;
      assert.equal(privateCacheControl(sent, unless), undefined, sent);
      assert.equal(sent.match(/(?<![\w"-])private(?![\w="-])/g).length >= 1, true, sent);
    }
    assert.match(forcedPrivate(said), /(^|, )private$|(^|, )private(,|$)/i);
  }
});

test("a targeted field stays only where it keeps its cache out", () => {
  for (const closed of ["private", "no-store", "no-store, max-age=0", "Private"])
    assert.equal(closesTarget(closed), true, closed);
  for (const open of [
    "",
    "max-age=60",
    "public, max-age=60",
    "private, s-maxage=60",
    "no-cache",
    'private="x"',
    "no-store, must-understand",
    "@@@",
  ]) {
    assert.equal(closesTarget(open), false, open);
  }
});

test("no text takes long or fails", () => {
  const started = Date.now();
  for (const text of [
    '"'.repeat(60_000),
    "a,".repeat(30_000),
    "public,".repeat(8000),
    'private="'.repeat(7000),
    "=".repeat(60_000),
    '\\"'.repeat(30_000),
  ]) {
    for (const unless of [false, true]) privateCacheControl(text, unless);
  }
  assert.ok(Date.now() - started < 2000);
});
