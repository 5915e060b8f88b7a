/** Groups, grants and releases, as the REST interface answers. */

import { get, patch, post, put, queryString, remove } from './client';
import type { Patient } from './types';

const part = encodeURIComponent;

export interface Group {
  id: string;
  name: string;
  description: string;
  members: number;
  grants: number;
  /** Its grants show restricted studies too. */
  sees_restricted: boolean;
}

export interface Member {
  kind: 'account' | 'token';
  id: string;
  name: string;
  origin: 'hand' | 'directory' | 'sign-on';
}

export const rights = ['see', 'download', 'share', 'forward', 'annotate', 'delete', 'reidentify', 'fetch', 'admit', 'worklist', 'break-glass'] as const;
export type Right = (typeof rights)[number];
export const grantees = ['account', 'group', 'role', 'ae', 'token'] as const;
/** Whom a grant can be given to by hand; a link's is made with the link. */
export type GranteeKind = (typeof grantees)[number];
export type TargetKind = 'organisation' | 'source' | 'study' | 'series';

export interface GrantedStudy {
  id: string;
  patient: Patient;
  study_date: string | null;
  description: string;
  modalities: string[];
}

export interface Grant {
  id: string;
  grantee_kind: GranteeKind | 'link';
  grantee_id: string;
  /** Empty for who is gone, and for roles. */
  grantee_name: string;
  target_kind: TargetKind;
  target_id: string | null;
  target_name: string;
  /** Null where the study is gone or not for one to see. */
  study: GrantedStudy | null;
  rights: Right[];
  identity: 'clear' | 'alias';
  ends_at: string | null;
  created_at: string;
  revision: number;
  /** Leads to the patient's earlier studies where the rule goes by marked grants alone. */
  priors?: boolean;
}

export type NewGrant = Pick<Grant, 'grantee_kind' | 'grantee_id' | 'target_kind' | 'target_id' | 'rights' | 'identity' | 'ends_at' | 'priors'>;
export type GrantChange = Pick<Grant, 'revision' | 'rights' | 'identity' | 'ends_at' | 'priors'> & { confirmed?: boolean };

export interface Receiver {
  kind: 'account' | 'group';
  id: string;
  name: string;
}

export interface Release {
  id: string;
  to: Receiver;
  may_download: boolean;
  identity: 'clear' | 'alias';
  ends_at: string | null;
  /** How it came: by hand or by a rule. */
  origin: 'hand' | 'rule';
  /** The rule that gave it; empty if that is no more. */
  rule: string | null;
}

export interface Releases {
  releases: Release[];
  /** Who broke glass: nobody released it to them, and it ends by itself. */
  opened: { id: string; name: string; at: string; ends_at: string | null }[];
  /** What the reader may give. */
  may_download: boolean;
  latest_end: string | null;
}

export interface Sight {
  kind: 'account' | 'group' | 'role';
  id: string;
  name: string;
  /** Every study, not some. */
  whole: boolean;
}

export const groups = {
  list: () => get<{ groups: Group[] }>('/api/groups').then((answer) => answer.groups),
  create: (row: { name: string; description: string }) => post<Group>('/api/groups', row),
  change: (id: string, row: { name: string; description: string; sees_restricted: boolean }) => patch<Group>(`/api/groups/${part(id)}`, row),
  remove: (id: string, confirmed: boolean) => remove(`/api/groups/${part(id)}${queryString({ confirmed })}`),
  members: (id: string) => get<{ members: Member[] }>(`/api/groups/${part(id)}/members`).then((answer) => answer.members),
  join: (id: string, kind: string, member: string) => put(`/api/groups/${part(id)}/members/${kind}/${part(member)}`, undefined),
  leave: (id: string, one: Member) => remove(`/api/groups/${part(id)}/members/${one.kind}/${part(one.id)}`),
};

export interface GrantFilter {
  grantee_kind: string;
  grantee_id: string;
  target_kind: string;
  target_id: string;
}

export const grants = {
  list: (filter: GrantFilter) => get<{ grants: Grant[]; more: boolean }>('/api/grants', { query: { ...filter } }),
  give: (row: NewGrant) => post<Grant>('/api/grants', row),
  change: (id: string, row: GrantChange) => patch<Grant>(`/api/grants/${part(id)}`, row),
  end: ({ id, revision }: Grant, confirmed: boolean) => remove(`/api/grants/${part(id)}${queryString({ revision, confirmed })}`),
};

const ofStudy = (id: string): string => `/api/studies/${part(id)}/releases`;

export const releases = {
  list: (study: string) => get<Releases>(ofStudy(study)),
  receivers: (study: string, text: string) => get<{ receivers: Receiver[]; more: boolean }>(`${ofStudy(study)}/receivers`, { query: { text } }),
  give: (study: string, row: { kind: string; id: string; may_download: boolean; ends_at: string | null }) => post<Release>(ofStudy(study), row),
  takeBack: (study: string, id: string) => remove(`${ofStudy(study)}/${part(id)}`),
};

export const people = {
  sight: () => get<{ people: { account_id: string; sees_by: Sight[] }[] }>('/api/people/sight').then((answer) => answer.people),
};
