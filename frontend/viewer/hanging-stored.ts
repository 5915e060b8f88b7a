/** Hanging protocols as they are stored: read with care, and made from what a reader has arranged. */

import { builtIn } from './hanging-defaults';
import { orientationOf, type HangingStudy, type Match, type Orientation, type Pick, type Protocol, type Side } from './hanging';

/** What is stored under the name `hanging`. */
export interface Stored {
  protocols: Protocol[];
  /** Ids of protocols that came with the program and are not to be used. */
  off: string[];
}

export const MOST_PROTOCOLS = 60;
export const MOST_ROWS = 3;
export const MOST_COLUMNS = 4;
const MOST_WORDS = 50;

type Raw = Readonly<Record<string, unknown>>;

const isRaw = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown, most = 200): string | undefined =>
  typeof value === 'string' && value !== '' ? value.slice(0, most) : undefined;
const whole = (value: unknown, least: number, most: number): number | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most ? value : undefined;
const flag = (value: unknown): boolean | undefined => (typeof value === 'boolean' ? value : undefined);
const texts = (value: unknown): string[] | undefined => {
  const found = Array.isArray(value) ? value.flatMap((one) => text(one, 64) ?? []).slice(0, MOST_WORDS) : [];
  return found.length > 0 ? found : undefined;
};
const oneOf = <T extends string>(value: unknown, ...known: readonly T[]): T | undefined => known.find((one) => one === value);

/** Leaves out what is undefined, as the types ask. */
function given<T extends object>(value: { [Name in keyof T]: T[Name] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}

function readMatch(raw: Raw): Match {
  return given<Match>({
    modalities: texts(raw['modalities']),
    every: flag(raw['every']),
    body_parts: texts(raw['body_parts']),
    description: text(raw['description']),
    series_min: whole(raw['series_min'], 0, 10_000),
    series_max: whole(raw['series_max'], 0, 10_000),
    laterality: oneOf<Side>(raw['laterality'], 'R', 'L', 'B'),
    with_prior: flag(raw['with_prior']),
  } as { [Name in keyof Match]: Match[Name] | undefined });
}

function readPick(raw: Raw): Pick {
  return given<Pick>({
    study: whole(raw['study'], 0, 20) ?? 0,
    empty: flag(raw['empty']),
    modality: text(raw['modality'], 16),
    description: text(raw['description']),
    number: whole(raw['number'], -(2 ** 31), 2 ** 31),
    orientation: oneOf<Orientation>(raw['orientation'], 'axial', 'sagittal', 'coronal'),
    views: texts(raw['views']),
    side: oneOf<Side>(raw['side'], 'R', 'L', 'B'),
    images_min: whole(raw['images_min'], 0, 100_000),
    like: whole(raw['like'], 0, MOST_ROWS * MOST_COLUMNS),
    sort: oneOf(raw['sort'], 'number', 'images'),
    needed: flag(raw['needed']),
    otherwise: oneOf(raw['otherwise'], 'rest', 'empty'),
    preset: text(raw['preset'], 64),
    chest_wall: oneOf(raw['chest_wall'], 'left', 'right'),
  } as { [Name in keyof Pick]: Pick[Name] | undefined });
}

function readProtocol(raw: unknown): Protocol | null {
  if (!isRaw(raw) || !isRaw(raw['layout']) || !Array.isArray(raw['panes'])) return null;
  const rows = whole(raw['layout']['rows'], 1, MOST_ROWS);
  const columns = whole(raw['layout']['columns'], 1, MOST_COLUMNS);
  const id = text(raw['id'], 64);
  if (!rows || !columns || !id) return null;
  return {
    id,
    name: text(raw['name'], 100) ?? id,
    match: isRaw(raw['match']) ? readMatch(raw['match']) : {},
    layout: { rows, columns },
    panes: raw['panes'].slice(0, rows * columns).map((pick: unknown) => readPick(isRaw(pick) ? pick : {})),
    linked: raw['linked'] !== false,
    priority: whole(raw['priority'], -1000, 1000) ?? 0,
  };
}

/** Reads what was stored, whoever wrote it; what is none of ours is left out. */
export function readStored(value: unknown): Stored {
  const raw = isRaw(value) ? value : {};
  const listed: unknown[] = Array.isArray(raw['protocols']) ? raw['protocols'].slice(0, MOST_PROTOCOLS) : [];
  return { protocols: listed.flatMap((one) => readProtocol(one) ?? []), off: texts(raw['off']) ?? [] };
}

/** The protocols that count: one's own, or else the organisation's, before those that came with the program. */
export function protocolsOf(own: unknown, organisation: unknown): Protocol[] {
  const stored = readStored(own ?? organisation);
  return [...stored.protocols, ...builtIn.filter(({ id }) => !stored.off.includes(id))];
}

/** What a pane shows now. */
export interface ShownPane {
  /** 0 is the study itself, 1 the newest earlier one. */
  study: number;
  series: string;
  /** The picture, where the series shows several views. */
  instance?: string | null;
  preset?: string | null;
}

/** Makes a protocol of what stands in the panes, for studies like this one. */
export function learn(
  id: string,
  name: string,
  studies: readonly HangingStudy[],
  layout: Protocol['layout'],
  shown: readonly (ShownPane | null)[],
  linked: boolean,
): Protocol {
  const [study] = studies;
  const panes = shown.map((pane): Pick => {
    const series = pane && studies[pane.study]?.series.find((one) => one.id === pane.series);
    if (!pane || !series) return { study: 0, empty: true };
    const view = series.views.find((one) => one.instance_id === pane.instance) ?? (series.views.length === 1 ? series.views[0] : undefined);
    return given<Pick>({
      study: pane.study,
      modality: series.modality || undefined,
      description: wordsOf(series.description) || undefined,
      orientation: orientationOf(series.orientation) ?? undefined,
      views: view?.view ? [view.view] : undefined,
      side: oneOf<Side>(view?.side, 'R', 'L', 'B'),
      preset: pane.preset || undefined,
    } as { [Name in keyof Pick]: Pick[Name] | undefined });
  });
  const here = shown.flatMap((pane) => (pane?.study === 0 ? study?.series.find((one) => one.id === pane.series) ?? [] : []));
  const different = (values: readonly string[]): string[] => [...new Set(values.filter(Boolean))];
  const modalities = different(here.map(({ modality }) => modality));
  const parts = different(here.map(({ body_part: part }) => part));
  const earlier = shown.some((pane) => pane !== null && pane.study > 0);
  return {
    id,
    name,
    match: given<Match>({
      modalities: modalities.length > 0 ? modalities : undefined,
      every: modalities.length > 1 ? true : undefined,
      body_parts: parts.length > 0 ? parts : undefined,
      with_prior: earlier ? true : undefined,
    } as { [Name in keyof Match]: Match[Name] | undefined }),
    layout,
    panes,
    linked,
    priority: 10,
  };
}

/** The words of a description without its numbers, which change from study to study; none that would be patterns. */
function wordsOf(description: string): string {
  const words = description.replaceAll(/[,/]/g, ' ').split(/\s+/);
  return words.filter((word) => word && !word.startsWith('-') && !/^[\d.]+(mm)?$/i.test(word)).join(' ').slice(0, 100);
}
