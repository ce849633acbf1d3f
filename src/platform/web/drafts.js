/* What was written into a form and not sent: there again when one comes back to it, as long as the tab is not loaded anew. In memory
 * alone, and no secret is among it. */

const drafts = new Map();

export const draftOf = (form) => drafts.get(form) ?? null;

/* null: there is none. */
export function keepDraft(form, draft) {
    if (draft === null) drafts.delete(form);
    else drafts.set(form, draft);
}

export const forgetDrafts = () => drafts.clear();
