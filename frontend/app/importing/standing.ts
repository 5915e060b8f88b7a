/** How an import stands, as a page needs it: what waits for whom, what is still missing before it is filed, what does not fit. */

import type { Candidate, Import, ImportDetail, ImportedPerson, ImportFinding, PatientChosen, PersonNamed, Question } from '../api/imports';
import { dicomDate } from './dates';

/** States in which a person has to do something. */
const FOR_A_PERSON = new Set(['asking', 'open', 'failed']);

/** A patient withdrew after something had been filed, and nobody has decided on that. */
export const isWithdrawn = ({ state, consent }: Import): boolean => state === 'filed' && consent?.withdrawn_at != null && !consent.decision;

export const waitsForSomebody = (one: Import): boolean => FOR_A_PERSON.has(one.state) || isWithdrawn(one);

/** Nothing more comes of it from here: nothing came, or the link leads nowhere any more. It is put away. */
export function isDeadEnd(one: Import, now: number): boolean {
  if (one.nothing_came) return true;
  if (one.state === 'failed') return ENDED.has(one.error?.code ?? '') || isSpent(one.error) || hasEndedLink(one, now);
  return one.state === 'asking' && hasEndedLink(one, now);
}

const hasEndedLink = ({ ending }: Import, now: number): boolean => ending?.what === 'link' && Date.parse(ending.at) <= now;

/** What a person can do something about first, then what leads no further; each part in the order in which it came. */
export function parted<One extends Import>(all: readonly One[], now: number): { waiting: One[]; dead: One[]; others: One[] } {
  const parts = { waiting: [] as One[], dead: [] as One[], others: [] as One[] };
  for (const one of all) parts[isDeadEnd(one, now) ? 'dead' : waitsForSomebody(one) ? 'waiting' : 'others'].push(one);
  return parts;
}

const HOUR_MS = 3_600_000;
/** So many hours before its end an import stands on top. */
export const SOON_H = 48;

/** How near the end of an import is: within a day, within two, or nothing to be told of it yet. */
export function nearness({ ending }: Pick<Import, 'ending'>, now: number): 'day' | 'two' | undefined {
  if (!ending) return undefined;
  const left = Date.parse(ending.at) - now;
  return left <= 24 * HOUR_MS ? 'day' : left <= SOON_H * HOUR_MS ? 'two' : undefined;
}

export function toneOf({ state }: { state: string }): string {
  return { asking: 'warn', open: 'warn', failed: 'danger', filed: 'ok', over: '' }[state] ?? 'accent';
}

/** How far something is that comes, from 0 to 1; none where nobody knows. */
export function shareOf({ bytes_received: came, bytes_expected: all }: Pick<Import, 'bytes_received' | 'bytes_expected'>): number | undefined {
  return all ? Math.min(1, came / all) : undefined;
}

/** A question in the reader's language, else in one that most people read. */
export function questionText({ texts }: Question, language: string): string {
  const known = Object.entries(texts);
  const of = (wanted: string): string | undefined => known.find(([tag]) => tag === wanted || tag.split('-')[0] === wanted)?.[1];
  return of(language) ?? of('en') ?? of('de') ?? known[0]?.[1] ?? '';
}

/** What a SMART Health Link asks for; many, as this house's own, take the birth date. */
export const isPasscode = (one: Question): boolean => one.id === 'passcode' && one.kind === 'password';

export const asChosen = (person: PersonNamed): PatientChosen => ({
  name: person.name,
  patient_id: person.patient_id,
  issuer: person.issuer,
  birth_date: dicomDate(person.birth_date),
  sex: person.sex,
});

/** Somebody is kept from the reader who was chosen, or may be meant: that is left to a colleague who sees them. */
export const isKeptBack = ({ persons }: Pick<ImportDetail, 'persons'>): boolean =>
  persons.some(({ unseen, findings }) => unseen || findings.some(({ code, level }) => code === 'somebody-unseen' && level === 'stop'));

export const isSame = (one: Pick<PatientChosen, 'patient_id' | 'issuer'> | null, other: Pick<PatientChosen, 'patient_id' | 'issuer'>): boolean =>
  one !== null && one.patient_id === other.patient_id && one.issuer === other.issuer;

/** The issuer by which one person may stand twice among those who may be meant: the same ID with and without it, all else alike. */
export function issuerApart(candidates: readonly Candidate[]): string | undefined {
  const twins = candidates.filter(({ twin, person }) => twin && person.patient_id !== '');
  const bare = new Set(twins.filter(({ person }) => person.issuer === '').map(({ person }) => person.patient_id));
  return twins.find(({ person }) => person.issuer !== '' && bare.has(person.patient_id))?.person.issuer;
}

/** The proposed one first, then as the server has them. */
export function inOrder(candidates: readonly Candidate[]): Candidate[] {
  return [...candidates.filter(({ proposed }) => proposed), ...candidates.filter(({ proposed }) => !proposed)];
}

/** Each once: two checks may come to the same. */
export const distinct = (found: readonly ImportFinding[]): ImportFinding[] => found.filter((one, at) => found.findIndex(({ key }) => key === one.key) === at);

export const stopsOf = (found: readonly ImportFinding[]): ImportFinding[] => found.filter(({ level }) => level === 'stop');
export const looksOf = (found: readonly ImportFinding[]): ImportFinding[] => found.filter(({ level }) => level === 'look');
export const openOf = (found: readonly ImportFinding[]): ImportFinding[] => looksOf(found).filter(({ confirmed_at: at }) => at === null);

