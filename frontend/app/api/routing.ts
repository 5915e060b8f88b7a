/** Rules: what is done with studies that come, as the REST interface answers. */

import type { GrantedStudy } from './access';
import { get, post, put, remove } from './client';
import type { Trouble } from './types';

const part = encodeURIComponent;

export const tests = ['is', 'is-not', 'contains', 'begins', 'like', 'at-least', 'at-most', 'between', 'present', 'absent'] as const;
export type Test = (typeof tests)[number];
export type Moment = 'arrival' | 'complete';
export type Match = 'all' | 'any';

export interface Condition {
  field: string;
  test: Test;
  values: string[];
}

/** What is done; further names depend on the kind. */
export interface Action {
  kind: string;
  [name: string]: unknown;
}

export interface NewRoutingRule {
  name: string;
  when: Condition[];
  actions: Action[];
  match: Match;
  moment: Moment;
  /** Once it is met, the rules after it are not looked at. */
  stop: boolean;
  enabled: boolean;
}

export interface RoutingRule extends NewRoutingRule {
  id: string;
  revision: number;
  changed_by: string;
  changed_at: string;
  met: number;
  failed: number;
  last_at: string | null;
}

export interface Kinds {
  kinds: { name: string; moments: Moment[] }[];
  /** Attributes that rules may coerce. */
  coerced: string[];
}

export interface Answered extends Condition {
  held: boolean;
  seen: string[];
}

export interface Effect {
  kind: string;
  state: 'done' | 'skipped' | 'failed';
  reason: string;
  differences: { name: string; before: string; after: string }[];
  error: Trouble | null;
}

export interface Trial {
  looked_at: number;
  met: number;
  studies: { study: GrantedStudy; why: Answered[]; effects: Effect[] }[];
}

export interface Revision {
  revision: number;
  at: string;
  by: string;
  deleted: boolean;
  rule: NewRoutingRule;
}

export interface Met {
  rule_id: string;
  name: string;
  revision: number;
  at: string;
  match: Match;
  why: Answered[];
  effects: Effect[];
}

const rules = (answer: { rules: RoutingRule[] }): RoutingRule[] => answer.rules;

export const routing = {
  list: () => get<{ rules: RoutingRule[] }>('/api/routing-rules').then(rules),
  kinds: () => get<Kinds>('/api/routing-rules/kinds'),
  /** What can be analysed here, on or off. */
  analyses: () => get<{ kind: string; name: string; enabled: boolean }[]>('/api/analyses'),
  make: (row: NewRoutingRule) => post<RoutingRule>('/api/routing-rules', row),
  change: (id: string, row: NewRoutingRule & { revision: number }) => put(`/api/routing-rules/${part(id)}`, row),
  order: (ids: string[]) => put('/api/routing-rules/order', { ids }),
  turn: (id: string, enabled: boolean) => put(`/api/routing-rules/${part(id)}/enabled`, { enabled }),
  remove: (id: string) => remove(`/api/routing-rules/${part(id)}`),
  revisions: (id: string) => get<{ revisions: Revision[] }>(`/api/routing-rules/${part(id)}/revisions`).then((answer) => answer.revisions),
  attempt: (row: NewRoutingRule) => post<Trial>('/api/routing-rules/try', row),
  met: (studyId: string) => get<{ rules: Met[] }>(`/api/studies/${part(studyId)}/rules`).then((answer) => answer.rules),
  again: (studyId: string) => post(`/api/studies/${part(studyId)}/rules`),
};
