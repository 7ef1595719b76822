'use strict';

// After a whole story (right and wrong, in headers, bodies and queries, the programs there and away) no log of any server
// or program holds a secret of it.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { bindKey } = require('./lib/bind-keys');
const { Bound } = require('./lib/bound');
const { request } = require('./lib/http');
const { EventStream } = require('./lib/event-stream');
const { Subscriber } = require('./lib/subscriber');
const { servers } = require('./lib/webservers');

/** All logs of the web server and of our programs: {file: text}. The nginx by which tests post is none of them. */
function logsOf(folder) {
  const ours = fs.readdirSync(folder).filter((file) => /^esn-.*log$/.test(file));
  const theirs = fs.readdirSync(path.join(folder, 'web'), { recursive: true }).filter((file) => /log$/.test(file));
  const files = [...ours, ...theirs.map((file) => path.join('web', file))];
  return Object.fromEntries(files.map((file) => [file, fs.readFileSync(path.join(folder, file), 'utf8')]));
}

for (const name of Object.keys(servers)) {
  describe(`secrets behind ${name}`, () => {
    let bound;
    const secrets = new Map(); // text => what it is
    const keep = (what, text) => (secrets.set(text, what), text);
    const send = (target, options) => request(`${bound.url}${target}`, { agent: false, ...options });
    const post = (target, body, headers) => send(target, { method: 'POST', body: JSON.stringify(body), headers });
    const asQuery = (pairs) => new URLSearchParams(pairs).toString();

    before(async () => {
      bound = await Bound.start({ web: name, config: { fanout: { keep_alive: '1s' } } });
      await bound.add('CASA/NIVEL_AGUA', { sub: ['luis'] });
    });
    after(() => bound?.stop());

    async function posts() {
      const event = { ep: ['a'], e: { type: 'x' } };
      const { publishToken } = bound.stack;
      for (const token of [keep('the token', publishToken), keep('a wrong token', 'wrong-token-of-somebody')]) {
        const expected = token === publishToken ? 200 : 404;
        assert.equal((await post('event', event, { Authorization: `Bearer ${token}` })).status, expected);
        assert.equal((await post(`event?token=${token}`, event)).status, expected);
        await post(`event?token=${token}`, { ep: [null] });
        await post(`event?token=${token}`, 'x'.repeat(3_000_000));
        await post(`event/x?token=${token}`, event);
        await send(`event?token=${token}`);
        await send(`state?token=${token}`);
        await send(`nothing?token=${token}`);
      }
      keep('the admin token', bound.stack.adminToken);
      assert.equal((await send(`state?token=${bound.stack.adminToken}`)).status, 200);
      for (const user of ['ana', 'nobody']) {
        const bind_key = keep('a bind key to publish with', bindKey(user));
        await post('event', { bind_key, ep: [{ topic: 'CASA/NIVEL_AGUA', binded: true }], e: { type: 'x' } });
      }
    }

    async function subscriptions() {
      const ep = [{ topic: 'CASA/NIVEL_AGUA', binded: true }];
      const body = () => ({ bind_key: keep('a bind key in a body', bindKey('luis')), ep });
      const streams = [await Subscriber.open(bound.url, body())];
      const query = (bind_key) => asQuery({ binded: 'CASA/NIVEL_AGUA', bind_key });
      const sse = await EventStream.open(`${bound.url}sse?${query(keep('a bind key in a query', bindKey('luis')))}`);
      for (const secret of [streams[0].connected.secret, sse.connected.secret]) {
        keep('the secret of a stream', secret);
      }
      assert.equal((await send(`sse?${query(keep('a wrong bind key', 'wrong-bind-key-of-somebody'))}`)).status, 400);
      await send(`ws?${query(keep('a bind key for a WebSocket', bindKey('luis')))}`);
      await post('', { bind_key: keep('a wrong bind key in a body', 'another-wrong-bind-key'), ep });
      const ticket = keep('a ticket', (await post('ticket', body())).json.ticket);
      await send(`ws?ticket=${ticket}`); // no WebSocket: refused, and the ticket is still good
      streams.push(await Subscriber.open(`${bound.url}?ticket=${ticket}`, undefined));
      await send(`poll?ticket=${ticket}`);
      const { connid, secret } = streams[1].connected;
      await post('alive', { connid, secret: keep('the secret of the second stream', secret) });
      await send(`poll?${asQuery({ ep: 'a', wait: 0, connid, secret })}`);
      streams.forEach((stream) => stream.close());
      sse.close();
    }

    /** Whatever is answered while somebody is away. */
    const tryAll = () => Promise.allSettled([posts(), subscriptions()]);

    test('no log holds one, whatever was refused and whoever was away', async () => {
      await posts();
      await subscriptions();
      await bound.stack.daemon.end();
      await tryAll();
      await bound.stack.handlers[0].end();
      await bound.web.handler.end();
      await tryAll();
      const found = [];
      for (const [file, text] of Object.entries(logsOf(bound.stack.folder))) {
        for (const [secret, what] of secrets) {
          for (const spelling of new Set([secret, encodeURIComponent(secret)])) {
            const at = text.indexOf(spelling);
            if (at >= 0) {
              found.push(`${what} in ${file}: …${text.slice(Math.max(0, at - 200), at + 40)}…`);
            }
          }
        }
      }
      assert.deepEqual(found, []);
      const lines = Object.values(logsOf(bound.stack.folder)).join('');
      assert.match(lines, /GET \/ HTTP/, 'what is not the broker\'s is logged as ever');
      assert.ok(secrets.size > 12, `${secrets.size} secrets were looked for`);
    });
  });
}
