/** Whose site this is, as its operator has named it; the page is told, since everybody may know. */

/** What is called so has no name of its own. */
const UNNAMED = 'Radrelay';

/** The name where there is one; empty else. */
export const named = (name: string): string => (name === UNNAMED ? '' : name);

/** Studies can be fetched from elsewhere. */
export const fetches = typeof document !== 'undefined' && document.documentElement.dataset?.['fetching'] === 'on';

export const house = named(typeof document === 'undefined' ? '' : (document.documentElement.dataset?.['house'] ?? ''));
