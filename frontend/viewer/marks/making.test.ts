/** Making and moving marks by mouse and finger. */

import { describe, expect, it } from 'vitest';
import { readFrame } from '../frame';
import { isSound, type Mark, type Spot } from './mark';
import { simplified } from './shapes';
import { click, me, near, only, pen, pictureAt, pull, seen, stage, touch, type Stage } from './stage';

describe('making', () => {
  it('draws a length with the button held', () => {
    const on = stage('length');
    expect(pull(on, [10, 10], [30, 10])).toBe(true);
    expect(only(on)).toMatchObject({ kind: 'length', instance_id: 'picture-0', frame: 1, revision: 0, author: me });
    expect(only(on).points).toEqual([[10, 10], [30, 10]]);
    expect(only(on).values).toEqual([{ name: 'length', value: 10, unit: 'mm' }]);
    expect(on.book.selected).toBe(only(on));
  });

  it('draws a length with two clicks, its end following the mouse between them', () => {
    const on = stage('length');
    click(on, [10, 10]);
    expect(on.book.all).toEqual([]);
    on.layer.hover(touch([20, 10], seen()), seen());
    click(on, [30, 10]);
    expect(only(on).points).toEqual([[10, 10], [30, 10]]);
  });

  it('makes nothing of a double click on one place', () => {
    const on = stage('length');
    click(on, [10, 10]);
    click(on, [10, 10]);
    expect(on.book.all).toEqual([]);
  });

  it('draws an angle: an arm to the vertex, then the other arm', () => {
    const on = stage('angle');
    pull(on, [30, 20], [10, 20]);
    on.layer.hover(touch([12, 30], seen()), seen());
    click(on, [10, 40]);
    expect(only(on).points).toEqual([[30, 20], [10, 20], [10, 40]]);
    expect(only(on).values[0]?.value).toBeCloseTo(90, 9);
  });

  it.each(['mouse', 'touch'])('draws an angle by two pulls, and says what comes next while it is unfinished (%s)', (pointerType) => {
    const on = stage('angle');
    pull(on, [30, 20], [10, 20], { pointerType });
    expect(on.hints.at(-1)).toBe('third');
    pull(on, [10, 20], [10, 20], { pointerType }); // once more on the vertex: no angle yet, and none lost
    expect([on.book.all, on.hints.at(-1)]).toEqual([[], 'third']);
    pull(on, [10, 20], [10, 40], { pointerType });
    expect(only(on).points).toEqual([[30, 20], [10, 20], [10, 40]]);
    expect(on.hints.at(-1)).toBeNull();
    const clicked = stage('angle');
    for (const at of [[30, 20], [10, 20], [10, 40]] as const) click(clicked, at, pointerType);
    expect(clicked.hints).toEqual(['vertex', 'third', null]);
    expect(only(clicked).points).toEqual(only(on).points);
    const lines = stage('cobb');
    pull(lines, [10, 10], [50, 10], { pointerType });
    expect(lines.hints.at(-1)).toBe('second');
    lines.layer.escape();
    expect(lines.hints.at(-1)).toBeNull();
  });

  it('draws a Cobb angle as two lines, by clicks or by pulls', () => {
    const on = stage('cobb');
    pull(on, [10, 10], [50, 10]);
    click(on, [10, 40]);
    click(on, [50, 60]);
    expect(only(on).points).toEqual([[10, 10], [50, 10], [10, 40], [50, 60]]);
    expect(only(on).values[0]?.value).toBeCloseTo(45, 9);
  });

  it('turns the second line of a Cobb angle whose number is the lesser of two, and keeps the number when an end moves', async () => {
    const on = stage('cobb');
    pull(on, [10, 10], [50, 10]);
    pull(on, [50, 30], [10, 32]); // drawn the other way: 168.7° by their directions
    const mark = only(on);
    const lesser = 180 - (mark.values[0]?.value ?? 0);
    on.book.take(mark.id, { ...mark, revision: 3, values: [{ name: 'angle', value: lesser, unit: 'deg' }] }); // as it was kept
    on.edits.length = 0;
    on.layer.draw(pen(), seen());
    await Promise.resolve();
    expect(only(on).points).toEqual([[10, 10], [50, 10], [10, 32], [50, 30]]);
    expect([only(on).values[0]?.value, only(on).revision, on.edits.length]).toEqual([lesser, 3, 0]);
    const turned = only(on);
    on.layer.draw(pen(), seen());
    await Promise.resolve();
    expect(only(on)).toBe(turned);
    on.book.tool = null;
    pull(on, [50, 30], [50, 30.5]);
    expect(only(on).values[0]?.value).toBeLessThan(lesser);
    expect(only(on).values[0]?.value).toBeGreaterThan(lesser - 3);
  });

  it('keeps the short axis at a right angle in millimetres, and puts the longer one first', () => {
    const on = stage('bidirectional');
    pull(on, [10, 10], [30, 20]); // 10 mm across, 10 mm down
    pull(on, [20, 15], [40, 15]);
    expect(only(on).points).toEqual(near([[10, 10], [30, 20], [20, 15], [30, 10]]));
    const other = stage('bidirectional');
    pull(other, [10, 40], [20, 40]);
    pull(other, [15, 30], [17, 50]);
    expect(only(other).points).toEqual(near([[15, 30], [15, 50], [10, 40], [20, 40]]));
    expect(only(other).values.map(({ value }) => value)).toEqual([20, 5]);
  });

  it('draws ellipse and rectangle between two corners, square with Shift', () => {
    const on = stage('ellipse');
    pull(on, [10, 10], [30, 50]);
    expect(only(on).points).toEqual([[20, 10], [20, 50], [10, 30], [30, 30]]);
    expect(only(on).values.find(({ name }) => name === 'mean')).toEqual({ name: 'mean', value: 40, unit: "[hnsf'U]" });
    const square = stage('rectangle');
    pull(square, [10, 10], [30, 12], { shift: true });
    expect(only(square).points).toEqual(near([[10, 10], [30, 10], [30, 20], [10, 20]]));
  });

  it('thins out a freehand line and closes it', () => {
    const on = stage('freehand');
    const start = seen();
    on.layer.press(touch([30, 40], start), start);
    for (let at = 0; at <= 200; at += 1) {
      const turn = (at / 200) * 2 * Math.PI;
      on.layer.drag(touch([20 + 10 * Math.cos(turn), 40 + 10 * Math.sin(turn)], start), start);
    }
    on.layer.release(touch([30, 40], start), start);
    expect(only(on).points.length).toBeGreaterThan(8);
    expect(only(on).points.length).toBeLessThan(40);
    const area = only(on).values.find(({ name }) => name === 'area')?.value ?? 0;
    expect(Math.abs(area - Math.PI * 50) / (Math.PI * 50)).toBeLessThan(0.03);
    expect(isSound(only(on))).toBe(true);
    expect(simplified([[0, 0], [1, 0.1], [2, 0], [2, 2]], 0.2)).toEqual([[0, 0], [2, 0], [2, 2]]);
  });

  it('keeps to the picture and to straight lines with Shift', () => {
    const on = stage('length');
    pull(on, [90, 10], [140, 13], { shift: true });
    expect(only(on).points).toEqual(near([[90, 10], [100, 10]]));
  });

  it('numbers what is clicked, in one mark until Escape', () => {
    const on = stage('counter');
    click(on, [10, 10]);
    click(on, [20, 10]);
    click(on, [30, 10]);
    expect(on.book.all.length).toBe(1);
    expect(only(on).values).toEqual([{ name: 'count', value: 3, unit: '1' }]);
    on.layer.escape();
    expect([on.book.tool, on.book.selected]).toEqual([null, null]);
    on.book.tool = 'counter';
    click(on, [50, 50]);
    expect(on.book.all.map(({ points }) => points.length)).toEqual([3, 1]);
  });

  it('asks for a text: none is no text, an arrow does without', () => {
    const on = stage('text');
    on.texts.push(null, 'Rundherd');
    click(on, [10, 10]);
    expect(on.book.all).toEqual([]);
    click(on, [10, 10]);
    expect(only(on).text).toBe('Rundherd');
    const arrow = stage('arrow');
    arrow.texts.push('', null);
    pull(arrow, [10, 10], [30, 30]);
    expect(only(arrow)).toMatchObject({ points: [[10, 10], [30, 30]], text: '' });
    pull(arrow, [50, 50], [70, 70]); // its text was given up: the arrow stays
    expect(arrow.book.all).toHaveLength(2);
  });

  it('reads one pixel, and flags a key image and takes the flag back', () => {
    const on = stage('point');
    click(on, [10.5, 10.5]);
    expect(only(on).values).toEqual([{ name: 'value', value: 40, unit: "[hnsf'U]" }]);
    on.book.toggleKey(pictureAt(3));
    expect(on.book.on(pictureAt(3))[0]).toMatchObject({ kind: 'key', points: [] });
    on.book.toggleKey(pictureAt(3));
    expect(on.book.on(pictureAt(3))).toEqual([]);
  });

  it('gives up with Escape, with a second finger, and on another picture', () => {
    const on = stage('length');
    click(on, [10, 10]);
    expect(on.layer.escape()).toBe(true);
    click(on, [30, 30]);
    expect(on.book.all).toEqual([]);
    on.layer.hover(touch([40, 40], seen(1)), seen(1)); // scrolled on
    click(on, [50, 50]);
    expect(on.book.all).toEqual([]);
    on.layer.escape();
    on.book.tool = 'length';
    on.layer.press(touch([10, 10], seen()), seen());
    on.layer.drag(touch([30, 10], seen()), seen());
    on.layer.cancel();
    on.layer.release(touch([30, 10], seen()), seen());
    expect(on.book.all).toEqual([]);
  });

  it('keeps the first point of two clicks while fingers zoom between them', () => {
    const on = stage('length');
    click(on, [10, 10], 'touch');
    on.layer.press(touch([50, 50], seen(), { pointerType: 'touch' }), seen());
    on.layer.cancel();
    pull(on, [30, 10], [30, 10], { pointerType: 'touch' });
    expect(only(on).points).toEqual([[10, 10], [30, 10]]);
  });

  it('gives the finger back to the picture after one mark', () => {
    const on = stage('length');
    pull(on, [10, 10], [30, 10], { pointerType: 'touch' });
    expect(on.book.tool).toBeNull();
    expect(pull(on, [60, 60], [70, 70], { pointerType: 'touch' })).toBe(false);
  });
});

