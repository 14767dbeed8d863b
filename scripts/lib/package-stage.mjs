// The npm packages as they are published: what stands in packages/, and what is built for them.
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Failure } from "./failure.mjs";
import { inRoot } from "./paths.mjs";

export const PACKAGES = ["pointsman", "create-pointsman"];

/** @type {(file: string) => [to: string, from: string]} */
const same = (file) => [file, file];

/**
 * What a package has beside its sources: its place there, and where it comes from.
 * @type {Record<string, [to: string, from: string][]>}
 */
const BUILT = {
  pointsman: [
    ["worker/worker.js", "build/worker.js"],
    ["worker/index_bg.wasm", "build/index_bg.wasm"],
    ["worker/ledger_bg.wasm", "build/ledger_bg.wasm"],
    ["pointsman.wasm", "build/cli/pointsman.wasm"],
    ["LICENSE", "LICENSE"],
    ["THIRD-PARTY-LICENSES", "THIRD-PARTY-LICENSES"],
    ...["CHANGELOG.md", "SECURITY.md"].map(same),
    ...["schemas", "docs"].flatMap((folder) => readdirSync(inRoot(folder)).map((name) => same(`${folder}/${name}`))),
  ],
  "create-pointsman": [["LICENSE", "LICENSE"]],
};

/**
 * Lays a package out in this folder, which is not there yet, as its archive will have it.
 * @param {string} name
 * @param {string} folder
 */
export function stage(name, folder) {
  cpSync(inRoot("packages", name), folder, {
    recursive: true,
    filter: (file) => !file.endsWith(".test.mjs") && !file.endsWith("tsconfig.json"),
  });
  for (const [to, from] of BUILT[name]) {
    if (!existsSync(inRoot(from))) throw new Failure(`${from} is missing`, { advice: ["npm run build"] });
    mkdirSync(dirname(join(folder, to)), { recursive: true });
    copyFileSync(inRoot(from), join(folder, to));
  }
  const file = join(folder, "package.json");
  const manifest = JSON.parse(readFileSync(file, "utf8"));
  // There it keeps the sources from being published without what is built.
  delete manifest.private;
  writeFileSync(file, `${JSON.stringify(manifest, undefined, 2)}\n`);
}
