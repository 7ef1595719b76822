'use strict';

const { basename } = require('node:path');

// Node's own reporters differ between its versions; this one is read by run-files.js: one JSON object a line.
module.exports = async function* report(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') {
      continue;
    }
    const error = data.details?.error;
    const cause = error?.cause ?? error;
    const isSuite = data.details?.type === 'suite';
    yield `${JSON.stringify({
      name: data.name,
      passed: type === 'test:pass' && data.skip === undefined && data.todo === undefined,
      isSuite,
      // A suite fails with each test in it; only a failure of its own (a hook) says something new.
      ownFailure: type === 'test:fail' && error?.failureType !== 'subtestsFailed',
      seconds: (data.details?.duration_ms ?? 0) / 1000,
      // In another order tests are all registered in one place, which says nothing.
      place: data.file && !data.file.endsWith('/any-order.js') ? basename(data.file) + (data.line ? `:${data.line}` : '') : undefined,
      error: type === 'test:fail' ? describe(cause) : undefined,
    })}\n`;
  }
};

function describe(error) {
  const text = String(error?.stack ?? error);
  return error?.cause ? `${text}\ncaused by ${error.cause.stack ?? error.cause}` : text;
}
