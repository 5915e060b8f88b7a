/** Every count among the words has its singular, in both languages. */

import { describe, expect, test } from 'vitest';
import de from './de';
import en from './en';
import firstDe from './first.de';
import firstEn from './first.en';

type Entry = string | readonly string[];
const catalogues: Record<string, Record<string, Entry>> = { en: { ...en, ...firstEn }, de: { ...de, ...firstDe } };

/** What is counted; other places hold names, dates or measures. */
const COUNTS = 'n|count|total|of|all|objects|marks|deliveries|links|studies|patients|uses|packs|lost|faults|frames|days|groups|series|logins|accepted|added|changed|disabled|named|rows|most';
const COUNTED = new RegExp(`\\{(${COUNTS})\\}[ \\u00a0]+(\\p{L}+)`, 'gu');

/** What after a number is no noun, and the same of one and of many. */
const SAME = new Set(
  ('of von s mm refused abgelehnt more weitere before vorher after nachher added changed disabled neu geändert gesperrt auf on und sind werden würden ' +
    'free frei sent by in series').split(' '),
);

/** Numbers that are never one, and why. */
const NEVER_ONE = new Map([
  ['access.tooMany', 'the most that a page lists'],
  ['amounts.why', 'a limit'],
  ['directory.doubt.group-shrunk', 'a group that loses some of its members has several'],
  ['join.age', 'an age of consent'],
  ['login.changeLead', 'the least of a password'],
  ['marks.textHint', 'the most of a text'],
  ['marks.textLength', 'the most of a text'],
  ['password.rules', 'the least of a password'],
  ['problem.password-weak', 'the most of a password'],
  ['requests.several', 'several people'],
  ['audit.severalHaveIt', 'several people'],
  ['restricted.meantSeveral', 'several people'],
  ['roomcheck.matrixText', 'pixels of a screen'],
  ['share.times', 'once is said otherwise'],
  ['usage.fewest', 'the fewest that are shown'],
  ['volume.choice.group', 'slices of a volume'],
  ['volume.choice.other', 'slices of a volume'],
  ['volume.fusion.loading', 'slices of a volume'],
  ['volume.loading', 'slices of a volume'],
]);

/** Numbers that name one of several, as in "Window 3 of the object". */
const ORDINAL = new Set(['preset.another', 'preset.table', 'view.image', 'marks.said.chosen', 'marks.said.point', 'roomcheck.question']);

const PLACE = /\{(\w+)(?:\|([^{}|]*)\|([^{}|]*))?\}/g;

describe.each(Object.entries(catalogues))('the words in %s', (_, words) => {
  test('every count has its singular', () => {
    const bare = Object.entries(words).flatMap(([key, entry]) => {
      if (typeof entry !== 'string' || NEVER_ONE.has(key) || ORDINAL.has(key)) return [];
      return [...entry.matchAll(COUNTED)].filter(([, , noun = '']) => !SAME.has(noun)).map(([what]) => `${key}: ${what}`);
    });
    expect(bare).toEqual([]);
  });

  test('what is chosen by a number has two texts', () => {
    expect(Object.entries(words).filter(([, entry]) => typeof entry !== 'string' && (entry.length !== 2 || entry.some((text) => !text)))).toEqual([]);
    const forms = Object.values(words).flatMap((entry) => [entry].flat().flatMap((text) => [...text.matchAll(PLACE)]));
    expect(forms.filter(([, , one, other]) => one !== undefined && (one === other || !one || !other)).map(([form]) => form)).toEqual([]);
  });
});
