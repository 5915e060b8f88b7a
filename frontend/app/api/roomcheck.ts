/** Displays and their checks, as the REST interface answers. Luminances are in cd/m², the illuminance in lx. */

import { get, post, put, remove } from './client';

const part = encodeURIComponent;

export type Reason = 'checked' | 'never' | 'expired' | 'failed' | 'changed' | 'unmeasured' | 'viewing';

export interface DisplayFields {
  name: string;
  room: string;
  room_class: string;
  use: string;
  /** Pixels of the device. */
  columns: number;
  rows: number;
  /** Distance of pixels. */
  pixel_um: number;
  css_width: number;
  css_height: number;
  screen_left: number;
  screen_top: number;
  label: string;
}

export interface Display extends DisplayFields {
  id: string;
  workstation: string;
  retired_at: string | null;
  state: { checked: boolean; reason: Reason; until: string | null };
  /** Greys to send in place of 0 to 255. */
  correction: number[] | null;
  corrected_by: string | null;
}

export interface Here {
  workstation: string | null;
  displays: Display[];
}

export interface Limit {
  value: number;
  source: string;
}

export interface Rules {
  rooms: { code: string; most_illuminance_lx: number; for_reading: boolean; dental: boolean }[];
  rules: { use: string; room_class: string; limits: Record<string, Limit> }[];
  questions: string[];
  letters: number;
  points: number;
}

export interface Readings {
  greys: number[];
  luminances: number[];
  ambient: number;
  /** The luminances were measured from the reader's place, with the room's light. */
  with_ambient: boolean;
  points: number[];
  illuminance: number | null;
}

export interface Submitted {
  kind: 'visual' | 'photometer';
  columns: number;
  rows: number;
  pixel_um: number;
  answers?: Record<string, boolean>;
  readings?: Readings;
  instrument?: string;
  remark?: string;
  correct?: boolean;
  through?: string | null;
}

export interface Criterion {
  name: string;
  passed: boolean;
  value: number | null;
  limit: number | null;
  source: string;
}

export interface Check {
  id: string;
  kind: 'visual' | 'photometer';
  passed: boolean;
  checked_at: string;
  valid_until: string | null;
  account_name: string;
  criteria: Criterion[];
  entered: { instrument: string; remark: string; through: string | null };
  corrects: boolean;
  /** Deviation from the GSDF to expect behind the correction table, in percent. */
  forecast: number | null;
}

export const displays = {
  here: () => get<Here>('/api/displays/here'),
  rules: () => get<Rules>('/api/displays/rules'),
  all: () => get<{ displays: Display[] }>('/api/displays').then((answer) => answer.displays),
  register: (fields: DisplayFields & { workstation: string }) => post<Display>('/api/displays', fields),
  change: (id: string, fields: DisplayFields) => put<Display>(`/api/displays/${part(id)}`, fields),
  retire: (id: string) => remove(`/api/displays/${part(id)}`),
  submit: (id: string, check: string, given: Submitted) =>
    put<Check>(`/api/displays/${part(id)}/checks/${part(check)}`, given),
  log: (id: string) => get<{ checks: Check[] }>(`/api/displays/${part(id)}/checks`).then((answer) => answer.checks),
  csvUrl: (id: string) => `/api/displays/${part(id)}/checks.csv`,
};
