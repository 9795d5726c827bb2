// @ts-check
// Requests for the service's work go one after the other: the time that is told of one is its own.

/** @type {(() => Promise<void>)[]} */
const waiting = [];
let busy = false;

/**
 * Does it when it is its turn; what one throws does not keep the next from its own.
 * @template T
 * @param {() => Promise<T> | T} work
 * @param {{next?: boolean}} how `next`: before all that wait already, since somebody has just clicked
 * @returns {Promise<T>} what it returns or throws
 */
export function inTurn(work, { next = false } = {}) {
  return new Promise((resolve, reject) => {
    const run = () => Promise.resolve().then(work).then(resolve, reject);
    if (next) waiting.unshift(run);
    else waiting.push(run);
    goOn();
  });
}

async function goOn() {
  if (busy) return;
  busy = true;
  for (let run = waiting.shift(); run; run = waiting.shift()) await run();
  busy = false;
}
