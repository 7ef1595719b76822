'use strict';

const path = require('node:path');
const { Program, run } = require('./program');
const { tool } = require('./paths');
const { until } = require('./wait');

const SERVER_ADDRESS = '192.0.2.1';
const CLIENT_ADDRESS = '192.0.2.2';
const NOBODYS_HARDWARE = '02:00:00:00:00:99';

async function mustRun(command) {
  const result = await run(command);
  if (result.code !== 0) {
    throw new Error(`${command.join(' ')} ended with ${result.code}: ${result.stderr}`);
  }
}

/**
 * Two network namespaces joined by a cable, and nothing else: a machine of servers and one of clients. The cable can be
 * cut, which is how a client vanishes without a word. Needs no root: the namespaces are those of a user namespace.
 */
class Network {
  static async start(folder) {
    const network = new Network();
    const unshare = tool('unshare', 'util-linux');
    network.#server = new Program(
      'namespace of servers',
      [unshare, '--user', '--map-root-user', '--net', 'sleep', 'infinity'],
      { log: path.join(folder, 'netns-server.log') },
    );
    const enter = [tool('nsenter', 'util-linux'), '--preserve-credentials', '--user', '--net'];
    network.#onServer = [...enter, '--target', String(network.#server.pid)];
    await network.#server.until('its namespace is there', () => network.#isSleeping(network.#server));
    network.#client = new Program(
      'namespace of clients',
      [...network.#onServer, unshare, '--net', 'sleep', 'infinity'],
      { log: path.join(folder, 'netns-client.log') },
    );
    network.#onClient = [...enter, '--target', String(network.#client.pid)];
    await network.#client.until('its namespace is there', () => network.#isSleeping(network.#client));
    await network.#connect();
    return network;
  }

  #server;
  #client;
  #onServer;
  #onClient;
  #nextAddress = 3;
  serverAddress = SERVER_ADDRESS;

  /** unshare(1) has made the namespace when it has become sleep(1). */
  async #isSleeping(program) {
    const { stdout } = await run(['cat', `/proc/${program.pid}/comm`]);
    return stdout.trim() === 'sleep';
  }

  async #connect() {
    const ip = tool('ip', 'iproute2');
    const server = (...words) => mustRun([...this.#onServer, ip, ...words]);
    const client = (...words) => mustRun([...this.#onClient, ip, ...words]);
    await server('link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', String(this.#client.pid));
    await server('addr', 'add', `${SERVER_ADDRESS}/24`, 'dev', 'cable');
    await client('addr', 'add', `${CLIENT_ADDRESS}/24`, 'dev', 'cable');
    for (const side of [server, client]) {
      await side('link', 'set', 'lo', 'up');
      await side('link', 'set', 'cable', 'up');
    }
    await until('the cable carries', async () => {
      const { code } = await run([...this.#onClient, ip, 'route', 'get', SERVER_ADDRESS]);
      return code === 0;
    });
  }

  /** Words to put before a command that shall run on the machine of servers, or of clients. */
  get onServer() {
    return this.#onServer;
  }

  get onClient() {
    return this.#onClient;
  }

  /** From now on no packet passes. */
  cut() {
    return mustRun([...this.#onClient, tool('ip', 'iproute2'), 'link', 'set', 'cable', 'down']);
  }

  mend() {
    return mustRun([...this.#onClient, tool('ip', 'iproute2'), 'link', 'set', 'cable', 'up']);
  }

  /**
   * Gives the machine of clients more addresses, and gives them. Deaf ones get no answer of the servers, so that their
   * connections stay half-open.
   */
  async addAddresses(count, { areDeaf = false } = {}) {
    const ip = tool('ip', 'iproute2');
    const addresses = Array.from({ length: count }, () => `192.0.2.${this.#nextAddress++}`);
    for (const address of addresses) {
      await mustRun([...this.#onClient, ip, 'addr', 'add', `${address}/24`, 'dev', 'cable']);
      if (areDeaf) {
        const entry = ['neigh', 'replace', address, 'lladdr', NOBODYS_HARDWARE, 'dev', 'cable', 'nud', 'permanent'];
        await mustRun([...this.#onServer, ip, ...entry]);
      }
    }
    return addresses;
  }

  async stop() {
    for (const program of [this.#client, this.#server]) {
      await program?.end('SIGKILL');
    }
  }
}

module.exports = { Network, SERVER_ADDRESS };
