/** Two volumes as a blending presentation state shows them (PS3.3 C.11.14): windows and colours in a volume's own values. */

import { wordsOf } from '../drawings/brightness';
import type { DrawnBlended, DrawnBlending } from '../drawings/content';
import type { Window, WindowFunction } from '../grey';
import type { Blend } from './drawing';
import type { Known } from './loading';

const FUNCTIONS: readonly string[] = ['LINEAR', 'LINEAR_EXACT', 'SIGMOID'];

/** What is known of a volume's values. */
export type Valued = Pick<Known, 'kind' | 'scale' | 'window'>;

/** The window that a state means for one of its volumes; null: that volume's own. */
export function savedWindow({ window, slope, intercept }: DrawnBlended, { kind: numbers, scale }: Valued): Window | null {
  if (!window || window.center === null || window.width === null) return null;
  const kind = FUNCTIONS.includes(window.function) ? (window.function as WindowFunction) : 'LINEAR';
  const saysStep = slope !== null || intercept !== null;
  // What is kept as floating point went through each slice's own step: that is the one a state means then.
  if (!saysStep || numbers === 'float32') return { center: window.center, width: window.width, kind };
  const by = scale.slope / (slope || 1);
  return { center: (window.center - (intercept ?? 0)) * by + scale.intercept, width: window.width * Math.abs(by), kind };
}

/** How the second volume lies over the first. */
export function savedBlend({ over, opacity, palette }: DrawnBlending, body: Valued): Blend {
  const { center, width, kind } = savedWindow(over, body) ?? body.window;
  const counts = kind !== 'LINEAR_EXACT' && width > 1; // LINEAR counts whole values (PS3.3 C.11.2.1.2.1)
  const [middle, span] = counts ? [center - 0.5, width - 1] : [center, width];
  return { map: wordsOf(palette), least: middle - span / 2, width: span, share: opacity };
}
