/**
 * Hanging protocols: which series of a study, and of earlier ones, stands in which pane. Pure: in go studies as the
 * server describes them and protocols, out comes one assignment. The most specific protocol of the highest priority
 * that can be filled is taken; where none can, the study's first pictures stand alone.
 */

export type Side = 'R' | 'L' | 'B';
export type Orientation = 'axial' | 'sagittal' | 'coronal';

export interface HangingView {
  instance_id: string;
  /** Such as CC, MLO, PA, LL; with " modified" behind it for a special one. */
  view: string;
  side: string;
}

export interface HangingSeries {
  id: string;
  modality: string;
  number: number | null;
  description: string;
  protocol: string;
  body_part: string;
  laterality: string;
  /** Directions along a row and down a column of the first plane; empty if unknown. */
  orientation: readonly number[];
  views: readonly HangingView[];
  frame_count: number;
  pictured: boolean;
}

export interface HangingStudy {
  id: string;
  description: string;
  modalities: readonly string[];
  series: readonly HangingSeries[];
}

/** Which studies a protocol is for; what is left out counts for all. */
export interface Match {
  modalities?: readonly string[];
  /** The study must have all of `modalities`, not one of them. */
  every?: boolean;
  body_parts?: readonly string[];
  /** Words, or a regular expression between slashes; see `says`. */
  description?: string;
  /** Of series with pictures. */
  series_min?: number;
  series_max?: number;
  laterality?: Side;
  /** Only with, or only without, an earlier study of one of the same modalities. */
  with_prior?: boolean;
}

/** What a pane takes; what is left out counts for all. */
export interface Pick {
  /** 0 is the study itself, 1 the newest earlier one, and so on. */
  study: number;
  /** It is meant to stay empty. */
  empty?: boolean;
  modality?: string;
  description?: string;
  number?: number;
  orientation?: Orientation;
  /** One of these views. */
  views?: readonly string[];
  side?: Side;
  images_min?: number;
  /** The series of that study that is most like what this pane (from 0) shows. */
  like?: number;
  sort?: 'number' | 'images';
  /** Without it the protocol is not used. */
  needed?: boolean;
  /** What stands here if nothing fits: any series left over, or nothing. */
  otherwise?: 'rest' | 'empty';
  preset?: string;
  /** The edge at which a mammogram's chest wall lies. */
  chest_wall?: 'left' | 'right';
}

export interface Protocol {
  id: string;
  name: string;
  match: Match;
  layout: { rows: number; columns: number };
  /** Row by row. */
  panes: readonly Pick[];
  linked: boolean;
  priority: number;
}

export interface Placed {
  study: string;
  series: string;
  /** The picture of the series to begin with; null for its first. */
  instance: string | null;
  preset: string | null;
  chest_wall: 'left' | 'right' | null;
}

export interface Assignment {
  /** Null where no protocol fits. */
  protocol: Protocol | null;
  rows: number;
  columns: number;
  linked: boolean;
  panes: readonly (Placed | null)[];
}

const LONGEST_PATTERN = 200;
const LONGEST_TEXT = 1000;
const MAINLY = 0.7;

/** Small letters without marks, so that "Schädel" and "SCHADEL" are one. */
export const folded = (text: string): string =>
  text.slice(0, LONGEST_TEXT).normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replaceAll('ß', 'ss');

/**
 * Whether a text says what a pattern asks: commas part alternatives, of which each is words that all occur; a minus
 * before a word forbids it. Between slashes it is a regular expression; one that is none fits nothing.
 */
export function says(pattern: string, text: string): boolean {
  const wanted = pattern.trim().slice(0, LONGEST_PATTERN);
  if (!wanted) return true;
  if (wanted.length > 2 && wanted.startsWith('/') && wanted.endsWith('/')) {
    try {
      return new RegExp(wanted.slice(1, -1), 'iu').test(text.slice(0, LONGEST_TEXT));
    } catch {
      return false;
    }
  }
  const said = folded(text);
  return folded(wanted).split(',').some((alternative) => {
    const words = alternative.split(/\s+/).filter(Boolean);
    return words.length > 0 && words.every((word) => (word.length > 1 && word.startsWith('-') ? !said.includes(word.slice(1)) : said.includes(word)));
  });
}

