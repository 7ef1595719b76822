// How far a page has heard: what it resumes from, and what is a double.

/** An id is EPOCH-SEQUENCE. The second number grows; the first is another when the broker's log was begun anew. */
const parts = (id) => id.split('-').map(Number);

const isOfOneLog = (id, other) => parts(id)[0] === parts(other)[0];

/** True when `id` is not after `other`, in the same log. */
export const isUpTo = (id, other) => isOfOneLog(id, other) && parts(id)[1] <= parts(other)[1];

/** Presence is not in the log: its frames have the id of the event before. */
export const isPresence = ({ ep }) => ep.emitted.startsWith('@CONNECTION@/');

export function createPosition(last) {
  let heard; // requested topics under which the newest event was heard; undefined: all there are

  const position = {
    /** The newest id, or undefined. */
    _last: () => last,

    /** Everything up to this id was heard. */
    _mark(id) {
      // Of one event the newer is said later: how far its topics' last values were had.
      if (last && isOfOneLog(id, last) && parts(id)[1] < parts(last)[1]) return;
      last = id;
      heard = undefined;
    },

    /** A connection begins here: news only to who has heard nothing yet, or of another log. */
    _begin(id) {
      if (!last || !isOfOneLog(id, last)) position._mark(id);
    },

    /** Whether all up to this id was heard. */
    _reaches: (id) => !!last && isUpTo(id, last),

    /** True for a frame that is new, and heard from now on. An event comes once for each requested topic it matches. */
    _take(frame) {
      const { id, ep } = frame;
      if (isPresence(frame)) return true;
      if (last && isUpTo(id, last)) {
        if (id !== last || !heard || heard.has(ep.requested)) return false;
        heard.add(ep.requested);
      } else {
        last = id;
        heard = new Set([ep.requested]);
      }
      return true;
    },

    /**
     * The id to go on from. With several topics the newest event may be still to come under another one: then it is
     * the id before, and what was heard already is known to be a double.
     */
    _resume(topics) {
      if (!heard || topics < 2) return last;
      const [epoch, sequence] = parts(last);
      return `${epoch}-${sequence - 1}`;
    },
  };
  return position;
}
