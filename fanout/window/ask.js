// What the page asks the daemon, and the publisher's handler, for; all of it below the page's own address.

export class Refused extends Error {
  constructor(status, reason) {
    super(reason ?? String(status));
    this.status = status;
  }
}

export async function ask(path, token, body) {
  const answer = await fetch(path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { Authorization: `Bearer ${token}` },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: 'no-store',
    credentials: 'omit',
  });
  const text = await answer.text();
  const isJson = answer.headers.get('Content-Type')?.startsWith('application/json');
  const content = isJson ? JSON.parse(text) : text;
  if (!answer.ok) {
    throw new Refused(answer.status, isJson ? content.error : undefined);
  }
  return content;
}

/** The samples of Prometheus's text format, by name with labels. */
export function samples(text) {
  const found = new Map();
  for (const line of text.split('\n')) {
    if (line !== '' && line[0] !== '#') {
      const at = line.lastIndexOf(' ');
      found.set(line.slice(0, at), Number(line.slice(at + 1)));
    }
  }
  return found;
}

export const sum = (found, name) =>
  [...found].reduce((total, [key, value]) => (key === name || key.startsWith(`${name}{`) ? total + value : total), 0);

/** The upper bound of the bucket that holds this part of what came between two looks; undefined: nothing came. */
export function quantile(part, name, now, before) {
  const buckets = [...now].filter(([key]) => key.startsWith(`${name}_bucket{`))
    .map(([key, value]) => ({ bound: /le="([^"]+)"/.exec(key)[1], count: value - (before.get(key) ?? 0) }));
  const all = buckets.at(-1)?.count ?? 0;
  return all > 0 ? buckets.find(({ count }) => count >= part * all).bound : undefined;
}
