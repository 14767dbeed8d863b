// The configuration in checked form: a module of its own beside the wasm, so that one wasm is for all users. The main
// module hands it over, since only the main module is the user's.

/** @type {string | undefined} */
let form;

/**
 * Says what the configuration is. Throws where the main module was given something else, which keeps such a Worker from
 * being deployed.
 * @param {unknown} text
 */
export function configure(text) {
  if (typeof text !== "string" || text === "")
    throw new TypeError(
      "gateway() wants the compiled configuration: the text that the module `pointsman build` writes exports",
    );
  // The wasm reads it once in an isolate: a second one would count for some requests and not for others.
  if (form !== undefined && form !== text) throw new TypeError("one Worker has one gateway(): it was called twice");
  form = text;
}

/** The checked form as JSON text. */
export const configuration = () => form ?? "";
