/** One slice from the server, as fine as the volume is: of a code stream no more is taken than that needs. */

import { decodeStream, StreamDamaged } from '../decoding/decoders';
import { FrameDamaged, frameOfPicture, readFrame, sampleBytes, storedValue, type Frame, type FrameFacts } from '../frame';
import { FrameFailure } from '../loader';
import { voxelsOf, type Kind, type Voxels } from './reslice';

const WORTH_BREAKING_OFF = 200_000; // bytes; fewer come sooner than a new connection

/** Fetches a frame with its edges halved `level` times. Throws FrameFailure, FrameDamaged or an AbortError. */
export async function fetchSlice(address: string, level: number, signal: AbortSignal): Promise<Frame> {
  const response = await fetch(address, { signal, credentials: 'same-origin' });
  if (!response.ok) throw new FrameFailure(response.status, '', await codeOf(response));
  const said = response.headers.get('X-Radrelay-Frame');
  if (!said || !response.body) throw new FrameDamaged('the answer says nothing of its samples');
  const facts = JSON.parse(said) as FrameFacts;
  const ends = facts.coding === 'htj2k' ? (facts.resolution_ends ?? []) : [];
  const depth = Math.min(level, Math.max(0, ends.length - 1));
  const wanted = ends[ends.length - 1 - depth] ?? sampleBytes(facts);
  const bytes = await beginning(response.body, wanted, (ends.at(-1) ?? wanted) - wanted);
  let frame: Frame;
  if (ends.length === 0) frame = readFrame(facts, bytes.buffer);
  else if (bytes.length < wanted) throw new FrameDamaged(`${bytes.length} bytes where ${wanted} belong`);
  else frame = await decoded(facts, bytes, depth);
  return frame;
}

async function codeOf(response: Response): Promise<string> {
  try {
    const { code } = (await response.json()) as { code?: unknown };
    return typeof code === 'string' ? code : '';
  } catch {
    return ''; // not a problem document
  }
}

/** Reads the first `wanted` bytes; a long rest is broken off, a short one let run out. */
async function beginning(body: ReadableStream<Uint8Array>, wanted: number, rest: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(wanted);
  const reader = body.getReader();
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at < wanted) bytes.set(value.subarray(0, wanted - at), at);
    at += value.length;
    if (at >= wanted && rest > WORTH_BREAKING_OFF) {
      void reader.cancel().catch(() => undefined);
      break;
    }
  }
  return at < wanted ? bytes.slice(0, at) : bytes;
}

async function decoded(facts: FrameFacts, bytes: Uint8Array<ArrayBuffer>, level: number): Promise<Frame> {
  try {
    return frameOfPicture(facts, await decodeStream(bytes, level));
  } catch (cause) {
    if (cause instanceof StreamDamaged) throw new FrameDamaged(cause.message);
    throw cause;
  }
}

/** How voxels of such frames are kept so that none changes. */
export function kindOf(facts: FrameFacts): Kind {
  if (facts.float || facts.bits_allocated > 16) return 'float32';
  if (facts.bits_allocated === 8 && !facts.signed) return 'uint8';
  return facts.signed ? 'int16' : 'uint16';
}

/** The stored numbers of a frame, `columns` × `rows` of them; as float32 with the frame's own rescale applied. */
export function numbersOf(frame: Frame, kind: Kind, columns: number, rows: number): Voxels {
  const read = storedValue(frame.facts);
  const rescaled = kind === 'float32';
  let { samples, columns: wide, rows: high } = frame;
  let values: ArrayLike<number> = samples;
  const out = voxelsOf(kind, samples.length);
  const { slope, intercept } = frame;
  for (let at = 0; at < out.length; at += 1) {
    const stored = read(values[at] ?? 0);
    out[at] = rescaled ? stored * slope + intercept : stored;
  }
  let found: Voxels = out;
  while (wide > columns || high > rows) {
    found = halved(found, kind, wide, high);
    [wide, high] = [Math.ceil(wide / 2), Math.ceil(high / 2)];
  }
  if (wide !== columns || high !== rows) throw new FrameDamaged(`${wide} × ${high} where ${columns} × ${rows} belong`);
  return found;
}

/** Every second column and row, weighed with its neighbours by 1, 2, 1. */
export function halved(values: Voxels, kind: Kind, columns: number, rows: number): Voxels {
  const [wide, high] = [Math.ceil(columns / 2), Math.ceil(rows / 2)];
  const out = voxelsOf(kind, wide * high);
  const whole = kind !== 'float32';
  const at = (x: number, y: number): number => values[Math.min(rows - 1, Math.max(0, y)) * columns + Math.min(columns - 1, Math.max(0, x))] ?? 0;
  const line = (x: number, y: number): number => (at(x - 1, y) + 2 * at(x, y) + at(x + 1, y)) / 4;
  for (let y = 0; y < high; y += 1) {
    for (let x = 0; x < wide; x += 1) {
      const mean = (line(2 * x, 2 * y - 1) + 2 * line(2 * x, 2 * y) + line(2 * x, 2 * y + 1)) / 4;
      out[y * wide + x] = whole ? Math.round(mean) : mean;
    }
  }
  return out;
}
