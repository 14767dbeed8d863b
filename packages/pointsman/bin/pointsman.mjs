#!/usr/bin/env node
// `pointsman`: the commands that start wrangler and workerd, and the command line, which is pointsman.wasm in Node.
const OWN = ["start", "test", "deploy", "build"];

if (OWN.includes(process.argv[2])) {
  const { run } = await import("../lib/commands.mjs");
  await run(process.argv.slice(2));
} else {
  const { run } = await import("../lib/command-line.mjs");
  process.exitCode = run(new URL("../pointsman.wasm", import.meta.url), new URL("pointsman", import.meta.url));
  // Its help knows its own commands only.
  if (process.argv.length === 2 || ["--help", "-h", "help"].includes(process.argv[2])) {
    const { overview } = await import("../lib/commands.mjs");
    console.log(overview());
  }
}
