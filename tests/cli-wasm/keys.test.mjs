import "./support/wasm.mjs";

await import("../cli/keys.test.mjs");
