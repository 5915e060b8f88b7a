/** What an object holds beyond plain pictures, as the server tells it. */

import type { SlideLevel } from '$viewer/contents/slide';
import type { WaveGroup } from '$viewer/contents/waveform';
import { announceSessionEnd, ApiProblem, get, post, problemFrom } from './client';

const part = encodeURIComponent;

export interface Code {
  meaning: string;
  value: string;
  scheme: string;
}

export interface Reference {
  sop_uid: string;
  sop_class_uid: string;
  frames: number[];
}

export interface ReportItem {
  kind: string;
  relationship: string;
  name: Code;
  value: string;
  code: Code | null;
  unit: Code | null;
  qualifier: string;
  graphic: string;
  at: string;
  flowing: boolean;
  target: number[];
  references: Reference[];
  items: ReportItem[];
}

export interface Author {
  name: string;
  organization: string;
  at: string;
  verified: boolean;
}

export interface Report {
  title: Code;
  completion: string;
  completion_text: string;
  verification: string;
  preliminary: string;
  at: string;
  institution: string;
  authors: Author[];
  evidence: Reference[];
  items: ReportItem[];
  shortened: boolean;
}

/** An object that is here, by the ids of its rows. */
export interface LinkedInstance {
  id: string;
  series_id: string;
  study_id: string;
  number: number | null;
}

export interface ReportAnswer {
  report: Report;
  instances: Record<string, LinkedInstance>;
}

/** An element of a data set, or (without a tag) an item of the sequence above it, numbered by its value. */
export interface HeaderRow {
  depth: number;
  tag: string;
  vr: string;
  name: string;
  keyword: string;
  length: number;
  value: string;
  /** The value goes on. */
  more: boolean;
  /** Bytes that nobody reads. */
  bulk: boolean;
  /** Tells whether two values agree that are not written out. */
  mark: string;
  count: number | null;
  creator: string;
}

export interface HeaderTree {
  rows: HeaderRow[];
  shortened: boolean;
  problems: string[];
}

export interface WaveAnnotation {
  group: number;
  channels: number[];
  name: string;
  text: string;
  value: string;
  unit: string;
  /** What the seconds are: POINT, MULTIPOINT, SEGMENT, MULTISEGMENT, BEGIN, END; empty for the whole recording. */
  extent: string;
  seconds: number[];
}

export interface Waveform {
  kind: 'ecg' | 'sound' | 'other';
  at: string;
  device: string;
  groups: WaveGroup[];
  annotations: WaveAnnotation[];
}

/** Bytes by GET, with the errors of `client`. */
export async function bytes(address: string, signal?: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, { credentials: 'same-origin', ...(signal ? { signal } : {}) });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiProblem(0, 'unreachable', '');
  }
  if (response.ok) return response;
  if (response.status === 401) announceSessionEnd();
  throw problemFrom(response.status, await response.text());
}

export interface DocumentPages {
  pages: { width: number; height: number }[];
  shortened: boolean;
}

/** A film: what it is kept as, whether browsers play that, and how long it is as far as its header says. */
export interface Film {
  media_type: string;
  codec: string;
  family: 'h264' | 'h265' | 'mpeg2';
  playable: boolean;
  frames: number;
  rate: number | null;
  bytes: number;
}

export interface SlidePyramid {
  /** The finest first. */
  levels: SlideLevel[];
  /** What all tiles are seen with; null: each as it comes. */
  window: { center: number; width: number } | null;
  loss: { ratios: number[] } | null;
}

export interface Slide {
  /** The largest first. */
  pyramids: SlidePyramid[];
  images: { instance_id: string; kind: string }[];
}

export interface Export {
  form: 'png' | 'jpeg' | 'mp4' | 'gif' | 'print';
  named: boolean;
  instance_ids: string[];
  frames: number;
}

const windowed = (window: SlidePyramid['window']): string => (window ? `?center=${window.center}&window=${window.width}` : '');

export const contents = {
  /** Puts on record that pictures are taken, before they are made. */
  noteExport: (study: string, what: Export) => post<{ instances: number }>(`/api/studies/${part(study)}/exports`, what),
  slide: (series: string) => get<Slide>(`/api/series/${part(series)}/slide`),
  tile: (id: string, frame: number, signal: AbortSignal, window: SlidePyramid['window'] = null) =>
    bytes(`/api/instances/${part(id)}/frames/${frame}/rendered${windowed(window)}`, signal).then((answer) => answer.blob()),
  pictureUrl: (id: string, window: SlidePyramid['window'] = null) => `/api/instances/${part(id)}/frames/1/rendered${windowed(window)}`,
  pages: (id: string) => get<DocumentPages>(`/api/instances/${part(id)}/pages`),
  pageUrl: (id: string, page: number, width: number) => `/api/instances/${part(id)}/pages/${page}?width=${width}`,
  pageText: (id: string, page: number) => get<{ text: string }>(`/api/instances/${part(id)}/pages/${page}/text`).then((answer) => answer.text),
  film: (id: string) => get<Film>(`/api/instances/${part(id)}/film`),
  /** As it is kept, for a player of films. */
  filmFileUrl: (id: string) => `/api/instances/${part(id)}/film/file`,
  filmUrl: (id: string) => `/api/instances/${part(id)}/video`,
  waveform: (id: string) => get<Waveform>(`/api/instances/${part(id)}/waveform`),
  waveformSamples: (id: string, group: number, start: number, count: number) =>
    bytes(`/api/instances/${part(id)}/waveform/${group}/samples?start=${start}&count=${count}`).then((answer) => answer.arrayBuffer()),
  soundUrl: (id: string, group: number) => `/api/instances/${part(id)}/waveform/${group}/sound`,
  header: (id: string, signal?: AbortSignal) => get<HeaderTree>(`/api/instances/${part(id)}/header`, signal ? { signal } : {}),
  headerValue: (id: string, path: string) =>
    get<{ value: string }>(`/api/instances/${part(id)}/header/value`, { query: { path } }).then((answer) => answer.value),
  report: (id: string) => get<ReportAnswer>(`/api/instances/${part(id)}/report`),
};