/** How a plane lies, by the direction across it; null for what is oblique or unknown. */
export function orientationOf(directions: readonly number[]): Orientation | null {
  if (directions.length !== 6) return null;
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = directions;
  const across: [number, Orientation][] = [
    [Math.abs(b * f - c * e), 'sagittal'],
    [Math.abs(c * d - a * f), 'coronal'],
    [Math.abs(a * e - b * d), 'axial'],
  ];
  return across.find(([size]) => size > MAINLY)?.[1] ?? null;
}

const pictured = (study: HangingStudy): HangingSeries[] => study.series.filter((one) => one.pictured);

const sharesModality = (study: HangingStudy, other: HangingStudy): boolean =>
  study.modalities.some((modality) => other.modalities.includes(modality));

export function matches(match: Match, study: HangingStudy, priors: readonly HangingStudy[]): boolean {
  const { modalities = [], every = false, body_parts: parts = [], laterality } = match;
  const has = (modality: string): boolean => study.modalities.includes(modality);
  if (modalities.length > 0 && !(every ? modalities.every(has) : modalities.some(has))) return false;
  if (parts.length > 0 && !study.series.some((one) => parts.some((part) => folded(part) === folded(one.body_part)))) return false;
  if (match.description && !says(match.description, study.description)) return false;
  const count = pictured(study).length;
  if (count < (match.series_min ?? 0) || count > (match.series_max ?? Infinity)) return false;
  if (laterality && !study.series.some((one) => sideOf(one).has(laterality))) return false;
  return match.with_prior === undefined || match.with_prior === priors.some((prior) => sharesModality(study, prior));
}

const sideOf = (series: HangingSeries): Set<string> => new Set([series.laterality, ...series.views.map(({ side }) => side)]);

/** How much a protocol asks of a study: who asks more is meant more. */
const specificity = (match: Match): number =>
  Object.values(match).filter((value: unknown) => value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0)).length;

/** Chooses the protocol and what stands in its panes. `priors`: other studies of the patient, the newest first. */
export function choose(study: HangingStudy, priors: readonly HangingStudy[], protocols: readonly Protocol[]): Assignment {
  const fitting = protocols
    .filter((protocol) => matches(protocol.match, study, priors))
    .sort((one, other) => other.priority - one.priority || specificity(other.match) - specificity(one.match));
  for (const protocol of fitting) {
    const assigned = assign(protocol, study, priors);
    if (assigned) return assigned;
  }
  const first = pictured(study)[0] ?? study.series[0];
  const alone: Placed | null = first ? { study: study.id, series: first.id, instance: null, preset: null, chest_wall: null } : null;
  return { protocol: null, rows: 1, columns: 1, linked: true, panes: [alone] };
}

/** Fills a protocol's panes; null if one that is needed, or all of them, stay empty. */
export function assign(protocol: Protocol, study: HangingStudy, priors: readonly HangingStudy[]): Assignment | null {
  const earlier = priors.filter((prior) => sharesModality(study, prior));
  const { rows, columns } = protocol.layout;
  const picks = protocol.panes.slice(0, rows * columns);
  const taken = new Set<string>();
  const panes: (Placed | null)[] = Array.from({ length: rows * columns }, () => null);
  const chosen: (HangingSeries | null)[] = [];
  const take = (at: number, pick: Pick, found: Found | null): void => {
    chosen[at] = found?.series ?? null;
    if (!found) return;
    taken.add(keyOf(found));
    const { study: of, series, instance } = found;
    panes[at] = { study: of.id, series: series.id, instance, preset: pick.preset ?? null, chest_wall: pick.chest_wall ?? null };
  };
  const of = (pick: Pick): HangingStudy | undefined => (pick.study === 0 ? study : earlier[pick.study - 1]);
  picks.forEach((pick, at) => {
    const whose = of(pick);
    const like = pick.like === undefined ? null : chosen[pick.like] ?? null;
    take(at, pick, whose ? best(pick, whose, taken, like) : null);
  });
  if (picks.some((pick, at) => pick.needed && !panes[at])) return null;
  picks.forEach((pick, at) => {
    const whose = of(pick);
    if (!panes[at] && pick.otherwise === 'rest' && whose) take(at, pick, best({ study: pick.study }, whose, taken, null));
  });
  if (panes.every((pane) => pane === null)) return null;
  return { protocol, rows, columns, linked: protocol.linked, panes };
}

