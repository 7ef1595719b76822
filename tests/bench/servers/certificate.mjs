// A certificate and its key, of the kind that costs a server least (P-256), the same kind for all.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Makes both in the session's folder: {cert, key} are the files. */
export function makeCertificate(dir) {
  mkdirSync(dir, { recursive: true });
  const [cert, key] = [join(dir, 'tls.crt'), join(dir, 'tls.key')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert,
    '-days', '30', '-subj', '/CN=localhost'], { stdio: 'ignore' });
  chmodSync(key, 0o600);
  return { cert, key };
}
