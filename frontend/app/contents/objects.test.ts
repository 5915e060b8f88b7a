/** Objects of a series where one is to be compared with. */

import { beforeAll, expect, it, vi } from 'vitest';
import { setLanguage } from '../i18n/index.svelte';
import { className, objectLabel } from './objects';

beforeAll(async () => {
  vi.stubGlobal('document', { documentElement: {} });
  await setLanguage('en', false, true);
});

it('are told apart by series, place in the stack, number and class', () => {
  const ct = { number: 112, sop_class_uid: '1.2.840.10008.5.1.4.1.1.2' };
  const said = objectLabel(ct, 11, 40, { number: 3 });
  expect(said).toBe('Series 3 · Image 12 of 40 · no. 112 · CT Image');
  expect(objectLabel({ ...ct, number: 12 }, 11, 40, null).split(' · ')).toHaveLength(2);
  expect(className('1.2.3')).toBe('1.2.3');
});
