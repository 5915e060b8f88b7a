/** Panes that go together, in one window and in two: linked scrolling, and the line of what is looked at elsewhere. */

import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { InstanceRow, SeriesDetail, SeriesRow, StudyDetail } from '../api/types';

const browser = await vi.hoisted(async () => (await import('./bare-browser')).bareBrowser());

const { Room } = await import('./room.svelte');
type Room = InstanceType<typeof Room>;
type RoomPane = Room['active'];

const CT = '1.2.840.10008.5.1.4.1.1.2';
const AXIAL = [1, 0, 0, 0, 1, 0];
const SAGITTAL = [0, 1, 0, 0, 0, -1];

function detailOf(id: string, planes: readonly (readonly [position: number[], orientation: number[]])[]): SeriesDetail {
  const instances = planes.map(([position, orientation], at) => ({
    id: `${id}-${at}`, viewable: true, frames: 1, sop_class_uid: CT, transfer_syntax: '', position, orientation, pixel_spacing: [1, 1], rows: 10, columns: 10,
  }));
  return { id, study_id: 'study', frame_of_reference: 'body', instances: instances as unknown as InstanceRow[] };
}
const axials = (id: string, ...at: number[]): SeriesDetail => detailOf(id, at.map((z) => [[0, 0, z], AXIAL]));

async function show(pane: RoomPane, detail: SeriesDetail): Promise<void> {
  pane.mount(browser.create() as unknown as HTMLCanvasElement);
  await pane.show({ study: { id: 'study', series: [] } as unknown as StudyDetail, series: { id: detail.id, modality: 'CT' } as unknown as SeriesRow }, 0, detail);
}

/** A room of two panes, the first one in hand. */
async function two(led: SeriesDetail, other: SeriesDetail): Promise<readonly [Room, RoomPane, RoomPane]> {
  const room = new Room('window');
  room.arrange(1, 2);
  const [one, another] = room.panes as [RoomPane, RoomPane];
  await show(one, led);
  await show(another, other);
  return [room, one, another];
}

beforeEach(() => browser.held.splice(0));

describe('a linked pane', () => {
  it('stays in the phase that it shows', async () => {
    const [, one, other] = await two(axials('native', 0, 5, 10), axials('phases', 0, 5, 10, 0, 5, 10, 0, 5, 10));
    other.viewer?.go(6); // the third phase
    one.viewer?.go(2);
    expect(other.viewer?.index).toBe(8);
    one.viewer?.go(1);
    expect(other.viewer?.index).toBe(7);
  });

  it('goes to no plane that is not parallel, and so stays linked', async () => {
    const localizer = detailOf('localizer', [[[0, 0, 0], AXIAL], [[0, 0, 40], AXIAL], [[4.5, 0, 40], SAGITTAL]]);
    const [, one, other] = await two(axials('native', 0, 15, 35), localizer);
    const seen = [1, 2].map((place) => (one.viewer?.go(place), other.viewer?.index));
    expect(seen).toEqual([0, 1]);
  });
});

describe('the line of another window', () => {
  const sagittals = (id: string, ...at: number[]): SeriesDetail => detailOf(id, at.map((x) => [[x, 0, 10], SAGITTAL]));

  it('goes when that window is left, and when a pane of this one is taken in hand', async () => {
    const [room, one, other] = await two(axials('ct', 0, 5, 10), sagittals('mr', 3, 4, 5));
    const line = (): number | undefined => room.lineFor(one)?.position[0];
    expect(line()).toBeUndefined(); // it is in hand itself
    const apart = new Room('window');
    await show(apart.active, sagittals('further', 6, 7, 8));
    apart.active.viewer?.go(2);
    expect(line()).toBe(8);
    room.activate(other);
    expect(line()).toBe(5); // that of the pane in hand, which followed
    apart.active.viewer?.go(1);
    expect(line()).toBe(7);
    apart.close();
    expect(line()).toBe(5);
    room.close();
  });

  it('stays when a third window is left', async () => {
    const [room, one] = await two(axials('ct', 0, 5, 10), sagittals('mr', 3, 4, 5));
    const [apart, third] = [new Room('window'), new Room('window')];
    await show(apart.active, sagittals('further', 6, 7, 8));
    apart.active.viewer?.go(1);
    third.close();
    expect(room.lineFor(one)?.position[0]).toBe(7);
    apart.close();
    room.close();
  });
});
