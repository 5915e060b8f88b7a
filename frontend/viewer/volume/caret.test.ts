/** Lengths and angles in a plane without a mouse. */

import { describe, expect, it } from 'vitest';
import { VolumeCaret } from './caret';
import { firstLook, type Look, type RoomTool } from './look';
import { Measuring } from './measuring';
import type { VolumeRoom } from './room';

/** A room without pictures: planes of 200 px, 1 mm each, their middle where the planes cross. */
function stage(tool: RoomTool): { caret: VolumeCaret; room: VolumeRoom; measuring: Measuring } {
  const measuring = new Measuring(() => undefined);
  const room = {
    look: firstLook(tool), measuring, sizeOf: () => ({ width: 200, height: 200 }), redraw: () => undefined, hover: () => undefined,
    change: (look: Partial<Look>) => Object.assign(room.look, look),
    setTool: (next: RoomTool) => Object.assign(room.look, { tool: next, crossed: null }),
  };
  return { caret: new VolumeCaret(room as unknown as VolumeRoom), room: room as unknown as VolumeRoom, measuring };
}

describe('the cross over a plane', () => {
  it('sets both ends of a length', () => {
    const { caret, room, measuring } = stage('length');
    caret.take('axial');
    caret.move(-10, 0);
    caret.set();
    expect(room.look.crossed).toEqual({ plane: 'axial', points: 1 });
    caret.move(50, 0);
    expect(measuring.open?.points).toEqual([[-10, 0, 0], [40, 0, 0]]);
    caret.set();
    expect(measuring.all.map(({ kind, points }) => ({ kind, points }))).toEqual([{ kind: 'length', points: [[-10, 0, 0], [40, 0, 0]] }]);
    expect([measuring.selected, room.look.crossed?.points]).toEqual([measuring.all[0]?.id, 0]);
    expect(measuring.open).toBeNull(); // the next one waits for its first point
  });

  it('sets an angle point by point, and takes points back', () => {
    const { caret, room, measuring } = stage('angle');
    caret.take('axial');
    caret.set();
    caret.move(40, 0);
    caret.set();
    expect(room.look.crossed?.points).toBe(2);
    expect([caret.back(), room.look.crossed?.points]).toEqual([true, 1]);
    caret.set();
    caret.move(0, -40);
    caret.set();
    expect(measuring.all.map(({ points }) => points)).toEqual([[[0, 0, 0], [40, 0, 0], [40, -40, 0]]]);
    expect(caret.back()).toBe(false);
  });

  it('stays on the pane, gives up what is begun, then goes', () => {
    const { caret, room, measuring } = stage('length');
    caret.take('axial');
    caret.move(500, 0);
    caret.set();
    expect(measuring.open?.points[0]).toEqual([100, 0, 0]);
    expect([caret.escape(), measuring.open, caret.plane]).toEqual([true, null, 'axial']);
    expect([caret.escape(), room.look.tool, caret.plane]).toEqual([true, 'cross', null]);
    expect(caret.escape()).toBe(false);
  });

  it('goes when a mouse leads, and comes with the second press where one lies', () => {
    const { caret } = stage('length');
    caret.take('axial');
    caret.pointed({ x: 10, y: 10 });
    expect(caret.plane).toBe('axial');
    caret.pointed({ x: 30, y: 10 });
    expect(caret.plane).toBeNull();
    caret.take('axial');
    expect(caret.plane).toBeNull();
    caret.take('axial');
    expect(caret.plane).toBe('axial');
  });
});
