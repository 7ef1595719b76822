'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { source } = require('../../system/lib/paths');

/** Blocks of code of a document, to be run word for word but for addresses. */
class Document {
  /** Its parts by their headings, of whatever level. */
  #parts = {};

  constructor(file) {
    this.file = file;
    const text = fs.readFileSync(path.join(source, file), 'utf8');
    for (const part of text.split(/^##+ /m)) this.#parts[part.split('\n')[0]] = part;
  }

  /** Those of a language under a heading, in their order. */
  blocks(heading, language) {
    assert.ok(this.#parts[heading], `${this.file} has a heading "${heading}"`);
    return [...this.#parts[heading].matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))].map(([, code]) => code);
  }
}

/** The text with other addresses: {from: to}, each of which has to be there. */
function replaced(text, changes) {
  return Object.entries(changes).reduce((now, [from, to]) => {
    assert.ok(now.includes(from), `${from} in:\n${now}`);
    return now.replaceAll(from, to);
  }, text);
}

module.exports = { Document, replaced };
