/** Hangs a study as the reader's protocols say; loaded once the first picture is there. */

import type { SeriesRow, StudyDetail } from '../api/types';
import { attemptQuietly } from '../state/notices.svelte';
import { choose, mirrorsFor, type Assignment, type HangingStudy, type Placed } from '$viewer/hanging';
import type { ShownPane } from '$viewer/hanging-stored';
import { windowNamed } from '$viewer/presets';
import { HangingBook } from './hanging.svelte';
import type { PriorStudies } from './priors.svelte';
import type { RoomPane } from './room-pane.svelte';
import type { Room } from './room.svelte';

const book = new HangingBook();
let read: Promise<void> | null = null;

/** The protocols, read once from the server; without them those of the program count. */
export async function protocolBook(): Promise<HangingBook> {
  read ??= attemptQuietly(() => book.load());
  await read;
  return book;
}

export const asHanging = ({ id, description, modalities, series }: StudyDetail): HangingStudy => ({
  id,
  description,
  modalities,
  series,
});

/** Brings the series of the study, and of the newest relevant earlier one, into panes; unless the reader was quicker. */
export async function hang(room: Room, study: StudyDetail, priors: PriorStudies): Promise<void> {
  const { protocols } = await protocolBook();
  const earlier = priors.same.filter((one) => one.earlier && one.modalities.some((kind) => study.modalities.includes(kind)));
  const compared = earlier.find((one) => one.relevant) ?? earlier[0];
  const prior = compared ? await priors.open(compared.id).catch(() => null) : null;
  if (room.touched || room.studyId !== study.id) return;
  const chosen = choose(asHanging(study), prior ? [asHanging(prior)] : [], protocols);
  if (!chosen.protocol) return;
  if (prior && !chosen.panes.some((one) => one?.study === prior.id)) priors.close(prior.id);
  const { rows, columns, panes } = trimmed(chosen);
  room.arrange(rows, columns);
  await Promise.all(
    panes.map(async (placed, at) => {
      const pane = room.panes[at];
      const of = placed?.study === prior?.id ? prior : study;
      const series = of?.series.find(({ id }) => id === placed?.series);
      if (pane && placed && of && series) await fill(pane, of, series, placed);
    }),
  );
  if (!room.touched && room.studyId === study.id) room.setLinked(chosen.linked);
}

/** Without rows and columns in which nothing stands, as where views of a mammography are missing. */
function trimmed({ rows, columns, panes }: Assignment): Pick<Assignment, 'rows' | 'columns' | 'panes'> {
  const all = Array.from({ length: rows }, (_, row) => panes.slice(row * columns, (row + 1) * columns));
  const filled = all.filter((row) => row.some(Boolean));
  const used = Array.from({ length: columns }, (_, at) => at).filter((at) => filled.some((row) => row[at]));
  return { rows: filled.length, columns: used.length, panes: filled.flatMap((row) => used.map((at) => row[at] ?? null)) };
}

async function fill(pane: RoomPane, study: StudyDetail, series: SeriesRow, placed: Placed): Promise<void> {
  if (pane.shown?.series.id !== series.id) await pane.show({ study, series });
  if (pane.shown?.series.id !== series.id || pane.stack.count === 0) return; // the reader was quicker, or it is not to be had
  if (placed.instance) pane.viewer?.go(pane.stack.placeOf(placed.instance, 1));
  const { chest_wall: edge, preset } = placed;
  if (edge || preset) pane.viewer?.whenShown((frame) => {
    const window = preset && windowNamed(series.modality, preset, frame);
    if (window && !pane.view?.chosen) pane.viewer?.setWindow(window); // the reader's own choice was made after
    if (!edge) return;
    if (mirrorsFor(edge, frame.facts.patient_orientation ?? [])) pane.viewer?.turn({ mirror: true });
    pane.viewer?.align(edge);
  });
}

/** What stands in the panes, for a protocol to be made of. */
export function shownNow(room: Room, studies: readonly HangingStudy[]): (ShownPane | null)[] {
  return room.panes.map((pane) => {
    const study = studies.findIndex(({ id }) => id === pane.shown?.study.id);
    if (!pane.shown || study < 0) return null;
    return { study, series: pane.shown.series.id, instance: pane.picture?.instance.id ?? null };
  });
}
