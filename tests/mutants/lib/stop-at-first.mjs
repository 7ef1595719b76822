// A reporter of Node's test runner that names what fails, by its suites too, and ends the process at the first: the rest would
// only wait. When it is traced what a test comes by, all are to be known.
export default async function* stopAtFirst(events) {
  const names = [];
  for await (const { type, data } of events) {
    if (type === 'test:start') names.splice(data.nesting, Infinity, data.name);
    if (type !== 'test:fail' || data.todo || data.details?.error?.failureType === 'subtestsFailed') continue;
    yield `not ok: ${JSON.stringify([...names.slice(0, data.nesting), data.name].join(' > '))}\n${data.details?.error?.cause?.stack ?? data.details?.error}\n`;
    if (!process.env.ESN_TRACE) setImmediate(() => process.exit(1));
  }
}
