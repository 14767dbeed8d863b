// npm run package: the archives of the npm packages in dist/, from what `npm run build` and `npm run build -- --cli` made.
import { join } from "node:path";
import { main } from "./lib/failure.mjs";
import { underModernNode } from "./lib/modern-node.mjs";
import { npmPackages } from "./lib/npm-packages.mjs";
import { inRoot } from "./lib/paths.mjs";
import { say } from "./lib/say.mjs";

await main(async () => {
  await npmPackages();
  await underModernNode();
  const { pack } = await import("./lib/package-pack.mjs");
  for (const { file, size, unpackedSize, sha256 } of pack(inRoot("dist")))
    say(`${join("dist", file)}  ${kilobytes(size)}, installed ${kilobytes(unpackedSize)}, sha256 ${sha256}`);
});

/** @param {number} bytes */
function kilobytes(bytes) {
  return `${Math.round(bytes / 1000)} kB`;
}
