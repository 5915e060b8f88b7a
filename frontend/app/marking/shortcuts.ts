/** The keys of measuring and noting, as the help names them. */

import { keyOf, NEXT_HANDLE_KEY, NEXT_MARK_KEY, PREVIOUS_HANDLE_KEY, PREVIOUS_MARK_KEY } from '$viewer/marks/keys';
import type { KeyRow } from '../viewing/tools';
import { kinds } from './kinds';

const CONTROL = { name: 'key.control' } as const;
const SHIFT = { name: 'key.shift' } as const;

export const markKeys: readonly KeyRow[] = [
  ...kinds.map(({ kind, label }) => ({ keys: [keyOf(kind)], label })),
  { keys: [{ name: 'key.escape' }], label: 'keys.markEscape' },
  { keys: ['↑', '↓', '←', '→'], label: 'keys.crossMoves' },
  { keys: [{ name: 'key.enter' }, { name: 'key.space' }], label: 'keys.crossSets' },
  { keys: ['⌫'], label: 'keys.crossBack' },
  { keys: [PREVIOUS_MARK_KEY, NEXT_MARK_KEY], label: 'keys.markStep' },
  { keys: [NEXT_HANDLE_KEY, PREVIOUS_HANDLE_KEY], label: 'keys.markNext' },
  { keys: ['↑', '↓', '←', '→'], label: 'keys.markMoves' },
  { keys: [{ name: 'key.enter' }], label: 'keys.markText' },
  { keys: [{ name: 'key.delete' }, '⌫'], label: 'keys.markDelete' },
  { keys: ['+'], label: 'keys.markPoint' },
  { keys: [CONTROL, '+', 'Z'], label: 'marks.undo' },
  { keys: [CONTROL, '+', SHIFT, '+', 'Z', '/', CONTROL, '+', 'Y'], label: 'marks.redo' },
];
