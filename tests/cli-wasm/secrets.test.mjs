import "./support/wasm.mjs";

await import("../cli/secrets.test.mjs");
