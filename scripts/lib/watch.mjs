export * from "../../packages/pointsman/lib/watch.mjs";
