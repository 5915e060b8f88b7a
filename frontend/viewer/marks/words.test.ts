/** Finding marks under a pointer, what their labels say and where they stand, and marks as they travel. */

import { describe, expect, it, vi } from 'vitest';
import { hitAt } from './hit';
import { placed } from './label';
import { contentOf, isSound, sameContent, sameMeaning, type Mark, type MarkContent, type MarkKind, type Spot } from './mark';
import { me, only, pull, seen, stage, words } from './stage';
import { unitText } from '../units';
import { initials, labelLines, valueLines, valueText, wrapped } from './words';

describe('picking', () => {
  const mark = (id: string, points: readonly Spot[], kind: MarkKind = 'length'): Mark => ({
    id, kind, instance_id: 'picture-0', frame: 1, points, text: '', values: [], revision: 1, author: me, created_at: '',
    changed_at: '', changed_by: me,
  });
  const marks = [mark('one', [[10, 10], [50, 10]]), mark('two', [[10, 40], [50, 40], [30, 35], [30, 45]], 'ellipse')];
  const at = (spot: Spot, [dx, dy]: Spot, pointerType = 'mouse', selected: string | null = null): unknown => {
    const { x, y } = seen().toPane({ x: spot[0], y: spot[1] });
    const hit = hitAt({ marks, selected, labels: new Map() }, seen(), [x + dx, y + dy], pointerType);
    return hit && [hit.mark.id, hit.part, 'handle' in hit ? hit.handle : null];
  };

  it('finds lines within reach, not the inside of a region', () => {
    expect(at([30, 10], [0, 5])).toEqual(['one', 'body', null]);
    expect(at([30, 10], [0, 8])).toBeNull();
    expect(at([30, 40], [0, 0])).toBeNull();
    expect(at([10, 10], [2, 2])).toEqual(['one', 'handle', 0]);
  });

  it('gives a finger 44 pixels for a handle', () => {
    expect(at([50, 10], [15, 15], 'touch', 'one')).toEqual(['one', 'handle', 1]);
    expect(at([50, 10], [3, 3], 'touch')).toEqual(['one', 'body', null]);
  });
});

describe('labels', () => {
  it('stand beside their line, in the pane, off other labels', () => {
    const pane = { width: 400, height: 300 };
    const size = { width: 80, height: 24 };
    const line: readonly [Spot, Spot] = [[100, 100], [200, 100]];
    const free = placed(size, line, { pane, boxes: [], lines: [line] });
    expect(free.box).toEqual({ x: 214, y: 88, width: 80, height: 24 });
    const beside = placed(size, line, { pane, boxes: [free.box], lines: [line] });
    expect(beside.box.y > 112 || beside.box.y + 24 < 88).toBe(true);
    const edge = placed(size, [[380, 290], [395, 295]], { pane, boxes: [], lines: [[[380, 290], [395, 295]]] });
    expect(edge.box.x + 80).toBeLessThanOrEqual(394);
    expect(edge.box.y + 24).toBeLessThanOrEqual(294);
  });

  it('say numbers in the reader’s way, with units as they are written', () => {
    const say = (kind: MarkKind, values: MarkContent['values'], full = true): string[] => valueLines({ kind, values }, words, full);
    expect(say('length', [{ name: 'length', value: 42.345, unit: 'mm' }])).toEqual(['42,3\u00a0mm']);
    expect(say('bidirectional', [{ name: 'long_axis', value: 42.345, unit: 'mm' }, { name: 'short_axis', value: 20, unit: 'mm' }])).toEqual(['42,3 × 20,0\u00a0mm']);
    expect(say('cobb', [{ name: 'angle', value: 12.34, unit: 'deg' }])).toEqual(['Cobb 12,3°']);
    expect(valueText({ name: 'area', value: 99.99, unit: 'mm2' }, words)).toBe('100,0\u00a0mm²');
    expect(valueText({ name: 'area', value: 321, unit: 'mm2' }, words)).toBe('3,21\u00a0cm²');
    expect(say('ellipse', [
      { name: 'mean', value: -12.34, unit: "[hnsf'U]" }, { name: 'sd', value: 3.21, unit: "[hnsf'U]" },
      { name: 'min', value: -20, unit: "[hnsf'U]" }, { name: 'max', value: 7, unit: "[hnsf'U]" },
    ])).toEqual(['mean -12,3 ± 3,2\u00a0HU', 'min -20  max 7']);
    expect([unitText('{SUVbw}g/ml'), unitText('Bq/ml'), unitText('{Z_EFF}'), unitText('1'), unitText('10*-3{OD}')]).toEqual(['SUV', 'Bq/ml', 'Z_EFF', '', '10^-3 OD']);
  });

  it('say that there is a text where it is not for the reader', () => {
    const scale = { column: 1, row: 1, unit: 'mm', known: 'patient' } as const;
    const hidden = { values: [], text: '', text_hidden: true };
    expect(labelLines({ kind: 'text', ...hidden }, scale, words, false)).toEqual(['verborgen']);
    expect(labelLines({ kind: 'length', ...hidden }, scale, words, false)).toEqual([]);
    expect(labelLines({ kind: 'length', ...hidden }, scale, words, true)).toEqual(['verborgen']);
  });

  it('break long texts and sign with initials', () => {
    expect(wrapped('ein kleiner Rundherd im rechten Oberlappen', 20)).toEqual(['ein kleiner Rundherd', 'im rechten', 'Oberlappen']);
    expect(initials({ author: me })).toBe('KW');
  });
});

