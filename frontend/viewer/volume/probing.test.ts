/** Whose value is told when volumes change: that of the one looked at, or none. */

import { describe, expect, it } from 'vitest';
import type { Bodies, Body, BodyName } from './bodies';
import { Probing } from './probing';
import type { Vec } from './vectors';

const POINT: Vec = [1, 2, 3];

const body = (coarse = true): Body => ({ grid: { toGrid: (point: Vec) => point }, progress: { coarse } }) as unknown as Body;

/** A thread that answers when told to. */
function room() {
  const bodies = new Map<BodyName, Body>([['main', body()]]);
  const waiting: ((value: number) => void)[] = [];
  const ask = () => new Promise<number>((done) => waiting.push(done));
  const probing = new Probing({ body: (name) => bodies.get(name), keeper: { ask: ask as Bodies['keeper']['ask'] } }, () => undefined);
  const answer = async (value: number): Promise<void> => {
    waiting.shift()?.(value);
    await new Promise((done) => setTimeout(done));
  };
  return { bodies, probing, answer };
}

describe('values', () => {
  it('are those of the volume that is looked at: none once another one is opened, until it has its own', async () => {
    const { bodies, probing, answer } = room();
    probing.askAtCursor(POINT);
    await answer(70);
    probing.askUnderMouse('axial', POINT);
    await answer(80);
    expect([probing.atCursor?.value, probing.hover?.value, probing.hover?.pane]).toEqual([70, 80, 'axial']);
    bodies.set('main', body(false));
    expect([probing.atCursor, probing.hover]).toEqual([null, null]);
    probing.askAtCursor(POINT); // the panes are fitted: nothing can be read yet
    await answer(0);
    expect(probing.atCursor).toBeNull();
    bodies.set('main', body());
    probing.askAtCursor(POINT);
    await answer(5);
    expect(probing.atCursor).toEqual({ point: POINT, value: 5, over: null });
  });

  it('that come late, of a volume that is gone, are dropped', async () => {
    const { bodies, probing, answer } = room();
    probing.askAtCursor(POINT);
    probing.forget();
    bodies.set('main', body());
    await answer(70);
    expect(probing.atCursor).toBeNull();
  });

  it('of a second volume are not told under the next one’s name', async () => {
    const { bodies, probing, answer } = room();
    bodies.set('over', body());
    probing.askAtCursor(POINT);
    await answer(70);
    await answer(3);
    expect(probing.atCursor).toEqual({ point: POINT, value: 70, over: 3 });
    bodies.set('over', body());
    expect(probing.atCursor).toEqual({ point: POINT, value: 70, over: null });
  });
});
