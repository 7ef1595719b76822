'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const { Bound, NO_USER, TOLERANCE_S } = require('./lib/bound');
const { bindKey, encrypt, keyPair } = require('./lib/bind-keys');
const { request } = require('./lib/http');
const { Subscriber } = require('./lib/subscriber');
const { claims, now, ticket } = require('./lib/tickets');

const seconds = () => Math.floor(Date.now() / 1000);

function flipBit(key, bit) {
  const bytes = Buffer.from(key, 'base64');
  bytes[bit >> 3] ^= 1 << (bit & 7);
  return bytes.toString('base64');
}

/** Every way in which a bind key can be wrong: {name: key}. */
function wrongKeys() {
  const good = bindKey('ana');
  const say = (value) => encrypt(JSON.stringify(value));
  const wrong = {
    'a second too old': bindKey('ana', { age: TOLERANCE_S + 1 }),
    'an hour too old': bindKey('ana', { age: TOLERANCE_S + 3600 }),
    'of the future': bindKey('ana', { age: -3600 }),
    'of 1970': say({ iat: 0, uid: 'ana' }),
    'made with another key': bindKey('ana', { key: keyPair('stranger').publicKey }),
    'of another padding': bindKey('ana', { padding: crypto.constants.RSA_PKCS1_OAEP_PADDING }),
    'without padding': encrypt(Buffer.concat([Buffer.from([0]), crypto.randomBytes(255)]), {
      padding: crypto.constants.RSA_NO_PADDING,
    }),
    'empty': '',
    'no base64': 'this is no key!',
    'base64 of nothing': '====',
    'random bytes': crypto.randomBytes(256).toString('base64'),
    'too short': crypto.randomBytes(255).toString('base64'),
    'too long': crypto.randomBytes(257).toString('base64'),
    'above the modulus': Buffer.alloc(256, 0xff).toString('base64'),
    'zero': Buffer.alloc(256).toString('base64'),
    'with something behind it': `${good}A`,
    'with a line end inside': `${good.slice(0, 64)}\n${good.slice(64)}`,
    'far too long': 'A'.repeat(100_000),
    'not JSON': encrypt('ana'),
    'an array': say(['ana']),
    'without a time': say({ uid: 'ana' }),
    'with a time as text': say({ iat: String(seconds()), uid: 'ana' }),
    'without a user': say({ iat: seconds() }),
    'of the user null': say({ iat: seconds(), uid: null }),
    'of the user ""': say({ iat: seconds(), uid: '' }),
    'of everyone': say({ iat: seconds(), uid: '*' }),
    'of every user': say({ iat: seconds(), uid: '+' }),
    'of who was refused': say({ iat: seconds(), uid: '__DONT__' }),
    'of half a user': say({ iat: seconds(), uid: 1.5 }),
    'of a list': say({ iat: seconds(), uid: ['ana'] }),
    'followed by more': encrypt(`${JSON.stringify({ iat: seconds(), uid: 'ana' })}x`),
  };
  for (const length of [1, 4, 100, 340, 343]) {
    wrong[`cut to ${length}`] = good.slice(0, length);
  }
  for (let bit = 0; bit < 2048; bit += 61) {
    wrong[`with bit ${bit} flipped`] = flipBit(good, bit);
  }
  return wrong;
}

