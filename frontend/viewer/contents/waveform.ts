/**
 * A recording's samples and its paper: values by time, rows of channels at millimetres a second and a millivolt, the
 * grid under them. Lengths on paper are millimetres; `perMm` says how many CSS pixels one is.
 */

export interface WaveChannel {
  name: string;
  lead: string;
  scale: number;
  baseline: number;
  unit: string;
  unit_name: string;
  low_hz: number | null;
  high_hz: number | null;
  notch_hz: number | null;
}

export interface WaveGroup {
  label: string;
  originality: string;
  frequency: number;
  samples: number;
  offset_s: number;
  words: 'int16' | 'float32';
  padding: number | null;
  channels: WaveChannel[];
}

const CHUNK_VALUES = 1 << 20;
const CHUNKS = 8;

/** Samples of one group, fetched in pieces as they are looked at; the least recently used pieces go. */
export class WaveSamples {
  readonly #chunks = new Map<number, Int16Array | Float32Array>();
  readonly #asked = new Map<number, Promise<void>>();
  readonly #each: number;

  constructor(
    readonly group: WaveGroup,
    private readonly fetchPart: (start: number, count: number) => Promise<ArrayBuffer>,
  ) {
    this.#each = Math.max(1, Math.floor(CHUNK_VALUES / Math.max(1, group.channels.length)));
  }

  get duration(): number {
    return this.group.frequency > 0 ? this.group.samples / this.group.frequency : 0;
  }

