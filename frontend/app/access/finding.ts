/** People, groups, machines and studies by a piece of their name, for what lets one choose among them. */

import { groups } from '../api/access';
import { accounts, studies, tokens } from '../api/endpoints';
import { formatDate, t } from '../i18n/index.svelte';
import { readName } from '../parts/person';
import { emptyFilter } from '../studies/list.svelte';

const SHOWN = 12;

export interface Found {
  value: string;
  name: string;
  note?: string;
}

/** Those of all whose words hold what is looked for. */
export function among(all: readonly Found[], text: string): { options: Found[]; more: boolean } {
  const words = text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const fits = all.filter(({ name, note = '' }) => words.every((word) => `${name} ${note}`.toLocaleLowerCase().includes(word)));
  return { options: fits.slice(0, SHOWN), more: fits.length > SHOWN };
}

export async function allPeople(): Promise<Found[]> {
  const all = await accounts.list();
  return all
    .filter((one) => one.disabled_at === null)
    .map((one) => ({ value: `account:${one.id}`, name: one.full_name || one.username, note: one.full_name ? one.username : '' }));
}

export async function allTokens(): Promise<Found[]> {
  const all = await tokens.list();
  return all.filter((one) => one.revoked_at === null).map((one) => ({ value: `token:${one.id}`, name: one.name, note: t('access.kind.token') }));
}

export async function allGroups(): Promise<Found[]> {
  const all = await groups.list();
  return all.map((one) => ({ value: `group:${one.id}`, name: one.name, note: one.description }));
}

export async function findStudies(text: string): Promise<{ options: Found[]; more: boolean }> {
  const page = await studies.page({ ...emptyFilter, text }, SHOWN, null);
  const options = page.studies.map((one) => ({
    value: one.id,
    name: [readName(one.patient.name).main || t('study.noName'), one.patient.id, formatDate(one.patient.birth_date)].filter(Boolean).join(' · '),
    note: [formatDate(one.study_date), one.modalities.join(', '), one.description].filter(Boolean).join(' · '),
  }));
  return { options, more: page.next_cursor !== null };
}
