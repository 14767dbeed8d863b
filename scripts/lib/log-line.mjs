export * from "../../packages/pointsman/lib/log-line.mjs";
