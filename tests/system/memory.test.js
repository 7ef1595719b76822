'use strict';

// /memory says what the heap is used for, whatever the daemon has seen. tests/soak/visits asks after millions of visits.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Stack } = require('./lib/stack');
const { Stranger, fillLog, post, range, subscription } = require('./lib/stranger-cases');
const { claims, ticket } = require('./lib/tickets');
const { until } = require('./lib/wait');

const LIBRARIES = 450_000; // bytes; once, however much is done
const SECRET = 'secret-of-the-tickets-0123456789abcdef';

describe('/memory explains the heap', () => {
  let stack;
  before(async () => {
    stack = new Stack('memory', { handlers: 1, config: { messages: { level: 'warning' } } });
    stack.config.ticket = { secret_file: path.join(stack.folder, 'ticket.secret') };
    fs.writeFileSync(stack.config.ticket.secret_file, `${SECRET}\n`, { mode: 0o600 });
    await stack.start();
  });
  after(() => stack?.stop());

  /** All but a twentieth, and what libraries keep once they were used; gives what /memory says. */
  async function expectExplained() {
    const memory = await stack.look('/memory');
    const text = JSON.stringify(memory);
    const unexplained = memory.heap_used - memory.explained;
    assert.ok(unexplained <= LIBRARIES + 0.05 * memory.heap_used, text);
    assert.ok(-unexplained <= 0.05 * memory.heap_used, text);
    return memory;
  }

  /** Each says its piece and goes when it was told `last`. */
  async function visit(count, request, last) {
    for (let done = 0; done < count; done += 50) {
      const visitors = range(50, (i) => new Stranger(stack, { keeps: 10_000 }).say(request(done + i)));
      await Promise.all(visitors.map((visitor) => until('it was served', () => visitor.text.includes(last))));
      await Promise.all(visitors.map((visitor) => visitor.leave()));
    }
  }

  test('after many short visits, by ticket too', async () => {
    const signed = (i) => ticket(claims({ ep: [`t/${i}`] }), { secret: SECRET });
    await visit(6000, (i) => subscription([`t/${i}`, '#'], { clid: `page ${i}` }), '"connected"');
    await visit(2000, (i) => `GET /?ticket=${signed(i)} HTTP/1.1\r\nHost: x\r\n\r\n`, '"connected"');
    await visit(1000, (i) => post('/poll', JSON.stringify({ ep: ['a'], wait: 0, clid: `poll ${i}` })), '],"id":');
    const memory = await expectExplained();
    assert.ok(memory.departed > 7000 * 64, JSON.stringify(memory));
    assert.ok(memory.used_tickets > 2000 * 24, JSON.stringify(memory));
  });

  test('with a log of many topics, and events that are remembered', async () => {
    await fillLog(stack, 20_000);
    const memory = await expectExplained();
    assert.ok(memory.log > 20_000 * 200, JSON.stringify(memory));
    // [bus] remember_events says about a hundred bytes each.
    const [least, most] = stack.engine.daemonKeeps ? [20_000 * 80, 20_000 * 125] : [-1, 1];
    assert.ok(memory.seen_events > least && memory.seen_events < most, JSON.stringify(memory));
  });

  test('with streams that are held, with topics, names and headers', async () => {
    const held = range(500, (i) =>
      new Stranger(stack, { keeps: 10_000 }).say(
        post('/', JSON.stringify({ ep: range(50, (topic) => `${i}/of/this/page/${topic}`), clid: `page ${i}` }), `X-Much: ${'x'.repeat(500)}\r\n`),
      ),
    );
    await Promise.all(held.map((each) => until('it is held', () => each.text.includes('"connected"'))));
    const memory = await expectExplained();
    assert.ok(memory.streams > 500 * (500 + 50 * 16), JSON.stringify(memory));
    assert.ok(memory.topics > 500 * 50 * 100, JSON.stringify(memory));
    assert.ok(memory.presence > 500 * 50, JSON.stringify(memory));
    assert.ok(memory.connections > 500 * memory.connection, JSON.stringify(memory));
    await Promise.all(held.map((each) => each.leave()));
    await stack.untilTotal(0);
    await expectExplained();
  });
});
