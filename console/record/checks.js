// What the checks of both kinds of record share. A fault is { at, what }: a JSON Pointer and a sentence's end.
import { isRange } from "./address.js";
import { instantOf } from "./instant.js";
import { pointerPart } from "./json.js";

const isText = (value) => typeof value === "string";

/** Collects faults; `is` checks a member's type and says whether the rest may look at it. */
export function checker(record, known) {
  const faults = [];
  const fault = (at, what) => void faults.push({ at, what });
  const there = (name) => record[name] !== undefined && record[name] !== null;
  for (const name of Object.keys(record))
    if (there(name) && !known.includes(name)) fault(`/${pointerPart(name)}`, "is no member that the gateway knows");

  const own = {
    faults,
    fault,
    there,
    /** A member that may be left out: null is that too. */
    optional(name, holds, what) {
      if (!there(name)) return false;
      if (holds(record[name])) return true;
      fault(`/${name}`, what);
      return false;
    },
    text: (name) => own.optional(name, isText, "must be a text"),
    flag: (name) => own.optional(name, (value) => typeof value === "boolean", "must be true or false"),
    /** A text that may also be empty where it says nothing. */
    instant(name, what) {
      own.optional(name, (text) => text === "" || (isText(text) && instantOf(text) !== undefined), what);
    },
    texts(name, holds, what, ofEmpty) {
      if (!own.optional(name, Array.isArray, "must be a list of texts")) return;
      if (record[name].length === 0) fault(`/${name}`, ofEmpty);
      for (const [index, text] of record[name].entries())
        if (!isText(text) || !holds(text)) fault(`/${name}/${index}`, what);
    },
    ranges: () =>
      own.texts(
        "allowedIps",
        isRange,
        "must be an address or a range such as 192.0.2.0/24",
        "must hold at least one range, or be left out",
      ),
    methods: () =>
      own.texts(
        "methods",
        (text) => /^[A-Z-]+$/.test(text),
        "must be a method in upper case",
        "must hold at least one method, or be left out",
      ),
  };
  return own;
}
