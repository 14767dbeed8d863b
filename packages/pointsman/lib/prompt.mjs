// A question whose answer nobody sees.
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { Failure } from "./failure.mjs";

/**
 * What is left of a line where letters were taken back. On a terminal that calls itself dumb, readline leaves that to others.
 * @param {string} line
 */
function edited(line) {
  /** @type {string[]} */
  const letters = [];
  for (const letter of line) {
    if (letter === "\x7f" || letter === "\b") letters.pop();
    else letters.push(letter);
  }
  return letters.join("");
}

/**
 * Asks on the terminal until there is an answer.
 * @param {string} question
 * @param {{ input?: NodeJS.ReadableStream, output?: NodeJS.WritableStream }} [terminal] this process's own by default
 * @returns {Promise<string>}
 */
export function askSecret(question, { input = process.stdin, output = process.stdout } = {}) {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input, output: silent, terminal: true });
  output.write(question);
  return new Promise((resolve, reject) => {
    terminal.on("line", (line) => {
      const answer = edited(line).trim();
      output.write("\n");
      if (answer === "") return void output.write(question);
      // Before it is closed: readline lets go of the terminal by a listener of its own, and what comes after changes nothing.
      resolve(answer);
      terminal.close();
    });
    terminal.on("close", () => reject(new Failure("\nnothing was deployed")));
  });
}
