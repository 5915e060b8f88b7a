/** Marks without a mouse: a cross over the picture that arrow keys move. */

import { describe, expect, it } from 'vitest';
import type { Seen } from '../layer';
import type { Said } from './making';
import { pressMarkKey } from './keys';
import { MarksLayer } from './layer';
import { click, near, only, pen, pictureAt, pull, seen, stage, touch, words, type Stage } from './stage';

/** Presses keys one after the other; `+` before a name is Shift, `^` Ctrl. Tells which were taken. */
function keys(on: Stage, ...names: string[]): boolean[] {
  return names.map((name) => {
    const [, sign = '', key = ''] = /^([+^]?)(.+)$/.exec(name) ?? [];
    const event = { key, shiftKey: sign === '+' || /^[A-Z]$/.test(key), ctrlKey: sign === '^', metaKey: false, altKey: false, repeat: false };
    return pressMarkKey(event as KeyboardEvent, { ...on, seen: seen(), picture: pictureAt(0) });
  });
}

const times = (count: number, name: string): string[] => Array<string>(count).fill(name);
/** Where the cross stands first: the middle of the pane is beyond the picture's right edge. */
const EDGE = { x: 100, y: 55 } as const;

/** A stage that notes what is said of what keys do. */
function heard(): Stage & { said: Said[] } {
  const on = stage();
  const said: Said[] = [];
  const layer = new MarksLayer({ book: on.book, pictureAt, words, redraw: () => undefined, onSaid: (one) => said.push(one), onNext: (next) => on.hints.push(next) });
  return { ...on, layer, said };
}

describe('the cross', () => {
  it('comes with a tool’s key into the middle of what is seen, and arrows move it instead of scrolling', () => {
    const on = stage();
    expect(keys(on, 'ArrowLeft')).toEqual([false]);
    keys(on, 'm');
    expect(on.layer.caret.touch(seen()).image).toEqual(EDGE);
    expect(keys(on, 'ArrowLeft', '+ArrowUp', '^ArrowUp', 'PageDown', 'Home')).toEqual([true, true, true, false, false]);
    expect(on.layer.caret.touch(seen()).image).toEqual({ x: 98.75, y: 55 - 51 / 8 }); // 4 and 8 CSS pixels to a column and a row
    keys(on, 'ArrowRight', 'ArrowRight'); // not beyond the picture
    expect(on.layer.caret.touch(seen()).image.x).toBe(100);
  });

  it('goes by what the pane shows of a turned picture', () => {
    const on = stage();
    keys(on, 'm');
    const turned = seen(0, true);
    const before = on.layer.caret.touch(turned).image;
    on.layer.caret.move(-40, 0, turned);
    expect(on.layer.caret.touch(turned).image).toEqual({ x: before.x, y: before.y < 75 ? before.y + 5 : 80 });
  });

  it('goes when a mouse leads, not when the table is bumped; under a mouse it comes with the key’s second press', () => {
    const on = stage();
    const over = (at: readonly [number, number]) => on.layer.hover(touch(at, seen()), seen());
    keys(on, 'm');
    over([50, 40]);
    over([51, 40]);
    expect(on.book.crossed).toBe('tool');
    over([60, 40]);
    expect([on.book.crossed, on.book.tool]).toEqual([null, 'length']);
    expect(keys(on, 'ArrowDown')).toEqual([false]); // it scrolls
    keys(on, 'm');
    expect([on.book.crossed, keys(on, 'ArrowDown')]).toEqual([null, [false]]);
    keys(on, 'm');
    expect(on.book.crossed).toBe('tool');
    expect(pull(on, [10, 10], [30, 10])).toBe(true);
    expect([on.book.crossed, only(on).kind]).toEqual([null, 'length']);
    on.layer.hover(null, seen());
    keys(on, 'm');
    expect(on.book.crossed).toBe('tool');
  });

  it('takes the picture along at the edge of the pane, and comes back to the middle when that was moved away', () => {
    const on = stage();
    const ways: [number, number][] = [];
    const layer = new MarksLayer({ book: on.book, pictureAt, words, redraw: () => undefined, pan: (dx, dy) => ways.push([dx, dy]) });
    const small: Seen = { ...seen(), pane: { width: 200, height: 200 } };
    layer.caret.reset(small);
    layer.caret.move(110, 0, small);
    expect(ways).toEqual([[-40, 0]]); // 10 beyond the edge, to 30 within
    layer.caret.move(0, -10, { ...small, toPane: ({ x, y }) => ({ x: x * 4 - 900, y: y * 8 }), toImage: ({ x, y }) => ({ x: (x + 900) / 4, y: y / 8 }) });
    expect(layer.caret.touch(small).image.x).toBeLessThanOrEqual(100);
  });

  it('is drawn in the pane in hand alone', () => {
    const on = stage();
    keys(on, 'm');
    const drawn = (isActive: boolean): number => {
      let lines = 0;
      const at = new Proxy(pen(), { get: (to, name) => (name === 'lineTo' ? () => (lines += 1) : Reflect.get(to, name)) });
      new MarksLayer({ book: on.book, pictureAt, words, redraw: () => undefined, isActive: () => isActive }).draw(at, seen());
      return lines;
    };
    expect([drawn(true) > 0, drawn(false)]).toEqual([true, 0]);
  });
});

