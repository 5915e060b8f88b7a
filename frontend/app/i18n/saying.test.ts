import { beforeAll, expect, test, vi } from 'vitest';
import { allWords, formatDue, setLanguage, t } from './index.svelte';
import { troubleText } from './trouble';

beforeAll(async () => {
  vi.stubGlobal('document', { documentElement: {} });
  await setLanguage('en', false, true);
  await allWords();
});

test('one is said as one, wherever it stands in a sentence', () => {
  const counts = { series: 1, objects: 1, marks: 2, deliveries: 1, links: 0 };
  expect(t('requests.counts', counts)).toBe('1 series, 1 object, 2 marks, sent 1 time, 0 links');
});

test('a deadline of 30 days is 30 days away on its first day, and hours on its last', () => {
  const received = Date.parse('2026-11-02T10:00:00');
  const due = new Date(received + 30 * 86_400_000).toISOString();
  const after = (hours: number): string => formatDue(due, received + hours * 3_600_000);
  expect([0, 0.1, 13.9, 24, 28 * 24, 29 * 24 + 4, 32 * 24].map(after)).toEqual(
    ['in 30 days', 'in 30 days', 'in 30 days', 'in 29 days', 'in 2 days', 'in 20 hr.', '2 days ago'],
  );
});

test('a field of a node that cannot be right is told of with what it has to be', () => {
  const told = (code: string): string => troubleText({ code, detail: '', facts: { field: 'ae_title' } });
  expect(told('pacs-invalid')).toContain('AE title (1 to 16 characters: letters without accents');
  expect(told('schedule-invalid')).not.toContain('1 to 16');
});

test('attempts that are left are told where they are counted', () => {
  const told = (facts: Record<string, number>): string => troubleText({ code: 'portal-answer-wrong', detail: '', facts });
  expect(told({ left: 3 })).toContain('left: 3');
  expect(told({})).toMatch(/wrong\.$/);
});
