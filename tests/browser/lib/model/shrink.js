'use strict';

/**
 * Leaves out of a list what is not needed for `fails(list)` to be true, in halves, quarters and so on down to single ones.
 */
async function shrink(list, fails) {
  let left = list;
  for (let size = Math.ceil(left.length / 2); ; ) {
    let isShorter = false;
    for (let from = 0; from < left.length; ) {
      const without = [...left.slice(0, from), ...left.slice(from + size)];
      if (without.length < left.length && (await fails(without))) {
        left = without;
        isShorter = true;
      } else {
        from += size;
      }
    }
    if (size > 1) size = Math.ceil(size / 2);
    else if (!isShorter) return left;
  }
}

module.exports = { shrink };
