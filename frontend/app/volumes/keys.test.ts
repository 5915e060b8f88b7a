/** Measures chosen and pulled, planes turned, without a mouse: in a room without pictures. */

import { describe, expect, it } from 'vitest';
import { pressKey, type KeyTarget } from './keys';
import { VolumeCaret } from '$viewer/volume/caret';
import { Choosing } from '$viewer/volume/choosing';
import { firstLook, standing, type Look, type PaneName, type RoomTool } from '$viewer/volume/look';
import { Measuring, valueOf, type Measure } from '$viewer/volume/measuring';
import { facingsOf, turnOthers, type PlaneName } from '$viewer/volume/planes';
import type { VolumeRoom } from '$viewer/volume/room';
import { drawnAlong, lookingFrom, type Side } from '$viewer/volume/space';
import { tiltOf } from '$viewer/volume/turning';
import type { Vec } from '$viewer/volume/vectors';

interface Set {
  room: VolumeRoom;
  measuring: Measuring;
  changes: string[];
  closed: () => number;
  press: (...keys: string[]) => void;
  hand: (pane: PaneName) => void;
}

const REACH = 50; // mm: a cube of 1 mm voxels about the origin

/** Axial and coronal are on the screen, sagittal is not. */
function set(kept: Measure[], mayChange = true): Set {
  const changes: string[] = [];
  const measuring = new Measuring(() => undefined);
  measuring.keepWith({
    get measures() {
      return kept;
    },
    mayChange,
    add: () => 'added',
    change: (id, points, joins) => {
      changes.push(joins ?? '');
      kept = kept.map((one) => (one.id === id ? { ...one, points } : one));
    },
    remove: (id) => (kept = kept.filter((one) => one.id !== id)),
  });
  const grid = { finest: 1, isWithin: (point: Vec) => point.every((one) => Math.abs(one) <= REACH) };
  const room = {
    look: firstLook('cross'), measuring, redraw: () => undefined, hover: () => undefined,
    bodies: { body: () => ({ grid }) },
    sizeOf: (name: PlaneName) => ({ width: name === 'sagittal' ? 0 : 200, height: name === 'sagittal' ? 0 : 200 }),
    shown: (name: PlaneName) => ({ name, views: room.look.views, cursor: room.look.cursor, pane: { width: 200, height: 200 }, slabThickness: 0, step: 1 }),
    change: (look: Partial<Look>) => Object.assign(room.look, look),
    goTo: ([first]: readonly Vec[]) => Object.assign(room.look, { cursor: first }),
    scroll: (name: PlaneName, steps: number) => changes.push(`${name} by ${steps}`),
    turn: (name: PlaneName, angle: number) => room.change({ views: turnOthers(room.look.views, name, room.look.cursor, angle), facing: 'turned' }),
    turnSpace: (dx: number, dy: number) => room.change({ space: drawnAlong(room.look.space, dx, dy) }),
    lookFrom: (side: Side) => room.change({ space: { ...room.look.space, ...lookingFrom(side) } }),
    setFacing: (facing: 'patient' | 'own') => room.change({ facing, upright: facing, views: standing(facingsOf(facing, undefined), room.look.cursor) }),
    setTool: (tool: RoomTool) => room.change({ tool, turning: false }),
    setTurning: (turning: boolean) => {
      room.choosing.leave();
      room.change({ turning, crossed: null });
    },
  } as unknown as VolumeRoom;
  Object.assign(room, { choosing: new Choosing(room), caret: new VolumeCaret(room) });
  let [pane, closed]: [PaneName, number] = ['axial', 0];
  const press = (...keys: string[]): void => {
    for (const one of keys) {
      const shiftKey = one.startsWith('Shift+');
      const event = { key: one.replace('Shift+', ''), shiftKey, ctrlKey: false, altKey: false, repeat: false } as KeyboardEvent;
      const nothing = (): void => undefined;
      const target = { room, state: { ...room.look, body: null }, modality: 'CT', plane: pane === 'space' ? 'axial' : pane, pane } as unknown as KeyTarget;
      pressKey(event, { ...target, onNextPane: nothing, onNextLayout: nothing, onCine: nothing, onHelp: nothing, onClose: () => (closed += 1) });
    }
  };
  return { room, measuring, changes, closed: () => closed, press, hand: (name) => (pane = name) };
}

const length = (points: readonly Vec[]): Measure => ({ id: 'a', kind: 'length', points, own: true });
const pointsOf = ({ measuring }: Set): readonly Vec[] => measuring.all[0]?.points ?? [];

