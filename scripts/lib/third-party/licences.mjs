// Which of the licences that a package offers is taken, and where its text stands.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../failure.mjs";

/** Taken where a package offers a choice, the first before the others: one text of Apache's serves for all packages. */
const PREFERENCE = ["Apache-2.0", "MIT", "BSD-3-Clause", "Unicode-3.0", "Zlib", "BSL-1.0"];

/**
 * What only that licence's text says.
 * @type {Record<string, RegExp>}
 */
const MARKS = {
  "Apache-2.0": /Apache License\s+Version 2\.0/,
  "BSL-1.0": /Boost Software License - Version 1\.0/,
  "BSD-3-Clause": /Redistribution and use in source and binary forms[\s\S]*Neither the name/,
  MIT: /Permission is hereby granted, free of charge/,
  "Unicode-3.0": /UNICODE LICENSE V3/,
  Zlib: /This software is provided 'as-is'[\s\S]*misrepresented/,
};

/**
 * The licences that using a package under `expression` (SPDX's, or with "/" as older crates write it) takes: all parts of an
 * AND, the best liked of an OR. Fails where there is none that we know the conditions of.
 * @param {string} expression
 */
export function chosen(expression) {
  const tokens = expression.replaceAll("/", " OR ").match(/[()]|[^\s()]+/g) ?? [];
  const peek = () => tokens[0];
  /** @type {() => string[] | undefined} */
  const alternatives = () => {
    let best = together();
    while (peek() === "OR") {
      tokens.shift();
      best = better(best, together());
    }
    return best;
  };
  /** @type {() => string[] | undefined} */
  const together = () => {
    let all = single();
    while (peek() === "AND") {
      tokens.shift();
      const more = single();
      all = all && more && [...new Set([...all, ...more])];
    }
    return all;
  };
  /** @type {() => string[] | undefined} */
  const single = () => {
    const token = tokens.shift();
    if (token === undefined) throw new Failure(`licence ${expression}: it breaks off`);
    if (token === "(") {
      const inner = alternatives();
      if (tokens.shift() !== ")") throw new Failure(`licence ${expression}: a bracket is open`);
      return inner;
    }
    if (peek() !== "WITH") return PREFERENCE.includes(token) ? [token] : undefined;
    // A licence with an exception is another one, and has always stood beside the plain one.
    tokens.splice(0, 2);
    return undefined;
  };
  const licences = alternatives();
  if (!licences || tokens.length > 0)
    throw new Failure(`licence ${expression}: none of its licences is one of ${PREFERENCE.join(", ")}`);
  return licences;
}

/** @type {(licences: string[]) => number} */
const rank = (licences) => Math.max(...licences.map((name) => PREFERENCE.indexOf(name)));
/** @type {(one: string[] | undefined, other: string[] | undefined) => string[] | undefined} */
const better = (one, other) => (!one || (other && rank(other) < rank(one)) ? other : one);

/**
 * The files of a package that hold licences and notices, by name.
 * @param {string} folder
 */
function papers(folder) {
  const names = readdirSync(folder).filter(
    (name) => /^(licen[cs]e|copying|notice|unlicense)/i.test(name) && !/\.(m?js|ts|rs|json)$/i.test(name),
  );
  return names.sort().flatMap((name) => {
    try {
      return [{ name, text: readFileSync(join(folder, name), "utf8").replaceAll("\r\n", "\n").trim() }];
    } catch (error) {
      // A folder of licences: none of our packages has needed it.
      if (/** @type {NodeJS.ErrnoException} */ (error).code === "EISDIR") return [];
      throw error;
    }
  });
}

/**
 * The text of `licence` as the package in `folder` has it, with its copyright line; undefined where it has none.
 * @type {(licence: string, folder: string) => string | undefined}
 */
export const textOf = (licence, folder) => papers(folder).find(({ text }) => MARKS[licence].test(text))?.text;

/**
 * What a package under Apache-2.0 asks to be handed on (its section 4d).
 * @type {(folder: string) => string | undefined}
 */
export const noticeOf = (folder) => papers(folder).find(({ name }) => /^notice/i.test(name))?.text;
