'use strict';

// docs/install.md, or another document, as somebody who follows it reads it.

const fs = require('node:fs');
const path = require('node:path');

const SOURCE = path.join(__dirname, '..', '..', '..');

/** [{section, language, text}] of all fenced blocks, in order. */
function blocks(file) {
  const found = [];
  let section = '';
  let block;
  for (const line of fs.readFileSync(path.join(SOURCE, file), 'utf8').split('\n')) {
    const heading = /^## (.*)/.exec(line);
    const fence = /^( *)```(\w*)$/.exec(line);
    if (fence && block) {
      found.push(block);
      block = undefined;
    } else if (fence) {
      block = { section, language: fence[2], text: '', indent: fence[1].length };
    } else if (block) {
      block.text += `${line.slice(block.indent)}\n`;
    } else if (heading) {
      section = heading[1];
    }
  }
  return found;
}

/**
 * The blocks of one section, '' for those before the first; it is an error when there is none. What is to be read as the user's
 * own is replaced.
 */
function section(name, file = 'docs/install.md') {
  const found = blocks(file).filter((block) => block.section === name);
  if (found.length === 0) {
    throw new Error(`${file} has no section "${name}" with blocks`);
  }
  return found.map((block) => ({ ...block, text: block.text.replaceAll('https://your.site', 'http://localhost') }));
}

module.exports = { blocks, section };
