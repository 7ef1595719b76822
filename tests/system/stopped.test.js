'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Source } = require('./lib/resuming');
const { ENGINE, Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

const TOPICS = ['t/0', 't/1', 't/2', 't/3'];
const INTERVAL_MS = 5;
const STANDS_FOR_MS = 3000; // what it shall hide is over by then: time limits, resends, keep-alives
// Who stands for longer than that is cut off from other daemons, and its streams come back (nodes.test.js).
const LEASE = ENGINE === 'redis' ? { bus: { lease: '30s' } } : {};

// A process that stands still, as under SIGSTOP, in a debugger, or on a machine without memory, and goes on later.
test('processes stand still for seconds while events are posted', async (t) => {
  let stack;
  let sources;
  let client;
  t.before(async () => {
    stack = await Stack.start('stopped', {
      handlers: 1,
      workers: TOPICS.length,
      config: { publish: { time_limit: '300ms' }, fanout: { keep_alive: '1s' }, messages: { level: 'info' }, ...LEASE },
    });
    client = await stack.subscribe(['t/+']);
    sources = TOPICS.map((topic) => new Source(stack, topic, INTERVAL_MS));
  });
  t.after(() => stack?.stop());

  function stand(pids, signal) {
    for (const pid of pids) {
      process.kill(pid, signal);
    }
  }

  /** Until `count` more events of each of some topics are acknowledged. */
  function more(some, count) {
    const marks = some.map((source) => source.acknowledged + count);
    return until(`${count} more are acknowledged`, () => some.every((source, i) => source.acknowledged >= marks[i]));
  }

  async function standFor(pids, meanwhile) {
    const began = Date.now();
    stand(pids, 'SIGSTOP');
    try {
      await meanwhile();
      await until('it has stood for seconds', () => Date.now() - began > STANDS_FOR_MS);
    } finally {
      stand(pids, 'SIGCONT');
    }
    await more(sources, 20);
  }

  await t.test('what takes posts: they are answered 503 meanwhile, and go on', async () => {
    await more(sources, 20);
    const marks = sources.map((source) => source.refusals);
    await standFor([stack.taker.pid], () =>
      until('each was refused', () => sources.every((source, i) => source.refusals > marks[i] + 3)),
    );
  });

  await t.test('a worker of the handlers: its posts wait, the others go on', async () => {
    const [worker] = stack.handlers[0].children();
    await standFor([worker], () => {
      const marks = sources.map((source) => source.acknowledged + 50);
      return until('others go on', () => sources.some((source, i) => source.acknowledged > marks[i]));
    });
  });

  await t.test('all workers, and then all of them with the daemon', async () => {
    const workers = stack.handlers[0].children();
    await standFor(workers, () => {});
    await standFor([...workers, stack.daemon.pid], () => {});
  });

  await t.test('every event was delivered once and in order, on a stream that was never lost', async () => {
    for (const source of sources) {
      source.isStopped = true;
    }
    await Promise.all(sources.map((source) => source.done));
    await stack.publishInTheEnd('t/end', 'last');
    const frames = (await client.takeUntil('last')).filter(({ json }) => json.e.type === 'n');
    for (const source of sources) {
      const numbers = frames.filter(({ json }) => json.ep.emitted === source.topic).map(({ json }) => json.e.detail);
      assert.deepEqual(numbers, Array.from({ length: source.acknowledged }, (_, i) => i), source.topic);
    }
    await client.close();
  });
});
