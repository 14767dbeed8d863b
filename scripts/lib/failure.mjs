export * from "../../packages/pointsman/lib/failure.mjs";
