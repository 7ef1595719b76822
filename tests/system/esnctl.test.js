'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { programs, source, tool } = require('./lib/paths');
const { Program, run } = require('./lib/program');
const { Stack } = require('./lib/stack');

describe('esnctl', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('esnctl', { handlers: 1 });
  });
  after(() => stack?.stop());

  function esnctl(words, options) {
    return run([programs.esnctl, ...words], { env: { ESN_CONF: stack.file }, ...options });
  }

  async function good(words, options) {
    const end = await esnctl(words, options);
    assert.equal(end.code, 0, `${words.join(' ')}: ${end.stderr}${end.stdout}`);
    return end.stdout;
  }

  test('emit: on the bus, or as a backend does it', async () => {
    const client = await stack.subscribe(['news/#']);
    for (const by of [[], ['--url', `${stack.webUrl}/notify/`], ['--url', stack.eventUrl]]) {
      const detail = { text: "it's ñandú 😀", n: 1 };
      const said = JSON.parse(await good(['emit', '--json', ...by, 'news/a', 'hello', JSON.stringify(detail)]));
      assert.equal(said.receivers, 1);
      const [frame] = (await client.takeUntil('hello')).slice(-1);
      assert.deepEqual(frame.json.e, { type: 'hello', detail });
      assert.deepEqual(frame.json.ep, { requested: 'news/#', emitted: 'news/a' });
      assert.equal(frame.json.id, said.id);
      await good(['emit', ...by, 'news', 'bare']);
      assert.deepEqual((await client.takeUntil('bare')).at(-1).json.e, { type: 'bare' });
      await good(['emit', ...by, 'news', 'read', '-'], { input: '[1, 2]\n' });
      assert.deepEqual((await client.takeUntil('read')).at(-1).json.e, { type: 'read', detail: [1, 2] });
    }
    await client.close();
  });

  test('emit: whispers, and knows an event by its id', async () => {
    const [first, second] = [await stack.subscribe(['a']), await stack.subscribe(['a'])];
    for (let i = 0; i < 2; i++) {
      await good(['emit', '--whisper', String(second.connid), '--id', 'only-once', 'a', 'psst']);
    }
    const [one, two] = await stack.drain('a', first, second);
    assert.deepEqual(one.map((frame) => frame.json.e.type), ['connected']);
    assert.deepEqual(two.map((frame) => frame.json.e.type), ['connected', 'psst']);
    await first.close();
    await second.close();
  });

  test('emit: to all but one', async () => {
    const [first, second] = [await stack.subscribe(['a']), await stack.subscribe(['a'])];
    for (const by of [[], ['--url', `${stack.webUrl}/notify/`]]) {
      await good(['emit', ...by, '--except', String(first.connid), 'a', 'moved']);
    }
    const heard = (await stack.drain('a', first, second)).map((frames) => frames.map((frame) => frame.json.e.type));
    assert.deepEqual(heard, [['connected'], ['connected', 'moved', 'moved']]);
    await first.close();
    await second.close();
  });

  test('emit: keeps the last value, and forgets it', async () => {
    const values = async () => {
      const client = await stack.subscribe(['shop/open', 'a']);
      const [frames] = await stack.drain('a', client);
      await client.close();
      return frames.filter(({ json }) => json.kept).map(({ json }) => json.e.detail);
    };
    for (const by of [[], ['--url', `${stack.webUrl}/notify/`]]) {
      await good(['emit', ...by, '--keep', 'shop/open', 'changed', 'true']);
      assert.deepEqual(await values(), [true]);
      await good(['emit', ...by, '--keep', 'shop/open', 'changed', 'null']);
      assert.deepEqual(await values(), []);
    }
  });

  test('emit: says why it did not', async () => {
    for (const words of [
      ['emit', 'a', 'x', '{'],
      ['emit', '@SERVER@/x', 'x'],
      ['emit', '', 'x'],
      ['emit', '--url', `${stack.webUrl}/notify/`, '--token', 'wrong', 'a', 'x'],
      ['emit', '--url', `${stack.webUrl}/notify/`, '@CONNECTION@/x', 'x'],
      ['emit', '--url', 'http://127.0.0.1:1/', 'a', 'x'],
      ['emit'],
      ['emit', 'a'],
      ['emit', '--whisper', 'x', 'a', 'x'],
      ['emit', '--except', 'x', 'a', 'x'],
      ['emit', '--nonsense', 'a', 'x'],
    ]) {
      const end = await esnctl(words);
      assert.ok([1, 2].includes(end.code), `${words.join(' ')}: ${end.code}`);
      assert.notEqual(end.stderr, '');
    }
  });

  test('listen: one line of JSON an event', async () => {
    const listener = new Program('listener', [programs.esnctl, 'listen', '--count', '3', '--clid', 'ear', 'a/+'], {
      log: path.join(stack.folder, 'listener.log'),
      env: { ESN_CONF: stack.file },
    });
    await stack.untilTotal(1);
    assert.equal(await stack.look('/connections?clid=ear'), 1);
    for (const detail of [1, 'é', null]) {
      await stack.publish('a/b', 'x', detail);
    }
    assert.equal(await listener.ended, 0);
    const lines = listener.output().split('\n').filter((line) => line.startsWith('{')).map(JSON.parse);
    assert.deepEqual(lines.map((line) => line.e), [1, 'é', null].map((detail) => ({ type: 'x', detail })));
    assert.deepEqual(lines[0].ep, { requested: 'a/+', emitted: 'a/b' });
  });

  test('listen: ends with 1 when the stream is cut before all came', async () => {
    const end = await esnctl(['listen', '--count', '1', '--url', 'http://127.0.0.1:1/', 'a']);
    assert.equal(end.code, 1);
    assert.notEqual(end.stderr, '');
  });

  test('connections and state', async () => {
    const clients = [];
    for (const clid of ['ana', 'ana', 'beto']) {
      clients.push(await stack.subscribe({ ep: ['a'], clid }));
    }
    await stack.untilTotal(3);
    assert.deepEqual(JSON.parse(await good(['connections', '--json'])), { ana: 2, beto: 1, '@TOTAL@': 3 });
    assert.match(await good(['connections']), /\bana\b.*\b2\b/);
    assert.match(await good(['connections', '--clid', 'ana']), /\b2\b/);
    const details = JSON.parse(await good(['connections', '--clid', 'beto', '--details', '--json']));
    assert.deepEqual(Object.keys(details), [String(clients[2].connid)]);
    assert.equal(JSON.parse(await good(['state', '--json'])).connections, 3);
    assert.match(await good(['state']), /connections\D+3/);
    assert.ok(JSON.parse(await good(['state', '--memory', '--json'])).resident > 0);
    await Promise.all(clients.map((client) => client.close()));
  });

  test('state has every figure, whatever has happened', async () => {
    const state = JSON.parse(await good(['state', '--json']));
    const figures = `version uptime_ms epoch sequence connections transports polls_between sockets max_sockets clids catching_up
      replayed replayed_shared log_events log_from kept kept_bytes kept_let_go topics strangers subscriptions events events_doubled
      events_not_taken events_limited publishers bus_malformed deliveries frames_formatted slow accepted refused_full streams_begun
      streams_dropped revocations revocations_most reports reports_made reports_given_up closed turns busiest_topics slowest_streams`;
    const ofStrangers = `topics_bytes topics_most topics_most_per_address topics_refused topics_refused_per_address bodies_bytes bodies_most
      bodies_given_up bodies_most_per_address bodies_refused_per_address replay_bytes replay_most replay_work pending_bytes pending_most
      addresses put_off requests_waiting requests_refused presence_changes`;
    assert.deepEqual(Object.keys(state).sort(), [...figures.split(/\s+/), ...stack.engine.figures].sort());
    assert.deepEqual(Object.keys(state.strangers).sort(), ofStrangers.split(/\s+/).sort());
    assert.equal(state.revocations_most, 100_000);
    assert.equal(state.strangers.bodies_given_up, 0);
  });

  // What the services' users may read is what counts; root may read everything.
  test('check-config: for root as each service, and as another user', async () => {
    const users = ['root', 'esn-fanout', 'esn-event', 'esn-subscribe'];
    const passwd = path.join(stack.folder, 'passwd');
    fs.writeFileSync(passwd, users.map((name) => `${name}:x:0:0::/:/bin/sh\n`).join(''));
    const wrapper = [tool('unshare', 'util-linux'), '--user', '--map-root-user', '--mount', 'sh', '-c', `mount --bind ${passwd} /etc/passwd && exec "$@"`, 'sh'];
    const check = (...words) => run([...wrapper, programs.esnctl, 'check-config', ...words], { env: { ESN_CONF: stack.file } });
    const each = await check();
    assert.deepEqual([each.code, each.stdout.match(/: good\b/g)?.length], [0, 3], each.stdout + each.stderr);
    const one = await check('--user', 'esn-event');
    assert.deepEqual([one.code, one.stdout.match(/: good\b/g)?.length], [0, 1], one.stdout + one.stderr);
    const values = await check('--print', 'values');
    assert.equal(values.code, 0, values.stderr);
    assert.equal(values.stdout, await good(['check-config', '--print', 'values']));
    const nobody = await check('--user', 'esn-nobody');
    assert.equal(nobody.code, 1, nobody.stdout);
    assert.match(nobody.stderr, /cannot become the user esn-nobody: there is no such user/);
  });

  test('check-config: values, sample and reference', async () => {
    await good(['check-config']);
    assert.match(await good(['check-config', '--print', 'values']), new RegExp(`127\\.0\\.0\\.1:${stack.port}`));
    const sample = path.join(stack.folder, 'sample.conf');
    fs.writeFileSync(sample, await good(['check-config', '--print', 'sample']));
    await good(['check-config', '--config', sample]);
    for (const [kind, file] of [
      ['markdown', 'docs/configuration.md'],
      ['sample', 'deploy/es-web-notify.conf.sample'],
      ['man', 'docs/man/es-web-notify.conf.5'],
    ]) {
      const printed = await good(['check-config', '--print', kind]);
      assert.equal(printed, fs.readFileSync(path.join(source, file), 'utf8'), `${file} is up to date`);
    }
  });
});
