/** What a grant means, in one plain sentence. */

import type { Grant, Right, Sight } from '../api/access';
import { formatDate, formatInstant, language, t } from '../i18n/index.svelte';
import { readName } from '../parts/person';
import { sourceName } from '../parts/source-name';

type Said = Pick<Grant, 'grantee_kind' | 'grantee_id' | 'grantee_name' | 'target_kind' | 'target_id' | 'target_name' | 'study' | 'rights' | 'identity' | 'ends_at'>;

export function list(texts: readonly string[]): string {
  return new Intl.ListFormat(language(), { type: 'conjunction' }).format(texts);
}

/** The same in pieces: each text with its place among them, and what stands between without one. */
export function listed(texts: readonly string[]): { key: number; text: string; place: number | null }[] {
  let next = 0;
  const parts = new Intl.ListFormat(language(), { type: 'conjunction' }).formatToParts(texts);
  return parts.map(({ type, value }, key) => ({ key, text: value, place: type === 'element' ? next++ : null }));
}

export function roleName(role: string): string {
  const known = ['admin', 'user', 'dpo', 'service', 'guest'].includes(role);
  return known ? t(`role.${role as 'admin'}`) : role;
}

/** Whom a grant is for, as the subject of a sentence. */
export function whoOf({ grantee_kind, grantee_id, grantee_name }: Said): string {
  if (grantee_id === '*') return t(`access.any.${grantee_kind}`);
  if (grantee_kind === 'role') return t('access.who.role', { name: roleName(grantee_id) });
  if (grantee_kind === 'link') return t('access.who.link');
  return grantee_name ? t(`access.who.${grantee_kind}`, { name: grantee_name }) : t('access.who.gone');
}

/** What a grant is on, as the object of a sentence. */
export function whatOf({ target_kind, target_name, target_id, study }: Said): string {
  if (target_kind === 'organisation') return t('access.what.organisation');
  if (target_kind === 'source') return target_name ? t('access.what.source', { name: sourceName(target_name) }) : t(target_id ? 'access.what.sourceGone' : 'access.what.sourceNone');
  if (target_kind === 'series') return t('access.what.series');
  if (!study) return t(target_id ? 'access.what.studyHidden' : 'access.what.studyNone');
  const named = [study.description || study.modalities.join(', '), formatDate(study.study_date)].filter(Boolean).join(', ');
  return t('access.what.study', { study: named || '–', name: readName(study.patient.name).main || study.patient.id || '–' });
}

export function rightsOf(rights: readonly Right[]): string {
  return list(rights.map((right) => t(`access.do.${right}`)));
}

export function isOver(ends: string | null, now = Date.now()): boolean {
  return ends !== null && Date.parse(ends) <= now;
}

export function sentenceOf(grant: Said): string {
  const many = grant.grantee_id === '*' || grant.grantee_kind === 'role';
  const plain = grant.rights.filter((right) => right !== 'break-glass');
  const { ends_at: ends } = grant;
  return t(isOver(ends) ? 'access.sentenceOver' : 'access.sentence', {
    n: many ? 2 : 1,
    who: whoOf(grant),
    what: whatOf(grant),
    rights: rightsOf(plain.length ? plain : grant.rights),
    glass: plain.length === grant.rights.length ? '' : t(plain.length ? 'access.glassToo' : 'access.glassOnly'),
    how: grant.identity === 'alias' ? t('access.byAlias') : '',
    until: ends ? t('access.until', { when: formatInstant(ends) }) : '',
    when: ends ? formatInstant(ends) : '',
  });
}

/** By what somebody sees, in a few words. */
export function sightOf({ kind, id, name, whole }: Sight): string {
  const by = kind === 'account' ? t('sight.account') : kind === 'group' ? t('sight.group', { name }) : id === '*' ? t('sight.anyRole') : t('sight.role', { name: roleName(id) });
  return whole ? by : t('sight.part', { by });
}

/** The last moment of a day, here; nothing for no day. */
export function endOf(day: string): string | null {
  return day ? new Date(`${day}T23:59:59`).toISOString() : null;
}

/** The day of a moment, here, as a date field has it. */
export function dayOf(iso: string | null): string {
  return iso ? new Date(iso).toLocaleDateString('sv') : '';
}
