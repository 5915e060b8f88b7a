/** Turning a picture without a mouse. */

import { expect, it } from 'vitest';
import type { ImageViewer } from '$viewer/viewer';
import { pressKey, type KeyTarget } from './tools';

it('arrow keys turn the picture while the tool that does is in hand, and Home stands it upright', () => {
  const did: unknown[] = [];
  const viewer = {
    tool: 'turn', turn: ({ angle }: { angle: number }) => did.push(angle), go: (place: number) => did.push(`image ${place}`),
    dragWindow: () => did.push('window'), scroll: () => did.push('scrolled'),
  };
  const press = (key: string, shiftKey = false): void => {
    pressKey({ key, shiftKey } as KeyboardEvent, { viewer: viewer as unknown as ImageViewer, angle: 11, onSeries: () => did.push('series') } as unknown as KeyTarget);
  };
  press('ArrowRight', true);
  press('ArrowRight');
  press('ArrowLeft');
  press('Home');
  press('ArrowDown');
  press('ArrowDown', true);
  expect(did.splice(0)).toEqual([10, 1, -1, -11, 'scrolled', 'window']);
  viewer.tool = 'scroll';
  press('ArrowRight', true);
  press('ArrowRight');
  press('Home');
  expect(did).toEqual(['window', 'series', 'image 0']);
});
