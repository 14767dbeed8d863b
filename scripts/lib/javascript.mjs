// The checks of the JavaScript: layout and lints by Biome, types by TypeScript. Nothing is compiled by either.
import { globSync } from "node:fs";
import { dirname } from "node:path";
import { Failure } from "./failure.mjs";
import { npmBin, ROOT } from "./paths.mjs";
import { show } from "./run.mjs";

/** Folders with a tsconfig.json of their own, each for one kind of place in which JavaScript runs. */
export const typeProjects = () =>
  globSync("{.,{bench,console,packages,src}/**}/tsconfig.json", { cwd: ROOT }).map((file) => dirname(file));

/** Layout, order of imports and lints; biome.jsonc says which. Warnings count. */
export async function checkLints() {
  const code = await show(npmBin("biome"), ["check", "--error-on-warnings", "."]);
  if (code !== 0) throw new Failure("the JavaScript is not as biome.jsonc says", { advice: ["npm run format"] });
}

/** Types, as comments say them. */
export async function checkTypes() {
  for (const folder of typeProjects()) {
    const code = await show(npmBin("tsc"), ["--project", folder]);
    if (code !== 0) throw new Failure(`the types of ${folder}/tsconfig.json do not fit`);
  }
}