/** Whose it is weighs most, then whether all of it came and can be read; what a disc brings beside its images least. */
const HEAVY = new Set([
  'several-people', 'perhaps-one-person', 'more-perhaps-one-person', 'people-not-compared', 'chosen-by-hand', 'chosen-not-proposed', 'chosen-named-otherwise', 'id-perhaps-of-another', 'id-merged', 'id-not-asked',
  'several-fit', 'nobody-here', 'name-other', 'name-compatible', 'names-differ', 'name-unsaid', 'sex-compatible', 'birth-date-not-entered', 'birth-date-unsaid',
  'told-differently-here', 'no-id-here', 'not-asked', 'order-of-several-studies', 'order-taken',
]);
const LIGHT = new Set(['not-taken-over', 'papers-of-nobody', 'texts-guessed', 'accession-taken']);

const weightOf = ({ code }: ImportFinding): number => (HEAVY.has(code) ? 0 : LIGHT.has(code) ? 2 : 1);

/** What weighs most first, else in the order in which it was found. */
export const byWeight = (found: readonly ImportFinding[]): ImportFinding[] => [...found].sort((one, other) => weightOf(one) - weightOf(other));

/** Something stops it, or is to be looked at before all else. */
export const isWeighty = (one: ImportFinding): boolean => one.level === 'stop' || (one.level === 'look' && weightOf(one) < 2);

export interface Missing {
  what: 'stopped' | 'patient' | 'looks';
  n: number;
}

/** What is missing before somebody's studies can be filed, in the order in which it is done; nothing: they can. */
export function missingOf(all: Pick<ImportDetail, 'findings'>, person: ImportedPerson, undecided = false): Missing[] {
  const stops = distinct(stopsOf(all.findings)).length + distinct(stopsOf(person.findings)).length;
  const looks = distinct(openOf(all.findings)).length + distinct(openOf(person.findings)).length;
  const found: Missing[] = [];
  if (stops > 0) found.push({ what: 'stopped', n: stops });
  if ((!person.chosen && !person.unseen) || undecided) found.push({ what: 'patient', n: 1 });
  if (looks > 0) found.push({ what: 'looks', n: looks });
  return found;
}

/** What it comes to, in one word: how a person's part looks from afar; `undecided`: somebody else is marked than was chosen. */
export function verdictOf(all: Pick<ImportDetail, 'findings'>, person: ImportedPerson, undecided = false): 'filed' | 'filing' | 'taken-back' | 'stop' | 'look' | 'ready' {
  if (person.state !== 'open') return person.state;
  if (stopsOf(all.findings).length + stopsOf(person.findings).length > 0) return 'stop';
  return missingOf(all, person, undecided).length > 0 ? 'look' : 'ready';
}

/** The portal did not answer, and the next try is a while off: nobody has to wait for it. */
export function waitsForNextTry({ state, error }: Pick<Import, 'state' | 'error'>, now: number): boolean {
  const at = error?.facts['next_attempt_at'];
  return state === 'fetching' && typeof at === 'string' && Date.parse(at) > now;
}

/** It names nobody any more: its time is over, though what was filed may be here still. */
export const isNameless = ({ state, came }: Pick<Import, 'state' | 'came'>): boolean => state === 'over' || (state === 'filed' && came === null);

/** Something of it may have been filed and not taken back, as far as its acts go back. */
export function wasFiled({ acts }: Pick<ImportDetail, 'acts'>): boolean {
  if ((acts[0]?.turn ?? 0) > 1) return true; // what came before these is not known
  return acts.some((one) => one.what === 'file' && !acts.some((other) => other.what === 'take-back' && other.number === one.number && other.turn > one.turn));
}

/** Who is to be decided on next: the first who is still open. */
export function nextOpen(persons: readonly ImportedPerson[]): ImportedPerson | undefined {
  return persons.find(({ state }) => state === 'open');
}

/** Errors after which it can go on where it was; the others need what only a person brings, or a new beginning. */
const FINAL = new Set(['portal-attempts-spent', 'import-no-link', 'import-link-unreadable', 'raw-file-gone', 'portal-login-ended', 'portal-address-refused', 'portal-not-encrypted']);
/** After these only a new link leads on: what the other house has to do stands on the import's page. */
const ENDED = new Set([...FINAL, 'portal-link-expired', 'portal-locked', 'portal-not-there', 'portal-nothing-listed']);
/** Trying again meets the same: a person opens the portal, till there is a recipe for it. */
const BY_HAND = new Set(['portal-unclear', 'portal-person-needed']);
const OF_ANSWERS = new Set(['portal-answer-wrong', 'portal-answer-unusable']);

/** No answer is sent any more, whatever it says: wrong ones are counted for the link, and a new import of it begins with none. */
const isSpent = (error: Import['error']): boolean => error?.code === 'portal-attempts-spent' || (error?.code === 'portal-answer-wrong' && error.facts['left'] === 0);

/** What a person can do about a failed import. */
export function wayOn({ error, resumes }: Pick<Import, 'error' | 'resumes'>): 'answers' | 'spent' | 'host' | 'by-hand' | 'reactivation' | 'released' | 'anew' | 'retry' {
  const code = error?.code ?? '';
  if (isSpent(error)) return 'spent';
  if (OF_ANSWERS.has(code)) return 'answers';
  if (BY_HAND.has(code) && resumes === 'fetching') return 'by-hand';
  if (code === 'portal-not-allowed') return 'host';
  if (code === 'portal-link-expired') return 'reactivation';
  if (code === 'portal-nothing-listed') return 'released';
  return FINAL.has(code) ? 'anew' : 'retry';
}
