/** Marks by keys, and the way back. */

import { describe, expect, it } from 'vitest';
import { pressMarkKey } from './keys';
import { near, only, pictureAt, pull, seen, stage, type Stage } from './stage';

describe('keys', () => {
  const keyed = (on: Stage, key: string, more: Partial<KeyboardEvent> = {}, place = 0): boolean => {
    const event = { key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more } as KeyboardEvent;
    return pressMarkKey(event, { ...on, seen: seen(place), picture: pictureAt(place) });
  };

  it('move a handle that was pointed out by half a pixel, by five with Shift; otherwise they scroll', () => {
    const on = stage('length');
    pull(on, [10, 10], [30, 10]);
    expect(keyed(on, 'ArrowDown')).toBe(false);
    expect(keyed(on, '#')).toBe(true);
    expect(keyed(on, '#')).toBe(true);
    expect(keyed(on, 'ArrowRight')).toBe(true);
    expect(keyed(on, 'ArrowRight', { shiftKey: true })).toBe(true);
    expect(only(on).points).toEqual(near([[10, 10], [35.5, 10]]));
    expect(keyed(on, 'ArrowDown', {}, 1)).toBe(false); // on another picture
    expect(on.book.undo()).toBe(true); // both together
    expect(only(on).points).toEqual(near([[10, 10], [30, 10]]));
  });

  it('delete what is selected and seen, undo and redo', () => {
    const on = stage('length');
    pull(on, [10, 10], [30, 10]);
    expect(keyed(on, 'Delete', {}, 1)).toBe(false);
    expect(keyed(on, 'Delete')).toBe(true);
    expect(on.book.all).toEqual([]);
    expect(keyed(on, 'z', { ctrlKey: true })).toBe(true);
    expect(only(on)).toMatchObject({ id: 'mark-2', revision: 0, points: [[10, 10], [30, 10]] }); // deleted for good: a new one
    keyed(on, 'z', { ctrlKey: true });
    expect(on.book.all).toEqual([]);
    keyed(on, 'Z', { ctrlKey: true, shiftKey: true });
    keyed(on, 'y', { ctrlKey: true });
    expect(on.book.all).toEqual([]);
  });

  it('choose, add and delete points of a free outline', () => {
    const on = stage();
    const points = [[10, 10], [30, 10], [30, 30], [10, 30]] as const;
    on.book.add({ kind: 'freehand', instance_id: 'picture-0', frame: 1, points, text: '', values: [] });
    keyed(on, '#');
    expect(keyed(on, '+')).toBe(true);
    expect(only(on).points).toEqual(near([[10, 10], [20, 10], [30, 10], [30, 30], [10, 30]]));
    keyed(on, 'ArrowUp');
    expect(only(on).points[1]).toEqual([20, 9.75]); // rows are twice as high
    keyed(on, 'Delete');
    keyed(on, 'Delete');
    expect(only(on).points).toEqual(near([[30, 10], [30, 30], [10, 30]]));
    keyed(on, 'Delete'); // the last three stay together
    expect(only(on).points).toHaveLength(3);
    on.book.select('mark-1');
    keyed(on, 'Delete');
    expect(on.book.all).toEqual([]);
  });

  it('take the tool again before each measurement; one Escape lays it down', () => {
    const on = stage();
    keyed(on, 'm');
    pull(on, [10, 10], [30, 10]);
    keyed(on, 'm');
    expect(pull(on, [10, 30], [30, 30])).toBe(true); // not the window's
    expect(on.book.all).toHaveLength(2);
    keyed(on, 'Escape');
    expect([on.book.tool, on.book.selected]).toEqual([null, null]);
    keyed(on, 'm');
    expect(on.book.tool).toBe('length');
  });

  it('take tools in hand and lay them down', () => {
    const on = stage();
    keyed(on, 'g');
    expect(on.book.tool).toBe('ellipse');
    keyed(on, 'Escape');
    expect(on.book.tool).toBeNull();
    expect(keyed(on, 's')).toBe(false);
    expect([keyed(on, 'x'), keyed(on, 't'), keyed(on, 'M', { shiftKey: true })]).toEqual([false, false, false]);
    keyed(on, 'X', { shiftKey: true });
    expect(on.book.tool).toBe('point');
    keyed(on, '*');
    expect(only(on).kind).toBe('key');
  });
});

describe('the way back', () => {
  it('goes back at least a hundred steps', () => {
    const on = stage('length');
    pull(on, [10, 10], [30, 10]);
    for (let at = 1; at <= 120; at += 1) on.book.change('mark-1', { text: `${at}` });
    for (let at = 0; at < 120; at += 1) expect(on.book.undo()).toBe(true);
    expect(only(on).text).toBe('');
    for (let at = 0; at < 120; at += 1) expect(on.book.redo()).toBe(true);
    expect(only(on).text).toBe('120');
  });

  it('does not undo what somebody else changed since', () => {
    const on = stage('length');
    pull(on, [10, 10], [30, 10]);
    on.book.change('mark-1', { text: 'mine' });
    on.book.take('mark-1', { ...only(on), text: 'theirs', revision: 4 });
    expect(on.book.undo()).toBe(false);
    expect(only(on).text).toBe('theirs');
  });
});
