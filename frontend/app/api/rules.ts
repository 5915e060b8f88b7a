/** Release rules, as the REST interface answers. */

import type { GrantedStudy } from './access';
import { get, post, put, queryString, remove } from './client';

const part = encodeURIComponent;

/** In the order in which they are asked for and said. */
export const conditionNames = ['modality', 'body_part', 'description', 'referring', 'institution', 'department', 'calling_ae', 'called_ae'] as const;
export type ConditionName = (typeof conditionNames)[number];
export type Conditions = Record<ConditionName, string> & { source_id: string | null };
export type Fate = 'keep' | 'end';

export interface NewRule {
  name: string;
  group_id: string;
  conditions: Conditions;
  may_download: boolean;
  identity: 'clear' | 'alias';
  /** None: until the study goes. */
  days: number | null;
  enabled: boolean;
}

export interface Rule extends NewRule {
  id: string;
  group_name: string;
  made_by: string;
  created_at: string;
  revision: number;
  /** How many studies are released by it now. */
  releases: number;
  /** It still goes through the studies that are here. */
  applying: boolean;
}

export interface Matched {
  looked_at: number;
  matched: number;
  restricted: number;
  /** Those of them that one may see. */
  studies: GrantedStudy[];
}

export const noConditions: Conditions = {
  source_id: null, modality: '', body_part: '', description: '', referring: '', institution: '', department: '', calling_ae: '', called_ae: '',
};

export const rules = {
  list: () => get<{ rules: Rule[] }>('/api/release-rules').then((answer) => answer.rules),
  make: (row: NewRule & { apply: boolean }) => post<Rule>('/api/release-rules', row),
  change: (id: string, row: NewRule & { apply: boolean; revision: number; releases: Fate | null }) => put(`/api/release-rules/${part(id)}`, row),
  remove: (id: string, releases: Fate | null) => remove(`/api/release-rules/${part(id)}${releases ? queryString({ releases }) : ''}`),
  preview: (asked: Conditions) => post<Matched>('/api/release-rules/preview', asked),
};
