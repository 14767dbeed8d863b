// From the dialect of Workers Analytics Engine to SQLite's. What SQLite would take and the dialect would not is refused.
import { FUNCTIONS, wider } from "./functions.mjs";
import { Refused } from "./refused.mjs";

/** @import { Expression, Parsed, Select, Translated, Type } from "./types.d.ts" */

/** @type {(prefix: string, type: Type) => [string, Type][]} */
const twenty = (prefix, type) => Array.from({ length: 20 }, (_, index) => [`${prefix}${index + 1}`, type]);
/** The columns of each data set. @type {Map<string, Type>} */
export const COLUMNS = new Map([
  ["dataset", "String"],
  ["timestamp", "DateTime"],
  ["_sample_interval", "UInt32"],
  ["index1", "String"],
  ...twenty("blob", "String"),
  ...twenty("double", "Float64"),
]);
const NUMBERS = new Set(["Float64", "UInt8", "UInt32", "UInt64"]);

/** @type {(expression: { name: string, parameters: unknown[], given: unknown[] }) => import("./types.d.ts").DialectFunction} */
function functionOf({ name, parameters, given }) {
  const found = FUNCTIONS.get(name.toLowerCase());
  if (!found) throw new Refused(`unknown function: ${name}`);
  const [least, most] = found.takes;
  if (given.length < least || given.length > most || parameters.length !== (found.parameters ?? 0))
    throw new Refused(`wrong number of arguments: ${name}`);
  return found;
}

/** Replaces aliases by what they stand for. @type {(select: Select) => (parsed: Parsed) => Expression} */
function resolverOf(select) {
  const aliases = new Map(select.columns.map(({ name, expression }) => [name, expression]));
  /** @type {(parsed: Parsed, within: string[]) => Expression} */
  const resolve = (parsed, within) => {
    switch (parsed.kind) {
      case "literal":
        return parsed;
      case "operator":
        return { ...parsed, given: parsed.given.map((part) => resolve(part, within)) };
      case "call":
        return {
          ...parsed,
          parameters: parsed.parameters.map((part) => resolve(part, within)),
          given: parsed.given.map((part) => resolve(part, within)),
        };
      case "name": {
        if (COLUMNS.has(parsed.name)) return { kind: "column", name: parsed.name };
        const alias = aliases.get(parsed.name);
        if (!alias || within.includes(parsed.name))
          throw new Refused(`unable to find type of column: ${JSON.stringify(parsed.name)}`);
        return resolve(alias, [...within, parsed.name]);
      }
    }
  };
  return (parsed) => resolve(parsed, []);
}

/** @type {(expression: Expression) => Type} */
function typeOf(expression) {
  switch (expression.kind) {
    case "column":
      return COLUMNS.get(expression.name) ?? "String";
    case "literal":
      return expression.type;
    case "call": {
      const given = expression.given.map(typeOf);
      if (expression.name.toLowerCase() === "if") {
        const [condition, yes, no] = given;
        const alike = yes === no || (NUMBERS.has(yes ?? "") && NUMBERS.has(no ?? ""));
        if (condition !== "Bool" || !alike) throw new Refused("if needs a condition and two values of one type");
      }
      return functionOf(expression).type(given);
    }
    case "operator":
      return typeOfOperation(expression.operator, expression.given.map(typeOf));
  }
}

/** @type {(operator: string, given: Type[]) => Type} */
function typeOfOperation(operator, given) {
  const [left = "String", right = left] = given;
  /** @type {(fits: boolean) => void} */
  const need = (fits) => {
    if (!fits) throw new Refused(`cannot apply ${operator} to ${given.join(" and ")}`);
  };
  const numbers = given.every((type) => NUMBERS.has(type));
  switch (operator) {
    case "AND":
    case "OR":
    case "NOT":
      need(given.every((type) => type === "Bool"));
      return "Bool";
    case "LIKE":
    case "ILIKE":
      need(given.every((type) => type === "String"));
      return "Bool";
    case "IN":
    case "=":
    case "!=":
    case "<":
    case ">":
    case "<=":
    case ">=":
      need(numbers || given.every((type) => type === left));
      return "Bool";
    default:
      if (left === "DateTime" && right === "Interval") return "DateTime";
      need(numbers);
      return operator === "/" ? "Float64" : wider(left, right);
  }
}

