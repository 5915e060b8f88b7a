import { beforeAll, expect, it, vi } from 'vitest';
import type { Act, ImportDetail, ImportedPerson } from '../api/imports';
import { allWords, setLanguage } from '../i18n/index.svelte';
import { newsAfter, newsText, turnOf } from './meanwhile';

const act = (turn: number, what: Act['what'], more: Partial<Act> = {}): Act => ({ turn, what, by: 'Dr. Weber', at: '2026-01-01T10:00:00Z', number: 0, mine: false, ...more });
const chosen = { name: 'Groß^Anna', patient_id: 'P1', issuer: 'KH', birth_date: '19781224', sex: 'F' };
const anna = { number: 0, person: { name: 'Müller^Anna', patient_id: 'EXT', issuer: '', birth_date: null, sex: 'F' }, chosen } as unknown as ImportedPerson;

beforeAll(async () => {
  vi.stubGlobal('document', { documentElement: {} });
  await setLanguage('en', false, true);
  await allWords();
});

it('tells what others did since the page was opened, and nothing of what one did oneself', () => {
  const acts = [act(1, 'choose'), act(2, 'choose', { mine: true }), act(3, 'file'), act(4, 'take-back')];
  expect(turnOf({ acts: [] })).toBe(0);
  expect(newsAfter({ acts }, 2).map(({ what }) => what)).toEqual(['file', 'take-back']);
  expect(newsAfter({ acts }, turnOf({ acts }))).toEqual([]);
});

it('tells of choices what still counts: the last patient, and an order beside', () => {
  const acts = [act(1, 'choose'), act(2, 'order'), act(3, 'choose', { by: 'root' }), act(4, 'order'), act(5, 'choose', { number: 1 })];
  expect(newsAfter({ acts }, 0).map(({ turn }) => turn)).toEqual([3, 4, 5]);
  expect(newsAfter({ acts: [act(1, 'choose'), act(2, 'choose', { mine: true })] }, 0)).toEqual([]);
});

it('says it by name, with whom somebody chose as far as that is known', () => {
  const persons: ImportDetail['persons'] = [anna];
  expect(newsText(act(1, 'choose'), { persons })).toMatch(/^Dr\. Weber has meanwhile chosen for Müller, Anna: Groß, Anna, born .*, ID P1 \(KH\)\.$/);
  expect(newsText(act(1, 'choose'), { persons: [{ ...anna, chosen: null }] })).toBe('Dr. Weber has meanwhile chosen a patient for Müller, Anna.');
  expect(newsText(act(1, 'give-up', { number: null }), { persons: [] })).toBe('Dr. Weber has meanwhile given this import up.');
});
