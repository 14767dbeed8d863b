import "./support/wasm.mjs";

await import("../cli/last-used.test.mjs");
