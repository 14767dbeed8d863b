// Puts generated text between the markers of a document and leaves all else as it is:
//   <!-- bench:NAME --> … <!-- /bench -->

/** The document with the sections that are given; a marker without a section stays as it was. */
export function fill(document, sections) {
  return document.replace(/<!-- bench:([\w-]+) -->\n[\s\S]*?<!-- \/bench -->/g, (whole, name) => {
    const text = sections[name];
    return text === undefined ? whole : `<!-- bench:${name} -->\n${text}\n<!-- /bench -->`;
  });
}
