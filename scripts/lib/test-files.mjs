import { globSync } from "node:fs";
import { Failure } from "./failure.mjs";
import { ROOT } from "./paths.mjs";

/**
 * The files that these patterns match. A pattern that matches nothing is a fault: tests would silently not run.
 * @param {string[]} patterns
 */
export function testFiles(patterns, cwd = ROOT) {
  return patterns.flatMap((pattern) => {
    const files = globSync(pattern, { cwd }).sort();
    if (files.length === 0) throw new Failure(`no test file matches ${pattern}`);
    return files;
  });
}
