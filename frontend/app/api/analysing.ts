/** Analyses of studies: kinds, runs, and what a perfusion's run found. */

import { get, post, put, queryString } from './client';
import type { Trouble } from './types';

export type Value = number | string | boolean | (number | number[])[] | null;
export type State = 'waiting' | 'running' | 'done' | 'refused' | 'failed' | 'cancelled';

export interface Parameter {
  name: string;
  kind: 'number' | 'choice' | 'boolean' | 'list';
  default: Value;
  least: number | null;
  most: number | null;
  choices: string[];
  unit: string;
}

export interface Analysis {
  kind: string;
  name: string;
  version: string;
  enabled: boolean;
  parameters: Parameter[];
  modalities: string[];
  called_ae_titles: string[];
  destination_id: string | null;
  memory_bytes: number;
  cores: number;
  seconds: number;
  waiting: number;
  running: number;
}

export interface Run {
  id: string;
  study_id: string;
  kind: string;
  version: string;
  state: State;
  step: string;
  share: number;
  reason: Trouble | null;
  parameters: Record<string, Value>;
  asked_kind: string;
  asked_by: string;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  results: { series_uid: string; series_id: string | null; sop_uids: string[]; description: string }[];
  has_findings: boolean;
  rerun_of: string | null;
}

export interface Use {
  at: string;
  kind: string;
  version: string;
  source: string;
  asked_kind: string;
  outcome: string;
  reason: string;
  seconds: number;
}

/** A place in the images: slice, row, column, from 0. */
export type Place = [number, number, number];

export interface Curve {
  times_s: number[];
  values: number[];
  places: Place[];
}

/** Per slice the lengths of runs along the rows, those outside and inside in turn, outside first. */
export interface Outline {
  runs: number[][];
}

export interface MapSeries {
  name: string;
  unit: string;
  least: number;
  most: number;
  series_uid: string;
  sop_uids: string[];
  /** The instances' ids; null for one that is gone. */
  pictures?: (string | null)[];
}

/** A series of the study, and what it was taken for. */
export interface SeriesRole {
  role: string;
  series_uid: string;
  number: number;
  images: number;
}

export interface Findings {
  version: number;
  modality: string;
  program: string;
  slices: number;
  rows: number;
  columns: number;
  spacing_mm: [number, number, number];
  core_ml: number | null;
  late_ml: Record<string, number>;
  mismatch_ml: number | null;
  mismatch_ratio: number | null;
  intensity_ratio: number | null;
  partial_volume: number;
  arrival_s: number;
  artery: Curve;
  vein: Curve | null;
  frame_times_s: number[];
  motion: { shift_mm: number[]; turn_deg: number[]; fit: number; lost: boolean }[];
  dropped: number[];
  warnings: { code: string; facts: Record<string, string | number | boolean | null> }[];
  constants: Record<string, Value>;
  seconds: Record<string, number>;
  core: Outline;
  late: Record<string, Outline>;
  maps: MapSeries[];
  summary: MapSeries | null;
  made_at: string;
  normal_cbf: number | null;
  picture_scale: number;
  curve_unit: string;
  reference_frame: number | null;
  sides?: [string, string];
  series?: SeriesRole[];
}

export interface Setting {
  enabled?: boolean;
  parameters?: Record<string, Value>;
  called_ae_titles?: string[];
  destination_id?: string | null;
  memory_bytes?: number | null;
  cores?: number | null;
}

const part = encodeURIComponent;
const run = (id: string): string => `/api/analysis-runs/${part(id)}`;

export const analysing = {
  list: () => get<Analysis[]>('/api/analyses'),
  set: (kind: string, wanted: Setting) => put<Analysis>(`/api/analyses/${part(kind)}`, wanted),
  usage: (query: { from?: string; to?: string } = {}) => get<Use[]>(`/api/analyses/usage${queryString(query)}`),
  of: (study: string) => get<Run[]>(`/api/studies/${part(study)}/analyses`),
  start: (study: string, kind: string, parameters: Record<string, Value>, series: string[]) =>
    post<Run>(`/api/studies/${part(study)}/analyses`, { kind, parameters, series }),
  runs: (query: { state?: string; kind?: string; cursor?: string } = {}) =>
    get<{ runs: Run[]; next_cursor: string | null }>(`/api/analysis-runs${queryString(query)}`),
  read: (id: string) => get<Run>(run(id)),
  findings: (id: string) => get<Findings>(`${run(id)}/findings`),
  cancel: (id: string) => post<Run>(`${run(id)}/cancel`),
  retry: (id: string) => post<Run>(`${run(id)}/retry`),
  rerun: (id: string, parameters: Record<string, Value>) => post<Run>(`${run(id)}/rerun`, { parameters }),
};

/** Where what a run found is looked at. */
export const resultAddress = (id: string): string => `/analysis?${new URLSearchParams({ run: id }).toString()}`;