interface Found {
  study: HangingStudy;
  series: HangingSeries;
  instance: string | null;
}

const keyOf = ({ series, instance }: Found): string => `${series.id} ${instance ?? ''}`;

function best(pick: Pick, study: HangingStudy, taken: ReadonlySet<string>, like: HangingSeries | null): Found | null {
  const found = pictured(study)
    .filter((series) => fits(pick, series))
    .flatMap((series) => pictures(pick, study, series))
    .filter((one) => !taken.has(keyOf(one)) && !(one.instance !== null && taken.has(`${one.series.id} `)));
  if (like) return found.sort((one, other) => likeness(like, other.series) - likeness(like, one.series))[0] ?? null;
  if (pick.sort === 'images') found.sort((one, other) => other.series.frame_count - one.series.frame_count);
  return found[0] ?? null;
}

function fits(pick: Pick, series: HangingSeries): boolean {
  if (pick.empty) return false;
  if (pick.modality && pick.modality !== series.modality) return false;
  if (pick.number !== undefined && pick.number !== series.number) return false;
  if (pick.description && !says(pick.description, `${series.description} ${series.protocol}`)) return false;
  if (pick.orientation && pick.orientation !== orientationOf(series.orientation)) return false;
  return series.frame_count >= (pick.images_min ?? 0);
}

/** The pictures of a series that have the view and side asked for: each by itself, as one series may hold them all. */
function pictures(pick: Pick, study: HangingStudy, series: HangingSeries): Found[] {
  if (!pick.views?.length && !pick.side) return [{ study, series, instance: null }];
  return series.views
    .filter(({ view, side }) => (!pick.views?.length || pick.views.includes(view)) && (!pick.side || pick.side === side))
    .map(({ instance_id: instance }) => ({ study, series, instance }));
}

/** How well an earlier series can be compared with one that is shown. */
function likeness(shown: HangingSeries, other: HangingSeries): number {
  const same = (one: string, two: string): number => Number(one !== '' && folded(one) === folded(two));
  const words = new Set(folded(shown.description).split(/\W+/).filter(Boolean));
  const shared = folded(other.description).split(/\W+/).filter((word) => words.has(word)).length;
  const plane = orientationOf(shown.orientation);
  return (
    100 * Number(shown.modality === other.modality) +
    30 * Number(plane !== null && plane === orientationOf(other.orientation)) +
    20 * same(shown.description, other.description) +
    10 * same(shown.protocol, other.protocol) +
    Math.min(9, 3 * shared) +
    5 * same(shown.body_part, other.body_part) +
    3 * Number(Math.abs(Math.log2((shown.frame_count || 1) / (other.frame_count || 1))) < 1)
  );
}

/** Whether a mammogram has to be mirrored for its chest wall to lie at an edge (PS3.3 C.7.6.1.1.1: A leads away from it). */
export function mirrorsFor(chestWall: 'left' | 'right', patientOrientation: readonly string[]): boolean {
  const along = patientOrientation[0]?.[0];
  if (along !== 'A' && along !== 'P') return false;
  return (along === 'P' ? 'right' : 'left') !== chestWall;
}
