import { beforeAll, expect, it, vi } from 'vitest';
import type { Act, Candidate, Import, ImportedPerson, ImportFinding } from '../api/imports';
import type { Portal } from '../api/portals';
import { allWords, setLanguage } from '../i18n/index.svelte';
import { readDate } from './dates';
import { countsText, isAsked, ledElsewhere } from './portals';
import { becomesText, cameText, nextTryText } from './saying';
import { byWeight, distinct, inOrder, isDeadEnd, isKeptBack, isNameless, isWeighty, issuerApart, missingOf, nearness, nextOpen, parted, questionText, shareOf, verdictOf, waitsForNextTry, wasFiled, wayOn } from './standing';

const finding = (level: ImportFinding['level'], code: string, at: string | null = null): ImportFinding => ({
  key: code, level, code, facts: {}, study_uid: '', confirmed_by: at ? 'weber' : '', confirmed_at: at,
});
const patient = { name: 'Müller^Anna', patient_id: '4711', issuer: 'KH', birth_date: '19781224', sex: 'F' };
const person: ImportedPerson = {
  number: 0, state: 'open', person: { ...patient, birth_date: '1978-12-24' }, studies: [], findings: [], candidates: [], chosen: null, unseen: false, order: null, unsent: '',
  papers: [], destination_id: null, filed_at: null, filed_by: '', left: 0, stopped: false,
};

beforeAll(async () => {
  vi.stubGlobal('document', { documentElement: {} });
  await setLanguage('en', false, true);
  await allWords();
});

it('reads dates as people write them, and guesses none', () => {
  const same = ['24.12.1978', '24. 12. 1978', '24/12/1978', '24-12-1978', '24 12 1978', '24121978', '19781224', '1978-12-24', '24. Dezember 1978', '24 Dec 1978', ' 24 December, 1978 '];
  expect(same.map(readDate)).toEqual(same.map(() => '1978-12-24'));
  expect(['1.2.1990', '19121920', '3. März 2001'].map(readDate)).toEqual(['1990-02-01', '1920-12-19', '2001-03-03']);
  expect(['', '24.12.78', '12/24/1978', '30.02.1990', '24. Foo 1978', 'heute', '1978'].map(readDate)).toEqual([null, null, null, null, null, null, null]);
});

it('says of images that came twice that they did, not that all of them did', () => {
  expect(becomesText({ objects: 1, becomes: { new: 1, 'twice-in-parcel': 1 } })).toBe('all new, twice in the parcel: 1');
  expect(becomesText({ objects: 1, becomes: { new: 1, 'differs-in-parcel': 1 } })).toBe('all new, contradict each other: 1');
  expect(becomesText({ objects: 2, becomes: { new: 1, 'same-content': 1 } })).toBe('new: 1, here already: 1');
});

it('says what is missing before it is filed, in the order in which it is done', () => {
  const found = [finding('look', 'nobody-here'), finding('look', 'name-unsaid', '2026-01-01'), finding('look', 'nobody-here')];
  const open = { ...person, findings: found };
  expect(missingOf({ findings: [finding('look', 'unreadable')] }, open)).toEqual([{ what: 'patient', n: 1 }, { what: 'looks', n: 2 }]);
  expect(missingOf({ findings: [finding('stop', 'list-empty')] }, { ...open, chosen: patient })).toEqual([{ what: 'stopped', n: 1 }, { what: 'looks', n: 1 }]);
  expect(missingOf({ findings: [finding('passed', 'complete')] }, { ...person, chosen: patient })).toEqual([]);
  expect(missingOf({ findings: [] }, { ...person, chosen: patient }, true)).toEqual([{ what: 'patient', n: 1 }]);
  expect(missingOf({ findings: [] }, { ...person, unseen: true, findings: [finding('stop', 'somebody-unseen')] })).toEqual([{ what: 'stopped', n: 1 }]);
  expect(distinct(found)).toHaveLength(2);
});

it('comes to a stop before all else, and to ready only once nothing is missing', () => {
  const none = { findings: [] };
  expect(verdictOf(none, { ...person, findings: [finding('stop', 'birth-date-differs')] })).toBe('stop');
  expect(verdictOf(none, person)).toBe('look');
  expect(verdictOf(none, { ...person, chosen: patient })).toBe('ready');
  expect(verdictOf(none, { ...person, chosen: patient }, true)).toBe('look');
  expect(verdictOf(none, { ...person, state: 'filed', findings: [finding('stop', 'birth-date-differs')] })).toBe('filed');
});

