/** Logging in and setting a password, by proofs; loaded when somebody does. */

import { ApiProblem } from '../api/client';
import { session as api } from '../api/endpoints';
import type { LoginAnswer, SessionAnswer } from '../api/types';
import { challengeFor, forget, stretchedOf } from './ahead';
import { NotMoved, NotSecure, ServerDoubtful } from './doubts';
import { prove, verifierOf, type Challenge, type Proof } from './srp';

export { begin } from './ahead';

function requireSecure(): void {
  if (!isSecureContext) throw new NotSecure();
}

/** Proves the password to the server, and lets the server prove that it has known it. */
export async function logIn(username: string, password: string): Promise<SessionAnswer> {
  requireSecure();
  const asked = await challengeFor(username);
  if (!asked.salt) return api.logInByPassword(username, password); // the directory's, or an account from before proofs
  try {
    return await answered(asked, password);
  } catch (cause) {
    if (!(cause instanceof ApiProblem && cause.code === 'challenge-over')) throw cause;
    return answered(await api.challenge(username), password); // what was asked for ahead lay too long: a machine slept
  }
}

async function answered(asked: Challenge, password: string): Promise<SessionAnswer> {
  const { proof, expected } = await prove(asked, password, stretchedOf(asked, password));
  const answer: LoginAnswer = await api.logIn(proof);
  forget();
  if (answer.server_proof === expected) return answer;
  throw new ServerDoubtful();
}

/** What proves the password once more: a proof, or the password itself where the server cannot know it otherwise. */
export async function proofOf(username: string, password: string): Promise<Proof | { username: string; password: string }> {
  requireSecure();
  const asked = await api.challenge(username);
  return asked.salt ? (await prove(asked, password)).proof : { username, password };
}

export async function setPassword(username: string, current: string, next: string): Promise<SessionAnswer | undefined> {
  requireSecure();
  const asked = await api.challenge(username);
  if (!asked.salt) throw new NotMoved();
  const [{ proof }, verifier] = await Promise.all([
    prove(asked, current),
    verifierOf(asked.identity, next, asked.new_iterations),
  ]);
  return api.changePassword(proof, verifier);
}
