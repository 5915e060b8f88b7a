/** What the reader is told of pictures that lie at the same place, in words. */

import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { InstanceRow } from '../api/types';
import { assemble } from '$viewer/volume/assemble';
import { planeOf } from '$viewer/planes';
import { choiceText } from '../volumes/words';
import { planesOf } from '../volumes/sources';
import { Stack } from './stack';
import { StackParts } from './telling';
import { setLanguage } from '../i18n/index.svelte';

const MR = '1.2.840.10008.5.1.4.1.1.4';
const SLICES = 5;

function series(kinds: readonly Partial<InstanceRow>[]): Stack {
  const instances = kinds.flatMap((kind, at) => Array.from({ length: SLICES }, (_, k) => ({
    id: `${at}-${k}`, viewable: true, frames: 1, sop_class_uid: MR, number: k + 1, rows: 8, columns: 8, position: [0, 0, 3 * k],
    orientation: [1, 0, 0, 0, 1, 0], pixel_spacing: [1, 1], frame_of_reference: null, temporal_position: null, echo_time: null, echo_number: null,
    b_value: null, trigger_time: null, acquisition: null, time: null, kinds: [], image_type: '', ...kind,
  })));
  return new Stack(instances as unknown as InstanceRow[], 'MR');
}

function partsOf(stack: Stack): string[] {
  const plane = (place: number) => {
    const { position, orientation, pixel_spacing: spacing } = stack.at(place)?.instance as InstanceRow;
    return planeOf({ position, orientation, spacing }, 8, 8);
  };
  const parts = new StackParts(stack.count, (place) => stack.at(place)?.instance ?? null, plane);
  return parts.all.map((part) => `${parts.textOf(part)}: ${part.places.length}`);
}

async function volumesOf(stack: Stack): Promise<string[]> {
  const { choices } = assemble(await planesOf(stack));
  return choices.map((choice) => choiceText(choice, choices));
}

const DIXON = [{ kinds: ['magnitude', 'in-phase'] }, { kinds: ['magnitude', 'out-of-phase'] }, { kinds: ['magnitude', 'water'] }, { kinds: ['magnitude', 'fat'] }];
const DIFFUSION = [{ b_value: 0 }, { b_value: 1000 }, { kinds: ['trace'], b_value: 1000 }, { kinds: ['adc'] }];

describe('a series of several kinds of pictures', () => {
  beforeAll(async () => {
    vi.stubGlobal('document', { documentElement: { lang: '' } });
    await setLanguage('de', false, true);
  });

  it('has its parts named, and its volumes by the same words', async () => {
    expect(partsOf(series(DIXON))).toEqual(['In Phase: 5', 'Gegenphase: 5', 'Wasser: 5', 'Fett: 5']);
    expect(await volumesOf(series(DIXON))).toEqual(['In Phase', 'Gegenphase', 'Wasser', 'Fett'].map((name) => `${name} · 5 Schichten, 8 × 8`));
    expect(partsOf(series(DIFFUSION))).toEqual(['b 0: 5', 'b 1.000: 5', 'Trace · b 1.000: 5', 'ADC: 5']);
    expect(await volumesOf(series(DIFFUSION))).toHaveLength(4);
    expect(partsOf(series([{ echo_time: 4.92 }, { echo_time: 9.84 }]))).toEqual(['TE 4,92 ms: 5', 'TE 9,84 ms: 5']);
    expect(partsOf(series([{ echo_number: 1 }, { echo_number: 2 }]))).toEqual(['Echo 1: 5', 'Echo 2: 5']);
    expect(partsOf(series([{ image_type: 'DIXON\\TEIL1' }, { image_type: 'DIXON\\TEIL2' }]))).toEqual(['DIXON TEIL1: 5', 'DIXON TEIL2: 5']);
    expect(partsOf(series([{ kinds: ['magnitude'] }, {}]))).toEqual(['Betrag: 5', 'Ohne Angabe: 5']);
  });

  it('of unknown types has a volume of each of them, also where a slice never came', async () => {
    const stack = series([{ image_type: 'TEIL1' }, { image_type: 'TEIL2' }]);
    const rest = new Stack(stack.instances.filter(({ id }) => id !== '0-2'), 'MR');
    expect(await volumesOf(rest)).toEqual(['TEIL2 · 2 von 2, 5 Schichten', 'TEIL1 · 1 von 2, 4 Schichten']);
  });

  it('says nothing of a plain series', async () => {
    expect(partsOf(series([{}]))).toEqual([]);
    expect(await volumesOf(series([{}]))).toEqual(['5 Schichten, 8 × 8']);
  });
});
