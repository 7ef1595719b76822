// A reporter of Node's test runner that ends the process at the first test that fails: the rest would only wait.
export default async function* stopAtFirst(events) {
  for await (const event of events) {
    if (event.type !== 'test:fail' || event.data.todo) continue;
    yield `not ok: ${event.data.name}\n${event.data.details?.error?.cause?.stack ?? event.data.details?.error}\n`;
    setImmediate(() => process.exit(1));
  }
}
