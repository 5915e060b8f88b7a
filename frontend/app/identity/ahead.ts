/**
 * What of a login takes longest is begun while the person still types: the password is stretched as soon as the keys
 * rest, before anybody has pressed the button. Of it nothing leaves the page; the server is asked for the name's salt.
 */

import { session as api } from '../api/endpoints';
import { stretch, type Challenge } from './srp';

interface Typed {
  username: string;
  password: string;
}

let last: Typed | null = null;
let going = false;
let forgotten = 0; // how often: what was begun before is not kept
let salted: { username: string; asked: Challenge } | null = null;
let stretched: { of: string; x: Promise<bigint> } | null = null;

const named = (asked: Challenge, password: string): string => JSON.stringify([asked.identity, asked.salt, asked.iterations, password]);

/** Stretches what is typed, one after the other; of what was typed meanwhile the last alone. Problems show at the login. */
export async function begin(username: string, password: string): Promise<void> {
  last = { username, password };
  if (going || !isSecureContext) return;
  going = true;
  try {
    for (let next = take(); next; next = take()) {
      const before = forgotten;
      const asked = salted?.username === next.username ? salted.asked : await api.challenge(next.username);
      if (forgotten !== before) continue;
      salted = { username: next.username, asked };
      if (asked.salt) await stretchedOf(asked, next.password);
    }
  } catch {
    salted = null;
  } finally {
    going = false;
  }
}

function take(): Typed | null {
  const next = last;
  last = null;
  return next;
}

/** The stretched password for a challenge, begun now if it was not before. */
export function stretchedOf(asked: Challenge, password: string): Promise<bigint> {
  const of = named(asked, password);
  if (stretched?.of !== of) stretched = { of, x: stretch(asked, password) };
  return stretched.x;
}

/** Forgets all of it: who is in, or has gone elsewhere, leaves nothing behind. */
export function forget(): void {
  last = salted = stretched = null;
  forgotten += 1;
}
