// @ts-check
// What the service's answers look like, told from those of somebody else.

/** What an answer to each verb must have to be shown. */
const FORMS = {
  predict: (/** @type {any} */ said) =>
    said?.predictions?.length > 0
    && said.predictions.every((/** @type {any} */ one) => isText(one?.label) && isNumber(one.score))
    && (said.label === null || isText(said.label)) && isNumber(said.score)
    && (said.novelty === null || isNumber(said.novelty)) && isText(said.model) && isText(said.version),
  explain: (/** @type {any} */ said) =>
    isText(said?.label) && ["left", "top", "right", "bottom"].every((side) => isNumber(said.box?.[side]))
    && said.heat?.length > 0 && said.heat.every((/** @type {any} */ row) => row?.length > 0 && row.every(isNumber)),
};

/** @param {unknown} thing */
export function isText(thing) {
  return typeof thing === "string";
}

/** @param {unknown} thing */
function isNumber(thing) {
  return typeof thing === "number";
}

/** Whether it can be shown. @param {string} verb that it should answer @param {any} said */
export function isAnswerTo(verb, said) {
  return FORMS[/** @type {keyof typeof FORMS} */ (verb)](said);
}