it('leaves to a colleague what is about somebody whom the reader may not see', () => {
  const kept = (level: ImportFinding['level']): ImportedPerson => ({ ...person, findings: [finding(level, 'somebody-unseen')] });
  expect([kept('stop'), { ...person, unseen: true }, kept('passed'), person].map((one) => isKeptBack({ persons: [person, one] }))).toEqual([true, true, false, false]);
});

it('shows the proposed candidate first, and what waits for a person before the rest', () => {
  const one = (id: string, proposed: boolean): Candidate => ({ person: { ...patient, patient_id: id, birth_date: null }, origins: [], rows: [], fit: 'fits', at_odds: false, proposed, twin: false, studies: null });
  expect(inOrder([one('1', false), one('2', true)]).map((c) => c.person.patient_id)).toEqual(['2', '1']);
  const made = (id: string, state: string): Import => ({ id, state }) as Import;
  const { waiting, others } = parted([made('a', 'filed'), made('b', 'open'), made('c', 'fetching'), made('d', 'failed')], 0);
  expect([waiting.map(({ id }) => id), others.map(({ id }) => id)]).toEqual([['b', 'd'], ['a', 'c']]);
  expect(nextOpen([{ ...person, state: 'filed' }, { ...person, number: 1 }])?.number).toBe(1);
});

it('tells administrators of one ID that is here with an issuer and without, of people who are alike', () => {
  const one = (patient_id: string, issuer: string, twin = true): Candidate => ({ person: { ...patient, patient_id, issuer, birth_date: null }, origins: [], rows: [], fit: 'fits', at_odds: false, proposed: false, twin, studies: null });
  expect(issuerApart([one('1', ''), one('1', 'KH')])).toBe('KH');
  expect([[one('1', ''), one('2', 'KH')], [one('1', 'KH'), one('1', 'MVZ')], [one('1', '', false), one('1', 'KH', false)], [one('', ''), one('', 'KH')]].map(issuerApart)).toEqual([undefined, undefined, undefined, undefined]);
});

it('parts what leads no further from what a person can do something about', () => {
  const failed = (code: string): Import => ({ id: code, state: 'failed', error: { code, detail: '', facts: {} } }) as unknown as Import;
  const empty = { id: 'empty', state: 'open', nothing_came: 'parcel-empty' } as Import;
  const link = { at: new Date(1000).toISOString(), what: 'link' };
  const late = { id: 'late', state: 'asking', ending: link } as Import;
  const all = [empty, failed('portal-link-expired'), failed('portal-broke-off'), failed('portal-not-allowed'), failed('portal-attempts-spent'), late];
  const { waiting, dead } = parted(all, 2000);
  expect(waiting.map(({ id }) => id)).toEqual(['portal-broke-off', 'portal-not-allowed']);
  expect(dead.map(({ id }) => id)).toEqual(['empty', 'portal-link-expired', 'portal-attempts-spent', 'late']);
  expect(parted([late], 500).waiting).toEqual([late]);
});

it('says in one line what came, and nothing once that names nobody any more', () => {
  const came = { studies: 3, study_date: '2026-03-01', modalities: ['CT', 'SR'], description: 'CT Thorax' };
  expect(cameText({ came, objects: 411 })).toMatch(/^.*2026.* · CT, SR · CT Thorax · \+ 2 more studies · 411 images$/);
  expect(cameText({ came: { studies: 1, study_date: null, modalities: [], description: '' }, objects: 1 })).toBe('Study without a description · 1 image');
  expect(cameText({ came: null, objects: 411 })).toBe('');
});

it('tells what weighs most first, and a disc’s own texts last', () => {
  const found = ['not-taken-over', 'unreadable', 'several-people', 'accession-taken', 'study-missing', 'nobody-here'].map((code) => finding('look', code));
  expect(byWeight(found).map(({ code }) => code)).toEqual(['several-people', 'nobody-here', 'unreadable', 'study-missing', 'not-taken-over', 'accession-taken']);
  expect([finding('stop', 'list-empty'), finding('look', 'unreadable'), finding('look', 'not-taken-over'), finding('passed', 'viewer-files')].map(isWeighty)).toEqual([true, true, false, false]);
});

it('tells whether something was filed of what is over, and what names nobody any more', () => {
  const acts = (...did: [Act['what'], number][]): { acts: Act[] } => ({ acts: did.map(([what, number], at) => ({ turn: at + 1, what, number, by: 'weber', at: '', mine: false })) });
  const many = { acts: acts(['choose', 0], ['give-up', 0]).acts.map((one) => ({ ...one, turn: one.turn + 20 })) };
  const each = [acts(), acts(['choose', 0], ['give-up', 0]), acts(['file', 0], ['give-up', 0]), acts(['file', 0], ['take-back', 0]), acts(['file', 0], ['file', 1], ['take-back', 0]), many];
  expect(each.map(wasFiled)).toEqual([false, false, true, false, true, true]);
  const came = { studies: 1, study_date: null, modalities: [], description: '' };
  expect([{ state: 'over', came: null }, { state: 'filed', came: null }, { state: 'filed', came }, { state: 'open', came: null }].map((one) => isNameless(one as Import))).toEqual([true, true, false, false]);
});

