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
 * @property {(from: Uint8Array, to: Uint8Array, order: string) => Uint8Array} search
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
    search: (from, to, order) => search(sql, copy(from), copy(to), JSON.parse(order)),
  };
}

/**
 * Entries with a text in their keys, a page of them in the order of these texts. First of all how many entries there are, and
 * how many have the text; then their keys, each with an empty value. No value is read. The text is searched for by instr and
 * not by a pattern, so nothing in it is special.
 * @param {Pick<SqlStorage, "exec">} sql
 * @param {ArrayBuffer} from
 * @param {ArrayBuffer} to
 * @param {{ skip: number, tail: number, isHex: boolean, part: string, descending: boolean, offset: number, limit: number }} order
 * `skip`, `tail`: bytes of a key before its text and behind it
 */
function search(sql, from, to, { skip, tail, isHex, part, descending, offset, limit }) {
  const bytes = `substr(key, ${Number(skip) + 1}, length(key) - ${Number(skip) + Number(tail)})`;
  const text = isHex ? `hex(${bytes})` : `CAST(${bytes} AS TEXT)`;
  const isMeant = part === "" ? "length(?) = 0" : `instr(lower(${text}), lower(CAST(? AS TEXT))) > 0`;
  const [wanted, range] = [copy(encoder.encode(part)), "key >= ? AND key < ?"];
  const count = `SELECT count(*) AS total, count(CASE WHEN ${isMeant} THEN 1 END) AS matching FROM entries WHERE ${range}`;
  const [counted] = sql.exec(count, wanted, from, to).toArray();
  const { total, matching } = /** @type {{ total: number, matching: number }} */ (counted);
  const order = descending ? "DESC" : "ASC";
  // Where nothing stands behind the texts, keys are in their order: the page is read, and nothing is sorted.
  const sorted = tail === 0 ? `key ${order}` : `${bytes} ${order}, key ${order}`;
  const page = `SELECT key FROM entries WHERE ${range} AND ${isMeant} ORDER BY ${sorted} LIMIT ? OFFSET ?`;
  const rows = /** @type {Row[]} */ (sql.exec(page, from, to, wanted, limit, offset).toArray());
  const keys = rows.flatMap(({ key }) => [new Uint8Array(key), NOTHING]);
  return join([encoder.encode(String(total)), encoder.encode(String(matching)), ...keys]);
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array();

/** @type {(bytes: Uint8Array) => ArrayBuffer} */
const copy = (bytes) => /** @type {ArrayBuffer} */ (bytes.slice().buffer);
