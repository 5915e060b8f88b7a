/** Measuring and noting in the reading room: its code comes once the first picture is there. */

import { untrack } from 'svelte';
import type { Account, SeriesRow, StudyDetail } from '../api/types';
import { formatDate, t } from '../i18n/index.svelte';
import { readName } from '../parts/person';
import { bring } from './bring';
import type { MarkStore, Whereabouts } from '../marking';
import type { RoomPane } from './room-pane.svelte';
import type { Room } from './room.svelte';

type Parts = typeof import('../marking');

/** A study in words, for what is said of it when it is no longer open. */
function nameOf({ patient, description, study_date: date }: StudyDetail): string {
  return [readName(patient.name).main || t('study.noName'), description, formatDate(date)].filter(Boolean).join(', ');
}

export class Measuring {
  parts: Parts | null = $state.raw(null);
  store: MarkStore | null = $state.raw(null);
  where: Whereabouts | null = $state.raw(null);
  #giveUp: (() => void) | null = null;

  /** To be made with the component whose life it shares. */
  constructor(readonly room: Room) {
    $effect(() => () => this.#giveUp?.());
  }

  /** Brings the code, once. */
  load(): void {
    this.#giveUp ??= bring(
      () => import('../marking'),
      (parts) => (this.parts = parts),
      () => t('view.lacksMarks'),
    );
  }

  /** Opens the marks of a study for a reader; returns how to close them, or nothing while the code is on its way. */
  open(study: StudyDetail, account: Account): (() => void) | undefined {
    const { parts } = this;
    if (!parts) return undefined;
    const store = untrack(() => new parts.MarkStore(study.id, { id: account.id, name: account.name }, nameOf(study)));
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

  /** The series that a mark lies in. */
  seriesOf(markId: string, series: readonly SeriesRow[]): SeriesRow | undefined {
    const mark = this.store?.book.get(markId);
    const at = mark && this.where?.of(mark);
    return at && series.find(({ id }) => id === at.seriesId);
  }
}
