/** The patient's other studies, listed once and opened as they are wanted. */

import { studies as studiesApi } from '../api/endpoints';
import { priors as api, type Prior } from '../api/priors';
import type { SeriesRow, StudyDetail } from '../api/types';
import { attemptQuietly } from '../state/notices.svelte';

/** What holds pictures comes first. */
export const pictured = (series: readonly SeriesRow[]): SeriesRow[] =>
  series.toSorted((one, other) => Number(other.pictured) - Number(one.pictured));

export class PriorStudies {
  listed: readonly Prior[] = $state.raw([]);
  more = $state(false);
  /** Those whose series stand in the strip. */
  opened: ReadonlyMap<string, StudyDetail> = $state.raw(new Map());
  #of = '';

  /** Lists them; tells whether they are those of the study that is looked at now. */
  async load(studyId: string): Promise<boolean> {
    if (this.#of === studyId) return true;
    this.clear();
    this.#of = studyId;
    let done = false;
    await attemptQuietly(async () => {
      const found = await api.of(studyId);
      done = true;
      if (this.#of !== studyId) return;
      this.listed = found.priors;
      this.more = found.more;
    });
    if (!done && this.#of === studyId) this.#of = ''; // to be asked for again
    return this.#of === studyId;
  }

  clear(): void {
    this.#of = '';
    this.listed = [];
    this.more = false;
    this.opened = new Map();
  }

  async open(id: string): Promise<StudyDetail | null> {
    const known = this.opened.get(id);
    if (known) return known;
    const of = this.#of;
    const found = await studiesApi.read(id);
    if (this.#of !== of) return null;
    this.opened = new Map([...this.opened, [id, { ...found, series: pictured(found.series) }]]);
    return this.opened.get(id) ?? null;
  }

  close(id: string): void {
    this.opened = new Map([...this.opened].filter(([one]) => one !== id));
  }
}
