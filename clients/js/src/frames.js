// The broker's own encoding: ''LENGTH''JSON, where LENGTH is what String.length says of the JSON; ''0'' keeps alive.

const HEAD = /\s*''(\d{1,10})''/y;
const PART_OF_HEAD = /^\s*('('(\d{1,10}'?)?)?)?$/;

/** Gives a function that takes text in pieces of any size, and calls take(json text) for each whole frame. */
export function frameReader(take) {
  let text = '';
  let needed = 0; // length of `text` below which there is no whole frame yet
  return (piece) => {
    let at = 0;
    text += piece;
    while (text.length >= needed) {
      HEAD.lastIndex = at;
      const head = HEAD.exec(text);
      needed = 0;
      if (!head) {
        if (!PART_OF_HEAD.test(text.slice(at))) throw Error('no frames');
        break;
      }
      const start = HEAD.lastIndex;
      const end = start + +head[1];
      if (text.length < end) {
        needed = end - at;
        break;
      }
      at = end;
      if (end > start) take(text.slice(start, end));
    }
    text = text.slice(at);
  };
}
