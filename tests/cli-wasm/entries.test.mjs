import "./support/wasm.mjs";

await import("../cli/entries.test.mjs");
