/** Saving over a line on which answers get lost or overtake one another. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiProblem } from '../api/client';
import type { Mark } from '$viewer/marks/mark';
import { later, LINE, other, shared, start } from './table';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a mark whose answer was lost', () => {
  /** A mark that the server has, and its reader does not know it. */
  async function unheard(): Promise<ReturnType<typeof start> & { id: string }> {
    const all = start();
    all.table.losing = true;
    const { id } = all.book.add(LINE);
    await later(500);
    expect([all.table.marks.size, all.autosave.saving]).toEqual([1, 'unsaved']);
    return { ...all, id };
  }

  it('is changed further without a question', async () => {
    const { table, book, autosave, id } = await unheard();
    book.change(id, { text: 'dragged' });
    await later(500);
    expect(table.heard).toEqual(['put - on 0', 'put dragged on 0', 'put dragged on 1']);
    expect([autosave.conflicts, autosave.saving, book.get(id)?.text]).toEqual([[], 'saved', 'dragged']);
  });

  it('keeps a change that is only of its label', async () => {
    const { table, book, autosave, id } = await unheard();
    book.moveLabel(id, [5, 5]);
    await later(500);
    expect([table.marks.get(id)?.label, book.get(id)?.label, autosave.saving]).toEqual([[5, 5], [5, 5], 'saved']);
  });

  it('is deleted without a question', async () => {
    const { table, book, autosave, id } = await unheard();
    book.remove(id);
    await later(500);
    expect([table.marks.size, book.all, autosave.conflicts, autosave.saving]).toEqual([0, [], [], 'saved']);
  });

  it('goes back to what it was before', async () => {
    const { table, book, autosave } = start();
    const { id } = book.add(LINE);
    await later(500);
    table.losing = true;
    book.change(id, { text: 'by mistake' });
    await later(500);
    book.undo();
    await later(500);
    expect([table.marks.get(id)?.text, book.get(id)?.text, autosave.conflicts, autosave.saving]).toEqual(['', '', [], 'saved']);
  });

  it('is changed further also when its study is left', async () => {
    const { table, book, autosave, lost, id } = await unheard();
    book.change(id, { text: 'dragged' });
    autosave.close();
    await later(500);
    expect([table.marks.get(id)?.text, lost, autosave.saving]).toEqual(['dragged', [], 'saved']);
  });

  it('is asked about where somebody else changed it since', async () => {
    const { table, book, autosave, id } = await unheard();
    table.change(id, 'theirs');
    book.change(id, { text: 'mine' });
    await later(500);
    expect(autosave.conflicts).toMatchObject([{ mine: { text: 'mine' }, theirs: { text: 'theirs', changed_by: other } }]);
    expect(book.get(id)?.text).toBe('theirs');
  });
});

describe('lists that overtake one another', () => {
  /** Two lists that are asked for one after the other, with something done between; the later one comes first. */
  async function overtaken({ table, autosave }: ReturnType<typeof start>, between: () => void): Promise<void> {
    const held: (() => void)[] = (table.held = []);
    const first = autosave.refresh();
    between();
    const second = autosave.refresh();
    table.held = null;
    held[1]?.();
    await second;
    held[0]?.();
    await first;
  }

  it('do not take away what only the later one knows, such as the marks of a study beside', async () => {
    const all = await shared();
    const beside = { ...(all.table.marks.get(all.id) as Mark), id: 'beside', instance_id: 'prior', author: other };
    await overtaken(all, () => all.table.marks.set('beside', beside));
    expect(all.book.all.map(({ id }) => id)).toEqual([all.id, 'beside']);
  });

  it('do not bring back what somebody deleted', async () => {
    const all = await shared();
    await overtaken(all, () => all.table.marks.delete(all.id));
    expect(all.book.all).toEqual([]);
  });

  it('are both taken where they come in order, and the earlier one where the later fails', async () => {
    const { table, book, autosave, id } = await shared();
    const held: (() => void)[] = (table.held = []);
    table.change(id, 'theirs');
    const first = autosave.refresh();
    const second = autosave.refresh();
    table.held = null;
    table.failing = new ApiProblem(503, 'error', '');
    held[1]?.();
    await expect(second).rejects.toThrow(ApiProblem);
    table.failing = null;
    held[0]?.();
    await first;
    expect(book.get(id)?.text).toBe('theirs');
    table.change(id, 'newer');
    await autosave.refresh();
    expect(book.get(id)?.text).toBe('newer');
  });
});
