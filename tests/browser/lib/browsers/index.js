'use strict';

// The browsers of the tests: Chromium, Firefox and WebKit behind one interface. launch(name) gives a browser with
// newProfile() and close(signal); a profile, with cookies and storage of its own, has openTab() and close(); a tab is in tab.js.

const drivers = { chromium: './chromium', firefox: './firefox', webkit: './webkit' };

/** `options` are those of the driver. */
function launch(name, options) {
  if (!Object.hasOwn(drivers, name)) throw new Error(`no browser is called ${name}: ${Object.keys(drivers).join(', ')}`);
  return require(drivers[name]).launch(options);
}

module.exports = { launch, browsers: Object.keys(drivers) };