describe('as it travels', () => {
  it('stays the same through JSON, and is told apart by what it says', () => {
    const on = stage('length');
    pull(on, [10.123456789, 10], [30, 10]);
    const sent = contentOf(only(on));
    const back = JSON.parse(JSON.stringify(sent)) as MarkContent;
    expect(back).toEqual(sent);
    expect(sameContent(sent, back)).toBe(true);
    expect(sameContent(sent, { ...back, text: 'x' })).toBe(false);
    expect(sameContent(sent, { ...back, points: [[10.2, 10], [30, 10]] })).toBe(false);
    expect([sameContent, sameMeaning].map((same) => same(sent, { ...back, label: [1, 2] }))).toEqual([false, true]);
    const space = { series_id: 's', frame_of_reference: '1.2', points: [[1, 2, 3], [4, 5, 6]] as const };
    const inPatient: MarkContent = { ...back, instance_id: null, frame: null, points: [], space };
    expect([isSound(inPatient), sameContent(inPatient, JSON.parse(JSON.stringify(inPatient)) as MarkContent)]).toEqual([true, true]);
    expect(isSound({ ...inPatient, kind: 'ellipse' })).toBe(false);
    expect(sameContent(inPatient, { ...inPatient, space: { ...space, points: [[1, 2, 3], [4, 5, 6.5]] } })).toBe(false);
    expect(Object.keys(sent).sort()).toEqual(['frame', 'instance_id', 'kind', 'label', 'points', 'space', 'text', 'values']);
  });

  it('draws nothing of a mark whose points are not its kind’s', () => {
    const broken = { kind: 'length', instance_id: 'a', frame: 1, points: [[1, NaN], [2, 2]], text: '', values: [] } as const;
    expect(isSound(broken)).toBe(false);
    expect(isSound({ ...broken, points: [[1, 1]] })).toBe(false);
    expect(isSound({ ...broken, kind: 'cloud' as MarkKind })).toBe(false);
  });

  it('tells who listens once for a change', () => {
    const on = stage('length');
    const heard = vi.fn();
    const leave = on.book.listen(heard);
    pull(on, [10, 10], [30, 10]);
    expect(heard.mock.calls.length).toBeGreaterThan(0);
    leave();
    heard.mockClear();
    on.book.remove('mark-1');
    expect(heard).not.toHaveBeenCalled();
  });
});
