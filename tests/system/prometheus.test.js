'use strict';

// A real Prometheus with what deploy/prometheus has: it reads all three programs, its rules and the dashboard's questions are
// good, and docs/operate.md knows each metric and each alert.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { request } = require('./lib/http');
const { programs, source, tool } = require('./lib/paths');
const { freePort } = require('./lib/ports');
const { Program } = require('./lib/program');
const { promtool } = require('./lib/prometheus');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

const deploy = (file) => path.join(source, 'deploy', file);
const text = (file) => fs.readFileSync(file, 'utf8');
const document = text(path.join(source, 'docs/operate.md'));
const rules = text(deploy('prometheus/alerts.yml'));
const alerts = [...rules.matchAll(/^ +- alert: (\w+)$/gm)].map(([, name]) => name);

describe('the alerts', () => {
  test('promtool finds no fault, and each fires when it should', async () => {
    const checked = await promtool('check', 'rules', deploy('prometheus/alerts.yml'));
    assert.equal(checked.code, 0, checked.stdout + checked.stderr);
    const tried = await promtool('test', 'rules', deploy('prometheus/alerts.test.yml'));
    assert.equal(tried.code, 0, tried.stdout + tried.stderr);
    const missing = alerts.filter((name) => !text(deploy('prometheus/alerts.test.yml')).includes(`alertname: ${name}\n        exp_alerts`));
    assert.deepEqual(missing, [], 'without a test');
  });

  test('docs/operate.md says of each what to do', () => {
    assert.ok(alerts.length > 10);
    for (const name of alerts) {
      assert.ok(document.includes(`| <a id="${name.toLowerCase()}"></a>${name} | `), name);
      assert.ok(rules.includes(`runbook: docs/operate.md#${name.toLowerCase()}\n`), name);
    }
  });
});

describe('a real Prometheus', () => {
  let stack;
  let subscribe;
  let prometheus;
  let url;

  before(async () => {
    const [event, ticket, web] = [await freePort(), await freePort(), await freePort()];
    stack = new Stack('prom', { handlers: 1 });
    stack.config.metrics = { listen_event: `127.0.0.1:${event}`, listen_subscribe: `127.0.0.1:${ticket}`, addresses: '127.0.0.1' };
    stack.config.ticket = { secret_file: path.join(stack.folder, 'ticket.secret') };
    stack.config.log = { path: path.join(stack.folder, 'log') };
    stack.writeTokens('ticket.secret', ['secret-of-the-tickets-0123456789abcdef']);
    await stack.start();
    subscribe = new Program('esn-subscribe', [programs.subscribe, '--config', stack.file, '--listen', `unix:${stack.folder}/subscribe.sock`, '--workers', '1'],
      { log: path.join(stack.folder, 'esn-subscribe.log') });
    fs.copyFileSync(deploy('prometheus/alerts.yml'), path.join(stack.folder, 'alerts.yml'));
    const file = path.join(stack.folder, 'prometheus.yml');
    fs.writeFileSync(file, text(deploy('prometheus/prometheus.yml')).replace('127.0.0.1:8010', `127.0.0.1:${stack.port}`)
      .replace('127.0.0.1:9309', `127.0.0.1:${event}`).replace('127.0.0.1:9310', `127.0.0.1:${ticket}`).replaceAll(': 15s', ': 1s'));
    url = `http://127.0.0.1:${web}`;
    prometheus = new Program('prometheus', [tool('prometheus', 'prometheus'), `--config.file=${file}`, `--storage.tsdb.path=${stack.folder}/tsdb`,
      `--web.listen-address=127.0.0.1:${web}`], { log: path.join(stack.folder, 'prometheus.log') });
    await prometheus.until('it is ready', async () => (await request(`${url}/-/ready`, { agent: false })).status === 200);
  });
  after(async () => {
    await prometheus?.end();
    await subscribe?.end();
    await stack?.stop();
  });

  const ask = async (target) => {
    const answer = await request(`${url}${target}`, { agent: false });
    assert.equal(answer.json?.status, 'success', `${target}: ${answer.text}`);
    return answer.json.data;
  };
  const query = async (expression) => (await ask(`/api/v1/query?query=${encodeURIComponent(expression)}`)).result;

  const untilRead = () =>
    until('all three are read', async () => {
      const up = await query('up == 1');
      return up.length === 3 && up.map((one) => one.metric.job).sort();
    });

  test('reads the programs, and takes what they say', async () => {
    assert.deepEqual(await untilRead(), ['esn-event', 'esn-fanout', 'esn-subscribe']);
    await stack.publish('a', 'x');
    await until('an event is there', async () => Number((await query('esn_events_total{result="delivered"}'))[0]?.value[1]) >= 1);
    const { activeTargets } = await ask('/api/v1/targets?state=active');
    assert.deepEqual(activeTargets.map((target) => target.lastError), ['', '', '']);
  });

  test('has loaded the rules, and none of them is in trouble', async () => {
    const [group] = await until('they were looked at', async () => {
      const { groups } = await ask('/api/v1/rules');
      return groups[0].rules.every((rule) => rule.health !== 'unknown') && groups;
    });
    assert.deepEqual(group.rules.map((rule) => [rule.name, rule.health]), alerts.map((name) => [name, 'ok']));
    assert.deepEqual((await ask('/api/v1/alerts')).alerts.filter((alert) => alert.state === 'firing'), []);
  });

  test('knows each metric that docs, alerts and dashboard name, and docs name each that there is', async () => {
    await untilRead();
    const known = new Set(await ask('/api/v1/label/__name__/values'));
    const dashboard = text(deploy('grafana/es-web-notify.json'));
    const named = (words) => new Set([...words.matchAll(/\b(?:esn|process)_[a-z_]+[a-z]\b/g)].map(([name]) => name));
    const section = document.slice(document.indexOf('## Metrics'), document.indexOf('## Restart, reload'));
    const has = (name) => ['', '_bucket', '_total'].some((end) => known.has(name + end));
    const absent = ['esn_tls_handshakes_total', 'esn_tls_failures_total', 'esn_publisher_events_total'];
    absent.push(...(stack.engine.daemonKeeps
      ? ['esn_node', 'esn_node_serves', 'esn_node_cuts_total', 'esn_node_losses_total']
      : ['esn_log_writes_total', 'esn_log_unsynced_bytes', 'esn_log_sync_seconds']));
    for (const words of [section, rules, dashboard]) {
      assert.deepEqual([...named(words)].filter((name) => !has(name) && !absent.includes(name.replace(/_bucket$/, ''))), []);
    }
    const said = named(section);
    said.add('esn_topics_bytes_limit').add('esn_bodies_bytes_limit');
    const base = (name) => name.replace(/_(bucket|sum|count)$/, '');
    assert.deepEqual([...known].filter((name) => /^(esn|process)_/.test(name) && !said.has(name) && !said.has(base(name))), []);
  });

  test('answers every question of the dashboard', async () => {
    const { panels, templating } = JSON.parse(text(deploy('grafana/es-web-notify.json')));
    assert.equal(new Set(panels.map((panel) => panel.id)).size, panels.length);
    assert.ok(panels.length > 15 && templating.list.length === 2);
    for (const { title, targets, gridPos } of panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      for (const { expr } of targets) {
        await query(expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'));
      }
    }
  });
});
