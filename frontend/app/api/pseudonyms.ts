/** Pseudonyms: projects, aliases and who stands behind them, what was handed out, what was kept back. */

import { get, post, put, remove } from './client';

const part = encodeURIComponent;

export const OPTIONS = [
  'clean-pixels', 'clean-graphics', 'clean-structured', 'clean-descriptors', 'full-dates', 'modified-dates', 'patient-characteristics', 'device-identity', 'uids', 'safe-private', 'institution-identity',
] as const;
export type Option = (typeof OPTIONS)[number];

export interface ProjectFields {
  name: string;
  pattern: string;
  options: Option[];
  shift_days: [number, number];
  age_limit: number | null;
  allowed_words: string[];
  devices: string;
  trust_unmarked: string[];
  hold_faces: boolean;
  deface: boolean;
  keep_days: number;
  enabled: boolean;
}

export interface Project extends ProjectFields {
  id: string;
  revision: number;
  created_at: string;
  aliases: number;
}

export interface Alias {
  id: string;
  project_id: string;
  project: string;
  alias: string;
  used_on: string;
  studies: number;
}

export interface Aliases {
  aliases: Alias[];
  more: boolean;
}

export interface Identity {
  alias: string;
  project: string;
  patient_name: string;
  patient_id: string;
  issuer: string;
  birth_date: string;
  sex: string;
  study_uids: string[];
}

export type Rectangle = [number, number, number, number];

export interface Held {
  id: string;
  project_id: string;
  project: string;
  study_id: string;
  instance_id: string;
  reasons: string[];
  held_at: string;
  released_at: string | null;
  released_by: string;
  note: string;
  cover: Rectangle[];
  releasable: boolean;
  /** How many objects of its study wait for the same reasons. */
  alike: number;
}

export interface Handout {
  id: string;
  project_id: string;
  project: string;
  study_id: string | null;
  purpose: 'export' | 'delivery' | 'intake';
  made_by: string;
  objects: number;
  kept_back: number;
  report: {
    attributes: Record<string, Record<string, number>>;
    warnings: Record<string, number>;
    templates: Record<string, number>;
    refused: Record<string, number>;
  };
  created_at: string;
  ended_at: string | null;
}

export interface Proposal {
  installed: boolean;
  columns: number;
  rows: number;
  frames: number;
  regions: Rectangle[];
}

export const projects = {
  list: () => get<{ projects: Project[] }>('/api/pseudonyms/projects').then((answer) => answer.projects),
  create: (row: ProjectFields) => post<Project>('/api/pseudonyms/projects', row),
  change: (id: string, row: ProjectFields & { revision: number }) => put<Project>(`/api/pseudonyms/projects/${part(id)}`, row),
  remove: (id: string) => remove(`/api/pseudonyms/projects/${part(id)}`),
};

export const aliases = {
  find: (text: string, after = '') => get<Aliases>(`/api/pseudonyms/aliases?${new URLSearchParams({ text, after }).toString()}`),
  of: (issuer: string, patient_id: string, reason: string) => post<Aliases>('/api/pseudonyms/lookups', { issuer, patient_id, reason }),
  identity: (id: string, reason: string) => post<Identity>(`/api/pseudonyms/aliases/${part(id)}/identity`, { reason }),
};

export const handouts = {
  of: (study: string) => get<{ handouts: Handout[]; held: Held[] }>(`/api/studies/${part(study)}/handouts`),
  archiveUrl: (study: string, project: string) => `/api/studies/${part(study)}/archive.zip?project=${part(project)}`,
};

export const held = {
  list: () => get<{ held: Held[] }>('/api/pseudonyms/held').then((answer) => answer.held),
  proposal: (id: string) => get<Proposal>(`/api/pseudonyms/held/${part(id)}/proposal`),
  release: (id: string, cover: Rectangle[], note: string, alike: boolean) => post<Held>(`/api/pseudonyms/held/${part(id)}/release`, { cover, note, alike }),
};
