// The page's words in the reader's language, which PHP has chosen.

const words = JSON.parse(document.getElementById('words').textContent);

export const language = document.documentElement.lang;

/** The words called `key`, with {name} of `values` put in. */
export function word(key, values = {}) {
  return words[`js.${key}`].replace(/{(\w+)}/g, (_, name) => values[name]);
}

export const number = (value, options) => value.toLocaleString(language, options);

/** Hours to seconds, of 24 hours. */
export const timeOf = (date) => date.toTimeString().slice(0, 8);
