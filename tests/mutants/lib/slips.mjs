// The slips that are made: what somebody could have written by mistake and no compiler would have minded.
// Each is one edit: { rule, start, end, text, before, after }. `text` is for C, where a slip is switched on at run time;
// `plain` for languages in which one at a time is put into the file.
import { closingBracket, maskText, splitAt, trimRange } from './text.mjs';

const SWITCH = 'ESN_SLIP(@)';

// What reads and nothing else: it may be looked at although the slip would not do so.
const isPure = (condition) => !/\w\s*\(|\+\+|--|(?<![=!<>])=(?!=)/.test(condition);

/** The switches of conditions that become false, or true. */
const never = (c) => (isPure(c) ? `(!ESN_SLIP_ON(@) && ESN_SLIP_IF(@, ${c}))` : `(!${SWITCH} && (${c}))`);
const always = (c) => (isPure(c) ? `(ESN_SLIP_ON(@) || ESN_SLIP_UNLESS(@, ${c}))` : `(${SWITCH} || (${c}))`);
const either = (changed, c) => (isPure(c) ? `ESN_SLIP_EITHER(@, ${changed}, ${c})` : `(${SWITCH} ? (${changed}) : (${c}))`);

/** Every slip that the rules know in a C or PHP source. */
export function slipsOfText(source, language) {
  const text = { source, language, masked: maskText(source, language) };
  return [...conditionSlips(text), ...statementSlips(text), ...argumentSlips(text), ...returnSlips(text)];
}

/** Bodies of functions: only there something happens. */
function bodiesOf(text) {
  const head = text.language === 'c' ? /^\{$/gm : /^( {4})?(\{)$/gm;
  const bodies = [];
  for (const match of text.masked.matchAll(head)) {
    const open = match.index + match[0].length - 1;
    const close = closingBracket(text.masked, open);
    if (close > 0 && isFunction(text, open)) bodies.push([open + 1, close]);
  }
  return bodies;
}

function isFunction({ masked, language }, open) {
  const before = masked.slice(Math.max(0, open - 600), open);
  if (language === 'php') return /function\s+\w+\s*\([^{}]*$/.test(before);
  return /\)\s*$/.test(before);
}

function inBodies(text, match) {
  text.bodies ??= bodiesOf(text);
  return text.bodies.some(([from, to]) => match >= from && match < to);
}

function slip(text, rule, [start, end], switched, plain) {
  const before = text.source.slice(start, end);
  return { rule, start, end, text: switched(before), plain, before, after: plain };
}

// ---- conditions ----

function* conditionSlips(text) {
  for (const match of text.masked.matchAll(/\b(if|elseif|while|return)\b\s*/g)) {
    if (!inBodies(text, match.index)) continue;
    const range = match[1] === 'return' ? returned(text, match.index + match[0].length) : bracketed(text, match.index + match[0].length);
    if (!range || range[0] >= range[1]) continue;
    if (match[1] === 'if' || match[1] === 'elseif') yield* wholeCondition(text, range);
    yield* parts(text, range);
  }
}

function bracketed({ masked }, open) {
  if (masked[open] !== '(') return null;
  const close = closingBracket(masked, open);
  return close < 0 ? null : trimRange(masked, open + 1, close);
}

function returned({ masked }, from) {
  const end = masked.indexOf(';', from);
  return end < 0 ? null : trimRange(masked, from, end);
}

function* wholeCondition(text, range) {
  yield slip(text, 'condition negated', range, (c) => `(${SWITCH} ? !(${c}) : (${c}))`, `!(${textOf(text, range)})`);
  yield slip(text, 'limit not applied', range, never, 'false');
}

function textOf({ source }, [from, to]) {
  return source.slice(from, to);
}

/** Parts of a && b and a || b that are left out, comparisons that are off by one; into brackets too. */
function* parts(text, range) {
  if (topLevel(text.masked.slice(...range)).includes('?')) return; // there the parts are no conditions alone
  for (const [separator, neutral] of [['||', 'false'], ['&&', 'true']]) {
    const found = splitAt(text.masked, ...range, separator);
    if (found.length < 2) continue;
    for (const part of found) {
      yield slip(text, 'part of a condition left out', part, neutral === 'true' ? always : never, neutral);
      yield* parts(text, part);
    }
    return;
  }
  const inner = text.masked[range[0]] === '(' && closingBracket(text.masked, range[0]) === range[1] - 1;
  if (inner) yield* parts(text, trimRange(text.masked, range[0] + 1, range[1] - 1));
  else yield* comparison(text, range);
}

const OFF_BY_ONE = { '<': '<=', '<=': '<', '>': '>=', '>=': '>' };

function* comparison(text, range) {
  const masked = text.masked.slice(...range);
  const match = /(?<![-<>=])([<>]=?)(?![<>=])/.exec(topLevel(masked));
  if (!match || /=(?!=)/.test(topLevel(masked).replace(/[=!<>]=/g, '  '))) return;
  const operator = [range[0] + match.index, range[0] + match.index + match[1].length];
  const changed = text.source.slice(range[0], operator[0]) + OFF_BY_ONE[match[1]] + text.source.slice(operator[1], range[1]);
  yield slip(text, 'comparison off by one', range, (c) => either(changed, c), changed);
}

/** With what stands in brackets blanked out. */
function topLevel(masked) {
  const out = masked.split('');
  for (let at = 0; at < masked.length; at++) {
    if (!'([{'.includes(masked[at])) continue;
    const close = closingBracket(masked, at);
    for (let i = at; i <= close; i++) out[i] = ' ';
    at = Math.max(at, close);
  }
  return out.join('');
}

// ---- statements ----

const CALL = /^(?:\(void\)\s*)?\$?[A-Za-z_][\w\\]*(?:(?:->|::)\w+)*\s*\(/;
const SET = /^\*?\$?[A-Za-z_]\w*(?:(?:->|::|\.)\$?\w+|\[[^\]]*\]|\(\))*\s*(?:[-+|&.]?=(?!=)|\+\+|--)/;
// What only talks, ends a test or the program, or gives a name its first value.
const SPARED = /^(?:\(void\)\s*)?(?:message_\w+|va_end|va_start|abort|exit|_exit|return|goto|break|continue|else|echo|throw|new)\b/;

function* statementSlips(text) {
  for (const match of text.masked.matchAll(/(?<=[;{}:)]\s*|\belse\s+)(?=[\w*$(])[^;{}]*;/g)) {
    const [start, end] = behindConditions(text.masked, ...trimRange(text.masked, match.index, match.index + match[0].length));
    const masked = text.masked.slice(start, end);
    if (!inBodies(text, start) || SPARED.test(masked) || !/^\s*$/.test(lineBefore(text.masked, start))) continue;
    const rule = CALL.test(masked) ? 'call left out' : SET.test(masked) ? 'assignment left out' : null;
    if (!rule || !balanced(masked)) continue;
    yield slip(text, rule, [start, end], (c) => `{ if (!${SWITCH}) { ${c} } }`, ';');
  }
}

/** `if (a) b();` is about b(). */
function behindConditions(masked, from, end) {
  let start = from;
  for (let head; (head = /^(?:if|elseif|while|for|switch)\s*\(|^else\b/.exec(masked.slice(start, end)));) {
    const close = head[0] === 'else' ? start + 3 : closingBracket(masked, start + head[0].length - 1);
    if (close < 0 || close >= end) return [end, end];
    [start] = trimRange(masked, close + 1, end);
  }
  return [start, end];
}

function lineBefore(masked, at) {
  return masked.slice(masked.lastIndexOf('\n', at - 1) + 1, at);
}

function balanced(masked) {
  return splitAt(masked, 0, masked.length, '\0').length > 0;
}

// ---- arguments ----

const SIMPLE = /^[&*]?\$?[a-z_]\w*(?:(?:->|\.)\w+)*$/;

/** Asked whether two texts are equal, which they are either way round. */
const asksForEquality = (masked, head, close) =>
  /^(strn?cmp|strn?casecmp|memcmp|CRYPTO_memcmp)\($/.test(head) && /^\s*[!=]= 0\b/.test(masked.slice(close + 1, close + 16));

function* argumentSlips(text) {
  for (const match of text.masked.matchAll(/\b[a-z_]\w*\(/g)) {
    const open = match.index + match[0].length - 1;
    if (!inBodies(text, open) || /^(if|while|for|switch|return|sizeof|function|fn)\($/.test(match[0])) continue;
    const close = closingBracket(text.masked, open);
    const args = close < 0 ? [] : splitAt(text.masked, open + 1, close, ',');
    for (let i = asksForEquality(text.masked, match[0], close) ? 1 : 0; i + 1 < args.length; i++) {
      const [a, b] = [textOf(text, args[i]), textOf(text, args[i + 1])];
      if (a === b || !SIMPLE.test(a) || !SIMPLE.test(b)) continue;
      const range = [args[i][0], args[i + 1][1]];
      yield slip(text, 'arguments swapped', range, () => `(${SWITCH} ? (${b}) : (${a})), (${SWITCH} ? (${a}) : (${b}))`, `${b}, ${a}`);
    }
  }
}

// ---- early returns ----

function* returnSlips(text) {
  for (const [from] of (text.bodies ??= bodiesOf(text))) {
    const head = text.masked.slice(0, from - 1).split('\n').slice(-8).join('\n');
    const value = text.language === 'php' ? phpValue(head) : cValue(head);
    if (value === undefined) continue;
    const statement = value === '' ? 'return;' : `return ${value};`;
    yield { rule: 'early return', start: from, end: from, text: ` if (${SWITCH}) ${statement}`, plain: ` ${statement}`,
      before: head.trim().split('\n').at(-1).trim(), after: statement };
  }
}

function cValue(head) {
  const type = /(?:^|\n)(?:static )?(?:inline )?(void|bool) \w+\([^;{}]*\)\s*$/.exec(head);
  return type ? { void: '', bool: 'true' }[type[1]] : undefined;
}

function phpValue(head) {
  const type = /\)\s*:\s*(void|bool)\s*$/.exec(head);
  return type ? { void: '', bool: 'true' }[type[1]] : undefined;
}
