/** What is taken away of a picture: how large it is on paper. */

import { expect, it, vi } from 'vitest';
import type { InstanceRow, SeriesRow, StudyDetail } from '../api/types';

const browser = await vi.hoisted(async () => (await import('./bare-browser')).bareBrowser());

const { Room } = await import('./room.svelte');
const { Stack } = await import('./stack');
const { keyPlaces } = await import('./taking');

const settled = () => new Promise((done) => setTimeout(done, 5));

it('an ultrasound picture goes to paper at the size of its calibrated part', async () => {
  const region = { box: [0, 0, 1, 0], delta: [0.05, 0.05], units: ['cm', 'cm'], format: 1, type: 1, reference: null, at_reference: null };
  browser.pictures.facts = { ...browser.pictures.facts, pixel_spacing: [0.1, 0.1], regions: [region] };
  const pane = new Room('window').active;
  pane.mount(browser.create() as unknown as HTMLCanvasElement);
  const instance = { id: 'us', viewable: true, frames: 1, sop_class_uid: '1.2.840.10008.5.1.4.1.1.6.1', rows: 1, columns: 2 } as unknown as InstanceRow;
  const series = { id: 'us', modality: 'US' } as unknown as SeriesRow;
  await pane.show({ study: { id: 'study', series: [series] } as unknown as StudyDetail, series }, 0, { frame_of_reference: null, instances: [instance] } as never);
  await settled();
  const frame = pane.view?.frame;
  const taken = frame && pane.viewer?.snapshot(frame, 0);
  expect((taken?.millimetres ?? 0) * (taken?.canvas.width ?? 0)).toBe(1); // two columns of 0.5 mm
});

it('the key images of a series are its flagged pictures, each once, in its order', () => {
  const cine = { id: 'cine', viewable: true, frames: 5, sop_class_uid: '1.2.840.10008.5.1.4.1.1.3.1' };
  const instances = [cine, { ...cine, id: 'still', frames: 1 }, { ...cine, id: 'report', viewable: false }] as unknown as InstanceRow[];
  const flag = (instance_id: string, frame: number | null, kind: 'key' | 'length' = 'key') => ({ kind, instance_id, frame });
  const marks = [flag('still', 1), flag('cine', 4), flag('cine', 4), flag('cine', 2, 'length'), flag('report', 1), flag('elsewhere', 1), flag('still', null)];
  expect(keyPlaces(new Stack(instances), marks)).toEqual([3, 5]);
});
