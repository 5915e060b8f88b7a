/** The other studies of a study's patient, to compare with. */

import { get } from './client';
import type { Patient } from './types';

export interface Prior {
  id: string;
  /** Whether it is the same person's, or only may be: then `patient` is whose it says it is. */
  likeness: 'same' | 'doubtful';
  patient: Patient;
  study_date: string | null;
  study_time: string | null;
  description: string;
  accession_number: string;
  modalities: string[];
  body_parts: string[];
  series_count: number;
  instance_count: number;
  /** The series whose thumbnail shows the study, if any can. */
  thumbnail_series: string | null;
  /** Older than the study that is looked at. */
  earlier: boolean;
  /** Likely of use beside it, because of what both share. */
  relevant: boolean;
  because: ('region' | 'description' | 'modality')[];
}

export interface Priors {
  study_id: string;
  /** The newest first. */
  priors: Prior[];
  more: boolean;
}

export const priors = {
  of: (study: string, signal?: AbortSignal) =>
    get<Priors>(`/api/studies/${encodeURIComponent(study)}/priors`, signal ? { signal } : {}),
};
