/** What an import holds, in words: whom something names, what was found, what becomes of objects. */

import type { Ending, Import, ImportDetail, ImportedStudy, ImportFinding, PatientChosen, PersonNamed } from '../api/imports';
import { formatDate, formatInstant, formatNear, formatRelative, t, tCode } from '../i18n/index.svelte';
import { wholeName } from '../parts/person';
import { listedNames } from './files';
import { wasFiled } from './standing';

/** States in which it goes on by itself. */
const WORKED_ON = new Set(['fetching', 'checking', 'filing']);

/** How far an import is: what nobody has begun to work on waits for its turn, and of what is to be brought nothing may have come. */
export const stateText = (one: Import): string => t(`imports.state.${one.waits_turn ? 'waiting' : one.state === 'receiving' && one.bytes_received === 0 ? 'to-bring' : one.state}`);

/** When it is tried again by itself, where it waits for that; nothing else. */
export function nextTryText({ state, error }: Pick<Import, 'state' | 'error'>, now: number): string {
  const at = error?.facts['next_attempt_at'];
  if (!error || !WORKED_ON.has(state)) return '';
  return typeof at === 'string' && Date.parse(at) > now ? t('imports.nextTry', { when: formatRelative(at, now) }).replace(/\.\.$/, '.') : t('imports.triedAgain');
}

/** Why a file cannot be read is said with the words of plain imports. */
const WHY = 'finding';

/** Findings whose names are files'. */
const OF_FILES = new Set(['unreadable', 'not-writable', 'not-readable']);

/** Facts that are codes themselves, and where their words are. */
const CODED: Readonly<Record<string, string>> = { by: 'imports.by', reason: 'imports.reason', field: 'imports.field', origins: 'imports.origin', places: 'imports.origin', why: WHY };

const listed = (prefix: string, codes: string): string => codes.split(', ').map((code) => tCode(prefix, code, code)).join(', ');

export function sexText(sex: string): string {
  return sex.split('; ').filter(Boolean).map((one) => tCode('imports.sex', one, one)).join(' / ');
}

export const nameText = (name: string): string => name.split('; ').map(wholeName).filter(Boolean).join(' / ');
export const dayText = (days: string): string => days.split('; ').filter(Boolean).map((one) => formatDate(one)).join(' / ');

/** Name, birth date and ID, as they are read aloud before something is filed. */
export function whoText(person: Pick<PersonNamed | PatientChosen, 'name' | 'birth_date' | 'patient_id' | 'issuer'>): string {
  const born = formatDate(person.birth_date);
  return [
    wholeName(person.name) || t('study.noName'),
    born && t('imports.born', { date: born }),
    person.patient_id && t('imports.withId', { id: person.issuer ? `${person.patient_id} (${person.issuer})` : person.patient_id }),
  ].filter(Boolean).join(', ');
}

export function studyText(study: Pick<ImportedStudy, 'study_date' | 'modalities' | 'description'>): string {
  return [study.study_date ? formatDate(study.study_date) : '', study.modalities.join(', '), study.description].filter(Boolean).join(' · ') || t('imports.studyUnnamed');
}

/** What came, for a line in a list: the newest study, how many more, how many images; empty where nothing is told. */
export function cameText({ came, objects }: Pick<Import, 'came' | 'objects'>): string {
  if (!came) return '';
  return [studyText(came), came.studies > 1 && t('imports.moreStudies', { n: came.studies - 1 }), t('imports.images', { n: objects })].filter(Boolean).join(' · ');
}

/** Somebody whom facts name one by one, under a word that stands before each. */
function whoIn(facts: ImportFinding['facts'], which: string): string {
  const of = (what: string): string => String(facts[`${which}_${what}`] ?? '');
  return whoText({ name: of('name'), birth_date: of('born'), patient_id: of('id'), issuer: of('issuer') });
}

function values({ code, facts }: ImportFinding): Record<string, string | number> {
  if (code === 'perhaps-one-person') return { one: whoIn(facts, 'one'), other: whoIn(facts, 'other') };
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => {
      const prefix = CODED[name];
      if (name === 'born') return [name, dayText(String(value)) || '–'];
      if (name === 'left' || name === 'lost' || (name === 'names' && OF_FILES.has(code))) return [name, listedNames(String(value))];
      if (name === 'names') return [name, nameText(String(value)) || value];
      return [name, prefix && typeof value === 'string' ? listed(prefix, value) : value];
    }),
  );
}

/** A finding as a sentence; before it the study that it is about, where there are several. */
export function findingText(one: ImportFinding, studies: readonly ImportedStudy[]): string {
  const study = studies.length > 1 && one.study_uid ? studies.find(({ study_uid: uid }) => uid === one.study_uid) : undefined;
  const said = tCode('imports.finding', one.code, one.code, values(one));
  return study ? `${studyText(study)}: ${said}` : said;
}

/** What a person can do about what stops it. */
export const remedyText = (one: ImportFinding): string => tCode('imports.todo', one.code, t('imports.todo'));

/** What stands beside an image of the same number, which is counted already. */
const BESIDE = new Set(['twice-in-parcel', 'differs-in-parcel']);

export function becomesText({ becomes, objects }: Pick<ImportedStudy, 'becomes' | 'objects'>): string {
  const said = Object.entries(becomes).map(([why, n]) => (n === objects && !BESIDE.has(why) ? tCode('imports.becomesAll', why, why) : tCode('imports.becomes', why, why, { n })));
  return said.join(', ');
}

/** What became of an import that is over: who gave it up, or since when it is over, and whether something of it is here. */
export function overText(one: Pick<ImportDetail, 'acts' | 'changed_at' | 'consent' | 'finished_at'>): string {
  const last = one.acts.at(-1);
  const how = last?.what === 'give-up' ? t('imports.overGivenUp', { by: last.by, at: formatInstant(last.at) }) : t('imports.overSince', { at: formatInstant(one.finished_at ?? one.changed_at) });
  if (one.consent?.decision === 'deleted') return `${how} ${t('imports.overDeleted')}`;
  return [how, t('imports.overText'), wasFiled(one) && t('imports.overFiled')].filter(Boolean).join(' ');
}

/** What ends, and when: "the link ends tomorrow 14:00". */
export const endingText = ({ at, what }: Ending, now: number): string => t(`imports.${Date.parse(at) > now ? 'ends' : 'ended'}.${what}`, { when: formatNear(at, now) });
