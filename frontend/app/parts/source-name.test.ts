import { expect, test } from 'vitest';
import { setLanguage } from '../i18n/index.svelte';
import { sourceName } from './source-name';

test('the name that is given by itself is read in the reader’s language, every other one as it is', async () => {
  await setLanguage('de');
  expect(['Portals', 'Portals 2', 'Portals of Ulm', 'Upload'].map(sourceName)).toEqual(['Portale', 'Portale 2', 'Portals of Ulm', 'Upload']);
  await setLanguage('en');
  expect(sourceName('Portals 2')).toBe('Portals 2');
});
