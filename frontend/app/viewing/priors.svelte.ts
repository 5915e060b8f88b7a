/** The patient's other studies, listed once and opened as they are wanted. */

import { studies as studiesApi } from '../api/endpoints';
import { priors as api, type Prior } from '../api/priors';
import type { Patient, SeriesRow, StudyDetail } from '../api/types';
import { attemptQuietly } from '../state/notices.svelte';

/** What holds pictures comes first. */
export const pictured = (series: readonly SeriesRow[]): SeriesRow[] =>
  series.toSorted((one, other) => Number(other.pictured) - Number(one.pictured));

/** Word for word, with an ID and a birth date: what is not that, the server has to judge. */
function tellsTheSame(one: Patient, other: Patient): boolean {
  const names = ['id', 'issuer', 'name', 'birth_date', 'sex'] as const;
  return one.id !== '' && one.name !== '' && one.birth_date !== null && names.every((name) => one[name] === other[name]);
}

export class PriorStudies {
  listed: readonly Prior[] = $state.raw([]);
  /** Those that are the same person's beyond doubt: only these are hung by themselves. */
  readonly same = $derived(this.listed.filter(({ likeness }) => likeness === 'same'));
  readonly doubtful = $derived(this.listed.filter(({ likeness }) => likeness === 'doubtful'));
  more = $state(false);
  /** Those whose series stand in the strip. */
  opened: ReadonlyMap<string, StudyDetail> = $state.raw(new Map());
  #of = '';
  /** Moves when another study is looked at: what was asked for before has no place any more. */
  #turn = 0;

  /** Lists them; tells whether they are those of the study that is looked at now. */
  async load(studyId: string): Promise<boolean> {
    if (this.#of === studyId) return true;
    if (this.#of) this.clear();
    this.#of = studyId;
    const turn = this.#turn;
    let done = false;
    await attemptQuietly(async () => {
      const found = await api.of(studyId);
      done = true;
      if (this.#turn !== turn) return;
      this.listed = found.priors;
      this.more = found.more;
    });
    if (this.#turn !== turn) return false;
    if (!done) this.#of = ''; // to be asked for again
    return done;
  }

  /** Tells whether a study may be another person's than the one that was opened: unless it is known, it may. */
  mayBeAnother(study: StudyDetail, opened: StudyDetail): boolean {
    if (study.id === opened.id || this.same.some(({ id }) => id === study.id)) return false;
    if (this.doubtful.some(({ id }) => id === study.id)) return true;
    return !tellsTheSame(study.patient, opened.patient);
  }

  clear(): void {
    this.#turn += 1;
    this.#of = '';
    this.listed = [];
    this.more = false;
    this.opened = new Map();
  }

  /** Reads one; null if another study is looked at by then. */
  async open(id: string): Promise<StudyDetail | null> {
    const known = this.opened.get(id);
    if (known) return known;
    const turn = this.#turn;
    const found = await studiesApi.read(id);
    if (this.#turn !== turn) return null;
    this.opened = new Map([...this.opened, [id, { ...found, series: pictured(found.series) }]]);
    return this.opened.get(id) ?? null;
  }

  /** One is not to be seen any more. */
  lose(id: string): void {
    this.close(id);
    this.listed = this.listed.filter((one) => one.id !== id);
  }

  close(id: string): void {
    this.opened = new Map([...this.opened].filter(([one]) => one !== id));
  }
}
