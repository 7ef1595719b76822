// Why an attempt to connect came to nothing, or why a connection ended.

export const MUTE = 'mute'; // nothing came in time: something on the way buffers
export const UNFIT = 'unfit'; // this way in is closed here: another one may be open
export const DOWN = 'down'; // nobody there, or not now
export const REFUSED = 'refused'; // the broker does not like what it was asked
export const IDENTITY = 'identity'; // the user is another one than the page is for
export const LOGIN = 'login'; // the application gives no proof of who this is
export const DROPPED = 'dropped'; // the application has ended this user's or session's streams
export const AGAIN = 'again'; // the client itself wants to connect anew, or to end

/**
 * An Error with `kind`, and where known `status`, `topics`, and `wait`: milliseconds that the other side asks for. After one
 * that is `final` the client does not come back by itself.
 */
export function failure(kind, message = '', more = {}) {
  return Object.assign(Error(message), { kind, ...more });
}

/** Whether a topic that was asked for is the reason, and not who asked. */
export const isAboutTopics = ({ kind, status, message }) =>
  kind === REFUSED && (status === 413 || /topic|event point|granted/i.test(message));

/** Whether there were too many or too long topics, so that another one would be refused as well. */
export const isTooMuch = ({ status, message }) => status === 413 || /too many/i.test(message);

/** Gives back a good answer; throws what the others mean. */
export async function checkAnswer(answer) {
  const { status, headers } = answer;
  // A page instead of the broker's answer: the address is that of something else.
  if (answer.ok && !/html/.test(headers.get('content-type'))) return answer;
  const words = answer.ok ? { error: 'HTML' } : await answer.json().catch(() => {}); // if they are the broker's own
  const kind = status === 400 || status === 413 ? REFUSED : status === 429 || status >= 500 ? DOWN : UNFIT;
  throw failure(kind, words?.error || `HTTP ${status}`, { status, wait: 1000 * headers.get('retry-after') || 0 });
}

/** The JSON of a good answer. */
export const jsonOf = (answer) =>
  answer.json().catch(({ message }) => {
    throw failure(UNFIT, message);
  });
