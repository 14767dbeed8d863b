// What the gateway's reasons mean, from docs/problems.md: what is documented there is explained here.

/**
 * @typedef {object} Reason
 * @property {string} name as log lines, points and explanations have it
 * @property {string} problem the slug of the problem that callers get
 * @property {number} status
 * @property {string} title of the problem
 * @property {string} meaning with `code` in backticks
 */

/** Links of Markdown become their text: they lead to files that the console does not serve. @param {string} text */
const withoutLinks = (text) => text.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");

/**
 * The reasons in a text such as docs/problems.md, in its order.
 * @param {string} markdown
 * @returns {Reason[]}
 */
export function reasonsIn(markdown) {
  return markdown.split(/^## /m).flatMap((section) => {
    const [, problem] = /^([a-z-]+)\n/.exec(section) ?? [];
    const [, status, title] = /^\*\*(\d{3})\*\*[^·\n]* · ([^·\n]+?) · /m.exec(section) ?? [];
    if (problem === undefined || status === undefined) return [];
    return [...section.matchAll(/^\| (`[a-z0-9_`, ]+`) \| (.+) \|$/gm)].flatMap(([, names, meaning]) =>
      [...names.matchAll(/`([a-z0-9_]+)`/g)].map(([, name]) => ({
        name,
        problem,
        status: Number(status),
        title,
        meaning: withoutLinks(meaning),
      })),
    );
  });
}
