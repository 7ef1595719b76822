// Why an attempt to connect came to nothing, or why a connection ended.

export const MUTE = 'mute'; // nothing came in time: something on the way buffers
export const UNFIT = 'unfit'; // this way in is closed here: another one may be open
export const DOWN = 'down'; // nobody there, or not now
export const REFUSED = 'refused'; // the broker does not like what it was asked
export const AGAIN = 'again'; // the client itself wants to connect anew
export const STOPPED = 'stopped'; // the client itself wants to end

/** An Error with `kind`, and where known `status`, and `wait`: milliseconds that the other side asks for. */
export function failure(kind, message = '', more = {}) {
  return Object.assign(Error(message), { kind }, more);
}

/** Gives back a good answer; throws what the others mean. */
export async function checkAnswer(answer) {
  const { status } = answer;
  if (answer.ok) return answer;
  const words = await answer.json().catch(() => {}); // if they are the broker's own
  const kind = status === 400 || status === 413 ? REFUSED : status === 429 || status >= 500 ? DOWN : UNFIT;
  throw failure(kind, words?.error || `HTTP ${status}`, { status, wait: 1000 * answer.headers.get('retry-after') || 0 });
}
