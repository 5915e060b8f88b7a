/** Measuring and noting in the reading room: its code comes once the first picture is there. */

import { untrack } from 'svelte';
import type { Account, SeriesRow } from '../api/types';
import type { MarkStore, Whereabouts } from '../marking';
import type { Room, RoomPane } from './room.svelte';

type Parts = typeof import('../marking');

export class Measuring {
  parts: Parts | null = $state.raw(null);
  store: MarkStore | null = $state.raw(null);
  where: Whereabouts | null = $state.raw(null);
  #asked = false;

  constructor(readonly room: Room) {}

  /** Brings the code, once. */
  load(): void {
    if (this.#asked) return;
    this.#asked = true;
    void import('../marking').then((parts) => (this.parts = parts));
  }

  /** Opens the marks of a study for a reader; returns how to close them, or nothing while the code is on its way. */
  open(studyId: string, account: Account): (() => void) | undefined {
    const { parts } = this;
    if (!parts) return undefined;
    const store = untrack(() => new parts.MarkStore(studyId, { id: account.id, name: account.name }));
    this.where = untrack(() => new parts.Whereabouts());
    this.store = this.room.marks = store;
    return () => {
      store.close();
      this.store = this.room.marks = null;
      this.where = null;
    };
  }

  key(event: KeyboardEvent, pane: RoomPane): boolean {
    return this.parts && this.store ? this.parts.markKey(event, this.store, pane) : false;
  }

  /** Where a mark lies: its series, and its place there; in its volume it has none. */
  placeOf(markId: string, series: readonly SeriesRow[]): { series: SeriesRow; place: number | null } | null {
    const mark = this.store?.book.get(markId);
    const at = mark && this.where?.of(mark);
    const found = at && series.find(({ id }) => id === at.seriesId);
    return found ? { series: found, place: at.picture?.place ?? null } : null;
  }
}
