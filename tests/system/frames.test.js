'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { FrameReader } = require('./lib/frames');

function readInPieces(bytes, size) {
  const frames = [];
  const reader = new FrameReader((text) => frames.push(text));
  for (let at = 0; at < bytes.length; at += size) {
    reader.write(bytes.subarray(at, at + size));
  }
  reader.end();
  return frames;
}

// The other tests believe what this reader says, so it is shown first that it can be believed.
describe('the reader of frames', () => {
  const bytes = Buffer.from(`''2''{}''0'' \r\n''5''"é😀"''7''"''0''"`);

  test('counts as String.length does, wherever the pieces are cut', () => {
    for (let size = 1; size <= bytes.length; size++) {
      assert.deepEqual(readInPieces(bytes, size), ['{}', '', '"é😀"', `"''0''"`]);
    }
  });

  test('accepts nothing but white space between frames', () => {
    for (const text of [`x''2''{}`, `''2''{}x''0''`, `'2'{}`, `''a''`, `''-1''`, `''2''{}}`]) {
      assert.throws(() => readInPieces(Buffer.from(text), 1), /no frame begins|inside a frame/, text);
    }
  });

  test('accepts neither half a frame at the end nor invalid UTF-8', () => {
    assert.throws(() => readInPieces(Buffer.from(`''3''{}`), 1), /inside a frame/);
    assert.throws(() => readInPieces(Buffer.from(`''`), 1), /inside a frame/);
    assert.throws(() => readInPieces(Buffer.from([0x27, 0x27, 0x31, 0x27, 0x27, 0xff]), 6));
  });
});
