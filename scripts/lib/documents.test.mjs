// Documents lead where they say: links, anchors, and the places in documents that code and findings name.
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { test } from "node:test";
import { anchors, linkFault, links, projectFiles, readProjectFile } from "./markdown.mjs";
import { ROOT } from "./paths.mjs";

const DOCUMENTS = projectFiles("**/*.md");

test("every relative link of a document leads to a file and to a heading that are there", () => {
  const faults = DOCUMENTS.flatMap((file) =>
    links(readProjectFile(file)).flatMap(({ line, target }) => {
      const fault = linkFault(file, target);
      return fault ? [`${file}:${line}: ${target}: ${fault}`] : [];
    }),
  );
  assert.deepEqual(faults, []);
});

test("every document that code, tests and configuration name is there, with the heading", () => {
  const files = projectFiles("**/*.{rs,js,mjs,ts,toml,json,css}");
  const faults = files.flatMap((file) => {
    const named = readProjectFile(file).matchAll(
      /\b(?:docs\/[\w-]+|README|ARCHITECTURE|SECURITY|CONTRIBUTING|CHANGELOG)\.md(?:#[\w-]+)?/g,
    );
    return [...named].flatMap(([target]) => {
      const fault = linkFault("package.json", target);
      return fault ? [`${file}: ${target}: ${fault}`] : [];
    });
  });
  assert.deepEqual(faults, []);
});

/** Files, folders and patterns of the project in code spans. Placeholders (`<name>`, `…`) stand for many. */
const NAMED_PATH =
  /`((?:src|crates|tests|scripts|fixtures|docs|console|bench|benches|demo|tools|schemas|examples|fuzz|\.github)\/[^`\s<…]*(?:\.\w+|\/|\*))`/g;

/** What a run writes, and git ignores. */
const IS_WRITTEN = /^fuzz\/(artifacts|grown)\//;

test("every path that a document names is there", () => {
  const faults = DOCUMENTS.flatMap((file) =>
    [...readProjectFile(file).matchAll(NAMED_PATH)].flatMap(([, path]) =>
      IS_WRITTEN.test(path) || globSync(path, { cwd: ROOT }).length > 0 ? [] : [`${file}: ${path}`],
    ),
  );
  assert.deepEqual(faults, []);
});

test("the README is short enough to be read", () => {
  const lines = readProjectFile("README.md").split("\n").length - 1;
  assert.ok(lines < 300, `README.md has ${lines} lines; what is not for the first visit belongs in docs/`);
});

test("headings have the anchors that GitHub gives them", () => {
  const text =
    "# One `code` (two)\n```sh\n# no heading\n```\n## `[backends.<name>]`\n## A [link](x.md): B\n## A link: B\n## `$asn` & more\n";
  assert.deepEqual(anchors(text), ["one-code-two", "backendsname", "a-link-b", "a-link-b-1", "asn--more"]);
});

test("a link that leads nowhere is found, and one in code is none", () => {
  // Put together here, since the test before reads this file too.
  const nowhere = ["README.md", "nowhere"].join("#");
  const text = [
    "[a](no-such.md)",
    "`[b](code.md)`",
    "```md",
    "[c](block.md)",
    "```",
    `![d](docs/performance.svg) [e](${nowhere})`,
    "[f]: LICENSE",
  ];
  const found = links(text.join("\n"));
  assert.deepEqual(found, [
    { line: 1, target: "no-such.md" },
    { line: 6, target: "docs/performance.svg" },
    { line: 6, target: nowhere },
    { line: 7, target: "LICENSE" },
  ]);
  const faults = found.map(({ target }) => linkFault("README.md", target));
  assert.deepEqual(faults, ["there is no no-such.md", undefined, "README.md has no heading #nowhere", undefined]);
  assert.equal(linkFault("docs/cli.md", "../SECURITY.md#security"), undefined);
  assert.match(linkFault("README.md", "../outside.md"), /^there is no/);
});
