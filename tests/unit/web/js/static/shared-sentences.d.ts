/** What web/shared_sentences.py serves as /static/shared-sentences.js. */
export const END_LABELS: Record<string, string>;
export const END_SENTENCES: Record<string, string>;
export const ERROR_SENTENCES: Record<string, string>;
export const PURCHASE_STATES: Record<string, string>;
export const MUTED: string;
