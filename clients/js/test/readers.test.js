import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frameReader } from '../src/frames.js';
import { sseReader } from '../src/sse.js';

const texts = ['{"a":1}', '{"b":"\\u0027\\u0027 \\ud83d\\ude00"}', `{"c":"${'x'.repeat(5000)}"}`];
const frame = (text) => `''${text.length}''${text}`;
const event = (text) => `id: 1-2\nevent: connected\ndata: ${text}\n\n`;

const encodings = {
  frames: { reader: frameReader, bytes: `${texts.map(frame).join(" \r\n''0''")}''0''` },
  sse: { reader: sseReader, bytes: `retry: 3000\n${texts.map(event).join(':\n\n')}:\n\n` },
  'sse with CRLF': { reader: sseReader, bytes: `${texts.map(event).join(':\n\n')}`.replace(/\n/g, '\r\n') },
};

for (const [name, { reader, bytes }] of Object.entries(encodings)) {
  for (const size of [1, 2, 3, 7, 1000, 1e9]) {
    test(`${name} in pieces of ${size}`, () => {
      const taken = [];
      const read = reader((text) => taken.push(text));
      for (let at = 0; at < bytes.length; at += size) read(bytes.slice(at, at + size));
      assert.deepEqual(taken, texts);
    });
  }
}

test('a frame is given as soon as its last character is there', () => {
  const taken = [];
  const read = frameReader((text) => taken.push(text));
  read("''2''{");
  assert.deepEqual(taken, []);
  read('}');
  assert.deepEqual(taken, ['{}']);
});

for (const bytes of ['<html>', "''x''", "''12345678901''", "'a", "''2''{}x"]) {
  test(`what is no frame is found out: ${bytes}`, () => {
    assert.throws(() => frameReader(() => {})(bytes));
  });
}