describe('a measure', () => {
  it('is chosen by keys, then a point of it, which arrow keys move across the plane; its depth and the others stay', () => {
    const one = set([length([[0, 0, 0.5], [30, 0, 0.5]])]);
    one.press('>', '#', '#', 'ArrowRight', 'Shift+ArrowDown', 'ArrowUp');
    expect(one.room.choosing.handle).toEqual({ place: 1, of: 2 });
    expect(pointsOf(one)).toEqual([[0, 0, 0.5], [30.5, 4.5, 0.5]]);
    expect(one.measuring.all[0] && valueOf(one.measuring.all[0])).toBeCloseTo(Math.hypot(30.5, 4.5));
    expect(one.changes).toEqual(['nudge', 'nudge', 'nudge']); // one step back
    one.press('#');
    expect(one.room.choosing.handle?.place).toBe('whole');
    one.press('Shift+ArrowLeft', "'", "'");
    expect(pointsOf(one)[0]).toEqual([-5, 0, 0.5]);
    expect(one.room.choosing.handle?.place).toBe(0);
  });

  it('is let go by Escape, and stays selected; arrow keys scroll again', () => {
    const one = set([length([[0, 0, 0], [30, 0, 0]])]);
    one.press('>', "'", 'Escape', 'ArrowDown');
    expect([one.room.choosing.handle, one.measuring.selected, one.closed(), one.changes]).toEqual([null, 'a', 0, ['axial by 1']]);
    one.press('Escape');
    expect(one.closed()).toBe(1);
  });

  it('is moved in another plane that shows it where the one in hand does not, and by nobody where none on the screen does', () => {
    const one = set([length([[0, 0, 0], [0, 0, 30]])]);
    one.press('>', '#', '#', 'ArrowDown');
    expect(one.room.choosing.planeFor('axial')).toBe('coronal');
    expect(pointsOf(one)[1]).toEqual([0, 0, 29.5]);
    one.room.change({ cursor: [0, 20, 0] });
    expect(one.room.choosing.handle).toBeNull();
    one.press('ArrowDown', 'Delete');
    expect([pointsOf(one)[1], one.changes.at(-1)]).toEqual([[0, 0, 29.5], 'axial by 1']);
  });

  it('does not leave the volume by keys, but comes back from beyond', () => {
    const one = set([length([[0, 0, 0], [49, 0, 0]])]);
    one.press('>', '#', '#', 'Shift+ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowRight');
    expect(pointsOf(one)[1]).toEqual([50, 0, 0]);
    const beyond = set([length([[0, 0, 0], [70, 0, 0]])]);
    beyond.press('>', '#', '#', 'Shift+ArrowLeft');
    expect(pointsOf(beyond)[1]).toEqual([65, 0, 0]);
  });

  it('of a study that may not be marked is gone to, not moved', () => {
    const one = set([length([[0, 0, 0], [30, 0, 0]])], false);
    one.press('>', '#', 'ArrowDown');
    expect([one.measuring.selected, one.room.choosing.handle, one.changes]).toEqual(['a', null, ['axial by 1']]);
  });
});

describe('turning', () => {
  const tilt = ({ room: { look } }: Set): number => tiltOf(look.views, facingsOf(look.upright, undefined));

  it('turns the other planes about the one in hand, clockwise to the right, and stands them straight again', () => {
    const one = set([]);
    one.press('d', 'ArrowRight', 'Shift+ArrowRight', 'ArrowDown');
    expect(tilt(one)).toBeCloseTo(11);
    expect(one.room.look.views.axial.normal).toEqual([0, 0, 1]);
    expect(one.room.look.views.sagittal.right[0]).toBeLessThan(0); // what was below goes to the left
    expect(one.changes).toEqual(['axial by 1']); // what does not turn scrolls
    one.press('ArrowLeft');
    expect(tilt(one)).toBeCloseTo(10);
    one.press('Home');
    expect([tilt(one), one.room.look.facing, one.room.look.turning]).toEqual([0, 'patient', true]);
    one.press('Escape', 'ArrowRight');
    expect([tilt(one), one.room.look.turning, one.closed()]).toEqual([0, false, 0]);
  });

  it('turns three dimensions as if they were drawn along, and shows them from the front again', () => {
    const one = set([]);
    one.hand('space');
    one.press('Home');
    const front = one.room.look.space;
    one.press('d', 'Shift+ArrowRight', 'Shift+ArrowRight');
    expect(one.room.look.space.normal.map((part) => Math.round(Math.abs(part)))).toEqual([1, 0, 0]);
    one.press('ArrowUp');
    expect(one.room.look.space.normal[2]).not.toBeCloseTo(0);
    one.press('Home', 'd');
    expect([one.room.look.space, one.room.look.turning]).toEqual([front, false]);
  });

  it('and pulling take the arrow keys from each other', () => {
    const one = set([length([[0, 0, 0], [30, 0, 0]])]);
    one.press('>', '#', 'd');
    expect([one.room.choosing.handle, one.room.look.turning]).toEqual([null, true]);
    one.press('#');
    expect([one.room.choosing.handle?.place, one.room.look.turning]).toEqual([0, false]);
    one.press('d', 'l');
    expect([one.room.look.turning, one.room.caret.plane]).toEqual([false, 'axial']);
  });
});
