'use strict';

const fs = require('node:fs');
const { until } = require('../../../system/lib/wait');

/** Removes a browser's folder. Its processes write there for a moment after the first of them has ended. */
function removeFolder(folder) {
  return until(`${folder} is removed`, () => {
    fs.rmSync(folder, { recursive: true, force: true });
    return true;
  });
}

module.exports = { removeFolder };
