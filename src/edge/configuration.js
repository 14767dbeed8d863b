// The configuration in checked form: a module of its own beside the wasm, so that one wasm is for all users.
import form from "pointsman:configuration";

/** The checked form as JSON text. */
export const configuration = () => form;
