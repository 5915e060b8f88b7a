/** What a device or somebody noted at moments of a recording, drawn where it is: a line or a stretch, with its text. */

import type { Ink, Paper, Strip } from './waveform';

export interface WaveEvent {
  /** From 1; none: all of the group. */
  channels: readonly number[];
  /** From the group's beginning. */
  from: number;
  to: number;
  text: string;
}

interface Noted {
  channels: readonly number[];
  extent: string;
  seconds: readonly number[];
}

/** The moments and stretches of a note (PS3.3 C.10.10.1.2); none where it is about the whole recording. */
export function eventsOf({ channels, extent, seconds }: Noted, text: string, duration: number): WaveEvent[] {
  const event = (from: number | undefined, to: number | undefined): WaveEvent[] =>
    from === undefined || to === undefined ? [] : [{ channels, from: Math.min(from, to), to: Math.max(from, to), text }];
  switch (extent) {
    case 'SEGMENT':
    case 'MULTISEGMENT':
      return seconds.flatMap((from, at) => (at % 2 === 0 ? event(from, seconds[at + 1]) : []));
    case 'BEGIN':
      return event(seconds[0], duration);
    case 'END':
      return event(0, seconds[0]);
    default:
      return seconds.flatMap((at) => event(at, at));
  }
}

/** Where an event stands on a strip, in millimetres of the paper; none beside it. */
export function placeOn(strip: Strip, event: WaveEvent, speed: number): { left: number; right: number } | null {
  const end = strip.from + strip.seconds;
  const isMoment = event.from === event.to;
  if (event.to < strip.from || (isMoment ? event.from >= end : event.from > end)) return null;
  const at = (seconds: number): number => strip.left + (Math.min(end, Math.max(strip.from, seconds)) - strip.from) * speed;
  return { left: at(event.from), right: at(event.to) };
}

/** The strips on which an event is drawn: those of its channels; what is of all is named on one of a moment alone. */
function stripsOf(paper: Paper, { channels }: WaveEvent): { strips: Strip[]; named: ReadonlySet<Strip> } {
  const strips = channels.length === 0 ? paper.strips : paper.strips.filter(({ channel }) => channels.includes(channel + 1));
  if (channels.length > 0) return { strips, named: new Set(strips) };
  const rhythm = paper.strips.at(-1);
  const isSheet = rhythm !== undefined && paper.strips.some((one) => one !== rhythm && one.channel === rhythm.channel);
  const named = isSheet ? rhythm : paper.strips[0];
  return { strips: isSheet && rhythm ? [rhythm] : strips, named: new Set(named ? [named] : []) };
}

const LETTERS = 10; // CSS pixels
const FURTHEST = 0.4; // lines that a text may stand beside its moment
const FAINT = 0.5; // of lines: the curve stays in sight

/** Draws events over the strips; texts stand upright, side by side, and those that find no room are left to the list. */
export function drawEvents(context: CanvasRenderingContext2D, paper: Paper, events: readonly WaveEvent[], speed: number, perMm: number, ink: Ink): void {
  const taken = new Map<Strip, number>();
  context.font = `${LETTERS}px system-ui, sans-serif`;
  for (const event of [...events].sort((one, other) => one.from - other.from)) {
    const { strips, named } = stripsOf(paper, event);
    for (const strip of strips) {
      const place = placeOn(strip, event, speed);
      if (!place) continue;
      drawExtent(context, strip, place, perMm, ink);
      if (named.has(strip)) writeText(context, strip, place.left * perMm, event.text, taken, perMm, ink);
    }
  }
}

function drawExtent(context: CanvasRenderingContext2D, strip: Strip, { left, right }: { left: number; right: number }, perMm: number, ink: Ink): void {
  const top = (strip.zero - strip.height / 2) * perMm;
  context.strokeStyle = ink.event;
  context.lineWidth = 1;
  context.globalAlpha = FAINT;
  context.beginPath();
  for (const x of left === right ? [left] : [left, right]) {
    context.moveTo(Math.round(x * perMm) + 0.5, top);
    context.lineTo(Math.round(x * perMm) + 0.5, top + strip.height * perMm);
  }
  context.stroke();
  if (left !== right) {
    context.globalAlpha = 0.12;
    context.fillStyle = ink.event;
    context.fillRect(left * perMm, top, (right - left) * perMm, strip.height * perMm);
  }
  context.globalAlpha = 1;
}

function writeText(context: CanvasRenderingContext2D, strip: Strip, at: number, text: string, taken: Map<Strip, number>, perMm: number, ink: Ink): void {
  const line = LETTERS + 1;
  const x = Math.max(at + 2, (taken.get(strip) ?? -Infinity) + line);
  if (x - at > FURTHEST * line) return;
  taken.set(strip, x);
  context.save();
  context.translate(x, (strip.zero + strip.height / 2) * perMm - 2);
  context.rotate(-Math.PI / 2);
  context.textBaseline = 'top';
  context.lineWidth = 3;
  context.strokeStyle = ink.ground;
  context.fillStyle = ink.event;
  const most = strip.height * perMm - 4;
  context.strokeText(text, 0, 0, most);
  context.fillText(text, 0, 0, most);
  context.restore();
}
