/**
 * Whether what is on the screen may still be seen. Nobody who loses sight of a study is asked to do anything, so the page asks:
 * when the server tells of a change, and every while for what ends by the clock or by a grant, which no event tells.
 */

import { ApiProblem } from '../api/client';
import { studies as api } from '../api/endpoints';
import type { StudyDetail } from '../api/types';
import { onLive } from '../state/live.svelte';
import { attemptQuietly } from '../state/notices.svelte';

const GATHER_MS = 1_500;
const AGAIN_MS = 15_000;

interface Told {
  /** It may be seen; more of it may be here. */
  onfresh: (study: StudyDetail) => void;
  /** It is not here any more, or not for this reader. */
  ongone: (id: string, cause: ApiProblem) => void;
}

const isGone = (cause: unknown): cause is ApiProblem => cause instanceof ApiProblem && cause.status === 404;

/** Asks for the studies that are shown, for as long as it is not told to stop by what it returns. */
export function watchSight(shown: () => Iterable<string>, { onfresh, ongone }: Told): () => void {
  let over = false;
  let turn = 0;

  async function ask(id: string, mine: number): Promise<void> {
    try {
      const fresh = await api.read(id);
      if (!over && mine === turn) onfresh(fresh);
    } catch (cause) {
      if (!isGone(cause)) throw cause;
      if (!over) ongone(id, cause);
    }
  }

  function askAll(): void {
    const mine = (turn += 1); // an answer that was overtaken tells what was
    for (const id of new Set(shown())) void attemptQuietly(() => ask(id, mine));
  }

  const leave = onLive('studies', askAll, GATHER_MS);
  const clock = setInterval(askAll, AGAIN_MS);
  return () => {
    over = true;
    leave();
    clearInterval(clock);
  };
}
