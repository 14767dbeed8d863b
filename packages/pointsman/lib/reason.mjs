/**
 * Why a call of the system failed, in the system's words: "No such file or directory".
 * @param {unknown} error
 */
export function reason(error) {
  const { errno, message } = /** @type {NodeJS.ErrnoException} */ (error);
  if (errno === undefined) return message;
  const [, words] = process.getBuiltinModule("node:util").getSystemErrorMap().get(errno) ?? [];
  return words === undefined ? message : words[0].toUpperCase() + words.slice(1);
}
