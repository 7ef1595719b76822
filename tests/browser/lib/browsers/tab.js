'use strict';

const { LIMIT_MS, until } = require('../../../system/lib/wait');

/** Text of an expression that calls `run` with what JSON can say, and gives a promise of JSON, or of an error's text. */
function expressionOf(run, value) {
  const call = `(${run})(${JSON.stringify(value) ?? 'undefined'})`;
  return `(async () => JSON.stringify({ value: await ${call} }))().catch((error) => JSON.stringify({ error: String(error) }))`;
}

/**
 * What tests do with a tab in any browser. The drivers give:
 *   goto(url)      when it is loaded
 *   back()         to the page before, which the browser may have kept
 *   run(text)      the value, a string, of an expression that gives a promise of one
 *   hide(), show() as when the user looks at another tab, and at this one again
 *   freeze(), thaw()  no script runs in between
 *   close()        as a user closes it
 */
class Tab {
  isFrozen = false;

  /** `run` is a function that is called in the page with `value`. What goes in and comes out is JSON. */
  async evaluate(run, value) {
    const { value: result, error } = JSON.parse(await this.run(expressionOf(run, value)));
    if (error !== undefined) throw new Error(`in the page: ${error}`);
    return result;
  }

  /** Waits until `condition`, a function of the page, gives something true, and gives that. */
  until(condition, value, { what = String(condition), limit = LIMIT_MS } = {}) {
    return until(`in the page: ${what} ${JSON.stringify(value) ?? ''}`, () => this.evaluate(condition, value), limit);
  }
}

module.exports = { Tab };
