// The ledger's storage: an ordered map of bytes in the object's own SQLite. What stands in it, and under which keys, only
// the ledger's wasm knows.
import { join } from "./ledger_frames.js";

/**
 * The map as the wasm sees it. A scan gives the entries from `from` up to before `to`, in order and at most `limit`: keys and
 * values by turns, each behind its length.
 * @typedef {object} Entries
 * @property {(key: Uint8Array) => Uint8Array | undefined} get
 * @property {(key: Uint8Array, value: Uint8Array) => void} put
 * @property {(key: Uint8Array) => void} delete
 * @property {(from: Uint8Array, to: Uint8Array, limit: number) => Uint8Array} scan
 */

/** The table is only ever added to: an older version of the Worker must be able to read what a newer one wrote. */
const TABLE = "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID";

/** @typedef {{ key: ArrayBuffer, value: ArrayBuffer }} Row */

/**
 * The map over that SQLite. Bytes that the wasm hands over are views of its memory, which moves when it grows: all of
 * them are copied before SQLite sees them.
 * @param {Pick<SqlStorage, "exec">} sql
 * @returns {Entries}
 */
export function openEntries(sql) {
  sql.exec(TABLE);
  return {
    get(key) {
      const [row] = sql.exec("SELECT value FROM entries WHERE key = ?", copy(key)).toArray();
      return row && new Uint8Array(/** @type {Row} */ (row).value);
    },
    put(key, value) {
      sql.exec("INSERT OR REPLACE INTO entries (key, value) VALUES (?, ?)", copy(key), copy(value));
    },
    delete(key) {
      sql.exec("DELETE FROM entries WHERE key = ?", copy(key));
    },
    scan(from, to, limit) {
      const query = "SELECT key, value FROM entries WHERE key >= ? AND key < ? ORDER BY key LIMIT ?";
      const rows = sql.exec(query, copy(from), copy(to), limit).toArray();
      return join(
        /** @type {Row[]} */ (rows).flatMap(({ key, value }) => [new Uint8Array(key), new Uint8Array(value)]),
      );
    },
  };
}

/** @type {(bytes: Uint8Array) => ArrayBuffer} */
const copy = (bytes) => /** @type {ArrayBuffer} */ (bytes.slice().buffer);
