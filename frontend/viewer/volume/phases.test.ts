/** No volume holds a picture of another: phases, echoes and b-values of one series, with slices that never came. */

import { describe, expect, it } from 'vitest';
import { assemble, type Plane } from './assemble';

const SLICES = 60;
const PHASES = 5;

interface Taken extends Plane {
  phase: number;
  slice: number;
}

/** A dynamic series in the server's order: by position, then as numbered. `missing`: [phase, slice] that never came. */
function dynamic(missing: readonly (readonly [number, number])[], about: (phase: number, slice: number) => Partial<Plane>): Taken[] {
  const all = Array.from({ length: SLICES * PHASES }, (_, at) => ({ slice: Math.floor(at / PHASES), phase: at % PHASES }));
  const here = all.filter(({ phase, slice }) => !missing.some(([p, s]) => p === phase && s === slice));
  return here.map(({ phase, slice }, place) => ({
    place, position: [0, 0, slice * 3], orientation: [1, 0, 0, 0, 1, 0], spacing: [1, 1], rows: 8, columns: 8, phase, slice, ...about(phase, slice),
  }));
}

/** The phases that each volume's slices are of, and the slices before its gaps. */
function phasesIn(taken: readonly Taken[]): { phases: number[]; gaps: number[]; leftOut: number; count: number }[] {
  return assemble(taken).choices.map(({ places, gaps, leftOut }) => ({
    phases: [...new Set(places.map((place) => taken[place]?.phase ?? -1))],
    gaps: gaps.map((k) => taken[places[k] ?? -1]?.slice ?? -1),
    leftOut,
    count: places.length,
  }));
}

const whole = (phase: number) => ({ phases: [phase], gaps: [], leftOut: 0, count: SLICES });

describe('a dynamic series of which a slice of the first phase never came', () => {
  it.each<[string, (phase: number, slice: number) => Partial<Plane>]>([
    ['temporal position', (phase) => ({ labels: [phase + 1, null] })],
    ['acquisition, while each slice has a time of its own', (phase, slice) => ({ labels: [null, phase + 1], time: phase * 100 + slice })],
    ['time of the phase', (phase) => ({ time: phase * 20 })],
    ['echo and b-value together', (phase) => ({ labels: [phase % 2, Math.floor(phase / 2)] })],
  ])('is parted by %s, and the gap is told', (_, about) => {
    const found = phasesIn(dynamic([[0, 20]], about));
    expect(found).toHaveLength(PHASES);
    const byPhase = found.toSorted((a, b) => (a.phases[0] ?? 0) - (b.phases[0] ?? 0));
    expect(byPhase[0]).toEqual({ phases: [0], gaps: [19], leftOut: 0, count: SLICES - 1 });
    expect(byPhase.slice(1)).toEqual([1, 2, 3, 4].map(whole));
  });

  it('has a gap in all phases there where nothing tells them apart, and says what is left out', () => {
    const found = phasesIn(dynamic([[0, 20]], () => ({})));
    expect(found).toEqual([0, 1, 2, 3, 4].map((phase) => ({ phases: [phase], gaps: [19], leftOut: 4, count: SLICES - 1 })));
  });

  it('never makes a volume of what is left, however many slices of different phases are missing', () => {
    const found = phasesIn(dynamic([[0, 20], [1, 30], [2, 40]], (phase, slice) => ({ time: phase * 100 + slice })));
    expect(found.map(({ phases }) => phases)).toEqual([[0], [1], [2], [3], [4]]);
    expect(found[0]).toMatchObject({ gaps: [19, 29, 39], leftOut: 12 });
  });
});

it('keeps phases of different length for themselves, and a series in steps whole', () => {
  const at = (z: number, acquisition: number) => ({ position: [0, 0, z], orientation: [1, 0, 0, 0, 1, 0], spacing: [1, 1], rows: 8, columns: 8, labels: [acquisition] });
  const range = (from: number, to: number, acquisition: number) => Array.from({ length: to - from }, (_, k) => at(from + k, acquisition));
  const slabs = [...range(0, 30, 1), ...range(25, 60, 2)].map((plane, place) => ({ ...plane, place }));
  expect(assemble(slabs).choices.map(({ places, depths }) => [places[0], places.length, depths.at(-1)])).toEqual([[30, 35, 34], [0, 30, 29]]);
  const steps = range(0, 40, 0).map((plane, place) => ({ ...plane, place, labels: [place] }));
  expect(assemble(steps).choices.map(({ places }) => places.length)).toEqual([40]);
});

it('never stacks slices of two frames of reference', () => {
  const planes = Array.from({ length: 20 }, (_, place): Plane => ({
    place, position: [0, 0, place * 2], orientation: [1, 0, 0, 0, 1, 0], spacing: [1, 1], rows: 8, columns: 8, reference: place < 12 ? '1.2.3' : '1.2.4',
  }));
  expect(assemble(planes).choices.map(({ places }) => places)).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [12, 13, 14, 15, 16, 17, 18, 19]]);
  expect(assemble([0, 1, 2, 3].map((place) => ({ ...(planes[place] as Plane), reference: String(place >> 1) }))).why).toBe('too-few');
});