describe('bind keys', () => {
  let bound;
  beforeEach(async () => {
    bound = await Bound.start();
    await bound.add('topic', { owner: 'ana', pub: ['+', NO_USER] });
  });
  afterEach(() => bound?.stop());

  const publish = (key) => bound.post({ topic: 'topic', binded: true }, { key });
  const subscribe = (key) =>
    request(bound.url, { method: 'POST', agent: false, body: JSON.stringify({ bind_key: key, ep: ['a'] }) });

  test('what is wrong is refused, all alike', async () => {
    let count = 0;
    for (const [name, key] of Object.entries(wrongKeys())) {
      for (const answer of [await publish(key), await subscribe(key)]) {
        assert.equal(answer.status, 400, name);
        assert.equal(answer.reason, 'Invalid Bind Key', name);
        assert.equal(answer.text, '{"error":"Invalid Bind Key"}\n', name);
        assert.equal(answer.headers['access-control-allow-origin'], '*', name);
      }
      count++;
    }
    assert.ok(count > 60);
  });

  test('ends of lines around a key are passed over, as by PHP', async () => {
    for (const key of [`${bindKey('ana')}\n`, `\r\n ${bindKey('ana')}\r\n`]) {
      assert.equal((await publish(key)).status, 200);
    }
  });

  test('the log says why a key was refused, and the client does not', async () => {
    const handler = bound.stack.handlers[0];
    const why = async (key, said) => {
      assert.deepEqual((await publish(key)).json, { error: 'Invalid Bind Key' });
      await handler.untilLog(new RegExp(`post refused reason="Invalid Bind Key" why="${said}".* from=127\\.0\\.0\\.1`));
    };
    const old = bindKey('ana', { age: TOLERANCE_S + 60 });
    await why(old, 'expired by (59|60|61) s');
    await why(bindKey('ana', { age: -600 }), 'from a clock that is \\d+ s ahead');
    await why(bindKey('ana', { key: keyPair('stranger').publicKey }), 'made for another key, with another padding, or damaged');
    await why('nonsense', 'it is not the base64 of 256 bytes');
    await why(encrypt(JSON.stringify({ iat: seconds(), session_id: 'x' })), 'it holds no iat and no uid of a user, or session_id');
    assert.equal(handler.output().includes(old), false);
  });

  test('what is not even a text is refused alike', async () => {
    for (const key of [7, true, {}, ['a']]) {
      for (const answer of [await publish(key), await subscribe(key)]) {
        assert.deepEqual([answer.status, answer.json], [400, { error: 'Invalid Bind Key' }]);
      }
    }
  });

  test('users of all forms are who they are', async () => {
    for (const [uid, owner] of [
      [7, '7'],
      ['7', '7'],
      [7.0, '7'],
      ['ñandú 😀', 'ñandú 😀'],
      ['x'.repeat(200), 'x'.repeat(200)],
      [NO_USER, NO_USER],
    ]) {
      const answer = await publish(encrypt(JSON.stringify({ iat: seconds(), uid })));
      assert.equal(answer.status, 200, `${owner}: ${answer.text}`);
      const stream = await bound.subscribe(uid, ['topic']);
      await stream.close();
    }
  });

  test('OAEP, when it is configured', async () => {
    const oaep = await Bound.start({ config: { bind_key: { padding: 'oaep' } } });
    try {
      await oaep.esnctl('topic', 'grant', 'pub', 'bound/end', 'tom');
      const point = { topic: 'bound/end', binded: true };
      const padding = crypto.constants.RSA_PKCS1_OAEP_PADDING;
      assert.equal((await oaep.post(point, { key: bindKey('tom', { padding }) })).status, 200);
      assert.equal((await oaep.post(point, { key: bindKey('tom') })).status, 400);
    } finally {
      await oaep.stop();
    }
  });

  test('without a private key none is taken', async () => {
    bound.stack.writeConfig({ bind_key: { private_key_file: '' }, binding: { mode: 'server' } });
    bound.stack.handlers[0].signal('SIGHUP');
    bound.web.handler.signal('SIGHUP');
    for (const program of [bound.stack.handlers[0], bound.web.handler]) {
      await program.untilLog(/configuration read again/);
    }
    const trySubscribing = async (key) => {
      const stream = await Subscriber.open(bound.url, { bind_key: key, ep: ['a'] }).catch(() => undefined);
      await stream?.close();
      return stream ? { status: 200 } : subscribe(key);
    };
    for (const ask of [publish, trySubscribing]) {
      // The workers are renewed one by one.
      for (let refusals = 0; refusals < 20; ) {
        const answer = await ask(bindKey('ana'));
        refusals = answer.status === 400 ? refusals + 1 : 0;
        assert.equal(answer.status === 200 || answer.json.error === 'Bind keys are not configured', true);
      }
    }
    assert.equal((await bound.post('free')).status, 200);
  });
});

