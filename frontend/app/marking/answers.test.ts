/** Saving over a line on which answers get lost or overtake one another. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiProblem } from '../api/client';
import type { Mark } from '$viewer/marks/mark';
import { other, shared, start } from './table';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

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
