/** What a series starts with in a pane: the same, whichever picture is looked at first and whatever comes first. */

import { expect, it, vi } from 'vitest';
import type { InstanceRow, SeriesRow, StudyDetail } from '../api/types';

const asked = await vi.hoisted(async () => (await import('./bare-browser')).bareBrowser());

const { Room } = await import('./room.svelte');

const BRIGHTEST = [2, 3, 90, 200, 120, 60, 2]; // of each slice: air, head, neck, air
asked.pictures.facts = { rows: 1, columns: 2, samples: 1, bits_allocated: 8, bits_stored: 8, signed: false, photometric: 'MONOCHROME2' };
asked.pictures.values = (url) => new Uint8Array([0, BRIGHTEST[Number(/instances\/slice(\d)/.exec(url)?.[1])] ?? 0]);

const slices = BRIGHTEST.map((_, at) => ({ id: `slice${at}`, viewable: true, frames: 1, sop_class_uid: '1.2.840.10008.5.1.4.1.1.4', position: null, orientation: null, pixel_spacing: null, rows: 1, columns: 2 })) as unknown as InstanceRow[];
const settled = () => new Promise((done) => setTimeout(done, 20));

it('is one window over pictures from all over an MR, and stays when one scrolls', async () => {
  for (const first of [0, 3, 6]) {
    const pane = new Room('window').active;
    pane.mount(asked.create() as unknown as HTMLCanvasElement);
    const series = { id: 'mr', modality: 'MR', description: '', pictured: true } as unknown as SeriesRow;
    const shown = { study: { id: 'study', series: [series] } as unknown as StudyDetail, series };
    await pane.show(shown, first, { frame_of_reference: null, instances: slices } as never);
    await settled();
    expect([pane.viewer?.index, pane.view?.window?.center, pane.view?.window?.width]).toEqual([first, 100, 200]);
    pane.viewer?.go(6 - first);
    await settled();
    expect([pane.view?.isCurrent, pane.view?.window?.width, pane.view?.chosen]).toEqual([true, 200, false]);
    pane.viewer?.close();
  }
});
