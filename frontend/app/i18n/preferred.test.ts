import { expect, test } from 'vitest';
import { preferredLanguage } from './index.svelte';

test.each([
  [['en-GB', 'de'], 'en'],
  [['de-AT', 'en'], 'de'],
  [['fr', 'de', 'en'], 'de'],
  [['ja'], 'en'],
])('a browser that asks for %j is answered in %s', (languages, wanted) => {
  Object.defineProperty(globalThis, 'navigator', { value: { languages }, configurable: true });
  expect(preferredLanguage()).toBe(wanted);
});