it('asks in the language of the reader, and tells how far it is where that is known', () => {
  const texts = { 'de-DE': 'Geburtsdatum?', en: 'Birth date?' };
  const asked = { id: '1', kind: 'custom', form: 'text', texts } as const;
  expect([questionText(asked, 'de'), questionText(asked, 'en'), questionText({ ...asked, texts: { fr: 'Quoi ?' } }, 'de'), questionText({ ...asked, texts: {} }, 'de')]).toEqual(['Geburtsdatum?', 'Birth date?', 'Quoi ?', '']);
  expect([shareOf({ bytes_received: 5, bytes_expected: 10 }), shareOf({ bytes_received: 5, bytes_expected: null }), shareOf({ bytes_received: 12, bytes_expected: 10 })]).toEqual([0.5, undefined, 1]);
});

it('knows what a person can do about a failure', () => {
  const after = (code: string): string => wayOn({ resumes: 'fetching', error: { code, detail: '', facts: {} } });
  expect(['portal-answer-wrong', 'portal-not-allowed', 'portal-link-expired', 'portal-login-ended', 'portal-broke-off', 'portal-unclear', 'portal-nothing-listed'].map(after)).toEqual(['answers', 'host', 'reactivation', 'anew', 'retry', 'by-hand', 'released']);
});

it('offers no answer once the last attempt is spent, and leads to a new link', () => {
  const wrong = (left: number): Import => ({ state: 'failed', resumes: 'fetching', error: { code: 'portal-answer-wrong', detail: '', facts: { left } } }) as unknown as Import;
  const spent = { resumes: 'fetching', error: { code: 'portal-attempts-spent', detail: '', facts: {} } };
  expect([wrong(1), wrong(0), spent].map(wayOn)).toEqual(['answers', 'spent', 'spent']);
  expect([wrong(1), wrong(0)].map((one) => isDeadEnd(one, 0))).toEqual([false, true]);
});

it('tells what ends within a day and within two, and nothing of what is not known', () => {
  const at = (hours: number): Pick<Import, 'ending'> => ({ ending: { at: new Date(1e12 + hours * 3_600_000).toISOString(), what: 'link' } });
  expect([at(-1), at(24), at(25), at(48), at(49), { ending: null }].map((one) => nearness(one, 1e12))).toEqual(['day', 'day', 'two', 'two', undefined, undefined]);
});

it('says when it is tried again by itself, where it is', () => {
  const now = Date.parse('2026-01-01T12:00:00Z');
  const error = { code: 'portal-unreachable', detail: '', facts: { next_attempt_at: '2026-01-01T12:05:00Z' } };
  expect(nextTryText({ state: 'fetching', error }, now)).toMatch(/5 min/i);
  expect(nextTryText({ state: 'fetching', error }, now)).not.toMatch(/\.\.$/);
  expect([waitsForNextTry({ state: 'fetching', error }, now), waitsForNextTry({ state: 'fetching', error }, now + 600_000), waitsForNextTry({ state: 'failed', error }, now)]).toEqual([true, false, false]);
  expect(nextTryText({ state: 'fetching', error }, now + 600_000)).not.toMatch(/min/i);
  expect([nextTryText({ state: 'failed', error }, now), nextTryText({ state: 'fetching', error: null }, now)]).toEqual(['', '']);
});

it('tells of a portal only what was counted, and no average beside the median', () => {
  const one: Portal = {
    host: 'portal.example', state: 'confirmed', listed: false, led_how: 'redirect', led_by: 'a.example', asked_kind: 'account', asked_by: 'weber', asked_at: null,
    import_id: null, decided_by: '', decided_at: null, successes: 0, failures: 0, seconds: null, last_failure_code: '', ways: [],
  };
  expect(countsText(one)).toMatch(/no fetch has been counted/);
  expect(countsText({ ...one, state: 'asked' })).toBe('');
  expect(countsText({ ...one, successes: 3, failures: 1, seconds: 0.3 })).toBe('fetched in all: 3, failed: 1');
  expect([isAsked({ ...one, state: 'asked' }), isAsked(one), ledElsewhere(one), ledElsewhere({ ...one, led_how: 'link' })]).toEqual([true, false, true, false]);
});
