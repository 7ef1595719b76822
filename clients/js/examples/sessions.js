// Who is logged in, and bind keys: a page proves with one, to the broker, whose session it has. The broker can't read it; it
// asks this application back. What makes and reads it is the same program, so one secret of its own is enough.

import crypto from 'node:crypto';

const LIFE = 3000; // ms of a bind key
const NO_USER = '[][][]';

export function createSessions() {
  const users = new Map(); // session: name
  const secret = crypto.randomBytes(32);
  const sign = (text) => crypto.createHmac('sha256', secret).update(text).digest('hex');

  return {
    begin(name) {
      const session = crypto.randomBytes(16).toString('hex');
      users.set(session, name);
      return session;
    },

    bindKey(session = '') {
      const text = `${session}.${Date.now()}`;
      return `${text}.${sign(text)}`;
    },

    /** The user's id; "" refuses. */
    userOf(bindKey) {
      const [session, time, signature = ''] = bindKey.split('.');
      const right = sign(`${session}.${time}`);
      const isRight = signature.length === right.length && crypto.timingSafeEqual(Buffer.from(signature), Buffer.from(right));
      if (!isRight || Date.now() - Number(time) > LIFE) return '';
      return users.get(session) ?? NO_USER;
    },
  };
}
