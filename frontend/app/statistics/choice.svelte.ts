/**
 * Whether this browser's person agrees to be counted. It stands in the local storage as `tracking-consent`: `yes:1` or
 * `no:1`, the number being the version of what is counted; anything else, or another version, is no choice yet. With a yes
 * a random number is drawn and kept as `tracking-id`: it is sent with what is counted, and by it all of that is deleted when
 * the choice is taken back, be it here or by clearing `tracking-consent`.
 */

import { kept } from '../state/kept';
import { counted } from '../state/use';

export const CONSENT = 'tracking-consent';
export const BROWSER = 'tracking-id';
export type Choice = 'yes' | 'no';

const state = $state<{ choice: Choice | null }>({ choice: read() });

function read(): Choice | null {
  const [said, version] = (kept.getItem(CONSENT) ?? '').split(':');
  return Number(version) === counted && (said === 'yes' || said === 'no') ? said : null;
}

/** What was chosen; null before. */
export function choice(): Choice | null {
  return state.choice;
}

/** Reads the choice again: it may have been cleared, or changed in another tab; takes back what was counted if it is no yes. */
export function lookAgain(): Choice | null {
  const now = read();
  if (state.choice !== now) state.choice = now;
  if (now !== 'yes' && kept.getItem(BROWSER)) void withdraw();
  return now;
}

/** Keeps a choice; a no takes back what was counted before. */
export function choose(chosen: Choice): void {
  if (chosen === 'yes' && !kept.getItem(BROWSER)) kept.setItem(BROWSER, drawn());
  kept.setItem(CONSENT, `${chosen}:${counted}`);
  lookAgain();
}

function drawn(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** What is being sent; a withdrawal comes after it. */
let sending: Promise<unknown> = Promise.resolve();
let withdrawing = false;
let again = 0;
const AGAIN_MS = 60_000;

/** Sends without any cookie: who is logged in is nothing to the counting. */
export function send(path: 'events' | 'withdrawals', body: unknown): Promise<number> {
  const answer = sending.then(() =>
    fetch(`/api/statistics/${path}`, {
      method: 'POST', credentials: 'omit', keepalive: true,
      headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
    }),
  );
  const status = answer.then(({ status: said }) => said, () => 0);
  sending = status;
  return status;
}

/** Has all that was counted of this browser deleted; tried again until the server has done it. */
async function withdraw(): Promise<void> {
  const id = kept.getItem(BROWSER);
  if (!id || withdrawing || Date.now() < again) return;
  withdrawing = true;
  const status = await send('withdrawals', { id });
  withdrawing = false;
  again = Date.now() + AGAIN_MS;
  const done = status === 200 || status === 400 || status === 404; // 400: no id of ours; 404: nothing is counted any more
  if (!done) return;
  again = 0;
  if (kept.getItem(BROWSER) === id) kept.removeItem(BROWSER); // a yes since then had this number: it draws another
  if (read() === 'yes') kept.setItem(BROWSER, drawn());
}
