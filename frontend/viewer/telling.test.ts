/** Pictures of several kinds at the same places are told apart, and never make up one volume. */

import { describe, expect, it } from 'vitest';
import { commonOf, Parts, type Telling, type Told } from './telling';
import { assemble, type Plane } from './volume/assemble';

const PLAIN: Telling = { kinds: [], type: '', temporal: null, echo: null, echoNumber: null, b: null, trigger: null };
const SLICES = 12;

/** Each of `kinds` at each of the places, one kind behind the other. */
const stack = (kinds: readonly Partial<Telling>[]): Told[] =>
  kinds.flatMap((kind) => Array.from({ length: SLICES }, (_, at) => ({ telling: { ...PLAIN, ...kind }, at: String(at) })));

describe('the parts of a stack', () => {
  it('are its magnitude and its phase images, each told without what both are', () => {
    const parts = new Parts(stack([{ kinds: ['magnitude', 'water'], type: 'M\\WATER' }, { kinds: ['phase', 'water'], type: 'P\\WATER' }]));
    expect(parts.apart).toEqual(['kinds']);
    expect(parts.all.map(({ telling, places }) => [telling.kinds, places[0], places.length])).toEqual([[['magnitude'], 0, SLICES], [['phase'], SLICES, SLICES]]);
    const [magnitude, phase] = parts.all;
    expect(parts.of(SLICES + 3)).toBe(phase);
    expect(magnitude && parts.counterpart(magnitude, SLICES + 3)).toBe(3); // the same place of the patient
  });

  it('are echoes, b-values and points in time, one by one or together', () => {
    expect(new Parts(stack([{ echo: 4.9, echoNumber: 1 }, { echo: 9.8, echoNumber: 2 }])).apart).toEqual(['echo']);
    expect(new Parts(stack([{ echoNumber: 1 }, { echoNumber: 2 }])).apart).toEqual(['echoNumber']);
    const diffusion = new Parts(stack([{ b: 0 }, { b: 1000 }, { kinds: ['adc'] }]));
    expect(diffusion.apart).toEqual(['kinds', 'b']);
    expect(diffusion.all.map(({ telling }) => [telling.b, telling.kinds])).toEqual([[0, []], [1000, []], [null, ['adc']]]);
    expect(new Parts(stack([{ temporal: 1, trigger: 20 }, { temporal: 2, trigger: 60 }])).apart).toEqual(['temporal']);
    expect(new Parts(stack([{ type: 'DIXON\\A' }, { type: 'DIXON\\B' }])).apart).toEqual(['type']); // unknown words are better than none
  });

  it('are none where pictures lie apart, lie nowhere, or are alike', () => {
    const alone = Array.from({ length: SLICES }, (_, at) => ({ telling: { ...PLAIN, trigger: at * 7, type: String(at) }, at: String(at) }));
    for (const told of [alone, [], [null, null], stack([{}, {}])]) expect(new Parts(told).all).toEqual([]);
  });
});

it('what all have in common is kept, and nothing else', () => {
  const [one, other] = [{ ...PLAIN, kinds: ['fat'], echo: 5, trigger: 1 }, { ...PLAIN, kinds: ['fat'], echo: 5, trigger: 2 }];
  expect(commonOf([one, other])).toEqual({ ...one, trigger: null });
  expect(commonOf([])).toBeNull();
});

/** Interleaved or not, as numbered alike by the scanner: at each position one of each kind, and two echoes of each. */
function planes(kinds: readonly string[], echoes: readonly number[]): Plane[] {
  const all = kinds.flatMap((kind) => echoes.flatMap((echo) => Array.from({ length: SLICES }, (_, k) => ({ kind, echo, k }))));
  return all.map(({ kind, echo, k }, place) => ({
    place, position: [0, 0, 2 * k], orientation: [1, 0, 0, 0, 1, 0], spacing: [1, 1], rows: 8, columns: 8,
    labels: [echo], telling: { ...PLAIN, kinds: [kind], echo },
  }));
}

describe('volumes of magnitude and phase images', () => {
  it('hold one kind and one echo each, also where nothing but the kind parts them', () => {
    for (const echoes of [[5], [5, 10]]) {
      const taken = planes(['magnitude', 'phase'], echoes);
      const found = assemble(taken).choices;
      expect(found.map(({ telling }) => [telling?.kinds, telling?.echo])).toEqual(
        echoes.length > 1 ? [[['magnitude'], 5], [['phase'], 5], [['magnitude'], 10], [['phase'], 10]] : [[['magnitude'], 5], [['phase'], 5]],
      );
      for (const { places, telling } of found) {
        expect(places).toHaveLength(SLICES);
        expect(places.every((place) => taken[place]?.telling?.kinds[0] === telling?.kinds[0])).toBe(true);
      }
    }
  });

  it('do not take a slice of the other kind where one never came', () => {
    const taken = planes(['magnitude', 'phase'], [5]).filter(({ place }) => place !== 4);
    const found = assemble(taken.map((plane) => ({ ...plane }))).choices;
    expect(found.map(({ places, gaps, leftOut }) => [places.length, gaps.length, leftOut])).toEqual([[SLICES, 0, 0], [SLICES - 1, 1, 0]]);
  });

  it('stay one where kinds follow one another along the patient', () => {
    const taken = planes(['magnitude'], [5]).map((plane, k) => ({ ...plane, telling: { ...PLAIN, kinds: k < 6 ? ['magnitude'] : [] } }));
    expect(assemble(taken).choices.map(({ places }) => places.length)).toEqual([SLICES]);
  });
});
