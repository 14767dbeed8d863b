// What scripts print looks as what the package prints.
export * from "../../packages/pointsman/lib/say.mjs";
