/** The record of who did what, as it is shown. */

export interface AuditRow {
  id: string;
  at: string;
  action: string;
  actor_kind: string;
  actor_name: string;
  subject_kind: string;
  subject_id: string;
  outcome: string;
  peer: string;
  correlation_id: string;
  patient: { issuer: string; patient_id: string; name: string } | null;
  study?: { study_uid: string; study_date: string; modalities: string; description: string } | null;
  detail: Record<string, unknown>;
}

export interface AuditFilter {
  action?: string;
  outcome?: string;
  actor?: string;
  patient_id?: string;
  issuer?: string;
  study?: string;
  since?: string | undefined;
  until?: string | undefined;
}

/** One of the people who have a patient ID; `study_uid` is a study of theirs, '' where none is known. */
export interface PersonUnder {
  issuer: string;
  name: string;
  birth_date: string | null;
  sex: string;
  study_uid: string;
  studies: number;
}

/** For how many days events are kept that are about patients, and all others. */
export interface AuditKept {
  patient_days: number;
  usage_days: number;
}

/** The record's state: when it was last proven whole, and what waits for the audit repository. */
export interface AuditState {
  proven: { at: string; intact: boolean; events: number; faults: number } | null;
  /** For how many days events are kept. */
  kept: AuditKept;
  repository: { waiting: number; oldest_at: string | null; behind: boolean } | null;
}

export interface AuditProof {
  intact: boolean;
  events: number;
  broken: { writer: string; sequence: number; fault: string }[];
}