describe('by keys alone', () => {
  it('a length is set point by point; what was set is said, and so is what it measures', () => {
    const on = heard();
    keys(on, 'm', 'Enter', ...times(8, '+ArrowLeft'), ' ');
    expect(only(on)).toMatchObject({ kind: 'length', points: near([[100, 55], [0, 55]]), values: [{ name: 'length', value: 50, unit: 'mm' }] });
    expect(on.said).toEqual([{ points: 1 }, { mark: only(on) }]);
    expect([on.book.tool, on.book.crossed]).toEqual(['length', 'tool']); // for the next one
    keys(on, 'Enter', '+ArrowUp', 'Enter'); // begins at the end of the last one: it is not caught
    expect(on.book.all).toHaveLength(2);
    keys(on, 'Escape');
    expect([on.book.tool, on.book.crossed, on.book.selected?.id]).toEqual([null, null, on.book.all[1]?.id]);
  });

  it('a key that is held sets one point', () => {
    const on = stage();
    keys(on, 'm', 'Enter');
    const held = { key: 'Enter', shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, repeat: true } as KeyboardEvent;
    keys(on, 'ArrowLeft');
    expect(pressMarkKey(held, { ...on, seen: seen(), picture: pictureAt(0) })).toBe(true);
    expect(on.book.all).toEqual([]);
  });

  it('every kind is made', () => {
    const steps = { length: 2, bidirectional: 4, angle: 3, cobb: 4, ellipse: 2, rectangle: 2, point: 1, counter: 1, arrow: 2, text: 1 } as const;
    const signs = { length: 'm', bidirectional: 'b', angle: 'a', cobb: 'c', ellipse: 'g', rectangle: 'q', point: 'X', counter: 'j', arrow: 'y', text: 'T' };
    const ways = [['+ArrowLeft', '+ArrowUp'], ['+ArrowUp', '+ArrowLeft', '+ArrowLeft'], ['+ArrowRight', '+ArrowUp', '+ArrowUp'], []];
    for (const [kind, count] of Object.entries(steps) as [keyof typeof steps, number][]) {
      const on = stage();
      on.texts.push('seen by keys');
      keys(on, signs[kind], ...Array.from({ length: count }, (_, at) => ['Enter', ...(ways[at] ?? [])]).flat());
      expect([kind, on.book.all.map((one) => one.kind)]).toEqual([kind, [kind]]);
    }
  });

  it('an outline ends on its first point, or with the last one once more', () => {
    for (const end of [[...times(4, '+ArrowRight'), 'Enter'], ['Enter']]) {
      const on = heard();
      keys(on, 'u', 'Enter', '+ArrowUp', '+ArrowUp', 'Enter', ...times(4, '+ArrowLeft'), 'Enter');
      const three = [[100, 55], [100, 42.5], [50, 42.5]] as const;
      keys(on, '+ArrowDown', '+ArrowDown');
      if (end.length > 1) keys(on, ...end);
      else keys(on, 'Enter', ...end);
      const corners = end.length > 1 ? three : [...three, [50, 55] as const];
      expect(only(on).points).toEqual(near(corners));
      expect(on.hints).toContain('outline');
    }
  });

  it('an outline of no width comes to nothing, and that is said', () => {
    const on = heard();
    keys(on, 'u', 'Enter', '+ArrowLeft', 'Enter', '+ArrowLeft', 'Enter', 'ArrowLeft', 'Enter', 'Enter');
    expect([on.book.all, on.said.at(-1)]).toEqual([[], 'nothing']);
  });

  it('Backspace takes points back one by one, counted ones too; Escape gives up all', () => {
    const on = heard();
    keys(on, 'a', 'Enter', '+ArrowLeft', 'Enter', 'Backspace');
    expect(on.said.at(-1)).toEqual({ points: 1 });
    keys(on, '+ArrowUp', 'Enter', '+ArrowLeft', 'Enter');
    expect(only(on).points).toEqual(near([[100, 55], [87.5, 48.75], [75, 48.75]]));
    keys(on, 'Enter', 'Backspace');
    expect(on.said.at(-1)).toEqual({ points: 0 });
    keys(on, 'Enter', '+ArrowLeft', 'Enter', 'Escape');
    expect([on.book.all.length, on.book.tool]).toEqual([1, 'angle']);
    keys(on, 'j', 'Enter', '+ArrowLeft', 'Enter', '+ArrowLeft', 'Enter', 'Backspace');
    expect(on.book.selected).toMatchObject({ kind: 'counter', points: near([[62.5, 48.75], [50, 48.75]]) });
  });

  it('a point that a mouse set is taken back, too', () => {
    const on = stage('length');
    click(on, [10, 10]);
    expect(on.layer.making.isBegun).toBe(true);
    expect(keys(on, 'Backspace')).toEqual([true]);
    expect(on.layer.making.isOpen).toBe(false);
  });

  it('marks are gone through, and what is chosen of one is moved: a point, all of it, its label', () => {
    const on = heard();
    on.book.add({ kind: 'ellipse', instance_id: 'picture-0', frame: 1, points: [[20, 20], [40, 20], [30, 15], [30, 25]], text: '', values: [{ name: 'area', value: 1, unit: 'mm2' }] });
    on.book.add({ kind: 'length', instance_id: 'picture-0', frame: 1, points: [[10, 10], [20, 10]], text: '', values: [{ name: 'length', value: 5, unit: 'mm' }] });
    on.book.select(null);
    on.layer.draw(pen(), seen());
    keys(on, '>');
    expect(on.book.selected?.kind).toBe('ellipse');
    keys(on, '>', '>', '<', '<');
    expect(on.book.selected?.kind).toBe('ellipse');
    keys(on, ...times(5, '#'));
    expect(on.book.handle).toBe('whole');
    keys(on, '+ArrowRight', 'ArrowDown');
    expect(on.book.selected?.points).toEqual(near([[25, 20.25], [45, 20.25], [35, 15.25], [35, 25.25]]));
    expect(on.said.at(-1)).toEqual({ mark: on.book.selected });
    on.layer.draw(pen(), seen());
    keys(on, '#');
    expect(on.book.handle).toBe('label');
    const box = on.layer.nudging.labelBox('mark-1');
    keys(on, '+ArrowUp');
    on.layer.draw(pen(), seen());
    expect((box?.y ?? 0) - (on.layer.nudging.labelBox('mark-1')?.y ?? 0)).toBeCloseTo(20);
    keys(on, "'", "'");
    expect(on.book.handle).toBe(3);
  });
});