describe('tickets', () => {
  const secret = 'the secret of the tickets of these tests';
  let bound;
  before(async () => {
    bound = await Bound.start();
    await bound.add('topic', { owner: 'ana', sub: ['luis'] });
  });
  after(() => bound?.stop());

  const knock = (text) => request(`${bound.stack.url}/?ticket=${encodeURIComponent(text)}`, { agent: false });

  test('one that is good is good once', async () => {
    const text = ticket(claims({ uid: 'luis', ep: [{ topic: 'topic', binded: true }] }), { secret });
    const stream = await Subscriber.open(`${bound.stack.url}/?ticket=${text}`, []);
    assert.equal((await bound.publish('topic', { as: 'ana' })).receivers, 1);
    for (let i = 0; i < 3; i++) {
      const again = await knock(text);
      assert.deepEqual([again.status, again.json.error], [400, 'Invalid ticket']);
    }
    await stream.close();
    const later = await knock(text);
    assert.equal(later.status, 400, 'also when its stream has ended');
  });

  test('what is wrong is refused, all alike', async () => {
    const good = ticket(claims(), { secret });
    const [header, body, signature] = good.split('.');
    const flipped = Buffer.from(signature, 'base64url');
    flipped[7] ^= 1;
    const rsa = (text) => crypto.sign('sha256', Buffer.from(text), keyPair().privateKey);
    const wrong = {
      'of another secret': ticket(claims(), { secret: `${secret}x` }),
      'of the public key as secret': ticket(claims(), { secret: keyPair().publicKey }),
      'of an empty secret': ticket(claims(), { secret: '' }),
      'unsigned': ticket(claims(), { header: { alg: 'none', typ: 'JWT' }, sign: () => Buffer.alloc(0) }),
      'unsigned in capitals': ticket(claims(), { header: { alg: 'None' }, sign: () => Buffer.alloc(0) }),
      'said to be unsigned': ticket(claims(), { secret, header: { alg: 'none', typ: 'JWT' } }),
      'signed with RS256': ticket(claims(), { header: { alg: 'RS256', typ: 'JWT' }, sign: rsa }),
      'signed with HS384': ticket(claims(), {
        header: { alg: 'HS384', typ: 'JWT' },
        sign: (text) => crypto.createHmac('sha384', secret).update(text).digest(),
      }),
      'for another audience': ticket(claims({ aud: 'esn-event' }), { secret }),
      'for several others': ticket(claims({ aud: ['esn-event', 'x'] }), { secret }),
      'for nobody': ticket(claims({ aud: undefined }), { secret }),
      'expired': ticket(claims({ iat: now() - 3600, exp: now() - 3000 }), { secret }),
      'without an end': ticket(claims({ exp: undefined }), { secret }),
      'for too long': ticket(claims({ exp: now() + 360_000 }), { secret }),
      'without a name': ticket(claims({ jti: undefined }), { secret }),
      'bound without a user': ticket(claims({ ep: [{ topic: 'topic', binded: true }] }), { secret }),
      'of everyone': ticket(claims({ uid: '*' }), { secret }),
      'without topics': ticket(claims({ ep: undefined }), { secret }),
      'with a flipped bit': `${header}.${body}.${flipped.toString('base64url')}`,
      'of another body': `${header}.${ticket(claims(), { secret }).split('.')[1]}.${signature}`,
      'cut': good.slice(0, -1),
      'without a signature': `${header}.${body}.`,
      'without two parts': header,
      'no ticket': 'x',
    };
    for (const [name, text] of Object.entries(wrong)) {
      const answer = await knock(text);
      assert.equal(answer.status, 400, name);
      assert.deepEqual(answer.json, { error: 'Invalid ticket' }, name);
    }
    await bound.stack.untilTotal(0);
  });
});
