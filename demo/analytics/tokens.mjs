// SQL cut into its words.
import { Refused } from "./refused.mjs";

/** @typedef {{ kind: "word" | "text" | "number" | "sign" | "end", text: string, at: number }} Token */

const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /\d+(?:\.\d+)?/y;
const SIGN = /<=|>=|<>|!=|[=<>+\-*/%(),]/y;
const BLANK = /(?:\s|--[^\n]*(?:\n|$))+/y;
const TEXT = /'([^']*)'/y;

/** @type {(sql: string) => Token[]} */
export function tokens(sql) {
  /** @type {Token[]} */
  const found = [];
  let at = 0;
  /** @type {(pattern: RegExp) => RegExpExecArray | null} */
  const next = (pattern) => {
    pattern.lastIndex = at;
    return pattern.exec(sql);
  };
  while (at < sql.length) {
    const blank = next(BLANK);
    if (blank) {
      at += blank[0].length;
      continue;
    }
    const text = next(TEXT);
    const other = text ? null : (next(WORD) ?? next(NUMBER) ?? next(SIGN));
    const whole = text ?? other;
    if (!whole) throw new Refused(`cannot read ${JSON.stringify(sql[at])} at character ${at}`);
    // The dialect documents no escape: text that would need one is refused, however it is written.
    if (text && (text[1]?.includes("\\") || sql[at + whole[0].length] === "'"))
      throw new Refused(`the text at character ${at} has an escape, which the dialect does not document`);
    /** @type {Token["kind"]} */
    const kind = text ? "text" : /^[A-Za-z_]/.test(whole[0]) ? "word" : /^\d/.test(whole[0]) ? "number" : "sign";
    found.push({ kind, text: text ? (text[1] ?? "") : whole[0], at });
    at += whole[0].length;
  }
  found.push({ kind: "end", text: "the end", at });
  return found;
}
