import "./support/wasm.mjs";

await import("../cli/api.test.mjs");
