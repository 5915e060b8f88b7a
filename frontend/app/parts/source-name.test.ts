import { beforeAll, expect, test, vi } from 'vitest';
import { allWords, setLanguage } from '../i18n/index.svelte';
import { sourceName } from './source-name';

beforeAll(async () => {
  vi.stubGlobal('document', { documentElement: {} });
  await setLanguage('de', false, true);
  await allWords();
});

test('the name that is given by itself is read in the reader’s language, every other one as it is', () => {
  expect(['Portals', 'Portals 2', 'Portals of Ulm', 'Upload'].map(sourceName)).toEqual(['Portale', 'Portale 2', 'Portals of Ulm', 'Upload']);
});
