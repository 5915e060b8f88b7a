/** Whom a grant is for is said of each kind for what it is: of everybody of a kind, too. */

import { beforeAll, expect, it, vi } from 'vitest';
import { allWords, setLanguage } from '../i18n/index.svelte';
import { sentenceOf } from './saying';

beforeAll(async () => {
  vi.stubGlobal('document', { documentElement: {} });
  vi.stubGlobal('localStorage', { setItem: () => undefined });
  await allWords();
  await setLanguage('en');
});

const of = (kind: 'account' | 'ae' | 'role' | 'token' | 'group' | 'link'): string =>
  sentenceOf({
    grantee_kind: kind, grantee_id: '*', grantee_name: '*', target_kind: 'organisation', target_id: null, target_name: '', study: null,
    rights: ['see'], identity: 'clear', ends_at: null,
  });

it('a grant to every device is not one to everybody', () => {
  expect(of('ae')).toMatch(/^Every DICOM device that calls may see /);
  expect(of('account')).toMatch(/^Everybody with an account may see /);
  expect(new Set(['account', 'ae', 'role', 'token', 'group', 'link'].map((kind) => of(kind as 'ae'))).size).toBe(6);
});

it('says of restricted studies that they are opened by giving a reason', () => {
  const may = (...rights: ('see' | 'share' | 'break-glass')[]): string =>
    sentenceOf({
      grantee_kind: 'group', grantee_id: 'g', grantee_name: 'Ward', target_kind: 'organisation', target_id: null, target_name: '', study: null,
      rights, identity: 'clear', ends_at: null,
    });
  expect(may('see', 'share')).toBe('The group Ward may see and share all studies.');
  expect(may('see', 'share', 'break-glass')).toBe('The group Ward may see and share all studies, and open restricted studies among them by giving a reason.');
  expect(may('break-glass')).toBe('The group Ward may open all studies, even if restricted, by giving a reason.');
});
