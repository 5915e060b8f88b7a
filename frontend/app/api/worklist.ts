/** Today's patients, and which imports wait for them. */

import { get } from './client';
import type { PersonNamed } from './imports';

/** What is done with a patient today; `time` by the site's clock. */
export interface Step {
  time: string | null;
  modality: string;
  procedure: string;
  accession: string;
  location: string;
  state: string;
}

/** An import that waits for a patient of today, and what of it is not here yet; `sure`: nobody else may be meant; `known`: they stand beside it already; `also`: so many other imports bring nothing beyond it. */
export interface WaitingImport {
  id: string;
  number: number;
  objects: number;
  sure: boolean;
  known: boolean;
  also: number;
}

export interface PatientToday {
  person: PersonNamed;
  steps: Step[];
  waiting: WaitingImport[];
}

export const worklist = {
  today: () => get<{ day: string; may: boolean; patients: PatientToday[] }>('/api/worklist/today'),
};
