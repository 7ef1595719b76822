'use strict';

// TLS for the tests: certificates of a moment, and clients that trust them.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const path = require('node:path');

const trusted = [];

/**
 * Makes NAME.crt and NAME.key for these hosts in a folder, for all clients of this process to trust; {cert, key} are the files.
 * `wrapper`: command words before those of openssl.
 */
function makeCertificate(folder, name, hosts, { days = 30, wrapper = [] } = {}) {
  const [command, ...words] = [...wrapper, 'openssl'];
  const cert = path.join(folder, `${name}.crt`);
  const key = path.join(folder, `${name}.key`);
  const names = hosts.map((host) => (/^[\d.]+$/.test(host) ? `IP:${host}` : `DNS:${host}`)).join(',');
  execFileSync(command, [...words, 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert,
    '-days', String(days), '-subj', `/CN=${hosts[0]}`, '-addext', `subjectAltName=${names}`], { stdio: 'ignore' });
  fs.chmodSync(key, 0o600);
  trusted.push(fs.readFileSync(cert, 'utf8'));
  return { cert, key };
}

/** Has all clients of this process trust the certificate in a file, too. */
const trust = (file) => trusted.push(fs.readFileSync(file, 'utf8'));

/** All certificates that were made, for the option `ca`. */
const authorities = () => [...trusted];

// Connections that nobody uses end here before a web server ends them (Apache: 5 s), which it may do in the very moment in which
// the next request is sent on one.
const kept = { keepAlive: true, timeout: 1000 };
const agents = { 'http:': new http.Agent(kept), 'https:': new https.Agent(kept) };

/** http.request(), or https.request() when the address says so. */
function send(url, { agent, ...options }, onResponse) {
  const { protocol } = new URL(url);
  const ways = { ...options, agent: agent ?? agents[protocol] };
  return protocol === 'https:' ? https.request(url, { ca: authorities(), ...ways }, onResponse) : http.request(url, ways, onResponse);
}

module.exports = { authorities, makeCertificate, send, trust };
