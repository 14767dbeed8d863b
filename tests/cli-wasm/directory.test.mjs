import "./support/wasm.mjs";

await import("../cli/directory.test.mjs");
