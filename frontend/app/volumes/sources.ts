/** From a series of the server to what a volume is made of. */

import { instances as api, series as seriesApi } from '../api/endpoints';
import { planes as planesApi } from '../api/planes';
import type { InstanceRow, SeriesDetail, SeriesRow, StudyDetail } from '../api/types';
import { link } from '$viewer/link';
import type { BlendedPicture } from '$viewer/drawings/content';
import { assemble, type Assembled, type Choice, type Plane } from '$viewer/volume/assemble';
import type { Source } from '$viewer/volume/loading';
import { isPicture, placesOf, Stack } from '../viewing/stack';
import { tellingOf } from '../viewing/telling';

/** Lists the planes of a stack's pictures, in its order. */
export async function planesOf(stack: Stack): Promise<Plane[]> {
  const found: Plane[] = [];
  let place = 0;
  for (const instance of stack.instances) {
    const frames = placesOf(instance);
    if (isPicture(instance)) found.push(...(await planesWithin(instance, place, frames)));
    place += frames;
  }
  return withTypes(found);
}

/** Where pictures are of several types, that is a label, too: it may tell those apart whose kind is not known. */
function withTypes(planes: Plane[]): Plane[] {
  const types = [...new Set(planes.map(({ telling }) => telling?.type ?? ''))];
  if (types.length < 2) return planes;
  return planes.map((plane) => ({ ...plane, labels: [...(plane.labels ?? []), types.indexOf(plane.telling?.type ?? '')] }));
}

async function planesWithin(instance: InstanceRow, place: number, frames: number): Promise<Plane[]> {
  const { rows, columns, frame_of_reference: reference } = instance;
  if (!rows || !columns) return [];
  if (frames === 1) {
    const { position, orientation, pixel_spacing: spacing, time, trigger_time } = instance;
    const { temporal_position, echo_time, echo_number, b_value, acquisition } = instance;
    const labels = [temporal_position, echo_time, b_value, trigger_time, acquisition, time, echo_number];
    const telling = tellingOf(instance);
    return [{ place, position, orientation, spacing, rows, columns, reference, labels, telling, time: trigger_time ?? time }];
  }
  const told = await planesApi.read(instance.id);
  const turnOf = (at: number): number => instance.frame_order?.indexOf(at + 1) ?? at;
  return told.planes.slice(0, frames).map((plane, at) => ({
    place: place + turnOf(at), position: plane.position ?? [], orientation: plane.orientation ?? [], spacing: plane.spacing ?? [], rows, columns, reference,
    labels: [plane.temporal_position, plane.echo_time, plane.b_value, plane.trigger_time, null, plane.time, null],
    telling: tellingOf(plane),
    time: plane.temporal_position ?? plane.b_value ?? plane.echo_time ?? plane.time,
  }));
}

export async function assembled(stack: Stack): Promise<Assembled> {
  return assemble(await planesOf(stack));
}

/** The volume that a picture of a series is in; none where it is in none. */
export function volumeWith(choices: readonly Choice[], stack: Stack, { instance_id: id, frame }: BlendedPicture): Choice | undefined {
  if (!stack.instances.some((one) => one.id === id)) return undefined;
  const place = stack.placeOf(id, frame);
  return choices.find(({ places }) => places.includes(place));
}

export function sourceOf(stack: Stack, modality: string, choice: Choice): Source {
  return {
    choice,
    modality,
    address: (place, coded) => {
      const found = stack.at(place);
      return found && isPicture(found.instance) ? api.frameUrl(found.instance.id, found.frame, coded || link.isSlow) : null;
    },
  };
}

/** A series that may lie over another one. */
export interface Candidate {
  series: SeriesRow;
  detail: SeriesDetail;
  /** Both series say that their positions can be compared. */
  isSure: boolean;
}

const MOST_ASKED = 24;
const FEWEST = 3;

/** The series of the study that lie in the same frame of reference as one; those that name none are not sure. */
export async function candidates(study: StudyDetail, one: SeriesRow, reference: string | null): Promise<Candidate[]> {
  const others = study.series.filter((other) => other.id !== one.id && other.pictured && other.frame_count >= FEWEST);
  const byKind = others.toSorted((a, b) => Number(b.modality === 'PT') - Number(a.modality === 'PT')).slice(0, MOST_ASKED);
  const details = await Promise.all(byKind.map((series) => seriesApi.read(series.id).catch(() => null)));
  return byKind.flatMap((series, at) => {
    const detail = details[at];
    if (!detail) return [];
    const known = reference !== null && detail.frame_of_reference !== null;
    if (known && detail.frame_of_reference !== reference) return [];
    return [{ series, detail, isSure: known }];
  });
}
