/** What a rule may ask and do, as the editor offers it. */

import type { Action, Condition, Moment, Test } from '../api/routing';

/** Fields that are no attributes. */
export const ownFields = ['source', 'calling_ae', 'called_ae', 'host', 'brought_by', 'visible_to', 'weekday', 'time', 'megabytes', 'objects', 'series'] as const;
/** Attributes that are asked for most, by keyword; any other may be typed. */
export const attributes = [
  'Modality', 'BodyPartExamined', 'StudyDescription', 'SeriesDescription', 'ReferringPhysicianName', 'InstitutionName',
  'InstitutionalDepartmentName', 'StationName', 'PatientID', 'PatientName', 'PatientAge', 'AccessionNumber', 'StudyDate',
] as const;
export type OwnField = (typeof ownFields)[number];
export type Attribute = (typeof attributes)[number];
export type Entry = 'source' | 'group' | 'weekday' | 'time' | 'number' | 'text';

export const kinds = ['show', 'retain', 'hold', 'coerce', 'forward', 'report', 'notify', 'analyse'] as const;
export type Kind = (typeof kinds)[number];

export const isOwn = (field: string): field is OwnField => (ownFields as readonly string[]).includes(field);
export const isListed = (field: string): field is Attribute => (attributes as readonly string[]).includes(field);
export const isKind = (kind: string): kind is Kind => (kinds as readonly string[]).includes(kind);

export function entryOf(field: string): Entry {
  if (field === 'source') return 'source';
  if (field === 'brought_by' || field === 'visible_to') return 'group';
  if (field === 'weekday' || field === 'time') return field;
  return ['megabytes', 'objects', 'series'].includes(field) ? 'number' : 'text';
}

const OF_ENTRY: Record<Entry, readonly Test[]> = {
  source: ['is', 'is-not'],
  group: ['is', 'is-not'],
  weekday: ['is', 'is-not'],
  time: ['between'],
  number: ['at-least', 'at-most', 'between'],
  text: ['is', 'is-not', 'contains', 'begins', 'like', 'at-least', 'at-most', 'between', 'present', 'absent'],
};

export function testsOf(field: string): readonly Test[] {
  const known = OF_ENTRY[entryOf(field)];
  return field.endsWith('_ae') || field === 'host' ? known.filter((test) => !['at-least', 'at-most', 'between'].includes(test)) : known;
}

/** The same condition on another field: what cannot be kept of it begins anew. */
export function moved(condition: Condition, field: string): Condition {
  const allowed = testsOf(field);
  const test = allowed.includes(condition.test) ? condition.test : (allowed[0] ?? 'is');
  return { field, test, values: entryOf(field) === entryOf(condition.field) ? condition.values : [] };
}

export const wantsValue = (test: Test): boolean => test !== 'present' && test !== 'absent';

export function whole(condition: Condition): boolean {
  const given = condition.values.filter((value) => value.trim() !== '').length;
  return condition.field.trim() !== '' && (!wantsValue(condition.test) || given >= (condition.test === 'between' ? 2 : 1));
}

/** What an action of a kind begins with. */
export function begun(kind: string): Action {
  switch (kind) {
    case 'show': return { kind, group_id: '', may_download: false, identity: 'clear', days: null };
    case 'retain': return { kind, days: 30 };
    case 'hold': return { kind, days: null, reason: '' };
    case 'coerce': return { kind, values: {} };
    case 'forward': return { kind, destination_id: '', priority: 0 };
    case 'report': return { kind, receiver: '', link: false };
    case 'notify': return { kind, group_id: '' };
    case 'analyse': return { kind, analysis: '' };
    default: return { kind };
  }
}

export function settled(action: Action): boolean {
  if (action.kind === 'show' || action.kind === 'notify') return action.group_id !== '';
  if (action.kind === 'forward') return action.destination_id !== '';
  if (action.kind === 'analyse') return action.analysis !== '';
  if (action.kind === 'report') return action.receiver !== '';
  if (action.kind === 'retain') return typeof action.days === 'number' && action.days > 0;
  if (action.kind === 'coerce') return Object.keys(action.values as object).length > 0;
  return true;
}

export const possible = (moments: readonly Moment[] | undefined, moment: Moment): boolean => moments?.includes(moment) ?? false;
