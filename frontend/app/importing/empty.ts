/** Files that hold nothing: where no other came, they are named. */

import { ApiProblem } from '../api/client';

const SHOWN = 5;

/** That nothing came, said of the files that there were: they hold nothing. */
export function named(cause: unknown, empty: readonly string[]): unknown {
  if (!(cause instanceof ApiProblem) || cause.code !== 'import-nothing-brought' || empty.length === 0) return cause;
  const names = empty.slice(0, SHOWN).join('; ') + (empty.length > SHOWN ? '; …' : '');
  return new ApiProblem(cause.status, 'import-all-empty', cause.message, { names, count: empty.length });
}
