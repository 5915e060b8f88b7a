import { beforeAll, expect, test, vi } from 'vitest';
import { allWords, formatRelative, setLanguage, t } from './index.svelte';

beforeAll(async () => {
  vi.stubGlobal('document', { documentElement: {} });
  await setLanguage('en', false, true);
  await allWords();
});

test('one is said as one, wherever it stands in a sentence', () => {
  const counts = { series: 1, objects: 1, marks: 2, deliveries: 1, links: 0 };
  expect(t('requests.counts', counts)).toBe('1 series, 1 object, 2 marks, sent 1 time, 0 links');
});
