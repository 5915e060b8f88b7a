import { expect, test } from 'vitest';
import type { LinkRow, SharedRow } from '../api/links';
import { setLanguage } from '../i18n/index.svelte';
import { nameOf, opened } from './naming';

Object.assign(globalThis, { document: { documentElement: {} } });

const shows = (...names: string[]): SharedRow[] =>
  names.map((name) => ({ study_id: name, series_ids: [], patient: { name, id: name, issuer: '' }, study_date: null, description: '', modalities: [] }) as unknown as SharedRow);
const link = (more: Partial<LinkRow>): LinkRow => ({ label: '', shows: [], uses: 0, max_uses: null, created_at: '2026-03-01T12:00:00Z', ...more }) as LinkRow;

test('a link of several people says how many, and one that nobody has opened says so', async () => {
  await setLanguage('en', false, true);
  expect(nameOf(link({ shows: shows('Miller^Ann') }))).toBe('Miller, Ann');
  expect(nameOf(link({ shows: shows('Miller^Ann', 'Miller^Ann', 'Young^Bo', 'Old^Cy') }))).toBe('Miller, Ann and 2 more');
  expect(nameOf(link({ label: 'for the GP', shows: shows('Miller^Ann') }))).toBe('for the GP');
  expect([0, 1, 2].map((uses) => opened(link({ uses })))).toEqual(['not opened yet', 'opened 1 time', 'opened 2 times']);
  expect(opened(link({ uses: 0, max_uses: 1 }))).toBe('0 of 1 use');
});
