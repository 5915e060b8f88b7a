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

interface Salted {
  username: string;
  asked: Promise<Challenge>;
  at: number;
  /** It can be answered once, but its salt is good for longer. */
  answered: boolean;
}

const FRESH_MS = 60_000; // of the two minutes that a challenge lasts
let last: Typed | null = null;
let going = false;
let forgotten = 0; // how often: what was begun before is not kept
let salted: Salted | null = null;
let stretched: { of: string; x: Promise<bigint> } | null = null;

const named = (asked: Challenge, password: string): string => JSON.stringify([asked.identity, asked.salt, asked.iterations, password]);

/**
 * Asks for the name's salt, and stretches what is typed, one after the other; of what was typed meanwhile the last
 * alone. Problems show at the login.
 */
export async function begin(username: string, password: string): Promise<void> {
  last = { username, password };
  if (going || !isSecureContext) return;
  going = true;
  try {
    for (let next = take(); next; next = take()) {
      const before = forgotten;
      const asked = await askedFor(next.username).asked;
      if (forgotten !== before) continue;
      if (asked.salt && next.password) await stretchedOf(asked, next.password);
    }
  } catch {
    salted = null;
  } finally {
    going = false;
  }
}

function askedFor(username: string): Salted {
  if (salted?.username !== username) salted = { username, asked: api.challenge(username), at: performance.now(), answered: false };
  return salted;
}

/** A challenge that nothing was answered to: the one that was asked for while the person typed, else a new one. */
export async function challengeFor(username: string): Promise<Challenge> {
  const known = salted;
  if (known?.username !== username || known.answered || performance.now() - known.at > FRESH_MS) return api.challenge(username);
  known.answered = true;
  const asked = await known.asked.catch(() => null);
  return asked?.salt ? asked : api.challenge(username);
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