describe('moving', () => {
  it('moves an end, live values and all, and goes back step by step', () => {
    const on = stage('length');
    pull(on, [10, 10], [30, 10]);
    on.book.tool = null;
    pull(on, [30, 10], [50, 10]);
    expect(only(on).values[0]?.value).toBe(20);
    expect(on.book.undo()).toBe(true);
    expect(only(on).values[0]?.value).toBe(10);
    on.book.redo();
    expect(only(on).points[1]).toEqual([50, 10]);
  });

  it('moves as a whole by its line, within the picture', () => {
    const on = stage('length');
    pull(on, [10, 10], [30, 10]);
    on.book.tool = null;
    pull(on, [20, 10], [8, 12]);
    expect(only(on).points).toEqual([[0, 12], [20, 12]]);
  });

  it('tells the values of a colleague’s region again once the picture is whole, where it was changed on a coarse one', async () => {
    const on = stage();
    const whole = seen();
    const coarse = { ...whole, frame: readFrame({ ...whole.frame.facts, coarse: [40, 50] }, new Uint16Array(2000).buffer) };
    const colleague = { id: 'other', name: 'Groß' };
    const points: Spot[] = [[10, 10], [30, 10], [30, 30], [10, 30]];
    const region = on.book.add({ kind: 'rectangle', instance_id: 'picture-0', frame: 1, points, text: '', values: [] });
    const theirs: Mark = { ...region, revision: 1, author: colleague, changed_by: colleague };
    const draw = async (): Promise<boolean> => {
      on.layer.draw(pen(), whole);
      await Promise.resolve();
      return only(on).values.some(({ name }) => name === 'mean');
    };
    on.book.take(region.id, theirs);
    expect(await draw()).toBe(false); // theirs is theirs
    pull(on, [30, 30], [50, 60], { on: coarse });
    expect([only(on).points[2], only(on).values.map(({ name }) => name)]).toEqual([[50, 60], ['area', 'perimeter']]);
    expect(await draw()).toBe(true);
    expect([only(on).author.id, on.edits.at(-1)?.after?.values.length]).toEqual(['other', 6]);
  });

  it('lets a finger select before it moves', () => {
    const on = stage('length');
    pull(on, [10, 10], [30, 10]);
    on.book.tool = null;
    on.book.select(null);
    pull(on, [20, 10], [20, 30], { pointerType: 'touch' });
    expect(only(on).points).toEqual([[10, 10], [30, 10]]);
    expect(on.book.selected).toBe(only(on));
    pull(on, [33, 12], [53, 12], { pointerType: 'touch' }); // 20 pixels beside the handle: it does not jump there
    expect(only(on).points).toEqual([[10, 10], [50, 10]]);
  });

  it('turns the short axis with the long one', () => {
    const on = stage('bidirectional');
    pull(on, [10, 40], [50, 40]);
    pull(on, [30, 35], [30, 45]);
    on.book.tool = null;
    pull(on, [50, 40], [10, 60]);
    const [a, b, c, d] = only(on).points as [Spot, Spot, Spot, Spot];
    expect([a, b]).toEqual([[10, 40], [10, 60]]);
    expect((c[1] - d[1]) * 1).toBeCloseTo(0, 9);
    expect(Math.abs(c[0] - d[0]) * 0.5).toBeCloseTo(10, 9);
  });

  it('keeps a rectangle square at its corners and an ellipse at its axes', () => {
    const on = stage('rectangle');
    pull(on, [10, 10], [30, 30]);
    on.book.tool = null;
    pull(on, [30, 30], [50, 60]);
    expect(only(on).points).toEqual(near([[10, 10], [50, 10], [50, 60], [10, 60]]));
    const round = stage('ellipse');
    pull(round, [10, 10], [50, 30]);
    round.book.tool = null;
    pull(round, [50, 20], [30, 40]); // its right end pulled down: turned by a quarter
    expect(only(round).points).toEqual(near([[30, 0], [30, 40], [50, 20], [10, 20]].map(([x, y]) => [x, y] as unknown as Spot)));
  });

  it('moves with the picture turned by a quarter', () => {
    const on = stage('length');
    pull(on, [10, 10], [30, 10], { on: seen(0, true) });
    on.book.tool = null;
    pull(on, [30, 10], [30, 30], { on: seen(0, true) });
    expect(only(on).points).toEqual(near([[10, 10], [30, 30]]));
  });

  it('puts a label elsewhere and keeps it there, without changing what the mark says', () => {
    const on = stage('length');
    pull(on, [10, 10], [30, 10]);
    on.book.tool = null;
    const before = on.edits.length;
    on.layer.draw(pen(), seen());
    pull(on, [35, 10], [60, 30]); // the label stands 14 pixels right of the line's end
    expect(on.edits.length).toBe(before + 1);
    expect(only(on)).toMatchObject({ points: [[10, 10], [30, 10]], label: [expect.any(Number), expect.closeTo(20, 6)] });
    expect(on.book.undo()).toBe(true);
    expect(only(on).label ?? null).toBeNull();
    on.book.mayMark = false;
    on.book.moveLabel('mark-1', [3, 4]);
    expect([only(on).label ?? null, on.book.labelOf(only(on))]).toEqual([null, [3, 4]]); // a reader's own view
  });

  const outline = (on: Stage): Mark => {
    const points = Array.from({ length: 24 }, (_, at): Spot => [50 + 20 * Math.cos((at * Math.PI) / 12), 40 + 10 * Math.sin((at * Math.PI) / 12)]);
    const made = on.book.add({ kind: 'freehand', instance_id: 'picture-0', frame: 1, points, text: '', values: [] });
    on.book.tool = null;
    return made;
  };

  it('pulls a stretch of a free outline softly and leaves the rest as it is', () => {
    const on = stage();
    const before = outline(on).points;
    on.book.select('mark-1');
    pull(on, [69.8, 41], [78, 41]); // between two of its points
    const after = only(on).points;
    expect(Math.max(...after.map(([x]) => x))).toBeCloseTo(78, 0);
    for (const one of before.filter(([x]) => x < 55)) expect(after).toContainEqual(one);
    expect(only(on).values.find(({ name }) => name === 'area')?.value).toBeGreaterThan(630 * 0.5);
    expect(after.length).toBeLessThan(60);
    on.book.undo();
    expect(only(on).points).toEqual(before);
  });

  it('moves a free outline by its middle, a point of it by the point, and sets and takes points by double clicks', () => {
    const on = stage();
    const { points } = outline(on);
    on.book.select('mark-1');
    pull(on, [50, 40], [55, 42]);
    expect(only(on).points).toEqual(near(points.map(([x, y]) => [x + 5, y + 2])));
    on.book.undo();
    pull(on, [70, 40], [74, 40]); // its first point
    expect(only(on).points).toEqual(near([[74, 40], ...points.slice(1)]));
    on.book.undo();
    const between: Spot = [(points[0]![0] + points[1]![0]) / 2, (points[0]![1] + points[1]![1]) / 2];
    click(on, between);
    click(on, between);
    expect(only(on).points).toEqual(near([points[0] as Spot, between, ...points.slice(1)]));
    expect(on.book.handle).toBe(1);
  });

  it('draws every kind with what it says', () => {
    const on = stage('length');
    for (const kind of ['length', 'angle', 'cobb', 'bidirectional', 'ellipse', 'rectangle'] as const) {
      on.book.tool = kind;
      on.book.select(null); // or its end would be pulled
      pull(on, [10, 10], [40, 20]);
      if (kind === 'cobb' || kind === 'bidirectional') pull(on, [20, 40], [50, 60]);
      if (kind === 'angle') click(on, [50, 60]);
    }
    on.book.tool = 'point';
    click(on, [70, 70]);
    on.book.tool = 'counter';
    click(on, [80, 70]);
    on.book.toggleKey(pictureAt(0));
    const drawn = pen();
    on.layer.draw(drawn, seen());
    expect(on.book.all.length).toBe(9);
    const said = drawn.texts.join(' | ');
    for (const part of ['18,0\u00a0mm', '°', 'Cobb', '×', 'mean 40,0 ± 0,0\u00a0HU', '40\u00a0HU']) expect(said).toContain(part);
  });

  it('changes nothing for who may only look', () => {
    const on = stage('length');
    pull(on, [10, 10], [30, 10]);
    on.book.mayMark = false;
    pull(on, [30, 10], [50, 10]);
    on.book.remove('mark-1');
    expect(on.book.undo()).toBe(false);
    expect(only(on).points).toEqual([[10, 10], [30, 10]]);
    on.book.tool = 'length';
    expect(on.book.tool).toBeNull();
  });
});
