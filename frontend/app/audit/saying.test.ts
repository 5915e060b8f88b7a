import { beforeAll, expect, test, vi } from 'vitest';
import { allWords, setLanguage } from '../i18n/index.svelte';
import { detailsOf } from './saying';

const ID = '0198a000-0000-7000-8000-0000deadbeef';
const text = (action: string, detail: Record<string, unknown>): string => detailsOf(action, detail).map(({ name, text }) => `${name}: ${text}`).join(' · ');

beforeAll(async () => {
  vi.stubGlobal('document', { documentElement: {} });
  await setLanguage('de', false, true);
  await allWords();
});

test('details are said in the language of the reader, ids short, kinds by what the event is about', () => {
  expect(text('grant.give', { grantee: 'role dpo', target: 'organisation', rights: ['see', 'break-glass'], identity: 'alias', until: '' })).toBe(
    'für: Rolle Datenschutz · auf: alle Studien · Rechte: Ansehen, Geschützte Studien begründet öffnen · Namen: unter Alias',
  );
  expect(text('access.break-glass', { kind: 'emergency', glass: ID })).toBe('Art: Notfall · Öffnung: deadbeef');
  expect(text('factor.require', { kinds: 'passkey,totp', subject: `group ${ID}` })).toBe('Arten: Passkey, Authenticator-App · von: Gruppe deadbeef');
  expect(text('study.search', { by: ['patient_id', 'date_from'], level: 'STUDY' })).toBe('nach: Patienten-ID, Studiendatum ab · Ebene: Studien');
  expect(text('source.change', { changed: { retention_s: 172_800, folder: null, enabled: false, duplicate_policy: 'supersede' } })).toBe(
    'geändert: aufbewahrt für: 2 Tage, Ordner: –, aktiv: nein, Umgang mit abweichendem Inhalt: ersetzt',
  );
  expect(text('directory.read', { enabled: 3 }) + text('release-rule.make', { enabled: true })).toBe('wieder freigegeben: 3aktiv: ja');
  expect(text('login', { reason: 'too-many-attempts' })).not.toContain('too-many');
});

test('what has no words stands as it is, and what says nothing is left out', () => {
  expect(text('login', { reason: 'never-heard-of', what: '', held: false, agreed_on: '2026-03-01' })).toBe(
    'Grund: never-heard-of · bleibt, bis der Schutz vor Löschen endet: nein · geschlossen am: 01.03.2026',
  );
});
