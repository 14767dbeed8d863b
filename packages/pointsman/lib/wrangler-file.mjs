// The id of a KV namespace in wrangler's file, as TOML or as JSON with comments. The file is edited as text: it is the user's,
// with comments and an order that mean something, and a file that was read and written anew would have neither.
import { Failure } from "./failure.mjs";

/** What a template says where there is no namespace yet. */
const NONE = /^0*$/;

/** @type {(id: string | undefined) => boolean} */
export const isMissing = (id) => id === undefined || NONE.test(id);

/**
 * The file's text with an id in it.
 * @param {string} name of the file
 * @param {string} text
 * @param {{ environment: string | undefined, binding: string, id: string }} where
 */
export const withNamespace = (name, text, where) =>
  name.endsWith(".toml") ? inToml(text, where) : inJson(text, where);

/**
 * @param {string} text
 * @param {{ environment: string | undefined, binding: string, id: string }} where
 */
function inToml(text, { environment, binding, id }) {
  const table = environment === undefined ? "kv_namespaces" : `env.${environment}.kv_namespaces`;
  const lines = text.split("\n");
  const header = new RegExp(`^\\s*\\[\\[\\s*${table.replaceAll(".", "\\s*\\.\\s*")}\\s*\\]\\]`);
  const isBinding = new RegExp(`^\\s*binding\\s*=\\s*["']${binding}["']`);
  for (let start = 0; start < lines.length; start++) {
    if (!header.test(lines[start])) continue;
    let end = start + 1;
    while (end < lines.length && !/^\s*\[/.test(lines[end])) end++;
    const at = lines.slice(start, end).findIndex((line) => isBinding.test(line));
    if (at < 0) continue;
    const idAt = lines.slice(start, end).findIndex((line) => /^\s*id\s*=/.test(line));
    if (idAt < 0) lines.splice(start + at + 1, 0, `id = "${id}"`);
    else lines[start + idAt] = lines[start + idAt].replace(/(=\s*)(["'])[^"']*\2/, (_, equals) => `${equals}"${id}"`);
    return lines.join("\n");
  }
  throw notThere(`[[${table}]]`, binding, id);
}

/**
 * @param {string} text
 * @param {{ environment: string | undefined, binding: string, id: string }} where
 */
function inJson(text, { environment, binding, id }) {
  const path = [...(environment === undefined ? [] : ["env", environment]), "kv_namespaces"];
  for (const object of objectsIn(text, path)) {
    const members = withoutComments(text.slice(object.start, object.end));
    const bound = new RegExp(`"binding"\\s*:\\s*"${binding}"`).exec(members);
    if (bound === null) continue;
    const old = /("id"\s*:\s*)"[^"]*"/.exec(members);
    const [found, written] = old ? [old, `${old[1]}"${id}"`] : [bound, `${bound[0]}, "id": "${id}"`];
    const start = object.start + found.index;
    return text.slice(0, start) + written + text.slice(start + found[0].length);
  }
  throw notThere(path.join("."), binding, id);
}

/** Texts and comments of JSON with comments. What stands in a text is no comment, nor the other way round. */
const TEXT_OR_COMMENT = /"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

/**
 * The text with blanks in the place of comments, so that all else stands where it stood.
 * @type {(text: string) => string}
 */
const withoutComments = (text) =>
  text.replace(TEXT_OR_COMMENT, (found) => (found.startsWith('"') ? found : " ".repeat(found.length)));

/** @type {(list: string, binding: string, id: string) => Failure} */
const notThere = (list, binding, id) =>
  new Failure(`${list} with binding = "${binding}" cannot be found in wrangler's file`, {
    advice: [`Put this id there by hand: ${id}`],
  });

/**
 * The objects of the list at a path, by their places in the text.
 * @param {string} text
 * @param {string[]} path
 */
function objectsIn(text, path) {
  /** @type {{ start: number, end: number }[]} */
  const found = [];
  /** Where the scanner is: the name of each open object's current member, or undefined for a list. @type {(string | undefined)[]} */
  const open = [];
  /** @type {number[]} */
  const starts = [];
  let lastText = "";
  for (const { index, 0: token } of text.matchAll(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\/|[{}[\]:,]/g)) {
    if (token.startsWith('"')) lastText = token.slice(1, -1);
    else if (token === ":") open[open.length - 1] = lastText;
    else if (token === "{" || token === "[") {
      open.push(token === "{" ? "" : undefined);
      starts.push(index);
    } else if (token === "}" || token === "]") {
      open.pop();
      const start = starts.pop() ?? 0;
      // Around an object of the list stand the list, and the objects whose members lead there.
      const names = open.filter((name) => name !== undefined);
      if (token === "}" && open.at(-1) === undefined && names.join("/") === path.join("/"))
        found.push({ start, end: index + 1 });
    }
  }
  return found;
}
