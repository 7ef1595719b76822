// setTimeout() counts in 32 bits, and more than that is over at once: https://html.spec.whatwg.org/multipage/timers-and-user-prompts.html
export const LONGEST_TIMER = 1e9; // ms: 11 days of the 24; what takes as long is "never"
