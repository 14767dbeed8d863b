/** SQL that the stand-in does not run, in words for whoever wrote it. */
export class Refused extends Error {}
