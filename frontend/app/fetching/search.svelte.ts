/** A search of archives elsewhere: what is looked for, what was found, and what of it is chosen. */

import { type Asked, type FoundSeries, type FoundStudy, type Order, pacs as api, type Wanted } from '../api/pacs';
import { isoDate } from './dates';

export const nothing: Wanted = {
  pacs: [], patient_id: '', patient_name: '', birth_date: null, accession_number: '', since: null, until: null, modalities: [], description: '',
};

export class Search {
  studies: FoundStudy[] = $state.raw([]);
  asked: Asked[] = $state.raw([]);
  problem: unknown = $state.raw(undefined);
  /** Under way; and whether one has been answered. */
  busy = $state(false);
  done = $state(false);
  /** What is shown is a cache's; the archives have not answered yet. */
  early = $state(false);
  chosen: string[] = $state([]);
  #turn = 0;

  /** Asks the caches, which answer at once, and the archives; what these tell takes the place of what a cache told. */
  async run(wanted: Wanted): Promise<void> {
    const turn = ++this.#turn;
    const mine = (): boolean => turn === this.#turn;
    this.busy = true;
    this.early = false;
    this.problem = undefined;
    this.chosen = [];
    let kept: FoundStudy[] = [];
    let told = false;
    const cached = api.search(wanted, true).then(
      ({ studies }) => {
        kept = studies;
        if (!mine() || told || studies.length === 0) return;
        this.studies = studies;
        this.asked = [];
        this.done = this.early = true;
      },
      () => undefined, // why: the archives are asked all the same, and say what is wrong
    );
    try {
      const { studies, asked } = await api.search(wanted);
      told = true;
      await cached;
      if (!mine()) return;
      this.studies = merged(studies, kept);
      this.asked = asked;
      this.done = true;
    } catch (cause) {
      if (mine()) this.problem = cause;
    } finally {
      if (mine()) this.busy = this.early = false;
    }
  }

  toggle(study: FoundStudy): void {
    const uid = study.study_uid;
    this.chosen = this.chosen.includes(uid) ? this.chosen.filter((one) => one !== uid) : [...this.chosen, uid];
  }

  /** What is ordered of the chosen studies: each from the first archive that has it. */
  orders(): Order[] {
    return this.studies.filter((study) => this.chosen.includes(study.study_uid)).map((study) => orderOf(study));
  }
}

/** What archives told, and beside it what only a cache knows of, newest first. */
export function merged(told: readonly FoundStudy[], kept: readonly FoundStudy[]): FoundStudy[] {
  const known = new Set(told.map(({ study_uid }) => study_uid));
  const when = (one: FoundStudy): string => one.study_date + one.study_time;
  return [...told, ...kept.filter(({ study_uid }) => !known.has(study_uid))].sort((a, b) => (when(a) < when(b) ? 1 : when(a) > when(b) ? -1 : 0));
}

export function orderOf(study: FoundStudy, series?: FoundSeries): Order {
  return {
    pacs_id: study.pacs[0] ?? '',
    study_uid: study.study_uid,
    series_uid: series?.series_uid ?? '',
    patient_id: study.patient_id,
    patient_name: study.patient_name,
    description: series?.description || study.description,
    study_date: isoDate(study.study_date),
    modalities: series?.modality ? [series.modality] : study.modalities,
  };
}

/** All of it is here, some of it, or nothing that the reader may see. */
export function presence(study: FoundStudy): 'whole' | 'part' | 'none' {
  if (!study.here) return 'none';
  if (study.instances !== null && (study.here_instances ?? 0) < study.instances) return 'part';
  return 'whole';
}
