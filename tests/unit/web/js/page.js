/** What a page has and Node has not: a document in English, and the sentences that the service makes from Python. */

import { registerHooks } from "node:module";

globalThis.document = { documentElement: { lang: "en" } };

const sentences = new URL(`data:text/javascript,${encodeURIComponent(process.env.SHARED_SENTENCES)}`).href;
registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "./shared-sentences.js") return { url: sentences, shortCircuit: true };
    return next(specifier, context);
  },
});
