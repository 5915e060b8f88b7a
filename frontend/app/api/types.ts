/** What the REST interface answers, as the pages read it. Times are ISO 8601 in UTC, dates YYYY-MM-DD. */

import type { PasswordLinkMade } from './account';

export const ROLES = ['user', 'admin', 'dpo', 'service', 'guest'] as const;
export type RoleName = (typeof ROLES)[number];

export interface Account {
  id: string;
  username: string;
  /** The full name, else the user name. */
  name: string;
  /** `link` is whoever came with one. */
  role: RoleName | 'link';
  must_change_password: boolean;
  /** Terms or privacy notice, before anything else. */
  must_accept?: boolean;
  language: string;
  from_directory: boolean;
}

export type Stage = 'open' | 'factor' | 'set-up';

export interface FactorsReset {
  by_name: string;
  reason: string;
  at: string;
}

/** The site's single sign-on, as the login page shows it. */
export interface Offer {
  set: boolean;
  name: string;
  hide_password: boolean;
  /** Who opens an address without a login goes on to the provider by itself. */
  at_once: boolean;
}

export interface SessionAnswer {
  account: Account;
  csrf_token: string;
  /** Seconds until the end without use, and at the latest; of a machine or a link neither. */
  idle_left_s?: number | null;
  left_s?: number | null;
  stage?: Stage;
  reset?: FactorsReset | null;
  /** What a link lets do; of everybody else nothing. */
  shared?: { may_download: boolean; organisation: string; organisation_id: string } | null;
  /** The program that opened this login in the person's name. */
  launched?: { program: string } | null;
}

export interface LoginAnswer extends SessionAnswer {
  /** Base64url; who has the verifier can say it. */
  server_proof: string;
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
  total: number;
  /** There are more than `total`. */
  total_capped: boolean;
}

export interface SeriesRow {
  id: string;
  series_uid: string;
  modality: string;
  number: number | null;
  description: string;
  body_part: string;
  laterality: string;
  instance_count: number;
  frame_count: number;
  pictured: boolean;
  /** Of its first object, as are the next two. */
  protocol: string;
  /** Directions along a row and down a column of the first plane; empty if unknown. */
  orientation: number[];
  frame_of_reference: string | null;
  /** Which radiographs show which view (CC, MLO, PA …) of which side (R, L, B). */
  views: { instance_id: string; view: string; side: string }[];
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
  hold_reason: string;
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
  /** Of a radiograph, such as CC, MLO, PA; " modified" behind a special one. */
  view: string;
  /** Of the body: R, L, B. */
  side: string;
  /** Those that can be read; `frames_named` is what the header says. */
  frames: number;
  frames_named: number;
  /** The frames' numbers in the order in which they lie, where that is another than their own. */
  frame_order?: readonly number[] | null;
  transfer_syntax: string;
  viewable: boolean;
  why_not: string | null;
  why_not_code: string;
  /** Of a single picture's plane, in mm; empty where it has none. Those of several frames: `api/planes`. */
  position: number[];
  orientation: number[];
  pixel_spacing: number[];
  thickness: number | null;
  /** Seconds after the midnight before the series' first instance (by alias: after that instance). */
  time: number | null;
  time_of: '' | 'acquisition' | 'content';
  /** Milliseconds after the heart's R wave. */
  trigger_time: number | null;
  /** What tells pictures at one position apart; the echo's in ms, the b-value in s/mm². */
  temporal_position: number | null;
  acquisition: number | null;
  echo_time: number | null;
  echo_number: number | null;
  b_value: number | null;
  /** What an MR picture is (magnitude, phase, water …), and Image Type from its third value on; told only where a series' instances differ. */
  kinds: readonly string[];
  image_type: string;
  /** Told only where a series' instances differ in it. */
  frame_of_reference: string | null;
  cine_rate: number | null;
  file_name: string;
}

export interface SeriesDetail {
  id: string;
  study_id: string;
  /** Positions can be compared where this is the same; a UID, or by alias a token. Null if unknown or not one. */
  frame_of_reference: string | null;
  instances: InstanceRow[];
}

/** What the viewer opens with: a study, and the series that it shows first. */
export interface Opening {
  study: StudyDetail;
  series: SeriesDetail | null;
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
  /** In English; `error_code` is that of a finding. */
  error: string;
  error_code: string;
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
  source_id: string;
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
  released_at: string | null;
  releasable: boolean;
  /** It can be released under another identity. */
  identifiable: boolean;
  new_study_uid: string;
  new_sop_uid: string;
}

export interface QuarantinedDetail extends Quarantined {
  /** The study that is here under the object's UIDs. */
  here: { id: string; patient: Patient; study_date: string | null; description: string; instance_count: number } | null;
}

export interface Source {
  id: string;
  name: string;
  kind: 'dicom' | 'stow' | 'upload' | 'import' | 'folder' | 'portal';
  ae_title: string | null;
  callers: string | null;
  folder: string | null;
  issuer_of_patient_id: string;
  retention_s: number | null;
  max_age_s: number | null;
  quiet_s: number;
  duplicate_policy: 'quarantine' | 'supersede' | 'keep-both';
  quota_bytes: number | null;
  scan: boolean;
  enabled: boolean;
  project_id: string | null;
  /** Whose objects wait for a release by hand: nobody's, `*`, or a comma list of calling AE titles. */
  release_by_hand: string | null;
}

/** An error that is part of an answer. */
export interface Trouble {
  code: string;
  /** In English, for what has no words of its own. */
  detail: string;
  facts: Readonly<Record<string, unknown>>;
}

export interface AccountRow {
  id: string;
  username: string;
  full_name: string;
  role: RoleName;
  must_change_password: boolean;
  created_at: string;
  disabled_at: string | null;
  /** Of the entry in the directory that the person comes from. */
  directory_id: string | null;
  email: string | null;
  /** Credentials were reported lost. */
  lost_at: string | null;
  /** Where they work, in their own words. */
  affiliation: string;
  /** They signed up, and wait to be let in. */
  awaits_since: string | null;
}

export interface AccountMade {
  account: AccountRow;
  /** Seen here and never again. */
  one_time_password: string | null;
  invitation: PasswordLinkMade | null;
}

export interface TokenRow {
  id: string;
  name: string;
  role: RoleName;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  /** Refused for unusual volume, until somebody lets it in again. */
  suspended_at?: string | null;
  may_launch: boolean;
}

export interface SystemAnswer {
  name: string;
  version: string;
  now: string;
  web_address: string;
  dicomweb_path: string;
  dicom: { ae_title: string; host: string; ports: number[]; tls_port: number | null; accepts_any_called: boolean };
  scanner: boolean;
  /** Disk and roles are for administrators. */
  disk: { total: number; free: number; refuse_below: number } | null;
  roles: { name: string; node: string; alive: boolean; seen_at: string | null }[];
}
