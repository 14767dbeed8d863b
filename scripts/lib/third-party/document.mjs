// THIRD-PARTY-LICENSES as text: what of others is in the Workers and the command line, under which licence, and the licences' texts.
import { readFileSync } from "node:fs";
import { Failure } from "../failure.mjs";
import { inRoot } from "../paths.mjs";
import { chosen, noticeOf, textOf } from "./licences.mjs";
import { crates, cratesOfCommandLine, npmPackages } from "./shipped.mjs";

/** @import { Package } from "./shipped.mjs" */

export const FILE = inRoot("THIRD-PARTY-LICENSES");
export const COMMAND = "node scripts/third-party.mjs";

const HEAD = `Pointsman is under the Apache License 2.0 (LICENSE). The Workers that it is deployed as, and the command line's
pointsman.wasm, hold code of others, which is listed here with the licence that it is used under. \`${COMMAND}\` writes this file, from Cargo.lock,
package-lock.json and the packages themselves.`;

// Its version is the compiler's, which is not ours to say.
const STD = `Rust's standard library, which is linked into the wasm, is under MIT or Apache-2.0 (used under Apache-2.0), parts of its
compiler-builtins under Apache-2.0 with the LLVM exception: https://github.com/rust-lang/rust`;

// The toolchain brings it along.
const LIBC = `pointsman.wasm also has parts of wasi-libc (https://github.com/WebAssembly/wasi-libc), which is under Apache-2.0 with the LLVM
exception or MIT (used under Apache-2.0), and of musl, which is in wasi-libc and under MIT: Copyright © 2005-2020 Rich Felker, et al.`;

const WIDTH = 100;
const RULE = "=".repeat(WIDTH);
/** @type {(text: string) => string} */
const title = (text) => `${RULE}\n${text}\n${RULE}`;

/**
 * Names after what they are, in lines of one width.
 * @param {string} start
 * @param {string[]} names
 */
function wrapped(start, names) {
  const lines = [start];
  names.forEach((name, index) => {
    const word = index < names.length - 1 ? `${name},` : name;
    if (lines[lines.length - 1].length + 1 + word.length > WIDTH) lines.push(" ");
    lines[lines.length - 1] += ` ${word}`;
  });
  return lines.join("\n");
}

/** @type {(one: Package) => string} */
const label = ({ name, version }) => `${name} ${version}`;
/** @type {(text: string) => string} */
const flat = (text) => text.replace(/\s+/g, " ").trim();

/**
 * The table of what is in one place.
 * @param {Package[]} packages
 */
function list(packages) {
  const width = Math.max(...packages.map((one) => label(one).length));
  return packages
    .map((one) =>
      `  ${label(one).padEnd(width)}  ${chosen(one.licence).join(" and ").padEnd(26)}  ${one.url ?? ""}`.trimEnd(),
    )
    .join("\n");
}

/**
 * Of packages that have no text in them: the text that their authors have beside the sources.
 * @type {(licence: string, one: Package) => string | undefined}
 */
const elsewhere = (licence, { url }) =>
  licence === "MIT" && url?.startsWith("https://github.com/oxc-project/")
    ? readFileSync(new URL("texts/oxc.txt", import.meta.url), "utf8").trim()
    : undefined;

/**
 * Each text once, with the packages that it is of.
 * @param {Package[]} packages
 */
function texts(packages) {
  /** @type {Map<string, { licence: string, text: string, packages: Package[] }>} */
  const found = new Map();
  for (const one of packages) {
    for (const licence of chosen(one.licence)) {
      // Apache's text has no copyright line, so ours is everybody's.
      const text =
        licence === "Apache-2.0"
          ? readFileSync(inRoot("LICENSE"), "utf8").trim()
          : (textOf(licence, one.folder) ?? elsewhere(licence, one));
      if (!text)
        throw new Failure(`${label(one)}: the package has no text of ${licence}`, {
          advice: ["Its authors have it elsewhere: that must stand in THIRD-PARTY-LICENSES too."],
        });
      const key = `${licence} ${flat(text)}`;
      const same = found.get(key) ?? { licence, text, packages: [] };
      same.packages.push(one);
      found.set(key, same);
    }
  }
  return [...found.values()].sort((one, other) => order(one) - order(other));
}

// The one that most are under comes first.
/** @type {(found: { packages: Package[] }) => number} */
const order = ({ packages }) => -packages.length;

/** @param {Package[]} packages */
function notices(packages) {
  return packages.flatMap((one) => {
    const notice = chosen(one.licence).includes("Apache-2.0") && noticeOf(one.folder);
    return notice ? [`${title(`Notice of ${label(one)}`)}\n\n${notice}`] : [];
  });
}

/** What the file must hold. */
export async function document() {
  const [wasm, cli, scripts] = [crates(), cratesOfCommandLine(), await npmPackages()];
  const all = [...new Map([...wasm, ...cli, ...scripts].map((one) => [label(one), one])).values()];
  const parts = [
    HEAD,
    `In the gateway's Worker, crates from crates.io, of which the console's Worker has some:\n\n${list(wasm)}`,
    `In the command line's pointsman.wasm, crates from crates.io:\n\n${list(cli)}`,
    STD,
    LIBC,
    `In the console's Worker, packages from npm:\n\n${list(scripts)}`,
    ...texts(all).map(
      ({ licence, text, packages }) => `${title(wrapped(`${licence}:`, packages.map(label)))}\n\n${text}`,
    ),
    ...notices(all),
  ];
  return `${parts.join("\n\n")}\n`;
}
