// What a file that is published may never hold: places of the machine that built it.

/** Folders of users, and where cargo keeps what registries have. A place in a record of a root key is none. */
export const MACHINE =
  /(?:\/(?:home|root|Users)\/(?!scopes|customers|prefixes)[.\w]|\.cargo\/registry|index\.crates)[ -~]{0,80}/;
