/** A problem that is told as it is. */
export class Problem extends Error {}
