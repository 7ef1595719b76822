// The broker's own encoding: ''LENGTH''JSON, where LENGTH is what String.length says of the JSON; ''0'' keeps alive.

const HEAD = /^\s*(''(\d{1,10})''|('('(\d{1,10}'?)?)?)?$)/; // or what may become one

/** Gives a function that takes text in pieces of any size, and calls take(json text) for each whole frame. */
export function frameReader(take) {
  let text = '';
  let needed = 0; // length of `text` below which there is no whole frame yet
  return (piece) => {
    text += piece;
    while (text.length >= needed) {
      const head = HEAD.exec(text);
      if (!head) throw Error('no frames');
      const [{ length: start }, , size] = head;
      needed = 0;
      if (!size) return;
      if (text.length < start + +size) needed = start + +size;
      else {
        if (+size) take(text.slice(start, start + +size));
        text = text.slice(start + +size);
      }
    }
  };
}