/** @type {(text: string) => string} */
const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

/** @type {(expression: Expression) => string} */
function sqlOf(expression) {
  switch (expression.kind) {
    case "column":
      return expression.name;
    case "literal":
      return typeof expression.value === "string" ? quoted(expression.value) : String(expression.value);
    case "call": {
      const given = expression.given.map(sqlOf);
      if (expression.distinct) given[0] = `DISTINCT ${given[0]}`;
      return functionOf(expression).sql(given, expression.parameters.map(sqlOf));
    }
    case "operator": {
      const [left, ...others] = expression.given.map(sqlOf);
      switch (expression.operator) {
        case "NOT":
          return `(NOT ${left})`;
        case "negative":
          return `(-${left})`;
        case "IN":
          return `(${left} IN (${others.join(", ")}))`;
        case "ILIKE":
          return `(lower(${left}) LIKE lower(${others[0]}))`;
        case "/":
          return `(${left} * 1.0 / ${others[0]})`;
        default:
          return `(${left} ${expression.operator} ${others[0]})`;
      }
    }
  }
}

/** @type {(expression: Expression) => boolean} */
const aggregates = (expression) =>
  expression.kind === "call"
    ? functionOf(expression).aggregate === true || expression.given.some(aggregates)
    : expression.kind === "operator" && expression.given.some(aggregates);

/**
 * Of grouped rows, only what they are grouped by can stand outside of an aggregate: SQLite would take any row's.
 * @type {(expression: Expression, groups: Set<string>) => void}
 */
function needGrouped(expression, groups) {
  if (groups.has(sqlOf(expression)) || expression.kind === "literal") return;
  if (expression.kind === "column")
    throw new Refused(`column ${expression.name} is neither in GROUP BY nor in an aggregate function`);
  if (expression.kind === "call" && functionOf(expression).aggregate) {
    if (expression.given.some(aggregates))
      throw new Refused(`an aggregate function stands inside of ${expression.name}`);
    return;
  }
  for (const part of expression.given) needGrouped(part, groups);
}

/** @type {(select: Select) => Translated} */
export function translate(select) {
  const resolve = resolverOf(select);
  const columns = select.columns.map(({ name, expression }) => ({ name, expression: resolve(expression) }));
  const where = select.where && resolve(select.where);
  const groups = select.groupBy.map(resolve);
  const having = select.having && resolve(select.having);
  const orders = select.orderBy.map(({ expression, descending }) => ({ expression: resolve(expression), descending }));

  for (const condition of [where, having])
    if (condition && typeOf(condition) !== "Bool") throw new Refused("WHERE and HAVING need a condition");
  if ([...(where ? [where] : []), ...groups].some(aggregates))
    throw new Refused("an aggregate function stands in WHERE or GROUP BY");
  const behind = [...columns, ...orders].map(({ expression }) => expression).concat(having ?? []);
  if (groups.length > 0 || behind.some(aggregates)) {
    const known = new Set(groups.map(sqlOf));
    for (const expression of behind) needGrouped(expression, known);
  }

  const parts = [
    `SELECT ${columns.map(({ name, expression }) => `${sqlOf(expression)} AS "${name.replaceAll('"', '""')}"`).join(", ")}`,
    `FROM points WHERE dataset = ${quoted(select.from)}`,
  ];
  if (where) parts.push(`AND ${sqlOf(where)}`);
  if (groups.length > 0) parts.push(`GROUP BY ${groups.map(sqlOf).join(", ")}`);
  if (having) parts.push(`HAVING ${sqlOf(having)}`);
  const sorted = orders.map(({ expression, descending }) => `${sqlOf(expression)}${descending ? " DESC" : ""}`);
  if (sorted.length > 0) parts.push(`ORDER BY ${sorted.join(", ")}`);
  if (select.limit !== undefined || select.offset !== undefined) parts.push(`LIMIT ${select.limit ?? -1}`);
  if (select.offset !== undefined) parts.push(`OFFSET ${select.offset}`);
  return {
    sql: parts.join(" "),
    table: select.from,
    columns: columns.map(({ name, expression }) => ({ name, type: typeOf(expression) })),
    format: select.format,
  };
}
