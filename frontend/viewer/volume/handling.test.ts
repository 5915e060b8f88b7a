/** What mouse and finger do to measures: with the planes and the measures themselves, in a room without pictures. */

import { describe, expect, it } from 'vitest';
import { planeEvents } from './handling';
import { firstLook, type RoomTool } from './look';
import { Measuring, valueOf, type Measure } from './measuring';
import type { PaneEvents } from './pane';
import type { VolumeRoom } from './room';
import type { Vec } from './vectors';

const MIDDLE = 100; // the pane is 200 px wide and high, 1 mm each; the cursor is in its middle

interface Set {
  events: PaneEvents;
  measuring: Measuring;
  changes: Measure['points'][];
  cursors: Vec[];
}

/** An axial pane, with a colleague's 30 mm at the given depth. */
function set(tool: RoomTool, { depth = 0, slab = 0 } = {}): Set {
  let kept: Measure[] = [{ id: 'kept', kind: 'length', points: [[0, 0, depth], [30, 0, depth]], own: false }];
  const changes: Measure['points'][] = [];
  const cursors: Vec[] = [];
  const measuring = new Measuring(() => undefined);
  measuring.keepWith({
    get measures() {
      return kept;
    },
    mayChange: true,
    add: (kind, points) => {
      kept = [...kept, { id: 'added', kind, points, own: true }];
      return 'added';
    },
    change: (id, points) => {
      changes.push(points);
      kept = kept.map((one) => (one.id === id ? { ...one, points } : one));
    },
    remove: () => undefined,
  });
  const look = { ...firstLook(tool), lines: false, slab: { mode: 'max' as const, thickness: slab } };
  const size = { width: 2 * MIDDLE, height: 2 * MIDDLE };
  const room = {
    look, measuring, caret: { hide: () => undefined }, sizeOf: () => size, redraw: () => undefined, setCursor: (cursor: Vec) => cursors.push(cursor),
    shown: () => ({ name: 'axial', views: look.views, cursor: look.cursor, pane: size, slabThickness: slab, step: 1 }),
  };
  return { events: planeEvents(room as unknown as VolumeRoom, 'axial'), measuring, changes, cursors };
}

const at = (x: number, y: number): { x: number; y: number } => ({ x: MIDDLE + x, y: MIDDLE + y });

/** Tells whether the pane took it; if not it is the tool's, and a touch is heard of as such. */
function drag({ events }: Set, pointerType: string, from: [number, number], to: [number, number]): boolean {
  const taken = events.press(at(...from), pointerType);
  if (taken) {
    events.drag(at(...to));
    events.release(at(...to));
  } else if (from.join() === to.join()) events.tap(at(...from));
  return taken;
}

const touch = (room: Set, x: number, y: number): boolean => drag(room, 'touch', [x, y], [x, y]);

describe('a finger', () => {
  it('that scrolls or changes the window leaves measures as they are, however often it lands on one', () => {
    for (const tool of ['scroll', 'window', 'pan', 'zoom'] as const) {
      const room = set(tool);
      for (let count = 0; count < 3; count += 1) expect(drag(room, 'touch', [30, 0], [30, 40])).toBe(false);
      expect(room.changes).toEqual([]);
    }
  });

  it('selects by a touch, then moves an end, from 8 px', () => {
    const room = set('scroll');
    expect(touch(room, 30, 0)).toBe(false);
    expect(room.measuring.selected).toBe('kept');
    expect(drag(room, 'touch', [30, 0], [30, 7])).toBe(true);
    expect(room.measuring.all[0]?.points[1]).toEqual([30, 0, 0]);
    expect(drag(room, 'touch', [30, 0], [30, 40])).toBe(true);
    expect(room.changes.at(-1)).toEqual([[0, 0, 0], [30, 40, 0]]);
  });

  it('that lands elsewhere meanwhile, or on the line, is the tool’s', () => {
    const room = set('scroll');
    touch(room, 30, 0);
    expect(drag(room, 'touch', [-60, -60], [-60, -20])).toBe(false);
    expect(room.measuring.selected).toBeNull();
    touch(room, 30, 0);
    expect(drag(room, 'touch', [15, 0], [15, 40])).toBe(false);
    expect(drag(room, 'touch', [30, 0], [30, 40])).toBe(false);
    expect(room.changes).toEqual([]);
  });

  it('moves the cross over a measure, and draws from its end', () => {
    const cross = set('cross');
    expect(drag(cross, 'touch', [30, 0], [30, 40])).toBe(true);
    expect([cross.changes, cross.cursors.at(-1)]).toEqual([[], [30, 40, 0]]);
    touch(cross, 30, 0);
    expect(cross.measuring.selected).toBe('kept');
    const drawn = set('length');
    expect(drag(drawn, 'touch', [30, 0], [30, 40])).toBe(true);
    expect([drawn.changes, drawn.measuring.all[1]?.points]).toEqual([[], [[30, 0, 0], [30, 40, 0]]]);
    touch(drawn, 5, 0);
    expect([drawn.measuring.selected, drawn.measuring.all.length]).toEqual(['kept', 2]);
  });
});

describe('a mouse', () => {
  it('moves an end at once, from 3 px; a click only selects', () => {
    const room = set('scroll');
    expect(drag(room, 'mouse', [30, 0], [32, 0])).toBe(true);
    expect([room.measuring.selected, room.measuring.all[0]?.points[1]]).toEqual(['kept', [30, 0, 0]]);
    expect(drag(room, 'mouse', [30, 0], [30, 40])).toBe(true);
    expect(room.changes.at(-1)).toEqual([[0, 0, 0], [30, 40, 0]]);
    expect(drag(room, 'mouse', [-60, -60], [-60, -60])).toBe(false);
    expect(room.measuring.selected).toBe('kept');
  });

  it('moves an end across a thick slab at the depth at which it lies: the length is that of the patient', () => {
    const room = set('scroll', { depth: 20, slab: 50 });
    drag(room, 'mouse', [30, 0], [34, 0]);
    const [points] = room.changes;
    expect(points).toEqual([[0, 0, 20], [34, 0, 20]]);
    expect(points && valueOf({ kind: 'length', points })).toBe(34);
  });
});
