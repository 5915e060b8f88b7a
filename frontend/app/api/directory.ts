/** Where people come from: the directory (LDAP), and single sign-on (OpenID Connect). */

import { get, post, put, remove } from './client';

const part = encodeURIComponent;

export interface Trouble {
  code: string;
  detail: string;
  facts: Record<string, string | number>;
}

export interface Named {
  name: string;
  full_name?: string;
  role?: string;
  adopted?: boolean;
  to?: string;
  reason?: string;
}

export interface Doubt {
  kind: string;
  what: string;
  count: number;
  of: number;
}

export interface Report {
  server?: string;
  counts?: Record<string, number>;
  added?: Named[];
  changed?: Named[];
  disabled?: Named[];
  enabled?: Named[];
  groups?: { name: string; members: number }[];
  doubts?: Doubt[];
  problems?: { kind: string; what: string }[];
  trouble?: Trouble;
}

export type RunKind = 'preview' | 'sync';

export interface Run {
  id: string;
  kind: RunKind;
  state: 'waiting' | 'running' | 'done' | 'asks' | 'failed';
  asked_by: string;
  asked_at: string;
  ended_at: string | null;
  digest: string;
  report: Report;
}

export interface Directory {
  set: boolean;
  /** It belongs to the installation's first organisation, and this is another. */
  elsewhere: boolean;
  urls: string[];
  kind: string;
  base: string;
  groups: Record<string, string>;
  every_s: number;
  most_disabled_percent: number;
  followed: boolean;
  next_at: string | null;
  runs: Run[];
}

export const directory = {
  read: () => get<Directory>('/api/directory'),
  reach: () => get<{ servers: { url: string; trouble: Trouble | null }[] }>('/api/directory/reach').then(({ servers }) => servers),
  run: (kind: RunKind, confirm: string, adopt: readonly string[]) => post<Run>('/api/directory/runs', { kind, confirm, adopt }),
};

export interface SignOnState {
  set: boolean;
  issuer: string;
  redirect_uri: string;
  logout_uri: string;
  reached: boolean;
  trouble: Trouble | null;
}

export interface SignOnPerson {
  id: string;
  issuer: string;
  subject: string;
  username: string;
  full_name: string;
  email: string;
  seen_at: string | null;
  account_id: string | null;
  account_name: string;
}

export const signOn = {
  state: () => get<SignOnState>('/api/oidc/state'),
  people: () => get<{ people: SignOnPerson[] }>('/api/oidc/people').then(({ people }) => people),
  link: (id: string, account_id: string) => put<SignOnPerson>(`/api/oidc/people/${part(id)}`, { account_id }),
  unlink: (id: string) => remove(`/api/oidc/people/${part(id)}`),
};
