export * from "../../packages/pointsman/lib/port.mjs";
