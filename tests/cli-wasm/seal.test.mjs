import "./support/wasm.mjs";

await import("../cli/seal.test.mjs");
