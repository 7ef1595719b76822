'use strict';

// /metrics of daemon and handlers: who may read it, in which format, and that each number counts what it says.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { request } = require('./lib/http');
const { freePort } = require('./lib/ports');
const { checkMetrics, labelsOf, samplesOf } = require('./lib/prometheus');
const { RawConnection } = require('./lib/raw');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');
const { WebSocketPeer } = require('./lib/websocket');

const OPEN_METRICS = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

describe('metrics', () => {
  let stack;
  let port;
  let eventPort;
  const admin = () => ({ Authorization: `Bearer ${stack.adminToken}` });
  const scrape = async (options = {}) => {
    const answer = await stack.get('/metrics', { headers: admin(), ...options });
    assert.equal(answer.status, 200, answer.text);
    return answer;
  };
  const samples = async () => samplesOf((await scrape()).text);
  const handlerSamples = async () => {
    const answer = await request(`http://127.0.0.1:${eventPort}/metrics`, { agent: false });
    assert.equal(answer.status, 200, answer.text);
    return samplesOf(answer.text);
  };

  before(async () => {
    [port, eventPort] = [await freePort(), await freePort()];
    stack = new Stack('metrics', { handlers: 1, workers: 3 });
    fs.writeFileSync(path.join(stack.folder, 'publishers'), `[shop]\nsecret_file = shop.key\ntopics = #\nrate = 1000\n[narrow]\nsecret_file = narrow.key\ntopics = narrow/#\n`);
    stack.writeTokens('narrow.key', ['secret-of-one-that-may-not-do-much-0123']);
    stack.writeTokens('shop.key', ['secret-of-the-shop-0123456789abcdef']);
    Object.assign(stack.config, {
      metrics: { listen: `127.0.0.1:${port}`, listen_event: `127.0.0.1:${eventPort}`, addresses: '127.0.0.0/8' },
      publish: { publishers_file: path.join(stack.folder, 'publishers'), token_file: path.join(stack.folder, 'publish.token') },
      log: { path: path.join(stack.folder, 'log', 'events') },
    });
    fs.mkdirSync(path.join(stack.folder, 'log'));
    await stack.start();
  });
  after(() => stack?.stop());

  test('promtool has nothing to say of the daemon\'s, nor of a handler\'s', async () => {
    assert.equal(await checkMetrics((await scrape()).text), '');
    const answer = await request(`http://127.0.0.1:${eventPort}/metrics`, { agent: false });
    assert.equal(await checkMetrics(answer.text), '');
  });

  test('the format is what Accept prefers', async () => {
    const text = await scrape();
    assert.equal(text.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    assert.match(text.text, /^# TYPE esn_events_total counter$/m);
    const open = await scrape({ headers: { ...admin(), Accept: OPEN_METRICS } });
    assert.equal(open.headers['content-type'], 'application/openmetrics-text; version=1.0.0; charset=utf-8');
    assert.match(open.text, /^# TYPE esn_events counter$/m);
    assert.match(open.text, /^esn_events_total\{result="delivered"\} \d+$/m);
    assert.match(open.text, /\n# EOF\n$/);
    const other = await scrape({ headers: { ...admin(), Accept: 'application/openmetrics-text;q=0.2, text/plain' } });
    assert.match(other.headers['content-type'], /^text\/plain/);
    const handler = await request(`http://127.0.0.1:${eventPort}/metrics`, { agent: false, headers: { accept: OPEN_METRICS } });
    assert.match(handler.headers['content-type'], /^application\/openmetrics-text/);
    assert.match(handler.text, /\n# EOF\n$/);
  });

  test('no label has a topic, a client or a user', async () => {
    const client = await stack.subscribe({ ep: ['topic-of-nobody/#'], clid: 'client-of-nobody' });
    await stack.publish('topic-of-nobody/a', 'x');
    await client.takeUntil('x');
    const { text } = await scrape();
    assert.deepEqual(Object.keys(labelsOf(text)).sort(), ['le', 'publisher', 'reason', 'recovered', 'result', 'transport', 'version']);
    assert.doesNotMatch(text, /of-nobody/);
    await client.close();
  });

  describe('who may read it', () => {
    const status = async (options, at = stack.port, target = '/metrics') =>
      (await request(`http://127.0.0.1:${at}${target}`, { agent: false, ...options })).status;

    test('the admin token and the addresses that are named', async () => {
      assert.equal(await status({}), 200, 'an address');
      assert.equal(await status({}, port), 200, 'at the door of its own');
      const overSocket = (headers) => request('http://localhost/metrics', { agent: false, socketPath: stack.socketPath, headers });
      assert.equal((await overSocket({})).status, 401, 'a socket file has no address');
      assert.equal((await overSocket(admin())).status, 200);
    });

    test('behind a proxy it is the client\'s address that counts', async () => {
      assert.equal(await status({ headers: { 'X-Forwarded-For': '203.0.113.5' } }), 401);
      assert.equal(await status({ headers: { 'X-Forwarded-For': '127.0.0.9' } }), 200);
      assert.equal(await status({ headers: { Forwarded: 'for=127.0.0.9' } }), 401, 'not the header that is believed');
      assert.equal(await status({ headers: { 'X-Forwarded-For': '127.0.0.9' } }, port), 401, 'nobody is believed at that door');
      assert.equal(await status({ headers: { ...admin(), 'X-Forwarded-For': '203.0.113.5' } }, port), 200);
    });

    test('at the door of its own there is nothing else', async () => {
      for (const [target, expected] of [['/healthz', 200], ['/readyz', 200], ['/', 404], ['/state', 404], ['/sse?ep=a', 404]]) {
        assert.equal(await status({ headers: admin() }, port, target), expected, target);
      }
    });

    test('a handler answers the addresses alone, and nothing else there', async () => {
      assert.equal(await status({}, eventPort), 200);
      assert.equal(await status({}, eventPort, '/'), 404);
      assert.equal(await status({ method: 'POST', body: 'x' }, eventPort), 405);
      stack.writeConfig({ metrics: { ...stack.config.metrics, addresses: '192.0.2.1' } });
      stack.daemon.signal('SIGHUP');
      stack.handlers[0].signal('SIGHUP');
      await until('both have read it', async () => (await status({})) === 401 && (await status({}, eventPort)) === 403);
      stack.writeConfig();
      stack.daemon.signal('SIGHUP');
      stack.handlers[0].signal('SIGHUP');
      await until('and again', async () => (await status({})) === 200 && (await status({}, eventPort)) === 200);
    });
  });

  describe('what is counted', () => {
    /** How much each of these has grown while something was done. */
    async function growth(names, act, take = samples) {
      const old = await take();
      await act();
      const now = await take();
      return Object.fromEntries(names.map((name) => [name, now.get(name) - old.get(name)]));
    }

    const growthSince = async (old, names) => {
      const now = await samples();
      return names.map((name) => now.get(name) - old.get(name));
    };

    test('events by result, deliveries, and how long they took', async () => {
      const client = await stack.subscribe(['counted/#']);
      const names = ['esn_events_total{result="delivered"}', 'esn_events_total{result="double"}', 'esn_events_total{result="id_of_another"}',
        'esn_deliveries_total', 'esn_event_write_seconds_count', 'esn_event_write_seconds_bucket{le="+Inf"}'];
      const post = (type) => stack.post({ id: 'counted', ep: ['counted/a'], e: { type } });
      try {
        const old = await samples();
        const grown = await growth(names, async () => {
          assert.equal((await post('one')).status, 200);
          assert.equal((await post('one')).status, 200);
          assert.equal((await post('other')).status, 409);
          await client.takeUntil('one');
          // With Redis the handler tells the daemon, after its answer.
          await until('the daemon knows of both', async () => (await growthSince(old, names)).slice(1, 3).every((more) => more >= 1));
        });
        const [delivered, doubles, others, ...written] = Object.values(grown);
        assert.deepEqual([delivered, ...written], [1, 1, 1, 1]);
        // The bus brings again what was not answered within 30 ms, and that counts, too.
        assert.ok(doubles >= 1 && others >= 1, JSON.stringify(grown));
      } finally {
        await client.close();
      }
    });

    test('what a handler refuses', async () => {
      const old = await samples();
      const answer = await stack.post({ ep: ['a', 'b'], e: { type: 'x' } }, { token: 'secret-of-one-that-may-not-do-much-0123' });
      assert.equal(answer.status, 403, answer.text);
      const name = 'esn_events_total{result="refused"}';
      await until('the daemon was told', async () => (await samples()).get(name) === old.get(name) + 2);
    });

    test('publishers by name', async () => {
      const names = ['taken', 'limited'].map((result) => `esn_publisher_events_total{publisher="shop",result="${result}"}`);
      const grown = await growth(names, () => stack.post({ ep: ['a'], e: { type: 'x' } }, { token: 'secret-of-the-shop-0123456789abcdef' }));
      assert.deepEqual(Object.values(grown), [1, 0]);
    });

    test('topics, subscriptions and clients of now', async () => {
      const names = ['esn_topics', 'esn_subscriptions', 'esn_clients'];
      const open = [];
      try {
        const grown = await growth(names, async () => {
          open.push(await stack.subscribe({ ep: ['of-now/a', 'of-now/b'], clid: 'of-now' }));
          open.push(await stack.subscribe({ ep: ['of-now/a'], clid: 'of-now' }));
        });
        assert.deepEqual(Object.values(grown), [2, 3, 1]);
      } finally {
        await Promise.all(open.map((client) => client.close()));
      }
    });

    test('streams by transport, and why connections ended', async () => {
      const client = await stack.subscribe(['counted/#']);
      const socket = await WebSocketPeer.open(stack.port, '/ws?ep=counted');
      const before = await samples();
      assert.equal(before.get('esn_streams{transport="frames"}'), 1);
      assert.equal(before.get('esn_streams{transport="websocket"}'), 1);
      assert.equal(before.get('esn_streams{transport="sse"}'), 0);
      await client.close();
      socket.raw.destroy();
      await until('they are gone', async () => {
        const now = await samples();
        return now.get('esn_streams{transport="frames"}') + now.get('esn_streams{transport="websocket"}') === 0;
      });
      const now = await samples();
      const closed = (text) => [...text].filter(([name]) => name.startsWith('esn_connections_closed_total')).reduce((sum, [, n]) => sum + n, 0);
      assert.ok(closed(now) >= closed(before) + 2);
      assert.equal(now.get('esn_streams_opened_total') - before.get('esn_streams_opened_total'), 0);
    });

    test('resumes, recovered or not, and how long they are', async () => {
      const { id } = await stack.publish('counted/r', 'first');
      for (let i = 0; i < 3; i++) {
        await stack.publish('counted/r', `missed-${i}`);
      }
      const names = ['esn_resumes_total{recovered="yes"}', 'esn_resumes_total{recovered="no"}', 'esn_resume_events_count', 'esn_resume_events_sum',
        'esn_replayed_events_total'];
      const grown = await growth(names, async () => {
        const back = await stack.subscribe({ ep: ['counted/r'], last_id: id });
        await back.takeUntil('missed-2');
        const stranger = await stack.subscribe({ ep: ['counted/r'], last_id: '1-1' });
        await stranger.takeUntil('missed-2');
        await until('both are live', async () => (await samples()).get('esn_catching_up') === 0);
        await Promise.all([back.close(), stranger.close()]);
      });
      assert.equal(grown['esn_resumes_total{recovered="yes"}'], 1);
      assert.equal(grown['esn_resumes_total{recovered="no"}'], 1);
      assert.equal(grown.esn_resume_events_count, 2);
      assert.equal(grown.esn_resume_events_sum, grown.esn_replayed_events_total);
      assert.ok(grown.esn_resume_events_sum >= 3 + 4);
    });

    test('syncs of the log, and the process', async () => {
      const names = ['esn_log_sync_seconds_count', 'esn_log_writes_total{result="stored"}'];
      const grown = await growth(names, () => stack.publish('counted/s', 'x'));
      if (stack.engine.daemonKeeps) {
        assert.ok(grown.esn_log_sync_seconds_count >= 1 && grown['esn_log_writes_total{result="stored"}'] === 1, JSON.stringify(grown));
      } else {
        assert.deepEqual(Object.values(grown), [NaN, NaN], 'Redis has its own');
      }
      const now = await samples();
      assert.ok(Math.abs(now.get('process_start_time_seconds') * 1000 - Date.now()) < 3_600_000, 'this hour');
      assert.ok(now.get('process_resident_memory_bytes') > 1_000_000);
      assert.ok(now.get('process_max_fds') >= now.get('process_open_fds'));
      assert.ok(now.get('process_cpu_seconds_total') > 0);
    });

    test('a client that says nothing at a handler\'s door holds up no post, and is sent away', async () => {
      const silent = await RawConnection.open(eventPort);
      await stack.publish('counted/q', 'x');
      assert.match(await silent.rest(), /^HTTP\/1\.1 400 /);
      const wordy = await RawConnection.open(eventPort);
      await wordy.write(`GET /metrics HTTP/1.1\r\nX: ${'x'.repeat(9000)}`);
      assert.match(await wordy.rest(), /^HTTP\/1\.1 400 /);
    });

    test('a handler counts for all of its workers, also for those that have ended', async () => {
      const names = ['esn_handler_requests_total{status="200"}', 'esn_handler_events_total{result="delivered"}', 'esn_bus_round_trip_seconds_count',
        'esn_handler_request_seconds_count'];
      const post = () => stack.publish('counted/h', 'x');
      const grown = await growth(names, async () => {
        await Promise.all(Array.from({ length: 20 }, post));
      }, handlerSamples);
      assert.deepEqual([grown[names[0]], grown[names[1]]], [20, 20]);
      assert.ok(grown[names[2]] >= 1 && grown[names[2]] <= 20, 'those that went together count once');
      const old = await handlerSamples();
      const [worker] = stack.handlers[0].children();
      process.kill(worker, 'SIGTERM');
      await until('another one has its place', () => {
        const workers = stack.handlers[0].children();
        return workers.length === 3 && !workers.includes(worker);
      });
      const now = await handlerSamples();
      assert.ok(now.get(names[1]) >= old.get(names[1]));
      assert.equal(now.get('esn_handler_workers'), 3);
    });
  });
});

describe('with many streams', () => {
  test('a scrape costs the loop the same as with none, and far below 5 ms', async () => {
    const stack = await Stack.start('metrics-many');
    try {
      const headers = { Authorization: `Bearer ${stack.adminToken}` };
      const cost = async () => {
        const at = async () => samplesOf((await stack.get('/metrics', { headers })).text).get('process_cpu_seconds_total');
        const begun = await at();
        for (let i = 0; i < 100; i++) {
          await stack.get('/metrics', { headers });
        }
        return ((await at()) - begun) / 101;
      };
      const sizes = [(await stack.get('/metrics', { headers })).text.length];
      const alone = await cost();
      await stack.hold(1000);
      sizes.push((await stack.get('/metrics', { headers })).text.length);
      const many = await cost();
      assert.ok(Math.abs(sizes[1] - sizes[0]) < 500, `what is said does not grow with the streams: ${sizes}`);
      assert.ok(many < 0.005, `${many * 1000} ms of processor time, ${alone * 1000} with none`);
    } finally {
      await stack.stop();
    }
  });
});
