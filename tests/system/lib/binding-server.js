'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const tls = require('node:tls');
const { tool } = require('./paths');
const { freePort } = require('./ports');
const { run } = require('./program');

/** An HTTP answer with a length. */
function reply(socket, text, { status = '200 OK', headers = [] } = {}) {
  const bytes = Buffer.from(text);
  const lines = [`HTTP/1.1 ${status}`, 'Content-Type: application/json', ...headers, `Content-Length: ${bytes.length}`];
  socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), bytes]));
}

/**
 * A binding server that answers as `answer(socket, key)` does, and remembers what it was asked. It reads HTTP by itself:
 * Node's own parser refuses the method RETREIVE.
 */
class BindingServer {
  asked = []; // {method, target, headers, key}
  connections = 0; // made so far
  #sockets = new Set();

  /** Options: secure ({key, cert} of https). */
  static async start({ secure } = {}) {
    const binding = new BindingServer();
    const take = (socket) => binding.#take(socket);
    binding.server = secure ? tls.createServer(secure, take) : net.createServer(take);
    binding.server.on('tlsClientError', () => {});
    binding.port = await freePort(); // it stays the server's while that is away
    await binding.listen();
    binding.url = `${secure ? 'https' : 'http'}://127.0.0.1:${binding.port}/binding.php`;
    return binding;
  }

  listen() {
    return new Promise((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
  }

  #take(socket) {
    let bytes = Buffer.alloc(0);
    this.connections++;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      bytes = this.#read(socket, Buffer.concat([bytes, chunk]));
    });
  }

  /** Answers each whole request; gives what is left. */
  #read(socket, bytes) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) {
      return bytes;
    }
    const [first, ...lines] = bytes.subarray(0, end).toString().split('\r\n');
    const headers = Object.fromEntries(lines.map((line) => line.toLowerCase().split(/:\s*/, 2)));
    const whole = end + 4 + Number(headers['content-length'] ?? 0);
    if (bytes.length < whole) {
      return bytes;
    }
    const [method, target] = first.split(' ');
    const key = bytes.subarray(end + 4, whole).toString();
    this.asked.push({ method, target, headers, key });
    this.answer(socket, key);
    return this.#read(socket, bytes.subarray(whole));
  }

  /** By default a key is answered with the user of the same name. */
  answer(socket, key) {
    reply(socket, JSON.stringify(key));
  }

  /** Ends connections and listens no more. */
  async stop() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    await closed;
  }
}

/** A certificate for `name` (such as IP:127.0.0.1), signed by itself: {key, cert, file}. */
async function certificate(folder, name) {
  const file = path.join(folder, `${crypto.randomUUID()}.pem`);
  const key = `${file}.key`;
  const made = await run([
    ...[tool('openssl', 'openssl'), 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'],
    ...['-subj', '/CN=binding', '-addext', `subjectAltName=${name}`, '-keyout', key, '-out', file],
  ]);
  if (made.code !== 0) {
    throw new Error(`openssl: ${made.stderr}`);
  }
  return { key: fs.readFileSync(key), cert: fs.readFileSync(file), file };
}

module.exports = { BindingServer, certificate, reply };
