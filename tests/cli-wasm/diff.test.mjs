import "./support/wasm.mjs";

await import("../cli/diff.test.mjs");