  /** Fetches what is not here of a stretch of samples. */
  async load(from: number, to: number): Promise<void> {
    const first = Math.floor(Math.max(0, from) / this.#each);
    const last = Math.floor(Math.min(this.group.samples - 1, to) / this.#each);
    const waits: Promise<void>[] = [];
    for (let at = first; at <= last; at += 1) {
      if (this.#chunks.has(at)) continue;
      let asked = this.#asked.get(at);
      if (!asked) {
        asked = this.#fetch(at).finally(() => this.#asked.delete(at));
        this.#asked.set(at, asked);
      }
      waits.push(asked);
    }
    await Promise.all(waits);
  }

  async #fetch(at: number): Promise<void> {
    const body = await this.fetchPart(at * this.#each, this.#each);
    this.#chunks.set(at, this.group.words === 'int16' ? new Int16Array(body) : new Float32Array(body));
    const oldest = this.#chunks.keys().next().value;
    if (this.#chunks.size > CHUNKS && oldest !== undefined) this.#chunks.delete(oldest);
  }

  /** The value of a channel in its unit; NaN where there is none, or not yet. */
  value(sample: number, channel: number): number {
    const at = Math.floor(sample / this.#each);
    const raw = this.#chunks.get(at)?.[(sample - at * this.#each) * this.group.channels.length + channel];
    const facts = this.group.channels[channel];
    if (raw === undefined || !facts || raw === this.group.padding) return NaN;
    return raw * facts.scale + facts.baseline;
  }

  /** The least and the greatest value of a stretch; null where there is none. */
  extremes(from: number, to: number, channel: number): [number, number] | null {
    let least = Infinity;
    let most = -Infinity;
    for (let at = Math.max(0, from); at < Math.min(to, this.group.samples); at += 1) {
      const value = this.value(at, channel);
      if (value < least) least = value;
      if (value > most) most = value;
    }
    return least <= most ? [least, most] : null;
  }
}

/** How many of a unit one millivolt is; 0 where the unit is no voltage. */
export function perMillivolt(unit: string): number {
  return { uV: 1000, mV: 1, V: 0.001, nV: 1e6 }[unit] ?? 0;
}

/** A stretch of a channel on paper. */
export interface Strip {
  channel: number;
  label: string;
  /** Seconds from the group's beginning. */
  from: number;
  seconds: number;
  /** Millimetres from the paper's left and top edge to the strip's beginning and to its zero. */
  left: number;
  zero: number;
  height: number;
  /** Millimetres for one of the channel's unit, upwards; `middle` is the value that stands at `zero`. */
  perUnit: number;
  middle: number;
}

export interface Paper {
  width: number;
  height: number;
  strips: Strip[];
}

export interface Settings {
  /** Millimetres a second. */
  speed: number;
  /** Millimetres a millivolt. */
  gain: number;
  layout: 'standard' | 'rows';
  /** Seconds from which on, and how many, where rows are drawn. */
  from: number;
  seconds: number;
}

const STANDARD = ['I', 'aVR', 'V1', 'V4', 'II', 'aVL', 'V2', 'V5', 'III', 'aVF', 'V3', 'V6'];
const PART_S = 2.5;
const MARGIN = 5;
const LEAD_MM = 30;

/** Whether all twelve leads are there for the usual sheet. */
export function isTwelveLead(group: WaveGroup): boolean {
  return STANDARD.every((lead) => group.channels.some((channel) => channel.lead === lead));
}

function scaleOf(samples: WaveSamples, channel: number, settings: Settings, height: number): { perUnit: number; middle: number } {
  const unit = samples.group.channels[channel]?.unit ?? '';
  const one = perMillivolt(unit);
  if (one > 0) return { perUnit: settings.gain / one, middle: 0 };
  const rate = samples.group.frequency;
  const [least, most] = samples.extremes(Math.floor(settings.from * rate), Math.ceil((settings.from + settings.seconds) * rate), channel) ?? [0, 1];
  return { perUnit: (height * 0.8) / Math.max(most - least, 1e-9), middle: (least + most) / 2 };
}

/** Lays a group out: three rows of four leads over a rhythm strip, or a row for each channel. */
export function layOut(samples: WaveSamples, settings: Settings): Paper {
  const { group } = samples;
  const { speed, from } = settings;
  if (settings.layout === 'standard' && isTwelveLead(group)) {
    const place = (lead: string): number => group.channels.findIndex((channel) => channel.lead === lead);
    const part = (lead: string, column: number, row: number, seconds: number): Strip => ({
      channel: place(lead),
      label: lead,
      from: from + column * PART_S,
      seconds,
      left: MARGIN + column * PART_S * speed,
      zero: MARGIN + LEAD_MM * (row + 0.5),
      height: LEAD_MM,
      ...scaleOf(samples, place(lead), settings, LEAD_MM),
    });
    const strips = STANDARD.map((lead, at) => part(lead, at % 4, Math.floor(at / 4), PART_S));
    strips.push(part('II', 0, 3, 4 * PART_S));
    return { width: 2 * MARGIN + 4 * PART_S * speed, height: 2 * MARGIN + 4 * LEAD_MM, strips };
  }
  const height = group.channels.length > 6 ? 20 : LEAD_MM;
  const strips = group.channels.map(({ name, lead }, channel) => ({
    channel,
    label: lead || name,
    from,
    seconds: settings.seconds,
    left: MARGIN,
    zero: MARGIN + height * (channel + 0.5),
    height,
    ...scaleOf(samples, channel, settings, height),
  }));
  return { width: 2 * MARGIN + settings.seconds * speed, height: 2 * MARGIN + height * strips.length, strips };
}

export interface Ink {
  ground: string;
  fine: string;
  coarse: string;
  trace: string;
  text: string;
  event: string;
}

export const DARK: Ink = { ground: '#0c0f12', fine: '#2b1a1c', coarse: '#54292d', trace: '#e9f3ee', text: '#b9c4cc', event: '#7cc7ff' };
export const LIGHT: Ink = { ground: '#fffdfb', fine: '#f8dcd9', coarse: '#eba9a3', trace: '#111111', text: '#333333', event: '#0b5fa5' };

/** Draws the grid of 1 and 5 mm; without the fine lines where they would run into one another. */
function drawGrid(context: CanvasRenderingContext2D, paper: Paper, perMm: number, ink: Ink): void {
  context.fillStyle = ink.ground;
  context.fillRect(0, 0, paper.width * perMm, paper.height * perMm);
  for (const [step, colour] of [[1, ink.fine], [5, ink.coarse]] as const) {
    if (step * perMm < 2.5) continue;
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.beginPath();
    for (let x = 0; x <= paper.width; x += step) {
      context.moveTo(Math.round(x * perMm) + 0.5, 0);
      context.lineTo(Math.round(x * perMm) + 0.5, paper.height * perMm);
    }
    for (let y = 0; y <= paper.height; y += step) {
      context.moveTo(0, Math.round(y * perMm) + 0.5);
      context.lineTo(paper.width * perMm, Math.round(y * perMm) + 0.5);
    }
    context.stroke();
  }
}

function drawStrip(context: CanvasRenderingContext2D, samples: WaveSamples, strip: Strip, speed: number, perMm: number, ink: Ink): void {
  const rate = samples.group.frequency;
  const first = Math.round(strip.from * rate);
  const count = Math.min(Math.round(strip.seconds * rate), samples.group.samples - first);
  const perSample = (speed * perMm) / rate;
  const height = (value: number): number => (strip.zero - (value - strip.middle) * strip.perUnit) * perMm;
  context.strokeStyle = ink.trace;
  context.lineWidth = Math.max(1, Math.min(1.6, perMm * 0.3));
  context.lineJoin = 'round';
  context.beginPath();
  let drawing = false;
  const step = Math.max(1, Math.floor(0.5 / perSample)); // of several samples within a pixel: the least and the greatest
  for (let at = 0; at < count; at += step) {
    const x = strip.left * perMm + at * perSample;
    const span = step > 1 ? samples.extremes(first + at, first + Math.min(at + step, count), strip.channel) : null;
    const value = step > 1 ? (span ? span[0] : NaN) : samples.value(first + at, strip.channel);
    if (Number.isNaN(value)) {
      drawing = false;
      continue;
    }
    if (drawing) context.lineTo(x, height(value));
    else context.moveTo(x, height(value));
    if (span) context.lineTo(x, height(span[1]));
    drawing = true;
  }
  context.stroke();
  context.fillStyle = ink.text;
  context.font = `600 ${Math.max(11, Math.round(3.4 * perMm))}px system-ui, sans-serif`;
  context.textBaseline = 'top';
  context.fillText(strip.label, strip.left * perMm + 4, (strip.zero - strip.height / 2) * perMm + 3);
}

/** Draws all of a paper; the context's units are CSS pixels. */
export function drawPaper(context: CanvasRenderingContext2D, samples: WaveSamples, paper: Paper, settings: Settings, perMm: number, ink: Ink): void {
  drawGrid(context, paper, perMm, ink);
  for (const strip of paper.strips) drawStrip(context, samples, strip, settings.speed, perMm, ink);
}

/** The strip that a place of the paper (millimetres) lies in. */
export function stripAt(paper: Paper, x: number, y: number, speed: number): Strip | undefined {
  return paper.strips.find((one) => Math.abs(y - one.zero) <= one.height / 2 && x >= one.left && x <= one.left + one.seconds * speed);
}

export interface Measured {
  milliseconds: number;
  /** In the strip's unit. */
  amount: number;
  unit: string;
  /** Beats a minute, if the stretch is one beat long. */
  rate: number;
}

/** What lies between two places of the paper (millimetres), by the strip of the first. */
export function measure(samples: WaveSamples, strip: Strip, speed: number, from: { x: number; y: number }, to: { x: number; y: number }): Measured {
  const milliseconds = (Math.abs(to.x - from.x) / speed) * 1000;
  const unit = samples.group.channels[strip.channel]?.unit ?? '';
  const one = perMillivolt(unit);
  const amount = (from.y - to.y) / strip.perUnit;
  return {
    milliseconds,
    amount: one > 0 ? amount / one : amount,
    unit: one > 0 ? 'mV' : unit,
    rate: milliseconds > 0 ? 60_000 / milliseconds : 0,
  };
}
