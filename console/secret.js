// Operators' secrets, as `pointsman secret create` makes them: `pso_<43 digits of base 62>_<checksum>`, 256 random bits.
// One that somebody made up is found by trying words. See src/operator/secret.rs.
import { checksum } from "./api-key.js";

const FORM = /^(pso_[0-9A-Za-z]{43})_([0-9A-Za-z]{6})$/;

/**
 * Whether a text has that form, with the right checksum.
 * @param {string} text
 */
export function isMinted(text) {
  const [, body, end] = FORM.exec(text) ?? [];
  return body !== undefined && checksum(body) === end;
}
