/** A URL, from what a page may say; in a worker an address is relative to its script. */
export const urlOf = (text) => new URL(text, globalThis.document?.baseURI || globalThis.location?.href);
