import "./support/wasm.mjs";

await import("../cli/usage.test.mjs");
