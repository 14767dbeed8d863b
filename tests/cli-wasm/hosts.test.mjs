import "./support/wasm.mjs";

await import("../cli/hosts.test.mjs");
