'use strict';

const fs = require('node:fs');
const path = require('node:path');
const Ajv = require('ajv/dist/2020');
const addFormats = require('ajv-formats');
const { parse } = require('yaml');
const { source } = require('./paths');

const read = (name) => parse(fs.readFileSync(path.join(source, 'docs/api', name), 'utf8'));

/** Validators for the schemas of a description, which are found by JSON pointers into it. */
class Described {
  #ajv = new Ajv({ strict: false, allErrors: true });

  constructor(name) {
    this.name = name;
    this.document = read(name);
    addFormats(this.#ajv);
    this.#ajv.addSchema(this.document, name);
  }

  /** What is wrong with a value, '' when nothing is. `place`: the keys that lead to its schema. */
  fault(place, value) {
    const pointer = place.map((key) => `/${encodeURIComponent(String(key).replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');
    const validate = this.#ajv.getSchema(`${this.name}#${pointer}`) ?? this.#ajv.compile({ $ref: `${this.name}#${pointer}` });
    return validate(value) ? '' : this.#ajv.errorsText(validate.errors);
  }

  /** What a place says, with a reference followed: [place, object]. */
  at(place) {
    const found = place.reduce((object, key) => object?.[key], this.document);
    return found?.$ref ? this.at(found.$ref.slice(2).split('/')) : [place, found];
  }
}

module.exports = { Described, read };
