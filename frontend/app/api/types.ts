/** What the REST interface answers, as the pages read it. Times are ISO 8601 in UTC, dates YYYY-MM-DD. */

export interface Account {
  id?: string;
  name: string;
  full_name?: string;
  role: 'admin' | 'user';
  must_change_password: boolean;
  language?: string;
}

export interface SessionAnswer {
  account: Account;
  csrf_token: string;
}

export interface Patient {
  name: string;
  id: string;
  issuer: string;
  birth_date: string | null;
  sex: string;
}

export interface Study {
  id: string;
  study_uid: string;
  patient: Patient;
  study_date: string | null;
  study_time: string | null;
  accession_number: string;
  description: string;
  modalities: string[];
  series_count: number;
  instance_count: number;
  bytes: number;
  state: 'arriving' | 'complete';
  first_received_at: string;
  last_received_at: string;
  expires_at: string | null;
  ceiling_at: string | null;
  held: boolean;
  sources: string[];
}

export interface StudyPage {
  studies: Study[];
  next_cursor: string | null;
  total: number | null;
  total_capped?: boolean;
}

export interface SeriesRow {
  id: string;
  series_uid: string;
  modality: string;
  number: number | null;
  description: string;
  body_part?: string;
  instance_count: number;
  frame_count: number;
}

export interface AttachmentRow {
  id: string;
  file_name: string;
  file_size: number;
  file_type: string;
}

export interface HoldingRow {
  id: string;
  source: string;
  received_at: string;
  expires_at: string | null;
  ceiling_at: string | null;
  hold_until: string | null;
  hold_reason?: string;
}

export interface StudyDetail extends Study {
  series: SeriesRow[];
  attachments: AttachmentRow[];
  holdings: HoldingRow[];
}

export interface InstanceRow {
  id: string;
  sop_uid: string;
  sop_class_uid: string;
  number: number | null;
  rows: number | null;
  columns: number | null;
  frames: number;
  transfer_syntax: string;
  viewable: boolean;
  why_not: string | null;
  cine_rate?: number | null;
  file_name?: string;
}

export interface SeriesDetail {
  id?: string;
  study_id?: string;
  modality?: string;
  instances: InstanceRow[];
}

export interface Finding {
  file_name: string;
  code: string;
  text: string;
}

export interface Parcel {
  id: string;
  kind: string;
  name: string;
  state: 'receiving' | 'scanning' | 'unpacking' | 'done' | 'failed';
  error: string;
  bytes_expected: number | null;
  bytes_received: number;
  files: number;
  objects: number;
  duplicates: number;
  attachments: number;
  quarantined: number;
  refused: number;
  created_at: string;
  finished_at: string | null;
  findings?: Finding[];
}

export interface Quarantined {
  id: string;
  source: string;
  code: string;
  reason: string;
  study_uid: string;
  sop_uid: string;
  patient_name: string;
  patient_id: string;
  file_name: string;
  size: number;
  received_at: string;
  ends_at: string | null;
}

export interface Source {
  id: string;
  name: string;
  kind: 'dicom' | 'stow' | 'upload' | 'import' | 'folder';
  ae_title: string | null;
  callers: string;
  folder: string | null;
  issuer_of_patient_id: string;
  retention_s: number | null;
  max_age_s: number | null;
  quiet_s: number;
  duplicate_policy: 'quarantine' | 'supersede' | 'keep-both';
  quota_bytes: number | null;
  scan: boolean;
  enabled: boolean;
}

export interface Destination {
  id: string;
  name: string;
  ae_title: string;
  host: string;
  port: number;
  calling_ae_title: string;
  tls: boolean;
  enabled: boolean;
}

export interface EchoAnswer {
  ok: boolean;
  duration_ms: number | null;
  detail: string;
}

export interface Delivery {
  id: string;
  destination: string;
  study_id: string;
  series_id: string | null;
  patient_name?: string;
  description?: string;
  state: 'waiting' | 'sending' | 'done' | 'failed' | 'cancelled';
  total: number;
  sent: number;
  failed: number;
  attempts: number;
  next_attempt_at: string | null;
  error: string;
  requested_by: string;
  created_at: string;
  finished_at: string | null;
  receipts?: Receipt[];
}

export interface Receipt {
  instance_id: string;
  sop_uid: string;
  status: number;
  comment: string;
  transfer_syntax: string;
  at: string;
}

export interface AccountRow {
  id: string;
  username: string;
  full_name: string;
  role: 'admin' | 'user';
  must_change_password: boolean;
  created_at: string;
  disabled_at: string | null;
}

export interface TokenRow {
  id: string;
  name: string;
  role: 'admin' | 'user';
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
}

export interface AuditRow {
  id: string;
  at: string;
  action: string;
  principal_kind: string;
  principal_name: string;
  subject_kind: string;
  subject_id: string | null;
  outcome: string;
  peer: string;
  detail: Record<string, unknown>;
}

export interface SystemAnswer {
  version: string;
  organisation_name: string;
  ae_titles: string[];
  addresses: { kind: string; address: string }[];
  disk: { total_bytes: number; free_bytes: number; min_free_bytes: number } | null;
  roles: { role: string; node: string; state: string; seen_at: string | null }[];
  counts?: Record<string, number>;
}
