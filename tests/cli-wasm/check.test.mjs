import "./support/wasm.mjs";

await import("../cli/check.test.mjs");
