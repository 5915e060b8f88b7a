/** Tiles of a slide beside one another. */

import { expect, test } from 'vitest';
import { onPixel } from './slide';

test('neighbouring tiles meet on whole pixels of the screen at any scale, so that no seam is seen', () => {
  for (const ratio of [1, 1.25, 2, 3]) {
    for (const scale of [0.137, 0.5, 1.003, 7.7]) {
      const edges = Array.from({ length: 20 }, (_, column) => onPixel(11.37 + column * 256 * scale, ratio));
      for (const edge of edges) expect(Math.abs(edge * ratio - Math.round(edge * ratio))).toBeLessThan(1e-9);
    }
  }
});
