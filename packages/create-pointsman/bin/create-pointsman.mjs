#!/usr/bin/env node
// npm create pointsman@latest my-gateway. What it does is in lib/; here is what an old Node can still read.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major > 22 || (major === 22 && minor >= 12)) {
  const { run } = await import("../lib/create.mjs");
  process.exitCode = await run(process.argv.slice(2));
} else {
  console.error(`error: this is Node ${process.versions.node}, and wrangler needs 22.12 or newer`);
  console.error("  https://nodejs.org, or with a version manager: nvm install 24");
  process.exitCode = 1;
}
