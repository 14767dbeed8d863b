import "./support/wasm.mjs";

await import("../cli/data.test.mjs");
