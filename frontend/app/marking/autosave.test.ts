/** Saving by itself: in order, over broken lines, beside others. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiProblem } from '../api/client';
import type { Mark } from '$viewer/marks/mark';
import { later, LINE, other, shared, start } from './table';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('saving', () => {
  it('waits a moment and sends once what was changed in it', async () => {
    const { table, book, autosave } = start();
    const { id } = book.add(LINE);
    book.change(id, { text: 'a' });
    expect(autosave.saving).toBe('saving');
    await later(500);
    expect(table.heard).toEqual(['put a on 0']);
    expect(autosave.saving).toBe('saved');
    expect(book.get(id)?.revision).toBe(1);
  });

  it('sends a change that came meanwhile after the first, on its revision', async () => {
    const { table, book, autosave } = start();
    table.held = [];
    const { id } = book.add(LINE);
    await later(500);
    book.change(id, { text: 'b' });
    await later(500);
    expect(table.heard).toEqual(['put - on 0']);
    const held = table.held;
    table.held = null;
    for (const go of held) go();
    await later(500);
    expect(table.heard).toEqual(['put - on 0', 'put b on 1']);
    expect(book.get(id)).toMatchObject({ text: 'b', revision: 2 });
    expect(autosave.saving).toBe('saved');
  });

  it('sends nothing of what was made and deleted at once, and deletes what was sent', async () => {
    const { table, book } = start();
    book.remove(book.add(LINE).id);
    await later(500);
    expect(table.heard).toEqual([]);
    const { id } = book.add(LINE);
    await later(500);
    book.remove(id);
    await later(500);
    expect(table.heard).toEqual(['put - on 0', 'delete on 1']);
    book.undo();
    await later(500);
    expect(table.marks.size).toBe(1);
  });

  it('tries again ever more slowly while the line is broken, and at once when it is back', async () => {
    const { table, book, autosave } = start();
    table.failing = new ApiProblem(0, 'unreachable', '');
    book.add(LINE);
    await later(500);
    expect(autosave.saving).toBe('unsaved');
    await later(20_000);
    expect(table.heard.length).toBe(5); // after 1, 2, 4, 8 seconds
    table.failing = null;
    autosave.resume();
    await later(1);
    expect(autosave.saving).toBe('saved');
    expect(table.marks.size).toBe(1);
  });

  it('keeps changes while nobody is logged in', async () => {
    const { table, book, autosave } = start();
    table.failing = new ApiProblem(401, 'unauthenticated', '');
    const { id } = book.add(LINE);
    await later(60_000);
    book.change(id, { text: 'still here' });
    await later(60_000);
    expect([autosave.saving, table.heard.length]).toEqual(['unsaved', 2]);
    table.failing = null;
    autosave.resume();
    await later(1);
    expect(table.marks.get(id)?.text).toBe('still here');
  });

  it('says what the server will not have, keeps it, and does not press', async () => {
    const { table, book, autosave, refused } = start();
    table.failing = new ApiProblem(403, 'forbidden', '');
    book.add(LINE);
    await later(60_000);
    expect([refused.length, table.heard.length, autosave.saving, book.all.length]).toEqual([1, 1, 'unsaved', 1]);
    table.failing = null;
    autosave.retry();
    await later(1);
    expect(autosave.saving).toBe('saved');
  });
});

describe('beside others', () => {
  it('takes what others made, changed and deleted', async () => {
    const { table, book, autosave, id } = await shared();
    table.change(id, 'theirs');
    table.marks.set('new', { ...(table.marks.get(id) as Mark), id: 'new', author: other });
    await autosave.refresh();
    expect(book.all.map(({ text }) => text)).toEqual(['theirs', 'theirs']);
    table.marks.clear();
    await autosave.refresh();
    expect(book.all).toEqual([]);
  });

  it('asks only where both changed a mark; theirs stands until then', async () => {
    const { table, book, autosave, id } = await shared();
    table.change(id, 'theirs');
    book.change(id, { text: 'mine' });
    await later(500);
    expect(book.get(id)?.text).toBe('theirs');
    expect(autosave.conflicts).toMatchObject([{ id, mine: { text: 'mine' }, theirs: { text: 'theirs' } }]);
    autosave.settle(autosave.conflicts[0]!, 'mine');
    await later(500);
    expect(table.marks.get(id)).toMatchObject({ text: 'mine', revision: 3 });
    expect([autosave.conflicts.length, autosave.saving]).toEqual([0, 'saved']);
  });

  it('lets theirs be', async () => {
    const { table, book, autosave, id } = await shared();
    table.change(id, 'theirs');
    book.change(id, { text: 'mine' });
    await later(500);
    autosave.settle(autosave.conflicts[0]!, 'theirs');
    await later(500);
    expect([table.marks.get(id)?.text, book.get(id)?.text]).toEqual(['theirs', 'theirs']);
  });

  it('asks nothing where both say the same, or theirs only has a newer number', async () => {
    const { table, book, autosave, id } = await shared();
    table.change(id, 'same');
    book.change(id, { text: 'same' });
    await later(500);
    table.change(id, 'same');
    book.change(id, { text: 'mine' });
    await later(500);
    expect(autosave.conflicts).toEqual([]);
    expect(table.marks.get(id)?.text).toBe('mine');
  });

  it('asks whether what somebody deleted comes back, and whether what somebody changed is deleted', async () => {
    const { table, book, autosave, id } = await shared();
    await table.remove(id, 1);
    book.change(id, { text: 'mine' });
    await later(500);
    expect(autosave.conflicts).toMatchObject([{ theirs: null, revision: 2 }]);
    expect(book.get(id)).toBeUndefined();
    autosave.settle(autosave.conflicts[0]!, 'mine');
    await later(500);
    expect(table.marks.get(id)?.text).toBe('mine');
    table.change(id, 'theirs');
    book.remove(id);
    await later(500);
    expect(autosave.conflicts).toMatchObject([{ mine: null, theirs: { text: 'theirs' } }]);
    expect(book.get(id)?.text).toBe('theirs');
    autosave.settle(autosave.conflicts[0]!, 'mine');
    await later(500);
    expect(table.marks.size).toBe(0);
  });

  it('does not take an older list for news of what was just saved', async () => {
    const { table, book, autosave, id } = await shared();
    table.held = [];
    const reading = autosave.refresh(); // the list is on its way
    const held = table.held;
    table.held = null;
    book.change(id, { text: 'newer' });
    await later(500);
    for (const go of held) go();
    await reading;
    expect(book.get(id)?.text).toBe('newer');
  });
});

describe('when the study is left', () => {
  it('sends what waits', async () => {
    const { table, book, autosave, lost, id } = await shared();
    book.change(id, { text: 'mine' });
    autosave.close();
    await later(1);
    expect([table.marks.get(id)?.text, autosave.saving, lost]).toEqual(['mine', 'saved', []]);
  });

  it('tells of a change whose mark somebody else had changed, too', async () => {
    const { table, book, autosave, lost, id } = await shared();
    table.change(id, 'theirs');
    book.change(id, { text: 'mine' });
    autosave.close();
    await later(1);
    expect(lost).toMatchObject([{ mine: { text: 'mine' }, theirs: { text: 'theirs', changed_by: other } }]);
    expect([autosave.saving, autosave.conflicts]).toEqual(['saved', []]);
  });

  it('tells of a question that was still open', async () => {
    const { table, book, autosave, lost, id } = await shared();
    await table.remove(id, 1);
    book.change(id, { text: 'mine' });
    await later(500);
    expect([autosave.conflicts.length, lost.length]).toEqual([1, 0]);
    autosave.close();
    expect(lost).toMatchObject([{ mine: { text: 'mine' }, theirs: null }]);
    expect([autosave.saving, autosave.conflicts]).toEqual(['saved', []]);
  });

  it('sends once more what was refused, and tells of what is refused again instead of keeping it for ever', async () => {
    const { table, book, autosave, refused, lost, id } = await shared();
    table.failing = new ApiProblem(403, 'forbidden', '');
    book.change(id, { text: 'mine' });
    await later(500);
    expect([refused.length, autosave.saving]).toEqual([1, 'unsaved']);
    autosave.close();
    await later(1);
    expect(lost).toMatchObject([{ mine: { text: 'mine' }, theirs: { text: '' }, problem: { status: 403 } }]);
    expect([refused.length, autosave.saving]).toEqual([1, 'saved']);
  });

  it('goes on trying while the line is broken or nobody is logged in', async () => {
    const { table, book, autosave, lost, id } = await shared();
    table.failing = new ApiProblem(401, 'unauthenticated', '');
    book.change(id, { text: 'mine' });
    autosave.close();
    await later(60_000);
    expect([autosave.saving, lost]).toEqual(['unsaved', []]);
    table.failing = null;
    autosave.resume();
    await later(1);
    expect([table.marks.get(id)?.text, autosave.saving, lost]).toEqual(['mine', 'saved', []]);
  });
});
