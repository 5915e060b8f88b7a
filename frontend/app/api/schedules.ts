/** Schedules of fetching: what is fetched by itself, tried, and what it did. */

import { get, post, put, remove } from './client';
import type { Trouble } from './types';

const part = encodeURIComponent;

export interface Plan {
  name: string;
  kind: 'timed' | 'priors' | 'cache';
  enabled: boolean;
  pacs: string[];
  times: string;
  since_days: number;
  until_days: number;
  last_hours: number | null;
  modalities: string[];
  description: string;
  whose: 'anybody' | 'ward' | 'hl7-ward' | 'worklist';
  wards: string[];
  on_study: boolean;
  on_order: boolean;
  same_modality: boolean;
  same_body_part: boolean;
  years: number;
  most_each: number | null;
  keep_days: number;
  most_studies: number;
  most_instances: number | null;
  most_bytes: number | null;
  stop_at: string;
  at_once: number;
  pause_s: number;
}

export interface Run {
  id: string;
  reason: 'time' | 'hand' | 'study' | 'order';
  state: 'waiting' | 'fetching' | 'done' | 'failed' | 'missed' | 'stopped';
  created_at: string;
  stops_at: string | null;
  ended_at: string | null;
  found: number;
  here: number;
  fetched: number;
  failed: number;
  bytes: number;
  left_out: Partial<Record<LeftBy, number>>;
  more: boolean;
  error: Trouble | null;
}

export type LeftBy = 'here' | 'disagree' | 'person' | 'ward' | 'part' | 'each' | 'studies' | 'instances' | 'bytes' | 'window' | 'stopped';

export interface Schedule {
  id: string;
  plan: Plan;
  next_at: string | null;
  last: Run | null;
}

export interface TrialStudy {
  pacs_id: string;
  study_uid: string;
  patient_id: string;
  patient_name: string;
  study_date: string;
  description: string;
  modalities: string[];
  instances: number | null;
  expected_bytes: number;
  left_by: LeftBy | '';
}

export interface Trial {
  studies: TrialStudy[];
  more: boolean;
  errors: Record<string, Trouble>;
}

export const schedules = {
  list: () => get<{ enabled: boolean; zone: string; schedules: Schedule[] }>('/api/schedules'),
  create: (plan: Plan) => post<Schedule>('/api/schedules', plan),
  change: (id: string, plan: Plan) => put<Schedule>(`/api/schedules/${part(id)}`, plan),
  remove: (id: string) => remove(`/api/schedules/${part(id)}`),
  attempt: (plan: Plan, id: string | null) => post<Trial>('/api/schedules/try', { plan, schedule_id: id }),
  run: (id: string) => post<Run>(`/api/schedules/${part(id)}/runs`),
  runs: (id: string) => get<{ runs: Run[] }>(`/api/schedules/${part(id)}/runs`).then((answer) => answer.runs),
  stop: (id: string, run: string) => post<Run>(`/api/schedules/${part(id)}/runs/${part(run)}/stop`),
};
