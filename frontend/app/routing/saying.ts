/** What a rule asks, does and did, in plain words. */

import type { Action, Answered, Condition, Effect, NewRoutingRule } from '../api/routing';
import { formatInstant, language, t } from '../i18n/index.svelte';
import { troubleText } from '../i18n/trouble';
import { entryOf, isKind, isListed, isOwn } from './fields';

/** Names by id: of sources, groups and destinations. */
export type Names = ReadonlyMap<string, string>;

const MONDAY = new Date(2024, 0, 1);

export function weekday(day: number): string {
  const date = new Date(MONDAY);
  date.setDate(MONDAY.getDate() + day);
  return new Intl.DateTimeFormat(language(), { weekday: 'long' }).format(date);
}

export function fieldName(field: string): string {
  if (isOwn(field)) return t(`routing.field.${field}`);
  return isListed(field) ? t(`routing.attribute.${field}`) : field;
}

function valueName(field: string, value: string, names: Names): string {
  const entry = entryOf(field);
  if (entry === 'weekday') return weekday(Number(value));
  if (entry === 'source' || entry === 'group') return names.get(value) ?? t('routing.gone');
  return value;
}

export function saidValues(field: string, values: readonly string[], names: Names, type: 'disjunction' | 'conjunction' = 'disjunction'): string {
  return new Intl.ListFormat(language(), { type }).format(values.map((value) => valueName(field, value, names)));
}

export function saidCondition(one: Condition, names: Names): string {
  const between = one.test === 'between';
  const [low = '', high = ''] = one.values;
  return t(`routing.says.${one.test}`, { field: fieldName(one.field), value: between ? low : saidValues(one.field, one.values, names), high });
}

export function saidSeen(one: Answered, names: Names): string {
  return one.seen.length ? saidValues(one.field, one.seen, names, 'conjunction') : t('routing.nothing');
}

export function saidWhen(rule: NewRoutingRule, names: Names): string {
  if (rule.when.length === 0) return t('routing.every');
  const type = rule.match === 'any' ? 'disjunction' : 'conjunction';
  return new Intl.ListFormat(language(), { type }).format(rule.when.map((one) => saidCondition(one, names)));
}

export const kindName = (kind: string): string => (isKind(kind) ? t(`routing.kind.${kind}`) : kind);

export function coercedName(name: string): string {
  const known = coercible.find((one) => one === name);
  return known ? t(`routing.coerced.${known}`) : name;
}

export const coercible = ['patient_name', 'patient_id', 'patient_issuer', 'birth_date', 'sex', 'accession_number', 'description', 'referring_physician', 'expires_at'] as const;

export function saidAction(action: Action, names: Names): string {
  const name = (id: unknown): string => names.get(String(id)) ?? t('routing.gone');
  const days = typeof action.days === 'number' ? action.days : null;
  switch (action.kind) {
    case 'show': return t(days === null ? 'routing.does.show' : 'routing.does.showDays', { group: name(action.group_id), n: days ?? 0 });
    case 'retain': return t('routing.does.retain', { n: days ?? 0 });
    case 'hold': return days === null ? t('routing.does.hold') : t('routing.does.holdDays', { n: days });
    case 'coerce': return t('routing.does.coerce', { fields: Object.keys(action.values as object).map(coercedName).join(', ') });
    case 'forward':
      if (action.project_id) return t('routing.does.forwardCopies', { destination: name(action.destination_id), project: name(action.project_id) });
      return t('routing.does.forward', { destination: name(action.destination_id) });
    case 'report': return t('routing.does.report', { receiver: String(action.receiver) });
    case 'notify': return t('routing.does.notify', { group: name(action.group_id) });
    case 'analyse': return t('routing.does.analyse', { name: String(action.analysis) });
    default: return action.kind;
  }
}

const reasons = ['came-from-there', 'sent-already', 'there-already', 'so-already', 'held-already', 'nobody-to-tell', 'no-report', 'waits-for-correction', 'held-after-restore', 'owed-in-backup', 'empty-placeholder', 'empty-placeholder-in-part', 'analysis-off', 'analysis-nothing-to-analyse', 'analysed-already', 'analysis-not-started'] as const;

/** `tried`: it was not done, only looked at. */
export function saidEffect(effect: Effect, tried: boolean): string {
  if (effect.state === 'failed') return effect.error ? troubleText(effect.error) : t('routing.state.failed');
  const reason = reasons.find((one) => one === effect.reason);
  if (reason) return t(`routing.reason.${reason}`);
  return t(tried && effect.state === 'done' ? 'routing.wouldDo' : `routing.state.${effect.state}`);
}

export function saidDifference(name: string, value: string): string {
  if (name === 'expires_at') return value ? formatInstant(value) : t('expiry.never');
  return value || t('routing.empty');
}
