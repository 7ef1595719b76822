// C and PHP as text: what is code, and where brackets end. Both are written alike enough here that no parser is needed.

/** The same length, with comments and preprocessor lines blanked out and literals made words without meaning. */
export function maskText(source, language) {
  const out = source.split('');
  for (let at = 0; at < source.length;) {
    const end = endOfOpaque(source, at, language);
    const filler = `'"<`.includes(source[at]) ? 'S' : ' ';
    for (let i = at; i < end; i++) if (out[i] !== '\n') out[i] = filler;
    at = Math.max(end, at + 1);
  }
  return out.join('');
}

/** Where a comment, string or preprocessor line that begins here ends; `at` when none does. */
function endOfOpaque(source, at, language) {
  const two = source.slice(at, at + 2);
  const first = source[at];
  if (two === '/*') return endAt(source, source.indexOf('*/', at + 2), 2);
  if (two === '//' || (first === '#' && language === 'php' && source[at + 1] !== '[')) return endAt(source, source.indexOf('\n', at), 0);
  if (first === '#' && language === 'c' && /(^|\n)[ \t]*$/.test(source.slice(Math.max(0, at - 40), at))) return endOfDirective(source, at);
  if (first === '"' || first === "'") return endOfQuoted(source, at);
  if (language === 'php' && source.startsWith('<<<', at)) return endOfHeredoc(source, at);
  return at;
}

function endAt(source, found, more) {
  return found < 0 ? source.length : found + more;
}

function endOfDirective(source, at) {
  let end = at;
  do {
    end = endAt(source, source.indexOf('\n', end + 1), 0);
  } while (source[end - 1] === '\\');
  return end;
}

function endOfQuoted(source, at) {
  let end = at + 1;
  while (end < source.length && source[end] !== source[at]) end += source[end] === '\\' ? 2 : 1;
  return Math.min(end + 1, source.length);
}

function endOfHeredoc(source, at) {
  const name = /^<<<\s*['"]?(\w+)['"]?\n/.exec(source.slice(at, at + 80));
  if (!name) return at;
  const close = new RegExp(`\\n\\s*${name[1]}\\b`).exec(source.slice(at));
  return close ? at + close.index + close[0].length : source.length;
}

const CLOSING = { '(': ')', '[': ']', '{': '}' };

/** The place of the bracket that closes the one at `open`; -1 without one. */
export function closingBracket(masked, open) {
  const waiting = [];
  for (let at = open; at < masked.length; at++) {
    if (CLOSING[masked[at]]) waiting.push(CLOSING[masked[at]]);
    else if (masked[at] === waiting.at(-1)) {
      waiting.pop();
      if (!waiting.length) return at;
    } else if (')]}'.includes(masked[at])) return -1;
  }
  return -1;
}

/** Ranges between separators that stand in no bracket of [from, to). */
export function splitAt(masked, from, to, separator) {
  const parts = [];
  let start = from;
  for (let at = from; at < to; at++) {
    if (CLOSING[masked[at]]) {
      const close = closingBracket(masked, at);
      if (close < 0 || close >= to) return [];
      at = close;
    } else if (masked.startsWith(separator, at)) {
      parts.push(trimRange(masked, start, at));
      at += separator.length - 1;
      start = at + 1;
    }
  }
  parts.push(trimRange(masked, start, to));
  return parts.some(([a, b]) => a >= b) ? [] : parts;
}

/** A range without the blanks around it. */
export function trimRange(masked, from, to) {
  let start = from;
  let end = to;
  while (start < end && /\s/.test(masked[start])) start++;
  while (end > start && /\s/.test(masked[end - 1])) end--;
  return [start, end];
}

export function lineOf(source, at) {
  let line = 1;
  for (let i = source.indexOf('\n'); i >= 0 && i < at; i = source.indexOf('\n', i + 1)) line++;
  return line;
}
