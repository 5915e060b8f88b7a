/** Destinations, and what is sent to them. */

import type { Trouble } from './types';

export type DestinationKind = 'dicom' | 'dicomweb' | 'folder' | 'mail' | 'hl7';

/** Hours of some days of the week (0 is Monday); one that ends before it begins goes past midnight. */
export interface SendingHours {
  days: number[];
  begins: string;
  ends: string;
}

/** What is entered of a destination. */
export interface DestinationFields {
  name: string;
  kind: DestinationKind;
  ae_title: string;
  host: string;
  port: number;
  calling_ae_title: string;
  tls: boolean;
  enabled: boolean;
  /** A service’s URL, a folder, an e-mail address, or APPLICATION|FACILITY. */
  address: string;
  username: string;
  commitment: boolean;
  /** Whether what modalities say that they perform (MPPS) is passed on to it. */
  performed_steps: boolean;
  kib_per_s: number;
  windows: SendingHours[];
  /** A project of pseudonyms: what goes there are de-identified copies by it. */
  project_id: string | null;
}

export interface Destination extends DestinationFields {
  id: string;
  has_secret: boolean;
  paused_at: string | null;
  down_since: string | null;
  retry_at: string | null;
  error: Trouble | null;
  waiting: number;
}

export type TrialStepName = 'connect' | 'tls' | 'echo' | 'login' | 'folder' | 'letter' | 'probe';

export interface TrialStep {
  name: TrialStepName;
  ok: boolean;
  error: Trouble | null;
  ms: number;
  facts: Readonly<Record<string, string | number>>;
}

export interface Trial {
  ok: boolean;
  steps: TrialStep[];
}

export interface EchoAnswer {
  ok: boolean;
  error: Trouble | null;
  ms: number;
}

export interface Delivery {
  id: string;
  destination_id: string;
  destination: string;
  study_id: string;
  series_id: string | null;
  patient_name: string;
  patient_id: string;
  description: string;
  study_date: string | null;
  series_number: number | null;
  series_description: string;
  state: 'waiting' | 'sending' | 'confirming' | 'held' | 'done' | 'failed' | 'cancelled';
  total: number;
  sent: number;
  failed: number;
  committed: number;
  /** The project of pseudonyms by which copies go, empty where originals do. */
  project: string;
  kept_back: number;
  kept_reasons: readonly string[];
  priority: number;
  attempts: number;
  next_attempt_at: string | null;
  error: Trouble | null;
  requested_by: string;
  created_at: string;
  finished_at: string | null;
  receipts?: Receipt[];
}

/** An N-CREATE (`turn` 0) or N-SET of a performed step on its way to a destination. */
export interface StepDelivery {
  id: string;
  destination: string;
  sop_uid: string;
  turn: number;
  said_state: string;
  calling_ae: string;
  patient_id: string;
  accession_number: string;
  state: 'waiting' | 'held' | 'done' | 'failed' | 'cancelled';
  /** The destination’s answer, -1: none yet. */
  status: number;
  comment: string;
  attempts: number;
  next_attempt_at: string | null;
  error: Trouble | null;
  created_at: string;
  finished_at: string | null;
}

export interface Receipt {
  instance_id: string;
  sop_uid: string;
  status: number;
  /** The destination's own words. */
  comment: string;
  /** Why it was not sent. */
  error: Trouble | null;
  transfer_syntax_uid: string;
  at: string;
  committed_at: string | null;
  series_number: number | null;
  instance_number: number | null;
}
