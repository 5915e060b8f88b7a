/** Recipes are spoken of in the reader's language, whatever braces stand in what is said. */

import { beforeAll, expect, test, vi } from 'vitest';
import { allWords, setLanguage } from '../i18n/index.svelte';
import { faultText, saidText } from './recipes';

const said = (code: string, values: Record<string, string | number> = {}, text = 'in English') => ({ code, values, text });

beforeAll(async () => {
  vi.stubGlobal('document', { documentElement: {} });
  await setLanguage('de', false, true);
  await allWords();
});

test('words come by their code, values stand as they are', () => {
  expect(saidText(said('not-known', { hole: '{csfr}' }))).toBe('{csfr} ist hier nicht bekannt: nicht erfragt, in keinem Link und vorher nicht entnommen');
  expect(saidText(said('pattern-whole', { limit: 1000 }))).toContain('[^"]{1,200}');
  expect(saidText(said('something-new'))).toBe('in English');
  const why = said('take', { name: 'csrf' });
  const outdated = { code: 'test-outdated', values: { came: 'portal-recipe-outdated', why, wanted: 'fetched' }, text: '' };
  expect(saidText(outdated)).toBe('kommt zu portal-recipe-outdated (csrf ist nicht dort, wo das Rezept es entnimmt), nicht zu fetched');
});

test('a fault has its place, as far as it is known', () => {
  expect(faultText({ file: 'torn.toml', line: 3, place: 'step 2, get', said: said('missing') })).toBe('torn.toml, Zeile 3: step 2, get: fehlt');
  expect(faultText({ file: 'torn.toml', line: 0, place: '', said: said('file-name') })).toMatch(/^torn.toml: Dateien heißen/);
});
