// The statement that a SQL text is, in the grammar that Workers Analytics Engine documents.
import { Refused } from "./refused.mjs";
import { tokens } from "./tokens.mjs";

/** @import { Parsed, Select } from "./types.d.ts" */

const RESERVED = new Set(
  "SELECT AS FROM WHERE GROUP BY HAVING ORDER ASC DESC LIMIT OFFSET FORMAT AND OR NOT IN LIKE ILIKE BETWEEN".split(" "),
);
const UNITS = new Map(Object.entries({ SECOND: 1, MINUTE: 60, HOUR: 3600, DAY: 86_400 }));
const COMPARES = new Set(["=", "!=", "<>", "<", ">", "<=", ">="]);

/** What `SHOW TABLES` or a `SELECT` asks. @type {(sql: string) => Select | "tables"} */
export function parse(sql) {
  const all = tokens(sql);
  let at = 0;
  const here = () => /** @type {import("./tokens.mjs").Token} */ (all[at]);
  /** @type {(what: string) => never} */
  const refuse = (what) => {
    throw new Refused(`expected ${what}, found ${here().text} at character ${here().at}`);
  };
  /** @type {(word: string) => boolean} */
  const isWord = (word) => here().kind === "word" && here().text.toUpperCase() === word;
  /** @type {(word: string) => boolean} */
  const takeWord = (word) => isWord(word) && ++at > 0;
  /** @type {(sign: string) => boolean} */
  const takeSign = (sign) => here().kind === "sign" && here().text === sign && ++at > 0;
  /** @type {(word: string) => void} */
  const needWord = (word) => void (takeWord(word) || refuse(word));
  /** @type {(sign: string) => void} */
  const needSign = (sign) => void (takeSign(sign) || refuse(sign));
  const name = () => {
    if (here().kind !== "word" || RESERVED.has(here().text.toUpperCase())) refuse("a name");
    return /** @type {import("./tokens.mjs").Token} */ (all[at++]).text;
  };
  const whole = () => {
    if (here().kind !== "number" || !/^\d+$/.test(here().text)) refuse("a whole number");
    return Number(/** @type {import("./tokens.mjs").Token} */ (all[at++]).text);
  };
  /** @type {<T>(one: () => T) => T[]} */
  const list = (one) => {
    const found = [one()];
    while (takeSign(",")) found.push(one());
    return found;
  };
  /** @type {(operator: string, ...given: Parsed[]) => Parsed} */
  const operation = (operator, ...given) => ({ kind: "operator", operator, given });

  /** @type {() => Parsed} */
  const any = () => {
    let left = every();
    while (takeWord("OR")) left = operation("OR", left, every());
    return left;
  };
  /** @type {() => Parsed} */
  const every = () => {
    let left = negated();
    while (takeWord("AND")) left = operation("AND", left, negated());
    return left;
  };
  /** @type {() => Parsed} */
  const negated = () => (takeWord("NOT") ? operation("NOT", negated()) : compared());
  /** @type {() => Parsed} */
  const compared = () => {
    const left = sum();
    if (here().kind === "sign" && COMPARES.has(here().text)) {
      const operator = here().text === "<>" ? "!=" : here().text;
      at++;
      return operation(operator, left, sum());
    }
    const not = takeWord("NOT");
    /** @type {(found: Parsed) => Parsed} */
    const told = (found) => (not ? operation("NOT", found) : found);
    if (takeWord("IN")) {
      needSign("(");
      const values = list(sum);
      needSign(")");
      return told(operation("IN", left, ...values));
    }
    if (takeWord("LIKE")) return told(operation("LIKE", left, sum()));
    if (takeWord("ILIKE")) return told(operation("ILIKE", left, sum()));
    if (takeWord("BETWEEN")) {
      const low = sum();
      needWord("AND");
      return told(operation("AND", operation(">=", left, low), operation("<=", left, sum())));
    }
    return not ? refuse("IN, LIKE, ILIKE or BETWEEN") : left;
  };
  /** @type {() => Parsed} */
  const sum = () => {
    let left = product();
    for (;;) {
      if (takeSign("+")) left = operation("+", left, product());
      else if (takeSign("-")) left = operation("-", left, product());
      else return left;
    }
  };
  /** @type {() => Parsed} */
  const product = () => {
    let left = signed();
    for (;;) {
      if (takeSign("*")) left = operation("*", left, signed());
      else if (takeSign("/")) left = operation("/", left, signed());
      else if (takeSign("%")) left = operation("%", left, signed());
      else return left;
    }
  };
  /** @type {() => Parsed} */
  const signed = () => (takeSign("-") ? operation("negative", signed()) : single());
  /** @type {() => Parsed} */
  const single = () => {
    if (takeSign("(")) {
      if (isWord("SELECT")) refuse("an expression: the stand-in has no subqueries");
      const inner = any();
      needSign(")");
      return inner;
    }
    const token = here();
    if (token.kind === "text") {
      at++;
      return { kind: "literal", type: "String", value: token.text };
    }
    if (token.kind === "number") {
      at++;
      const whole = !token.text.includes(".");
      return { kind: "literal", type: whole ? "UInt32" : "Float64", value: Number(token.text) };
    }
    if (takeWord("TRUE")) return { kind: "literal", type: "Bool", value: 1 };
    if (takeWord("FALSE")) return { kind: "literal", type: "Bool", value: 0 };
    if (takeWord("INTERVAL")) return interval();
    const called = name();
    return takeSign("(") ? call(called) : { kind: "name", name: called };
  };
  /** @type {() => Parsed} */
  const interval = () => {
    if (here().kind !== "text" || !/^\d+$/.test(here().text)) refuse("a whole number in quotes");
    const count = Number(here().text);
    at++;
    const seconds = UNITS.get(here().text.toUpperCase());
    if (here().kind !== "word" || seconds === undefined) return refuse("SECOND, MINUTE, HOUR or DAY");
    at++;
    return { kind: "literal", type: "Interval", value: count * seconds };
  };
  /** @type {() => { distinct: boolean, given: Parsed[] }} */
  const given = () => {
    if (takeSign(")")) return { distinct: false, given: [] };
    const distinct = takeWord("DISTINCT");
    const values = list(any);
    needSign(")");
    return { distinct, given: values };
  };
  /** @type {(called: string) => Parsed} */
  const call = (called) => {
    const first = given();
    const second = takeSign("(") ? given() : undefined;
    const parameters = second ? first.given : [];
    return { kind: "call", name: called, parameters, ...(second ?? first) };
  };

  const format = () => {
    const asked = takeWord("FORMAT") ? name() : "JSON";
    if (here().kind !== "end") refuse("the end");
    if (asked.toUpperCase() !== "JSON") throw new Refused(`the stand-in answers in JSON only, not in ${asked}`);
    return asked;
  };
  if (takeWord("SHOW")) {
    needWord("TABLES");
    format();
    return "tables";
  }
  needWord("SELECT");
  const columns = list(() => {
    const begin = here().at;
    const expression = any();
    const text = sql.slice(begin, here().at).trim();
    return { name: takeWord("AS") ? name() : text, expression };
  });
  needWord("FROM");
  const from = name();
  const where = takeWord("WHERE") ? any() : undefined;
  /** @type {(first: string) => boolean} */
  const takeBy = (first) => {
    const taken = takeWord(first);
    if (taken) needWord("BY");
    return taken;
  };
  const isDescending = () => {
    const descending = takeWord("DESC");
    if (!descending) takeWord("ASC");
    return descending;
  };
  const groupBy = takeBy("GROUP") ? list(any) : [];
  const having = takeWord("HAVING") ? any() : undefined;
  const orderBy = takeBy("ORDER") ? list(() => ({ expression: any(), descending: isDescending() })) : [];
  const limit = takeWord("LIMIT") ? (takeWord("ALL") ? undefined : whole()) : undefined;
  const offset = takeWord("OFFSET") ? whole() : undefined;
  return { columns, from, where, groupBy, having, orderBy, limit, offset, format: format() };
}
