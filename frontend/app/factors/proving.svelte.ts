/** What asks for a fresh proof of who one is: tried, and if it must be, tried again once that is given. */

import { ApiProblem } from '../api/client';
import { PasskeyCancelled } from './webauthn';

interface Wanted {
  given: () => void;
  refused: (cause: Error) => void;
}

const state = $state<{ wanted: Wanted | null }>({ wanted: null });

export const proving = {
  get wanted() {
    return state.wanted !== null;
  },
  done(): void {
    state.wanted?.given();
    state.wanted = null;
  },
  cancel(): void {
    state.wanted?.refused(new PasskeyCancelled());
    state.wanted = null;
  },
};

/** Runs an action; where the server wants a fresh proof, `ProveAgain` asks for it, and the action runs once more. */
export async function fresh<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (!(cause instanceof ApiProblem && cause.code === 'fresh-proof-wanted')) throw cause;
  }
  await new Promise<void>((given, refused) => (state.wanted = { given, refused }));
  return action();
}
