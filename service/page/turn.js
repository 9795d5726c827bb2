// @ts-check
// Requests for the service's work go one after the other: the time that is told of one is its own.

/** @type {Promise<unknown>} */
let latest = Promise.resolve();

/**
 * Does it when all before is done; what one throws does not keep the next from its turn.
 * @template T
 * @param {() => Promise<T> | T} work
 * @returns {Promise<T>} what it returns or throws
 */
export function inTurn(work) {
  const done = latest.then(work);
  latest = done.catch(() => {});
  return done;
}
