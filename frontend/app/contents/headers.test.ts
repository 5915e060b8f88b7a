import { describe, expect, test } from 'vitest';
import type { HeaderRow } from '../api/contents';
import { foldable, treeOf, visible } from './headers';

function row(depth: number, tag: string, name: string, value = '', more: Partial<HeaderRow> = {}): HeaderRow {
  return { depth, tag, vr: 'LO', name, keyword: name.replaceAll(' ', ''), length: value.length, value, more: false, bulk: false, mark: '', count: null, creator: '', ...more };
}

const first = [
  row(0, '00080060', 'Modality', 'CT'),
  row(0, '00081140', 'Referenced Image Sequence', '', { vr: 'SQ', count: 2 }),
  row(1, '', '', '1'),
  row(2, '00081155', 'Referenced SOP Instance UID', '1.2.3'),
  row(1, '', '', '2'),
  row(2, '00081155', 'Referenced SOP Instance UID', '1.2.4'),
  row(0, '7FE00010', 'Pixel Data', '', { bulk: true, mark: 'aa', length: 512 }),
];
const second = [
  row(0, '00080060', 'Modality', 'CT'),
  row(0, '00080070', 'Manufacturer', 'ACME'),
  row(0, '00081140', 'Referenced Image Sequence', '', { vr: 'SQ', count: 2 }),
  row(1, '', '', '1'),
  row(2, '00081155', 'Referenced SOP Instance UID', '1.2.3'),
  row(1, '', '', '2'),
  row(2, '00081155', 'Referenced SOP Instance UID', '1.2.5'),
  row(0, '7FE00010', 'Pixel Data', '', { bulk: true, mark: 'bb', length: 512 }),
];
const all = { text: '', differences: false, folded: new Set<string>() };
const paths = (nodes: { path: string }[]) => nodes.map((one) => one.path);

describe('attributes as a tree', () => {
  test('stand under the item that holds them', () => {
    expect(paths(visible(treeOf(first, null), all))).toEqual([
      '00080060', '00081140', '00081140/0', '00081140/0/00081155', '00081140/1', '00081140/1/00081155', '7FE00010',
    ]);
  });

  test('what is folded is not shown, but found by a search', () => {
    const tree = treeOf(first, null);
    const folded = new Set(foldable(tree));
    expect(paths(visible(tree, { ...all, folded }))).toEqual(['00080060', '00081140', '7FE00010']);
    expect(paths(visible(tree, { ...all, folded, text: '1.2.4' }))).toEqual(['00081140', '00081140/1', '00081140/1/00081155']);
  });

  test('are found by tag however it is written, by name and by keyword', () => {
    const tree = treeOf(first, null);
    for (const text of ['(0008,0060)', '00080060', '0008 0060', 'modality', 'MODAL', 'ct']) {
      expect(paths(visible(tree, { ...all, text })), text).toContain('00080060');
    }
    expect(visible(tree, { ...all, text: 'nowhere' })).toEqual([]);
  });

  test('two objects stand beside one another in the order of tags', () => {
    const tree = treeOf(first, second);
    expect(paths(visible(tree, all)).slice(0, 3)).toEqual(['00080060', '00080070', '00081140']);
    const manufacturer = tree.find((one) => one.path === '00080070');
    expect([manufacturer?.one, manufacturer?.other?.value]).toEqual([null, 'ACME']);
  });

  test('only differences are what differs and what stands above it', () => {
    const tree = treeOf(first, second);
    expect(paths(visible(tree, { ...all, differences: true }))).toEqual([
      '00080070', '00081140', '00081140/1', '00081140/1/00081155', '7FE00010',
    ]);
    expect(visible(treeOf(first, first), { ...all, differences: true })).toEqual([]);
  });
});
