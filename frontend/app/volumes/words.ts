/** Numbers and warnings of the volume room in words. */

import { formatNumber, t } from '../i18n/index.svelte';
import { fineness } from '../viewing/saying';
import { tellingText } from '../viewing/telling';
import type { SeriesRow } from '../api/types';
import type { Choice } from '$viewer/volume/assemble';
import type { Body } from '$viewer/volume/bodies';
import type { Blend } from '$viewer/volume/drawing';
import type { PaneName, Probe, RoomState } from '$viewer/volume/look';
import type { Measure } from '$viewer/volume/measuring';
import type { PlaneName } from '$viewer/volume/planes';
import { aspectsApart, withoutShared } from '$viewer/telling';
import { TURNS } from '$viewer/volume/turning';

const DIGITS = 1;
const TILT_SAID = 0.5; // degrees
const NO_UNIT = 'US'; // Rescale Type: unspecified

export function measureText(value: number, kind: Measure['kind']): string {
  return kind === 'length' ? `${formatNumber(value, DIGITS)} mm` : `${formatNumber(value, DIGITS)}°`;
}

export function unitOf(body: Body, modality: string): string {
  const unit = body.unit || (modality === 'CT' ? 'HU' : '');
  return unit === NO_UNIT ? '' : unit;
}

/** A series by its kind, number and description. */
export function seriesName({ modality, number, description }: SeriesRow): string {
  return [modality, number, description].filter((part) => part !== null && part !== '').join(' ');
}

/** One of the volumes that a series holds. */
export function choiceText(choice: Choice, all: readonly Choice[]): string {
  const { places, group, groups, columns, rows } = choice;
  const said = t(groups > 1 ? 'volume.choice.group' : 'volume.choice.other', { n: places.length, group, groups, columns, rows });
  const told = withoutShared(all.flatMap(({ telling }) => telling ?? []));
  const own = told[all.indexOf(choice)];
  const aspects = told.length === all.length ? aspectsApart([told]) : [];
  return own && aspects.length > 0 ? `${tellingText(own, aspects)} · ${said}` : said;
}

/** The ends of the range that colours stand for; the greater one with the unit. */
export function rangeText({ least, width }: Blend, body: Body, modality: string): { least: string; most: string } {
  const [low, high] = [least, least + width].map((value) => value * (body.suvFactor ?? 1)) as [number, number];
  const digits = high - low < 10 ? 2 : DIGITS;
  const most = formatNumber(high, digits);
  return {
    least: formatNumber(low, digits),
    most: body.suvFactor !== null ? t('volume.suv', { value: most }) : `${most} ${unitOf(body, modality)}`.trim(),
  };
}

function valueText(value: number, body: Body, modality: string): string {
  if (body.suvFactor !== null) return t('volume.suv', { value: formatNumber(value * body.suvFactor, 2) });
  const digits = body.unit === 'Gy' || body.unit === 'rel.' ? fineness(value) : DIGITS; // doses are small numbers
  return `${formatNumber(value, digits)} ${unitOf(body, modality)}`.trim();
}

/** A value with the point of the patient where it was read. */
export function probeText(probe: Probe, state: RoomState, modality: string, overModality: string): string {
  const { body, over } = state;
  const [x, y, z] = probe.point.map((one) => formatNumber(one, DIGITS)) as [string, string, string];
  const values = [
    body && probe.value !== null ? valueText(probe.value, body, modality) : t('volume.outside'),
    ...(over && probe.over !== null ? [valueText(probe.over, over, overModality)] : []),
  ];
  return t('volume.here', { value: values.join(' · '), x, y, z });
}

/** What arrow keys move of a measure. */
export function handleText({ place, of }: NonNullable<RoomState['handle']>): string {
  return place === 'whole' ? t('marks.said.whole') : t('marks.said.point', { n: place + 1, of });
}

/** What arrow keys do where they do not scroll, and in which pane. `plane` shows the selected measure, `pane` is in hand. */
export function arrowsText(state: RoomState, { plane, pane }: { plane: PlaneName | null; pane: PaneName }): { text: string; pane: PaneName } | null {
  const { handle, turning, crossed, tool } = state;
  if (handle && plane) return { pane: plane, text: t('volume.how.handle', { what: handleText(handle) }) };
  if (turning && pane === 'space') return { pane, text: t('volume.how.turnSpace', { degrees: TURNS.space.large }) };
  if (turning) return { pane, text: t('volume.how.turnPlanes', { degrees: TURNS.plane.large }) };
  return crossed && (tool === 'length' || tool === 'angle') ? { pane: crossed.plane, text: t('mark.how.keys') } : null;
}

/** How what is in hand stands: how far the planes are turned, or which sides of the patient are at the edges in 3D. */
export function standingText({ tilt, edges: { space } }: RoomState, pane: PaneName): string {
  if (pane === 'space') return space ? t('volume.said.sides', { ...space }) : '';
  const degrees = formatNumber(tilt, DIGITS);
  return degrees === formatNumber(0, DIGITS) ? t('volume.said.straight') : t('volume.said.tilt', { degrees });
}

/** What the reader must know of the volume before relying on it. */
export function notices({ body, graphics }: RoomState, leftOut = 0): string[] {
  if (!body) return graphics === 'here' ? [] : [t(`volume.notice.${graphics}`)];
  const { grid, progress } = body;
  const { xy, z } = grid.decimation;
  const { gaps, tilt } = grid.stacked;
  const steps = grid.stacked.depths.slice(1).map((depth, k) => depth - (grid.stacked.depths[k] ?? 0));
  const coarser = { xy: 2 ** xy, z };
  const key = xy > 0 && z > 1 ? 'volume.notice.decimated' : xy > 0 ? 'volume.notice.decimatedXy' : 'volume.notice.decimatedZ';
  const mm = (value: number): string => formatNumber(value, 2);
  return [
    ...(graphics === 'here' ? [] : [t(`volume.notice.${graphics}`)]),
    ...(xy > 0 || z > 1 ? [t(key, coarser)] : []),
    ...(leftOut > 0 ? [t('volume.notice.leftOut', { n: leftOut })] : []),
    ...(gaps.length > 0 ? [t('volume.notice.gaps', { n: gaps.length })] : []),
    ...(progress.lost.size > 0 ? [t('volume.notice.lost', { n: progress.lost.size })] : []),
    ...(progress.cut > 0 ? [t('volume.notice.cut', { n: progress.cut })] : []),
    ...(grid.stacked.even === null && gaps.length === 0 ? [t('volume.notice.uneven', { least: mm(Math.min(...steps)), most: mm(Math.max(...steps)) })] : []),
    ...(tilt > TILT_SAID ? [t('volume.notice.tilt', { degrees: formatNumber(tilt, DIGITS) })] : []),
  ];
}
