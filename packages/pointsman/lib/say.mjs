// What the scripts print. Colour only on a terminal.
/** @type {NodeJS.WriteStream} */
let stream = process.stdout;
/** From now on the scripts print to stderr: where stdout belongs to a program that they run. */
export const sayOnStderr = () => {
  stream = process.stderr;
};

const colours = () => Boolean(stream.isTTY) && !process.env.NO_COLOR && process.env.TERM !== "dumb";
/** @type {(code: string) => (text: unknown) => string} */
const paint = (code) => (text) => (colours() ? `\x1b[${code}m${text}\x1b[0m` : String(text));

export const bold = paint("1");
export const dim = paint("2");
export const red = paint("31");
export const green = paint("32");
export const yellow = paint("33");
export const cyan = paint("36");

/** @type {(text?: string) => void} */
export const say = (text = "") => void stream.write(`${text}\n`);
/** @type {(text: string) => void} */
export const note = (text) => say(dim(`  ${text}`));
/** @type {(text: string) => void} */
export const warn = (text) => say(`${yellow("warning:")} ${text}`);

/** @param {number} milliseconds */
export function duration(milliseconds) {
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 119.5) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** A clock that reads how long it has run. */
export function stopwatch() {
  const start = performance.now();
  return () => duration(performance.now() - start);
}

/** One line that is rewritten on a terminal, and now and then a line of its own elsewhere (a CI log). */
export function progressLine(everyMilliseconds = 20_000) {
  const terminal = Boolean(stream.isTTY);
  const elapsed = stopwatch();
  let last = "";
  const show = () => {
    const text = `  … ${elapsed()}  ${last}`;
    if (terminal) stream.write(`\r\x1b[2K${dim(text.slice(0, (stream.columns || 100) - 1))}`);
    else say(text.slice(0, 140));
  };
  const timer = setInterval(show, terminal ? 500 : everyMilliseconds);
  return {
    /** @param {string} text */
    update(text) {
      last = text.trim() || last;
    },
    end() {
      clearInterval(timer);
      if (terminal) stream.write("\r\x1b[2K");
    },
  };
}
